"""Handlers of layers that give the same values another shape, pick some of them, or repeat them."""

from __future__ import annotations

import math
from itertools import pairwise

from snntoolbox.frontends import maps
from snntoolbox.frontends.caffe.call import CaffeCall
from snntoolbox.frontends.caffe.schema import choice
from snntoolbox.frontends.layer_call import TREAT_ALONE, Activation, Refusal, check_size
from snntoolbox.ir.node import Shape


def identity(call: CaffeCall) -> str:
    """The input itself."""
    return call.source()


def split(call: CaffeCall) -> tuple[str, ...]:
    """The input itself, as often as it is read."""
    return (call.source(),) * len(call.layer.tops)


def flatten(call: CaffeCall) -> str:
    """The axes from one to another as one."""
    told, shape = call.settings("flatten"), call.shape()
    first, last = call.axis(told.axis), call.axis(told.end_axis)
    if last < first:
        raise Refusal(f"flattens the axes from {told.axis} to {told.end_axis}")
    flat = (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
    return call.builder.reshape(call.name, call.source(), flat, call.origin)


def reshape(call: CaffeCall) -> str:
    """Another shape for some of the axes; 0 copies a size, -1 is what remains."""
    told, shape = call.settings("reshape"), call.shape()
    rank, dims = len(shape) + 1, [int(d) for d in told.shape.dim]
    start = told.axis if told.axis >= 0 else rank + told.axis + 1
    end = rank if told.num_axes == -1 else start + told.num_axes
    if not 0 <= start <= rank or not start <= end <= rank:
        raise Refusal(f"names {told.num_axes} axes from {told.axis} on, of {rank}")
    if not start:
        start, dims = 1, _without_batch(call, dims, end)
    old, kept = shape[start - 1 : end - 1], shape[start - 1 :]
    if any(d < -1 for d in dims) or dims.count(-1) > 1 or any(d == 0 and i >= len(kept) for i, d in enumerate(dims)):
        raise Refusal(f"its shape {dims} does not fit samples of shape {shape}")
    new = [kept[i] if d == 0 else d for i, d in enumerate(dims)]
    if -1 in new:
        others = -math.prod(new)
        if math.prod(old) % others:
            raise Refusal(f"its shape {dims} does not fit samples of shape {shape}")
        new = [math.prod(old) // others if d == -1 else d for d in new]
    check_size(new)
    return call.builder.reshape(call.name, call.source(), (*shape[: start - 1], *new, *shape[end - 1 :]), call.origin)


def _without_batch(call: CaffeCall, dims: list[int], end: int) -> list[int]:
    """The sizes behind the first, which must be the batch."""
    head, rest = dims[:1], dims[1:]
    by_rest = head == [-1] and -1 not in rest
    if not end or not head or not (by_rest or head[0] == 0 or head[0] == call.batch):
        raise Refusal(f"its shape {dims} mixes the batch with other axes", hint=TREAT_ALONE)
    if by_rest and 0 not in rest and math.prod(rest) != math.prod(call.shape()[: end - 1]):
        raise Refusal(f"its shape {dims} mixes the batch with other axes", hint=TREAT_ALONE)
    return rest


def slices(call: CaffeCall) -> tuple[str, ...]:
    """Parts along an axis, cut at given points or of one size."""
    told, count = call.settings("slice"), len(call.layer.tops)
    axis = call.old_or_new_axis(told, "slice_dim")
    size, points = call.shape()[axis], list(told.slice_point)
    if not points:
        if not count or size % count:
            raise Refusal(f"cuts {size} values into {count} parts")
        points = list(range(size // count, size, size // count))
    ends = [0, *points, size]
    if len(points) != count - 1 or any(a >= b for a, b in pairwise(ends)):
        raise Refusal(f"cuts {size} values at {points} into {count} parts")
    return tuple(call.builder.slice(call.name, call.source(), axis, a, b, 1, call.origin) for a, b in pairwise(ends))


def crop(call: CaffeCall) -> str:
    """The part that has the size of the second input, from an axis on."""
    told = call.settings("crop")
    if len(call.sources) != 2:
        raise Refusal(f"reads {len(call.sources)} blobs, not two")
    source, like = call.sources
    first, shape, wanted = call.axis(told.axis, source), call.shape(source), call.shape(like)
    offsets = list(told.offset) or [0]
    axes = range(first, len(shape))
    if len(wanted) != len(shape) or len(offsets) not in (1, len(axes)):
        raise Refusal(f"crops {shape} to {wanted} from {offsets} on")
    offsets = offsets * len(axes) if len(offsets) == 1 else offsets
    for axis, start in zip(axes, offsets, strict=True):
        if start + wanted[axis] > shape[axis]:
            raise Refusal(f"crops {shape} to {wanted} from {offsets} on")
        source = call.builder.slice(call.name, source, axis, start, start + wanted[axis], 1, call.origin)
    return source


def tile(call: CaffeCall) -> str:
    """The input repeated along an axis."""
    told, shape = call.settings("tile"), call.shape()
    axis, times = call.axis(told.axis), told.tiles
    if times < 1:
        raise Refusal(f"repeats its input {times} times")
    check_size((*shape[:axis], shape[axis] * times, *shape[axis + 1 :]))
    return call.builder.take(call.name, call.source(), axis, list(range(shape[axis])) * times, call.origin)


def reduction(call: CaffeCall) -> str:
    """The sum or the mean over all axes from one on, times a factor."""
    told, shape = call.settings("reduction"), call.shape()
    operation = choice(told, "operation")
    if operation not in ("SUM", "MEAN"):
        raise Refusal(f"a reduction by {operation} is not supported")
    axes: Shape = tuple(range(call.axis(told.axis), len(shape)))
    over = maps.total if operation == "SUM" else maps.mean
    reduced = over(call, call.source(), axes, keepdims=False)
    return maps.weighted_sum(call.named(f"{call.name}_times"), [Activation(reduced)], [told.coeff])
