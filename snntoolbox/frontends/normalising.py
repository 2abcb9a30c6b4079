"""Normalisation by a sample's own values, as layers of several frameworks and as models write it out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from snntoolbox.frontends.layer_call import Activation, LayerCall, Refusal, broadcast_shape
from snntoolbox.ir.node import Array, LinearNode, Node
from snntoolbox.ir.nodes import Add, Mean, Multiply, Normalise, RootMeanSquare, Scale, Take

# -- layers ---------------------------------------------------------------------------------------------------------


def normalised(
    call: LayerCall,
    source: str,
    axes: Sequence[int],
    epsilon: float,
    gain: Array | None = None,
    shift: Array | None = None,
    *,
    centred: bool = True,
) -> str:
    """``gain * c / sqrt(mean(c^2) + epsilon) + shift`` over axes of the sample, c being ``x - mean(x)`` or x itself.

    Gain and shift broadcast to the sample by numpy's rules.
    """
    if not 0 <= epsilon < math.inf:
        raise Refusal(f"its epsilon {epsilon} is not a finite number from 0 on")
    found = tuple(sorted(axes))
    node = Normalise(
        name=call.name, inputs=(source,), axes=found, epsilon=float(epsilon), centred=centred, origin=call.origin
    )
    return _shifted(call, call.builder.add(node), gain, shift)


def grouped(
    call: LayerCall, source: str, groups: int, epsilon: float, gain: Array | None = None, shift: Array | None = None
) -> str:
    """The normalisation of samples (channels, *space) over the space and channels of each group.

    Gain and shift have one value for each channel.
    """
    shape = call.shape(source)
    if not shape or groups < 1 or shape[0] % groups:
        raise Refusal(f"{groups} groups of the channels of samples of shape {shape}")
    for values in (gain, shift):
        if values is not None and np.shape(values) != shape[:1]:
            raise Refusal(f"its parameters of shape {np.shape(values)} do not fit {shape[0]} channels")
    parts = (groups, shape[0] // groups, *shape[1:])
    apart = call.builder.reshape(f"{call.name}_groups", source, parts, call.origin)
    inner = normalised(call, apart, range(1, len(parts)), epsilon)
    whole = call.builder.reshape(f"{call.name}_channels", inner, shape, call.origin)
    column = (-1, *(1,) * (len(shape) - 1))
    return _shifted(call, whole, *(None if v is None else np.reshape(v, column) for v in (gain, shift)))


def _shifted(call: LayerCall, source: str, gain: Array | None, shift: Array | None) -> str:
    if gain is shift is None:
        return source
    return call.builder.affine(f"{call.name}_affine", source, gain, shift, call.origin)


# -- written out ----------------------------------------------------------------------------------------------------

DIVIDES = "a division by an activation is not supported"
NORMALISE = "where it normalises, x / sqrt(mean(x * x) + epsilon) is read, and layers such as LayerNorm or RMSNorm are"
_UNREAD = "a root has a spiking form only where a value is divided by the root of its own mean square: normalisation"


def root(call: LayerCall, source: str, *, inverse: bool = False) -> str:
    """The root of a mean square plus a constant, by which what was squared is divided, or 1 over it."""
    found = found_root(call, source, inverse=inverse)
    if found is None:
        raise Refusal(_UNREAD, hint=NORMALISE)
    return found


def found_root(call: LayerCall, source: str, *, inverse: bool) -> str | None:
    """The same; None where the source is no mean square of one value along axes that are kept."""
    node, factor, epsilon = call.builder.node(source), 1.0, 0.0
    while isinstance(node, Scale | Add) and len(node.inputs) == 1 and (line := _one_line(node)):
        factor, epsilon = factor * line[0], epsilon + factor * line[1]
        node = call.builder.node(node.inputs[0])
    if factor <= 0:
        return None
    epsilon /= factor
    if not isinstance(node, Mean) or not node.keepdims or node.summed or node.bias is not None:
        return None
    squares = call.builder.node(node.inputs[0])
    if not isinstance(squares, Multiply) or not 0 <= epsilon < math.inf:
        return None
    if not _same(call, squares.inputs[0], squares.inputs[1]):
        return None
    made = RootMeanSquare(
        name=call.name, inputs=squares.inputs[:1], axes=node.axes, epsilon=epsilon, inverse=inverse, origin=call.origin
    )
    found = call.builder.add(made)
    outside = np.sqrt(1 / factor if inverse else factor)
    return found if factor == 1 else call.builder.affine(call.name, found, np.full((), outside), None, call.origin)


def inverted(call: LayerCall, source: str) -> str:
    """1 over the root of a mean square."""
    source, factor = _factor(call, source)
    node = call.builder.node(source)
    if not isinstance(node, RootMeanSquare) or node.inverse or not np.all(factor):
        raise Refusal(DIVIDES, hint=NORMALISE)
    found = call.builder.add(replace(node, name=call.name, inverse=True, origin=call.origin))
    if np.all(factor == 1):
        return found
    (found,), (inverse,) = call.broadcast_together((Activation(found), 1 / factor))
    return call.builder.affine(call.name, found, inverse, None, call.origin)


def _one_line(node: LinearNode) -> tuple[float, float] | None:
    """The number that a node multiplies all values with, and the one that it adds; None where they are no such."""
    gain = node.gain if isinstance(node, Scale) else np.array(node.factors if isinstance(node, Add) else 0.0)
    bias = np.zeros(1) if node.bias is None else node.bias
    same = bool(np.all(gain == gain.flat[0]) and np.all(bias == bias.flat[0]))
    return (float(gain.flat[0]), float(bias.flat[0])) if same else None


def divided(call: LayerCall, dividend: str, divisor: str, *, inverse: bool = False) -> str | None:
    """The normalisation that divides a value by the root of its mean square, or multiplies it with its `inverse`.

    Constant factors of both become a gain behind it. None where that is not what the divisor is.
    """
    divisor, below = _factor(call, divisor)
    node: Node = call.builder.node(_repeated(call, divisor))
    if not isinstance(node, RootMeanSquare) or node.inverse != inverse:
        return None
    above, shape = np.ones(()), call.shape(dividend)
    if not _same(call, dividend, node.inputs[0]):
        dividend, above = _factor(call, dividend)
        if not _same(call, dividend, node.inputs[0]):
            return None
    if broadcast_shape([shape, call.shape(divisor)]) != shape or (not inverse and not np.all(below)):
        return None
    gain = above * (below if inverse else 1 / below)
    centred = _centred(call, dividend, node.axes)
    gains = None if np.all(gain == 1) else gain
    return normalised(call, centred or dividend, node.axes, node.epsilon, gains, centred=centred is not None)


def _factor(call: LayerCall, name: str) -> tuple[str, Array]:
    """What a value is but for constant factors, and these factors."""
    node = call.builder.node(name)
    if isinstance(node, Scale) and node.bias is None:
        return node.inputs[0], node.gain
    return name, np.ones(())


def _repeated(call: LayerCall, name: str) -> str:
    """What a value repeats along axes of length one."""
    node = call.builder.node(name)
    while isinstance(node, Take) and call.shape(node.inputs[0])[node.axis] == 1:
        node = call.builder.node(node.inputs[0])
    return node.name


SAME_DEPTH = 8
"""How many nodes back two values are compared: a mean that is taken off is one or two."""


def _same(call: LayerCall, first: str, second: str, depth: int = SAME_DEPTH) -> bool:
    """Whether two values are one, or computed by the same nodes from one: models write ``x - mean`` out twice."""
    if first == second:
        return True
    one, other = call.builder.node(first), call.builder.node(second)
    if not depth or type(one) is not type(other) or len(one.inputs) != len(other.inputs) or not one.inputs:
        return False
    own = [f.name for f in fields(one) if f.name not in ("name", "inputs", "origin")]
    if not all(np.array_equal(getattr(one, n), getattr(other, n)) for n in own):
        return False
    return all(_same(call, a, b, depth - 1) for a, b in zip(one.inputs, other.inputs, strict=True))


def _centred(call: LayerCall, name: str, axes: Sequence[int]) -> str | None:
    """What a value is less its own mean over these axes; None where it is no such difference."""
    node = call.builder.node(name)
    if not isinstance(node, Add) or node.factors != (1.0, -1.0) or node.bias is not None:
        return None
    source, other = node.inputs
    mean = call.builder.node(_repeated(call, other))
    if not isinstance(mean, Mean) or not _same(call, mean.inputs[0], source) or {*mean.axes} != {*axes}:
        return None
    return source if mean.keepdims and not mean.summed and mean.bias is None else None


def multiplied(call: LayerCall, first: Activation, second: Activation) -> str | None:
    """The product of a value and the inverse root of its mean square, in either order; None where it is no such."""
    found = divided(call, first.name, second.name, inverse=True)
    return divided(call, second.name, first.name, inverse=True) if found is None else found
