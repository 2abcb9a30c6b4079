"""The tables of neurons that send the values of a smooth function, and how far these are from the function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from snntoolbox.conversion.thresholds.thresholds import Scales, linear_bounds
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, LinearNode
from snntoolbox.ir.nodes import ReLU, Tabulated
from snntoolbox.ir.nodes.tabulated import TABULATED
from snntoolbox.ir.tabulating import Table

FINENESS = 4
"""Entries for each level where the function is steepest, so that rounding the input costs at most 1/8 of a level."""

MOST_ENTRIES = 2048
"""Of one row; where that does not do, entries are farther apart."""

_REACH = 16.0
"""Beyond [-16, 16] every function is flat, or straight, to 1e-6."""


def tabulated(
    node: Tabulated, scale: Array, levels: int, most: Array | float = np.inf, shift: float = 0.0
) -> Table:
    """The table of a node's values in `levels` levels of `scale` (its rank), one row for each value of that.

    Entry k is the function of k steps to the nearest level, T f(k step) / scale, or `shift` levels higher, for neurons
    that start at half a threshold, which is a step. It ends where all that follows is alike, or for functions of any
    width at `most`, the largest sum that comes (`largest_sum`).
    """
    level = np.asarray(scale, np.float64).reshape(-1) / levels
    if node.function in _BY_SCALE:
        low, high, steepest = _BY_SCALE[node.function](level, levels, np.asarray(most))
        fine, ends = level / (FINENESS * steepest), np.stack([low, high], axis=1)
    else:
        fine = level / (FINENESS * _steepest(node.function, node.sign, node.most))
        ends = _ends(node, level, levels, shift)
    step = np.maximum(fine, (ends[:, 1] - ends[:, 0]) / (MOST_ENTRIES - 4))
    step = step * max(1.0, ((ends[:, 1] / step).max() - (ends[:, 0] / step).min()) / (MOST_ENTRIES - 4))
    if np.all(step == step[0]) and np.all(level == level[0]):
        step, level, ends = step[:1], level[:1], ends[:1]
    first = int(np.floor((ends[:, 0] / step).min())) - 1
    last = int(np.ceil((ends[:, 1] / step).max())) + 1
    x = np.arange(first, last + 1) * step[:, None]
    counts = _levels(node, x, level[:, None], levels, shift).astype(np.int16 if levels < 2**15 else np.int32)
    return Table(counts, first, levels, step)


Ends = tuple[Array, Array, Array]


def _square(level: Array, levels: int, most: Array) -> Ends:
    """Where the square reaches its scale on both sides, and the slope there."""
    edge = np.sqrt(level * levels)
    return -edge, edge, 2 * edge


def _inverse_root(level: Array, levels: int, most: Array) -> Ends:
    """From where it comes down from its scale to where it is half a level, or nothing comes; it is steepest first."""
    low = (level * levels) ** -2.0
    return low, np.maximum(np.minimum((level / 2) ** -2.0, most), 2 * low), (level * levels) ** 3 / 2


_BY_SCALE: Mapping[str, Callable[[Array, int, Array], Ends]] = {"square": _square, "inverse_root": _inverse_root}
"""Functions that are steep or wide wherever their values are large: first and last input, and the largest slope."""


def largest_sum(node: Tabulated, scales: Scales, graph: Graph) -> Array | float:
    """The most that the neurons of each row of a table get, as all before them send at most their scale."""
    found = _bound(node.inputs[0], scales, graph) if node.function in _BY_SCALE else None
    if found is None:
        return np.inf
    high = found[1][0]
    return np.asarray(high.reshape(len(high), -1).max(axis=1) if np.size(scales[node.name]) > 1 else high.max())


def _bound(name: str, scales: Scales, graph: Graph) -> tuple[Array, Array] | None:
    """The least and largest value of a node for what rectifiers send; None where it reads other things."""
    node = graph.nodes[name]
    if isinstance(node, ReLU):
        top = np.broadcast_to(scales[name], (1, *graph.shapes[name])).astype(np.float64)
        return np.zeros_like(top), top
    below = [_bound(source, scales, graph) for source in node.inputs]
    known = [ends for ends in below if ends is not None]
    if not isinstance(node, LinearNode) or not known or len(known) < len(below):
        return None
    return linear_bounds(node, known, graph.input_shapes(name))


def _levels(node: Tabulated, x: Array, level: Array | float, levels: int, shift: float) -> Array:
    return _whole(node.apply(x), level, levels, shift)


def _whole(values: Array, level: Array | float, levels: int, shift: float) -> Array:
    """The levels of these values of the function."""
    return np.asarray(np.clip(np.floor(values / level + 0.5 + shift), 0, levels))


def _ends(node: Tabulated, level: Array, levels: int, shift: float) -> Array:
    """For each row before and after what all values in its levels are alike."""
    top = _REACH + 2 * level * levels if node.most is None else np.full(len(level), node.most)
    near = min(float(top.min()), _REACH)
    x = np.linspace(-_REACH, near, 4001)
    values = node.apply(x)
    far = np.linspace(near, np.maximum(top, near + level), 1001)[1:].T
    found = np.zeros((len(level), 2))
    for row, one in enumerate(level):
        each = np.concatenate([_whole(values, one, levels, shift), _levels(node, far[row], one, levels, shift)])
        differs = np.flatnonzero(each[1:] != each[:-1])
        if len(differs):
            places = np.concatenate([x, far[row]])
            found[row] = places[differs[0]], places[differs[-1] + 1]
    return found


@cache
def _steepest(function: str, sign: int, most: float | None) -> float:
    """The largest slope where the function has the sign, for inputs that there are."""
    x = np.linspace(-_REACH, _REACH if most is None else min(most, _REACH), 32001)
    values = TABULATED[function](x)
    slopes = np.abs(np.diff(values)) / np.diff(x)
    there = sign * (values[1:] + values[:-1]) > 0
    return float(slopes[there].max(initial=1e-3))


def table_errors(network: SpikingNetwork, graph: Graph) -> dict[str, float]:
    """For each table of a network of `graph` how far it is from its function where that is in its range, at most.

    It is farthest where one entry ends and the next begins.
    """
    errors: dict[str, float] = {}
    for name, population in network.populations.items():
        node = graph.nodes.get(population.activation)
        if isinstance(population.neuron, IF) and population.neuron.table and isinstance(node, Tabulated):
            table, scale = population.neuron.table, np.asarray(population.scale, np.float64).reshape(-1, 1)
            ends = (table.first + np.arange(table.counts.shape[1] + 1) - 0.5) * table.step[:, None]
            far = np.linspace(-_REACH, _REACH + 2 * float(scale.max()), 1601)
            x = np.concatenate([ends, np.broadcast_to(far, (len(ends), len(far)))], axis=1)
            most = ends[:, -1:] if node.function in _BY_SCALE else np.inf if node.most is None else node.most
            exact = np.minimum(node.apply(np.minimum(x, most)), scale)
            for beside in (-1e-6, 1e-6):
                index = table.place(np.floor(x / table.step[:, None] + 0.5 + beside))
                values = np.take_along_axis(table.counts, index, axis=1) * (scale / table.levels)
                errors[name] = max(errors.get(name, 0.0), float(np.abs(values - exact).max()))
    return errors
