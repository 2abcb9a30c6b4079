"""Replaces smooth activation functions by sums of clipped rectifiers, where that is asked for. Not exact.

Between knots t_0 < t_1 < ... the function is replaced by the straight line through its values:
f(x) ~ f(t_0) + sum_k s_k * min(relu(x - t_k), t_{k+1} - t_k), s_k = (f(t_{k+1}) - f(t_k)) / (t_{k+1} - t_k).
Outside it goes on as its asymptote does. Knots lie where the function bends: with the density sqrt(|f''|) the error
is the same in every segment (de Boor 1978, "A Practical Guide to Splines", ch. XII).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import numpy as np

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Add, ReLU, Scale
from snntoolbox.ir.nodes.elementwise import FUNCTIONS, KINKS, Elementwise

_REACH = 8.0
"""Knots lie in [-8, 8]; beyond, every function is within 3e-3 of its asymptote."""


@dataclass(frozen=True)
class ApproximateActivations:
    """Every `Elementwise` of the named functions becomes `segments` clipped rectifiers and their weighted sum."""

    functions: Collection[str]
    segments: int = 16

    def __call__(self, graph: Graph) -> Graph:
        """The graph with those functions replaced."""
        editing = Editing(graph)
        for node in list(editing.nodes.values()):
            node = editing.nodes[node.name]  # it reads the sums of those replaced before
            if isinstance(node, Elementwise) and node.function in self.functions:
                nodes = self._nodes(node, len(editing.shapes[node.name]))
                editing.edit(nodes, redirect={node.name: nodes[-1].name})
        return editing.graph()

    def errors(self, graph: Graph) -> dict[str, float]:
        """For each such node the largest difference between the function and its replacement, anywhere in [-20, 20]."""
        errors = {}
        x = np.linspace(-20, 20, 40001)
        for node in graph.nodes.values():
            if isinstance(node, Elementwise) and node.function in self.functions:
                difference = piecewise(node.function, self.segments, x) - FUNCTIONS[node.function](x)
                errors[node.name] = float(np.abs(difference).max())
        return errors

    def _nodes(self, node: Elementwise, rank: int) -> list[Node]:
        """A shifted rectifier per segment, and last the node that sums them."""
        start, segments = _segments(node.function, self.segments)
        ones = (1,) * rank
        shifts = [
            Scale(
                name=f"{node.name}.from_{k}",
                inputs=node.inputs,
                gain=np.ones(ones),
                bias=np.full(ones, -segment.knot),
                origin=node.origin,
            )
            for k, segment in enumerate(segments)
        ]
        parts = [
            ReLU(name=f"{node.name}.segment_{k}", inputs=(shift.name,), max_value=segment.width, origin=node.origin)
            for k, (shift, segment) in enumerate(zip(shifts, segments, strict=True))
        ]
        total = Add(
            name=f"{node.name}.sum",
            inputs=tuple(part.name for part in parts),
            coefficients=tuple(segment.slope for segment in segments),
            bias=np.full(ones, start),
            origin=node.origin,
        )
        return [*shifts, *parts, total]


@dataclass(frozen=True)
class _Segment:
    """A straight piece from `knot` on, `width` long (None is without end)."""

    knot: float
    width: float | None
    slope: float


def piecewise(function: str, segments: int, x: Array) -> Array:
    """The values of the piecewise-linear function that stands for `function`."""
    start, pieces = _segments(function, segments)
    return np.asarray(start + sum(p.slope * np.clip(x - p.knot, 0, p.width) for p in pieces))


@cache
def _segments(function: str, segments: int) -> tuple[float, tuple[_Segment, ...]]:
    """The value in front of the first knot, and the pieces; all functions are flat towards minus infinity."""
    f = FUNCTIONS[function]
    x = np.linspace(-_REACH, _REACH, 20001)
    density = np.sqrt(np.abs(np.gradient(np.gradient(f(x), x), x))) + 1e-9
    share = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    even = np.interp(np.linspace(0, share[-1], segments + 1), share, x)
    knots = np.union1d(even, KINKS.get(function, ()))
    values = f(knots)
    pieces = [
        _Segment(float(a), float(b - a), float((fb - fa) / (b - a)))
        for a, b, fa, fb in zip(knots, knots[1:], values, values[1:], strict=False)
    ]
    last_slope = float(f(np.array([101.0]))[0] - f(np.array([100.0]))[0])
    if last_slope > 0.5:
        pieces.append(_Segment(float(knots[-1]), None, last_slope))
    return float(values[0]), tuple(pieces)
