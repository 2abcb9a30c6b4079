"""Handlers of normalisation by a sample's own values, as operators and written out."""

from __future__ import annotations

import numpy as np

from snntoolbox.frontends import normalising
from snntoolbox.frontends.layer_call import Refusal
from snntoolbox.frontends.onnx.call import OnnxCall
from snntoolbox.ir.node import Array

# -- operators ------------------------------------------------------------------------------------------------------


def layer_normalization(call: OnnxCall) -> str:
    """Over the axes from `axis` on; mean and deviation are no results that may be read."""
    gain, shift = (_parameter(call, i, what) for i, what in ((1, "scale"), (2, "B")))
    return normalising.normalised(call, call.source(), _from_axis(call), call.number("epsilon", 1e-5), gain, shift)


def rms_normalization(call: OnnxCall) -> str:
    """The same without the mean and the shift."""
    gain, epsilon = _parameter(call, 1, "scale"), call.number("epsilon", 1e-5)
    return normalising.normalised(call, call.source(), _from_axis(call), epsilon, gain, centred=False)


def _from_axis(call: OnnxCall) -> tuple[int, ...]:
    """The axes of the sample from the one that the node names on."""
    if any(call.outputs[1:]):
        raise Refusal("its mean or deviation is read")
    rank = len(call.shape()) + 1
    axis = int(call.number("axis", -1))
    return call.axes(list(range(axis % rank if -rank <= axis < rank else axis, rank)))


def _parameter(call: OnnxCall, i: int, what: str) -> Array | None:
    array = call.optional(i, what)
    return None if array is None else call.per_sample(array, len(call.shape()))


def group_normalization(call: OnnxCall) -> str:
    """Over the space and the channels of each group; before opset 21 gains and shifts are those of groups."""
    groups, channels = int(call.number("num_groups", 1)), call.shape()[0]
    gain, shift = call.constant(1, "scale"), call.constant(2, "bias")
    if call.opset < 21 and groups and gain.shape == shift.shape == (groups,) and channels % groups == 0:
        gain, shift = (np.repeat(values, channels // groups) for values in (gain, shift))
    return normalising.grouped(call, call.source(), groups, call.number("epsilon", 1e-5), gain, shift)


def instance_normalization(call: OnnxCall) -> str:
    """Over the space of each channel."""
    gain, shift = call.constant(1, "scale"), call.constant(2, "B")
    return normalising.grouped(call, call.source(), call.shape()[0], call.number("epsilon", 1e-5), gain, shift)


# -- written out ----------------------------------------------------------------------------------------------------


def square_root(call: OnnxCall) -> str:
    """The root of a mean square, by which what was squared is divided."""
    return normalising.root(call, call.source())


def reciprocal(call: OnnxCall) -> str:
    """1 over the root of a mean square."""
    return normalising.inverted(call, call.source())
