"""Recognises the quantised rectifier of QCFS training in the way that models write it out, with floor and bounds.

``clip(floor(z), 0, L)``, or ``floor(z)`` of z = a * min(relu(x), c) + b with a > 0 and 0 <= b < 1, is a rectifier with
L levels of z - 1/2. Scales in front of it and behind it become its upper bound (Bu et al., arXiv 2303.04347).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Node, Origin
from snntoolbox.ir.nodes import Floor, ReLU, Scale

TOLERANCE = 2e-6
"""Models write constants in float32: a factor this near to one is one."""


@dataclass(frozen=True)
class ReadQuantizers:
    """Every such chain becomes one `ReLU` with levels; exact up to the rounding of its constants."""

    def __call__(self, graph: Graph) -> Graph:
        """The same function; a floor that stands for anything else stays and is refused at conversion."""
        editing = Editing(graph)
        for name in list(editing.nodes):
            floor = editing.nodes.get(name)
            if isinstance(floor, Floor) and (chain := _read(editing, floor)) is not None:
                nodes, last = chain
                editing.edit(nodes, redirect={} if nodes[-1].name == last else {last: nodes[-1].name})
        return editing.graph()


def _read(graph: Editing, floor: Floor) -> tuple[list[Node], str] | None:
    """The nodes that replace the chain around a floor, and the name of the chain's last node."""
    source, gain, shift = _affine_above(graph, floor.inputs[0])
    clip = graph.only_reader(floor.name)
    if isinstance(clip, ReLU) and clip.levels is None and clip.max_value is not None:
        top, last = np.asarray(clip.max_value, np.float64), clip.name
    elif isinstance(bounded := graph.nodes[source], ReLU) and bounded.levels is None and bounded.max_value is not None:
        if not (np.all(gain > 0) and np.all((shift >= 0) & (shift < 1))):
            return None
        top, last = np.floor(gain * bounded.max_value + shift + 1e-5), floor.name
        source, front, start = _affine_above(graph, bounded.inputs[0])
        gain, shift = gain * front, shift + gain * start
    else:
        return None
    levels = round(float(top.flat[0]))
    if levels < 1 or np.any(np.abs(top - levels) > TOLERANCE * levels):
        return None
    factor, last = _factor_below(graph, last, len(graph.shapes[floor.name]))
    name = _name(graph, floor, source, last)
    return _quantizer(source, gain * factor, (shift - 0.5) * factor, levels * factor, levels, name, floor.origin), last


def _quantizer(
    source: str, gain: Array, shift: Array, bound: Array, levels: int, name: str, origin: Origin | None
) -> list[Node]:
    """``ReLU(gain * x + shift)`` with levels, without the map in front where it is the identity."""
    high = float(bound.flat[0]) if bound.size == 1 else bound
    if np.all(np.abs(gain - 1) <= TOLERANCE) and np.all(np.abs(shift) <= TOLERANCE * bound):
        return [ReLU(name=name, inputs=(source,), max_value=high, levels=levels, origin=origin)]
    front = Scale(name=f"{name}/levels", inputs=(source,), gain=gain, bias=shift if np.any(shift) else None)
    return [front, ReLU(name=name, inputs=(front.name,), max_value=high, levels=levels, origin=origin)]


def _affine_above(graph: Editing, name: str) -> tuple[str, Array, Array]:
    """The node x that ``name = gain * x + shift`` starts from, and both arrays, of the sample's rank."""
    ones = (1,) * len(graph.shapes[name])
    gain, shift = np.ones(ones), np.zeros(ones)
    while isinstance(node := graph.nodes[name], Scale):
        if node.bias is not None:
            shift = shift + gain * node.bias
        gain, name = gain * node.gain, node.inputs[0]
    return name, gain, shift


def _factor_below(graph: Editing, name: str, rank: int) -> tuple[Array, str]:
    """The product of the positive factors that alone read a node one after the other, and the last one's name."""
    factor = np.ones((1,) * rank)
    while isinstance(reader := graph.only_reader(name), Scale) and reader.bias is None and np.all(reader.gain > 0):
        factor, name = factor * reader.gain, reader.name
    return factor, name


def _name(graph: Editing, floor: Floor, source: str, last: str) -> str:
    """The shortest name among the nodes of the user's layer that are replaced: one that nobody needs any more."""
    free, name = [], last
    while name != source and isinstance(node := graph.nodes[name], (Floor, ReLU, Scale)):
        if name == last or graph.only_reader(name) is not None:
            free.append(name)
        else:
            break
        (name,) = node.inputs
    return min((n for n in free if graph.nodes[n].origin == floor.origin), key=len, default=last)
