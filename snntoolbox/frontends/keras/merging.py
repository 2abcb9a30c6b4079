"""Layers that join branches: sums, averages, extremes, concatenation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from snntoolbox.frontends.keras.step import Refused, Step, check_size
from snntoolbox.ir.nodes import Add
from snntoolbox.ir.products import add_gated
from snntoolbox.ir.rectifying import add_maximum, add_minimum


def widened(s: Step, sources: Sequence[str]) -> list[str]:
    """Branches of one rank, each broadcast to the common shape."""
    shapes = [s.builder.shape(x) for x in sources]
    if len({len(shape) for shape in shapes}) != 1:
        raise Refused(f"joins inputs of different ranks: {', '.join(map(str, shapes))}")
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError:
        raise Refused(f"joins inputs of shapes {', '.join(map(str, shapes))}") from None
    check_size(common)
    wide = []
    for x in sources:
        for axis, size in enumerate(common):
            if s.builder.shape(x)[axis] != size:
                x = s.builder.take(f"{s.name}_broadcast", x, axis, [0] * size, s.origin)
        wide.append(x)
    return wide


def weighted_sum(s: Step, sources: Sequence[str], coefficients: tuple[float, ...] | None = None) -> str:
    """The sum of branches of one rank, each broadcast to the common shape."""
    wide = tuple(widened(s, sources))
    return s.builder.add(Add(name=s.name, inputs=wide, coefficients=coefficients, origin=s.origin))


def extreme(s: Step, sources: Sequence[str], of_two: Callable[..., str]) -> str:
    """The largest or smallest of any number of branches, two at a time."""
    first, *others = widened(s, sources)
    for other in others:
        first = of_two(s.builder, s.name, first, other, s.origin)
    return first


def product(s: Step, sources: Sequence[str]) -> str:
    """``x * f(x)`` where that is a known function such as x * sigmoid(x); any other product is refused."""
    gated = add_gated(s.builder, s.name, sources[0], sources[1], s.origin) if len(sources) == 2 else None
    if gated is None:
        raise Refused("a product of branches")
    return gated


def add(s: Step) -> str:
    """The sum of all inputs."""
    return weighted_sum(s, s.sources)


def subtract(s: Step) -> str:
    """The first input minus the second."""
    return weighted_sum(s, s.sources, (1.0, -1.0))


def average(s: Step) -> str:
    """The mean of all inputs."""
    n = len(s.sources)
    return weighted_sum(s, s.sources, (1 / n,) * n)


def concatenate(s: Step) -> str:
    """All inputs behind one another."""
    axis = s.axis(s.config.get("axis", -1), len(s.builder.shape(s.sources[0])))
    return s.builder.concat(s.name, s.sources, axis, s.origin)


HANDLERS = {
    "Add": add,
    "Subtract": subtract,
    "Average": average,
    "Concatenate": concatenate,
    "Maximum": lambda s: extreme(s, s.sources, add_maximum),
    "Minimum": lambda s: extreme(s, s.sources, add_minimum),
    "Multiply": lambda s: product(s, s.sources),
}
