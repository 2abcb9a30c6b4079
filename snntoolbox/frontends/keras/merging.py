"""Layers that join branches: add, subtract, average, concatenate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snntoolbox.frontends.keras.step import Refused, Step
from snntoolbox.ir.nodes import Add


def weighted_sum(s: Step, sources: Sequence[str], coefficients: tuple[float, ...] | None = None) -> str:
    """The sum of branches of one rank, each broadcast to the common shape."""
    shapes = [s.builder.shape(x) for x in sources]
    if len({len(shape) for shape in shapes}) != 1:
        raise Refused(f"joins inputs of different ranks: {', '.join(map(str, shapes))}")
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError:
        raise Refused(f"joins inputs of shapes {', '.join(map(str, shapes))}") from None
    wide = []
    for x in sources:
        for axis, size in enumerate(common):
            if s.builder.shape(x)[axis] != size:
                x = s.builder.take(f"{s.name}_broadcast", x, axis, [0] * size, s.origin)
        wide.append(x)
    return s.builder.add(Add(name=s.name, inputs=tuple(wide), coefficients=coefficients, origin=s.origin))


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


HANDLERS = {"Add": add, "Subtract": subtract, "Average": average, "Concatenate": concatenate}
