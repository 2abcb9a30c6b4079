"""The analogue network that a phased spiking network equals: every rectifier in T levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from snntoolbox.errors import ConversionError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import ReLU


def quantized_reference(
    graph: Graph, scales: Mapping[str, Array], levels: int, x: Sequence[Array], start: float = 0.5
) -> dict[str, Array]:
    """Every node's value for a batch `x` (one array per input) in the quantised network, in float64.

    A rectifier of input z with scale s has the value s / T * clip(floor(T z / s + V0), 0, T) for T `levels` and a start
    potential of V0 thresholds. This is written without any spiking network; slow and obvious. The read-outs of a
    phased network are the values of ``graph.outputs``, its counts those of the rectifiers times T / s.
    """
    values: dict[str, Array] = dict(zip(graph.inputs, (np.asarray(a, np.float64) for a in x), strict=True))
    for name, node in graph.nodes.items():
        if name in values:
            continue
        given = [values[i] for i in node.inputs]
        if isinstance(node, ReLU):
            step = np.asarray(scales[name], np.float64) / levels
            values[name] = step * np.clip(np.floor(given[0] / step + start), 0, levels)
        else:
            values[name] = node.apply(*given)
    return values


def quantized_graph(graph: Graph, scales: Mapping[str, Array], levels: int) -> Graph:
    """The same as a graph, for start potentials of half a threshold: one pass instead of a simulation.

    ConversionError for a rectifier that has levels of its own and another number of them.
    """
    rectifiers = [n for n in graph.nodes.values() if isinstance(n, ReLU)]
    if other := [n for n in rectifiers if n.levels not in (None, levels)]:
        raise ConversionError(f"has {other[0].levels} levels of its own, not {levels}", layer=other[0].label)
    return graph.edited([replace(n, max_value=np.asarray(scales[n.name]), levels=levels) for n in rectifiers])
