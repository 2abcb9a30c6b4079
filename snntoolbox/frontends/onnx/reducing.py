"""Handlers of reductions over axes: ReduceMean, ReduceSum, ReduceMax."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.frontends.onnx.call import Call, Refusal
from snntoolbox.ir.node import Shape
from snntoolbox.ir.nodes import MaxPool, Mean


def _axes(call: Call) -> tuple[int, ...]:
    """The reduced axes of the sample, in order."""
    axes = call.setting("axes", 1)
    if not axes:
        if call.flag("noop_with_empty_axes"):
            return ()
        raise Refusal("works across the batch axis")
    return tuple(sorted({call.axis(int(a)) for a in axes}))


def reduce_mean(call: Call) -> str:
    """The mean over axes other than the batch."""
    axes = _axes(call)
    if not axes:
        return call.source()
    keep = call.flag("keepdims", 1)
    return call.builder.add(Mean(name=call.name, inputs=(call.source(),), axes=axes, keepdims=keep, origin=call.origin))


def reduce_sum(call: Call) -> str:
    """The mean times the number of values."""
    axes = _axes(call)
    if not axes:
        return call.source()
    count = math.prod(call.shape()[a] for a in axes)
    mean = reduce_mean(call)
    return call.builder.affine(f"{call.name}_sum", mean, np.array(float(count)), None, call.origin)


def reduce_max(call: Call) -> str:
    """The maximum as one pooling window over the reduced axes, which are brought behind the others and merged."""
    axes, shape, build = _axes(call), call.shape(), call.builder
    if not axes:
        return call.source()
    kept = tuple(a for a in range(len(shape)) if a not in axes)
    if kept == (0,) and len(shape) > 1:
        return build.global_max(call.name, call.source(), call.flag("keepdims", 1), call.origin)
    count = math.prod(shape[a] for a in axes)
    rows = math.prod(shape[a] for a in kept)
    moved = build.permute(f"{call.name}_axes", call.source(), (*kept, *axes), call.origin)
    merged = build.reshape(f"{call.name}_rows", moved, (rows, count), call.origin)
    pool = MaxPool(name=call.name, inputs=(merged,), kernel=(count,), stride=(1,), padding=((0, 0),), dilation=(1,),
                   origin=call.origin)  # fmt: skip
    return build.reshape(f"{call.name}_shape", build.add(pool), _reduced(call, shape, axes), call.origin)


def _reduced(call: Call, shape: Shape, axes: tuple[int, ...]) -> Shape:
    """The output's shape, with or without the reduced axes."""
    if call.flag("keepdims", 1):
        return tuple(1 if a in axes else n for a, n in enumerate(shape))
    return tuple(n for a, n in enumerate(shape) if a not in axes)
