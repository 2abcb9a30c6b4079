"""Handlers of operators that pick, repeat, join or pad values along axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from snntoolbox.frontends.layer_call import LARGEST, TREAT_ALONE, Activation, Refusal, check_size
from snntoolbox.frontends.maps import padded
from snntoolbox.frontends.onnx.call import PROBES, Batch, Known, OnnxCall
from snntoolbox.frontends.recurrence import row
from snntoolbox.ir.node import Array


def concat(call: OnnxCall) -> str:
    """Activations joined along an axis of the sample."""
    if not all(isinstance(v, Activation) for v in call.inputs):
        raise Refusal("joins a constant to an activation")
    sources = [call.source(i) for i in range(len(call.inputs))]
    return call.builder.concat(call.name, sources, call.axis(call.attribute("axis", 1)), call.origin)


def pad(call: OnnxCall) -> str:
    """Padding by a constant or by the sample's own values; negative pads crop."""
    rank, pads = len(call.shape()) + 1, call.setting("pads", 1) or []
    axes = call.optional(3, "axes")
    named = list(range(rank)) if axes is None else [int(a) % rank for a in np.ravel(axes)]
    if len(pads) != 2 * len(named) or len(set(named)) != len(named):
        raise Refusal(f"pads {pads} do not fit {rank} axes")
    full = [(0, 0)] * rank
    for i, axis in enumerate(named):
        full[axis] = (int(pads[i]), int(pads[i + len(named)]))
    if full[0] != (0, 0):
        raise Refusal("pads the batch axis", hint=TREAT_ALONE)
    return padded(call, call.source(), full[1:], value=_pad_value(call), mode=call.attribute("mode", "constant"))


def _pad_value(call: OnnxCall) -> float:
    """The constant: an attribute before opset 11, then an input."""
    value = None if "pads" in call.attributes else call.optional(2, "value")
    return float(call.attribute("value", 0.0)) if value is None else float(np.ravel(value)[0])


def slice_(call: OnnxCall) -> str:
    """``x[start:end:step]`` on axes of the sample; the batch axis may only be taken whole."""
    starts, ends = call.setting("starts", 1), call.setting("ends", 2)
    if starts is None or ends is None:
        raise Refusal("has no starts or ends")
    axes, steps = call.setting("axes", 3), call.setting("steps", 4)
    rank, source = len(call.shape()) + 1, call.source()
    ranges = zip(starts, ends, axes or range(len(starts)), steps or [1] * len(starts), strict=True)
    for start, end, axis, step in ranges:
        if step == 0:
            raise Refusal("step 0")
        if axis % rank == call.batch_axis:
            _whole_batch(call, start, end, step)
            continue
        source = call.builder.slice(call.name, source, call.axis(int(axis)), start, end, step, call.origin)
    return source


def _whole_batch(call: OnnxCall, start: int, end: int, step: int) -> None:
    """Refuse a slice of the batch axis other than all of it."""
    if start != 0 or step != 1 or end < (call.batch or LARGEST):
        raise Refusal("slices the batch axis", hint=TREAT_ALONE)


def gather(call: OnnxCall) -> Activation:
    """Constant indices picked along an axis of the sample."""
    if not isinstance(call.value(0), Activation):
        raise Refusal("looks values up by an activation")
    named = int(call.attribute("axis", 0))
    shape, axis = call.shape(), call.axis(named)
    indices = call.constant(1, "indices").astype(np.int64)
    size = shape[axis]
    if indices.size == 0 or indices.min() < -size or indices.max() >= size:
        raise Refusal(f"an index lies outside axis {axis} of samples of shape {shape}")
    place = call.batch_axis if axis >= call.batch_axis else call.batch_axis + indices.ndim - 1
    if axis == indices.ndim == 0:
        return Activation(row(call, call.source(), int(indices) % size), place)
    picked = call.builder.take(call.name, call.source(), axis, (np.ravel(indices) % size).tolist(), call.origin)
    shaped = (*shape[:axis], *indices.shape, *shape[axis + 1 :])
    return Activation(call.builder.reshape(f"{call.name}_shape", picked, shaped, call.origin), place)


def gather_by_places(call: OnnxCall) -> Activation:
    """Values at constant places along the first axes, of which the first is the batch: each sample's own."""
    places = call.value(1)
    if not isinstance(call.value(0), Activation) or not isinstance(places, Known) or call.attribute("batch_dims", 0):
        raise Refusal("looks values up by an activation, or for each sample at places of its own")
    axis, own = _of_each_sample(call, places)
    shape, count = call.shape(), own.shape[-1]
    sizes = shape[:count]
    if own.size == 0 or count > len(shape) or np.any((own < -np.array(sizes)) | (own >= np.array(sizes))):
        raise Refusal(f"its places lie outside samples of shape {shape}")
    flat = call.builder.reshape(f"{call.name}_flat", call.source(), (math.prod(sizes), *shape[count:]), call.origin)
    indices = np.ravel_multi_index(tuple(np.moveaxis(own % np.array(sizes), -1, 0)), sizes).ravel().tolist()
    picked = call.builder.take(call.name, flat, 0, indices, call.origin)
    shaped = (*own.shape[:-1], *shape[count:])
    return Activation(call.builder.reshape(f"{call.name}_shape", picked, shaped, call.origin), axis)


def _of_each_sample(call: OnnxCall, places: Known) -> tuple[int, Array]:
    """Along which axis of the places the batch lies, and those of each sample, without its own number."""
    both: list[Array] = [v.astype(np.int64) for v in (places.first, places.second)]
    for axis in range(both[0].ndim - 1):
        sizes = [v.shape[axis] for v in both]
        fits = sizes == list(PROBES) or sizes == [call.batch or 1] * 2
        numbers = [np.arange(n).reshape(-1, *(1,) * (v.ndim - 2 - axis)) for n, v in zip(sizes, both, strict=True)]
        own = [np.asarray(v[..., 1:].take(0, axis)) for v in both]
        if (
            fits
            and both[0].shape[-1] > 1
            and all(np.all(v[..., 0] == n) for v, n in zip(both, numbers, strict=True))
            and all(np.all(v[..., 1:] == np.expand_dims(o, axis)) for v, o in zip(both, own, strict=True))
            and np.array_equal(own[0], own[1])
        ):
            return axis, own[0]
    raise Refusal("picks values of other samples", hint=TREAT_ALONE)


def split(call: OnnxCall) -> tuple[str | None, ...]:
    """Consecutive parts along an axis of the sample, those that something reads."""
    axis = call.axis(call.attribute("axis", 0))
    size, parts = call.shape()[axis], len(call.outputs)
    sizes = call.setting("split", 1)
    if sizes is None:
        longest = -(-size // call.attribute("num_outputs", parts))
        sizes = [min(longest, size - longest * i) for i in range(parts)]
    if len(sizes) != parts or sum(sizes) != size or min(sizes) < 1:
        raise Refusal(f"cannot split {size} values into {sizes}")
    ends = np.cumsum(sizes).tolist()
    return tuple(
        call.builder.slice(call.name, call.source(), axis, end - n, end, 1, call.origin) if output else None
        for output, n, end in zip(call.outputs, sizes, ends, strict=True)
    )


def expand(call: OnnxCall) -> str:
    """Axes of length one repeated to a constant shape."""
    target: list[Any] = call.sizes("shape", 1) or []
    shape = call.shape()
    if len(target) > len(shape) + 1:
        raise Refusal("adds axes before the batch", hint=TREAT_ALONE)
    if len(target) == len(shape) + 1 and target[0] != 1 and not call.is_batch(target[0]):
        raise Refusal("repeats the batch axis", hint=TREAT_ALONE)
    sample = target[1:] if len(target) == len(shape) + 1 else target
    sample = [1] * (len(shape) - len(sample)) + sample
    if any(isinstance(t, Batch) or (t != n and 1 not in (t, n)) or t < 1 for t, n in zip(sample, shape, strict=True)):
        raise Refusal(f"cannot expand samples of shape {shape} to its target")
    return call.broadcast(call.source(), tuple(max(t, n) for t, n in zip(sample, shape, strict=True)))


def tile(call: OnnxCall) -> str:
    """The sample repeated along its axes."""
    repeats = [int(r) for r in np.ravel(call.constant(1, "repeats"))]
    shape, source = call.shape(), call.source()
    if len(repeats) != len(shape) + 1 or repeats[0] != 1 or min(repeats) < 1:
        raise Refusal(f"cannot repeat samples of shape {shape} by {repeats}")
    check_size([n * r for n, r in zip(shape, repeats[1:], strict=True)])
    for axis, (n, r) in enumerate(zip(shape, repeats[1:], strict=True)):
        source = call.builder.take(call.name, source, axis, [*range(n)] * r, call.origin)
    return source
