"""Recognises means, what is off them, and mean squares, in the ways in which models write them out."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from snntoolbox.frontends.layer_call import LayerCall
from snntoolbox.ir.node import LinearNode, Shape
from snntoolbox.ir.nodes import Add, Mean, Multiply, ReLU, Reshape, Scale, Take
from snntoolbox.ir.products import TOLERANCE

TINY = 1e-6
"""A least length, such as that of `normalize`: a bound that low is taken for something added to a mean square.

For lengths above 1e-3 that is the same to float32.
"""

SAME_DEPTH = 12
"""How many nodes back two values are compared: a mean that is taken off is a few."""


@dataclass(frozen=True)
class Line:
    """``factor * name + shift`` with plain numbers."""

    name: str
    factor: float = 1.0
    shift: float = 0.0

    def of(self, inner: Line) -> Line:
        """The same line of what another one gives."""
        return Line(inner.name, self.factor * inner.factor, self.shift + self.factor * inner.shift)


@dataclass(frozen=True)
class Averaged:
    """``factor * mean(source)`` over these axes of the sample."""

    source: str
    axes: tuple[int, ...]
    factor: float


@dataclass(frozen=True)
class MeanSquare:
    """``factor * (mean(c^2) + epsilon)`` over axes of the sample, c being the source, or that less its mean."""

    source: str
    axes: tuple[int, ...]
    factor: float
    epsilon: float
    centred: bool


# -- one value ------------------------------------------------------------------------------------------------------


def same(call: LayerCall, first: str, second: str, depth: int = SAME_DEPTH) -> bool:
    """Whether two values are one, or computed by the same nodes from one: models write ``x - mean`` out twice."""
    if first == second:
        return True
    one, other = call.builder.node(first), call.builder.node(second)
    if not depth or type(one) is not type(other) or len(one.inputs) != len(other.inputs) or not one.inputs:
        return False
    own = [f.name for f in fields(one) if f.name not in ("name", "inputs", "origin")]
    if not all(np.array_equal(getattr(one, n), getattr(other, n)) for n in own):
        return False
    return all(same(call, a, b, depth - 1) for a, b in zip(one.inputs, other.inputs, strict=True))


def alike(call: LayerCall, first: str, second: str) -> bool:
    """Whether two values are one, or one less its mean, however that is written."""
    if same(call, first, second):
        return True
    one, other = centred(call, first), centred(call, second)
    return one is not None and other is not None and one.axes == other.axes and same(call, one.source, other.source)


def repeated(call: LayerCall, name: str) -> str:
    """What a value repeats along axes of length one."""
    node = call.builder.node(name)
    while isinstance(node, Take) and call.shape(node.inputs[0])[node.axis] == 1:
        node = call.builder.node(node.inputs[0])
    return node.name


def _line(call: LayerCall, name: str, *, bounded: bool) -> Line:
    """What a value is a line of, whatever its shape; where `bounded`, past a bound that none below 0 ever meets."""
    found = Line(name)
    while True:
        node = call.builder.node(found.name)
        if isinstance(node, Reshape) and node.bias is None:
            found = found.of(Line(node.inputs[0]))
        elif isinstance(node, Scale | Add) and len(node.inputs) == 1 and (one := _numbers(node)):
            found = found.of(Line(node.inputs[0], *one))
        elif bounded and isinstance(node, ReLU) and node.max_value is None:
            inner = _line(call, node.inputs[0], bounded=True)
            if inner.shift < -(TINY**2):
                return found
            return found.of(replace(inner, shift=max(inner.shift, 0.0)))
        else:
            return found


def _numbers(node: LinearNode) -> tuple[float, float] | None:
    """The number that a node multiplies all values with, and the one that it adds; None where they are no such."""
    gain = node.gain if isinstance(node, Scale) else np.array(node.factors if isinstance(node, Add) else 0.0)
    bias = np.zeros(1) if node.bias is None else node.bias
    plain = bool(np.all(gain == gain.flat[0]) and np.all(bias == bias.flat[0]))
    return (float(gain.flat[0]), float(bias.flat[0])) if plain else None


# -- means ----------------------------------------------------------------------------------------------------------


def averaged(call: LayerCall, name: str) -> Averaged | None:
    """The mean that a value is, but for a factor: summed and divided, its axes left out and put in again.

    None where it is no mean, or has not the axes in the places of those that it is over.
    """
    kept = repeated(call, name)
    found = _mean(call, kept)
    return found if found is not None and call.shape(kept) == _kept(call, found.source, found.axes) else None


def _mean(call: LayerCall, name: str) -> Averaged | None:
    """The same, whatever its shape."""
    line = _line(call, name, bounded=False)
    node = call.builder.node(line.name)
    if not isinstance(node, Mean) or node.bias is not None or line.shift:
        return None
    shape = call.shape(node.inputs[0])
    size = math.prod(shape[a] for a in node.axes) if node.summed else 1
    return Averaged(node.inputs[0], tuple(sorted(node.axes)), line.factor * size)


def _kept(call: LayerCall, source: str, axes: tuple[int, ...]) -> Shape:
    return tuple(1 if a in axes else n for a, n in enumerate(call.shape(source)))


def is_one(factor: float) -> bool:
    """Whether a factor is 1 but for what float32 makes of 1 / n."""
    return abs(factor - 1) < TOLERANCE


def centred(call: LayerCall, name: str) -> Averaged | None:
    """The mean that is taken off the value it is of; None where a value is no such difference."""
    node = call.builder.node(name)
    if not isinstance(node, Add) or node.factors != (1.0, -1.0) or node.bias is not None:
        return None
    mean = averaged(call, node.inputs[1])
    return mean if mean is not None and is_one(mean.factor) and same(call, mean.source, node.inputs[0]) else None


def mean_square(call: LayerCall, name: str) -> MeanSquare | None:
    """The mean square that a value is, of x or of what is off the mean, ``mean(x^2) - mean(x)^2`` too.

    A bound below, at 0 or hardly above, changes nothing that matters, as none is below 0. None where it is no such.
    """
    kept = repeated(call, name)
    line = _line(call, kept, bounded=True)
    node, off = call.builder.node(line.name), False
    if isinstance(node, Add) and node.factors == (1.0, -1.0) and node.bias is None:
        found, off = _of_squares(call, node.inputs[0]), True
        if found is None or not is_one(found.factor) or not _is_squared(call, node.inputs[1], found):
            return None
    else:
        found = _of_squares(call, line.name)
    if found is None or call.shape(kept) != _kept(call, found.source, found.axes) or line.factor * found.factor <= 0:
        return None
    factor = line.factor * found.factor
    epsilon = line.shift / factor
    return MeanSquare(found.source, found.axes, factor, epsilon, off) if 0 <= epsilon < math.inf else None


def _of_squares(call: LayerCall, name: str) -> Averaged | None:
    """The mean of squares that a value is, its source being what is squared."""
    found = _mean(call, name)
    squared = None if found is None else _squared(call, found.source)
    return None if found is None or squared is None else replace(found, source=squared)


def _squared(call: LayerCall, name: str) -> str | None:
    """What is multiplied with itself."""
    node = call.builder.node(name)
    both = isinstance(node, Multiply) and same(call, node.inputs[0], node.inputs[1])
    return node.inputs[0] if both else None


def _is_squared(call: LayerCall, name: str, of: Averaged) -> bool:
    """Whether a value is the square of the mean of that whose squares are averaged."""
    squared = _squared(call, _line(call, name, bounded=False).name)
    mean = None if squared is None else _mean(call, squared)
    return mean is not None and is_one(mean.factor) and mean.axes == of.axes and same(call, mean.source, of.source)
