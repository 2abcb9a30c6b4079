"""Normalisation by a sample's own values, as layers of several frameworks and as models write it out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from snntoolbox.frontends.layer_call import Activation, LayerCall, Refusal, broadcast_shape
from snntoolbox.frontends.written_means import TINY, alike, centred, mean_square, repeated
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Add, Mean, Normalise, RootMeanSquare, Scale

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
    found = mean_square(call, source)
    if found is None:
        return None
    of = _off_mean(call, found.source, found.axes) if found.centred else found.source
    return _root(call, of, found.axes, found.epsilon, found.factor, inverse=inverse)


def _root(
    call: LayerCall, source: str, axes: tuple[int, ...], epsilon: float, factor: float, *, inverse: bool = False
) -> str:
    """The root of a factor times a mean square plus epsilon, or 1 over it."""
    made = RootMeanSquare(
        name=call.name, inputs=(source,), axes=axes, epsilon=epsilon, inverse=inverse, origin=call.origin
    )
    found, outside = call.builder.add(made), np.sqrt(1 / factor if inverse else factor)
    return found if factor == 1 else call.builder.affine(call.name, found, np.full((), outside), None, call.origin)


def _off_mean(call: LayerCall, source: str, axes: tuple[int, ...]) -> str:
    """A value less its mean."""
    mean = call.builder.add(
        Mean(name=f"{call.name}_mean", inputs=(source,), axes=axes, keepdims=True, origin=call.origin)
    )
    both = (source, call.broadcast(mean, call.shape(source)))
    return call.builder.add(Add(name=f"{call.name}_off", inputs=both, coefficients=(1.0, -1.0), origin=call.origin))


def length(call: LayerCall, source: str, axes: Sequence[int], *, keepdims: bool) -> str:
    """The root of the sum of squares over axes of the sample, by which what was squared is divided."""
    found, size = tuple(sorted(axes)), math.prod(call.shape(source)[a] for a in axes)
    root = _root(call, source, found, 0.0, float(size))
    shape = [n for a, n in enumerate(call.shape(source)) if a not in found]
    return root if keepdims else call.builder.reshape(f"{call.name}_shape", root, shape, call.origin)


def least_length(call: LayerCall, source: str, least: float) -> str | None:
    """A length that is at least so much; None where the source is none, or the bound is not far below all lengths.

    ``x / max(|x|, e)`` is ``x / sqrt(|x|^2 + e^2)`` to float32 where ``|x|`` is above 1000 e.
    """
    inner, factor = _factor(call, source)
    node = call.builder.node(inner)
    if not isinstance(node, RootMeanSquare) or node.inverse or factor.size != 1 or not 0 < least <= TINY:
        return None
    number = float(factor.flat[0])
    if number <= 0:
        return None
    return _root(call, node.inputs[0], node.axes, node.epsilon + (least / number) ** 2, number**2)


def unit_length(call: LayerCall, source: str, axes: Sequence[int], least: float) -> str:
    """``x / max(|x|, least)`` over axes of the sample."""
    size = math.prod(call.shape(source)[a] for a in axes)
    if not 0 <= least <= TINY:
        raise Refusal(f"its least length {least:g} is not from 0 to {TINY:g}")
    gain = np.full((), 1 / math.sqrt(size))
    return normalised(call, source, axes, least**2 / size, gain, centred=False)


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


def divided(call: LayerCall, dividend: str, divisor: str, *, inverse: bool = False) -> str | None:
    """The normalisation that divides a value by the root of its mean square, or multiplies it with its `inverse`.

    Constant factors of both become a gain behind it. None where that is not what the divisor is.
    """
    divisor, below = _factor(call, repeated(call, divisor))
    node: Node = call.builder.node(repeated(call, divisor))
    if not isinstance(node, RootMeanSquare) or node.inverse != inverse:
        return None
    above, shape = np.ones(()), call.shape(dividend)
    if not alike(call, dividend, node.inputs[0]):
        dividend, above = _factor(call, dividend)
        if not alike(call, dividend, node.inputs[0]):
            return None
    if broadcast_shape([shape, call.shape(divisor)]) != shape or (not inverse and not np.all(below)):
        return None
    gain = above * (below if inverse else 1 / below)
    off = centred(call, dividend)
    whole = off is not None and off.axes == tuple(sorted(node.axes))
    source = off.source if off is not None and whole else dividend
    gains = None if np.all(gain == 1) else gain
    return normalised(call, source, node.axes, node.epsilon, gains, centred=whole)


def _factor(call: LayerCall, name: str) -> tuple[str, Array]:
    """What a value is but for constant factors, and these factors."""
    node = call.builder.node(name)
    if isinstance(node, Scale) and node.bias is None:
        return node.inputs[0], node.gain
    return name, np.ones(())


def multiplied(call: LayerCall, first: Activation, second: Activation) -> str | None:
    """The product of a value and the inverse root of its mean square, in either order; None where it is no such."""
    found = divided(call, first.name, second.name, inverse=True)
    return divided(call, second.name, first.name, inverse=True) if found is None else found
