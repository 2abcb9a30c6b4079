"""Handlers of reductions over axes: ReduceMean, ReduceSum, ReduceMax."""

from __future__ import annotations

from collections.abc import Callable

from snntoolbox.frontends import maps, windows
from snntoolbox.frontends.onnx.call import OnnxCall


def _reduced(call: OnnxCall, reduction: Callable[..., str]) -> str:
    """The reduction over the axes of the sample that the node names; nothing where it names none and says so."""
    axes = call.setting("axes", 1)
    if not axes and call.flag("noop_with_empty_axes"):
        return call.source()
    return reduction(call, call.source(), call.axes(axes), keepdims=call.flag("keepdims", 1))


def reduce_mean(call: OnnxCall) -> str:
    """The mean over axes other than the batch."""
    return _reduced(call, maps.mean)


def reduce_sum(call: OnnxCall) -> str:
    """The sum over axes other than the batch."""
    return _reduced(call, maps.total)


def reduce_max(call: OnnxCall) -> str:
    """The maximum over axes other than the batch."""
    return _reduced(call, windows.max_over)
