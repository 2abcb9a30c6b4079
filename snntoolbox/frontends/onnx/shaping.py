"""Handlers of operators that give the same values another shape, order or type."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from snntoolbox.frontends.batch_axes import permuted, reshaped, widened, without
from snntoolbox.frontends.layer_call import TREAT_ALONE, Activation, Refusal
from snntoolbox.frontends.maps import regrouped
from snntoolbox.frontends.onnx.call import BATCH, EVALUATE, FREE_BATCH, Batch, Joint, OnnxCall, Size
from snntoolbox.frontends.onnx.joint import joined
from snntoolbox.frontends.truths import are_truths, compared
from snntoolbox.ir.node import Shape

FLOATS = {1: "FLOAT", 10: "FLOAT16", 11: "DOUBLE", 16: "BFLOAT16"}  # TensorProto.DataType
BOOL = 9


def identity(call: OnnxCall) -> str:
    """The input itself."""
    return call.source()


def dropout(call: OnnxCall) -> str:
    """The input itself, outside training."""
    training = call.optional(2, "training_mode")
    if training is not None and training.any():
        raise Refusal("in training mode", hint=EVALUATE)
    return call.source()


def cast(call: OnnxCall) -> str:
    """The input itself; whether it is not 0 where truth values are made. Other numbers would be rounded."""
    source, kind = Activation(call.source()), call.attribute("to", 0)
    if kind == BOOL:
        return source.name if call.truths[0] else compared(call, source, np.zeros(()), "not_equal")
    if kind not in FLOATS and not are_truths(call.builder, source.name):
        raise Refusal("casts to a type that is not a float")
    return call.source()


def cast_like(call: OnnxCall) -> str:
    """The input itself, where the other input is a float."""
    if call.optional(1, "type") is not None and call.constant(1, "type").dtype.kind != "f":
        raise Refusal("casts to a type that is not a float")
    return call.source()


def transpose(call: OnnxCall) -> Activation:
    """The axes in another order."""
    rank = len(call.shape()) + 1
    perm = [int(a) for a in call.attribute("perm", range(rank)[::-1])]
    if sorted(perm) != list(range(rank)):
        raise Refusal(f"perm {perm} does not fit {rank} axes")
    return Activation(*permuted(call, perm))


def flatten(call: OnnxCall) -> str:
    """All axes from `axis` on as one; those before it, but the batch, must have length one."""
    shape, rank = call.shape(), len(call.shape()) + 1
    axis = call.attribute("axis", 1)
    if not -rank <= axis <= rank:
        raise Refusal(f"has no axis {axis}: the tensor has {rank}")
    axis = axis + rank if axis < 0 else axis
    if axis == 0 and call.batch != 1:
        raise Refusal("flattens the batch axis", hint=TREAT_ALONE)
    if math.prod(shape[: max(axis - 1, 0)]) != 1:
        raise Refusal("merges the batch with other axes", hint=FREE_BATCH)
    return call.builder.reshape(call.name, call.source(), (math.prod(shape),), call.origin)


def reshape(call: OnnxCall) -> Activation | Joint:
    """Another shape for each sample, whichever way the target writes the batch, alone or joined with other axes."""
    target = call.sizes("shape", 1, multiples=True)
    if target is None:
        raise Refusal("has no target shape")
    if not call.flag("allowzero"):
        target = [_copied(call, i) if t == 0 else t for i, t in enumerate(target)]
    try:
        return _apart(call, target)
    except Refusal:
        joint = joined(call, target)
        if joint is None:
            raise
        return joint


def _apart(call: OnnxCall, target: Sequence[Size]) -> Activation:
    """The sample in a target shape that has an axis for the batch alone."""
    place = reshaped(call, target, lambda t: t is BATCH or t == -1, call.is_batch) if call.batch_axis else 0
    sample = _sample_target(call, target, place)
    return Activation(call.builder.reshape(call.name, call.source(), sample, call.origin), place)


def _copied(call: OnnxCall, i: int) -> Size:
    """What a zero at position i of a target means: the input's own size there."""
    if i > len(call.shape()):
        raise Refusal(f"its target copies axis {i}, which the input does not have")
    return BATCH if i == call.batch_axis else call.shape()[i - (i > call.batch_axis)]


def _sample_target(call: OnnxCall, target: Sequence[Size], place: int) -> Shape:
    """The sample's part of a target: its axis at `place` must be the batch, its rest must hold one sample."""
    size = math.prod(call.shape())
    rest = [t for t in (*target[:place], *target[place + 1 :]) if not isinstance(t, Batch)]
    if not target or len(rest) < len(target) - 1 or rest.count(-1) > 1:
        raise Refusal("mixes the batch with other axes", hint=FREE_BATCH)
    if -1 in rest:
        others = -math.prod(rest)
        if others < 1 or size % others:
            raise Refusal(f"its target {rest} does not fit samples of shape {call.shape()}")
        rest = [size // others if t == -1 else t for t in rest]
    if math.prod(rest) != size or min(rest, default=1) < 1 or not (target[place] == -1 or call.is_batch(target[place])):
        reason = f"its target {_shown(target)} mixes the batch with samples of shape {call.shape()}"
        raise Refusal(reason, hint=FREE_BATCH)
    return tuple(rest)


def _shown(target: Sequence[Size]) -> str:
    return str(["batch" if isinstance(t, Batch) else t for t in target]).replace("'", "")


def squeeze(call: OnnxCall) -> Activation:
    """Axes of length one left out."""
    shape, axes = call.shape(), call.setting("axes", 1)
    if axes is None:
        if call.batch == 1:
            raise Refusal("leaves out the batch axis too: it names no axes")
        axes = [a + (a >= call.batch_axis) for a, n in enumerate(shape) if n == 1]
    chosen = {call.axis(int(a)) for a in axes}
    if any(shape[a] != 1 for a in chosen):
        raise Refusal(f"cannot leave out axes {sorted(chosen)} of samples of shape {shape}")
    kept = tuple(n for a, n in enumerate(shape) if a not in chosen)
    place = without(call, [int(a) for a in axes])
    return Activation(call.builder.reshape(call.name, call.source(), kept, call.origin), place)


def unsqueeze(call: OnnxCall) -> Activation:
    """Axes of length one put in."""
    wide, place = widened(call, call.source(), [int(a) for a in call.setting("axes", 1) or []])
    return Activation(call.builder.reshape(call.name, call.source(), wide, call.origin), place)


def depth_to_space(call: OnnxCall) -> str:
    """Blocks of channels laid out in space."""
    (channels, height, width), b = _image(call), _block(call)
    if channels % (b * b):
        raise Refusal(f"{channels} channels do not make blocks of {b} x {b}")
    depth = channels // (b * b)
    if call.attribute("mode", "DCR") == "DCR":
        split, axes = (b, b, depth, height, width), (2, 3, 0, 4, 1)
    else:
        split, axes = (depth, b, b, height, width), (0, 3, 1, 4, 2)
    return regrouped(call, call.source(), split, axes, (depth, height * b, width * b))


def space_to_depth(call: OnnxCall) -> str:
    """Blocks of space stacked as channels."""
    (channels, height, width), b = _image(call), _block(call)
    if height % b or width % b:
        raise Refusal(f"an image of {height} x {width} does not make blocks of {b} x {b}")
    split = (channels, height // b, b, width // b, b)
    return regrouped(call, call.source(), split, (2, 4, 0, 1, 3), (channels * b * b, height // b, width // b))


def _image(call: OnnxCall) -> Shape:
    if len(call.shape()) != 3:
        raise Refusal(f"expects images, got samples of shape {call.shape()}")
    return call.shape()


def _block(call: OnnxCall) -> int:
    size = int(call.attribute("blocksize", 0))
    if size < 1:
        raise Refusal(f"blocksize {size} is malformed")
    return size
