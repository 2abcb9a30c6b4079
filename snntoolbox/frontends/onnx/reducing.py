"""Handlers of reductions over axes: ReduceMean, ReduceSum, ReduceMax."""

from __future__ import annotations

from collections.abc import Callable

from snntoolbox.frontends import maps, windows
from snntoolbox.frontends.layer_call import Activation
from snntoolbox.frontends.onnx.call import OnnxCall


def _reduced(call: OnnxCall, reduction: Callable[..., str]) -> str | Activation:
    """The reduction over the axes of the sample that the node names; nothing where it names none and says so."""
    axes = call.setting("axes", 1)
    if not axes and call.flag("noop_with_empty_axes"):
        return call.source()
    keep, along = call.flag("keepdims", 1), call.axes(axes)
    before = 0 if keep else sum(a < call.batch_axis for a in along)
    return Activation(reduction(call, call.source(), along, keepdims=keep), call.batch_axis - before)


def reduce_mean(call: OnnxCall) -> str | Activation:
    """The mean over axes other than the batch."""
    return _reduced(call, maps.mean)


def reduce_sum(call: OnnxCall) -> str | Activation:
    """The sum over axes other than the batch."""
    return _reduced(call, maps.total)


def reduce_max(call: OnnxCall) -> str | Activation:
    """The maximum over axes other than the batch."""
    return _reduced(call, windows.max_over)
