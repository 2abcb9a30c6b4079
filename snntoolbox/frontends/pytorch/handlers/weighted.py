"""Handlers of layers with trained weights: linear, convolution, batch normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snntoolbox.frontends.layer_call import Refusal
from snntoolbox.frontends.pytorch.call import EVALUATE, TorchCall
from snntoolbox.frontends.windows import Window, check_kernel, transposed_convolution
from snntoolbox.frontends.windows import convolution as plain_convolution


def linear(call: TorchCall) -> str:
    """``weight @ x + bias`` along the last axis."""
    source, weight, bias = call.source("input"), call.required("weight"), call.constant("bias")
    if call.batch_axis == len(call.shape(source)):
        raise Refusal("linear over the batch axis")
    return call.builder.dense(call.name, source, weight, bias, axis=-1, origin=call.origin)


# -- convolution ----------------------------------------------------------------------------------------------------


def convolution(call: TorchCall) -> str:
    """Convolution of any dimension; padding by numbers or 'same' / 'valid'."""
    if call.get("transposed", False):
        return transposed(call)
    source, weight = call.source("input"), call.required("weight")
    kernel = check_kernel(call, source, weight)
    stride, dilation = call.ints("stride", len(kernel), 1), call.ints("dilation", len(kernel), 1)
    mode = call.args.get("padding", 0)
    if isinstance(mode, str):
        spans = [d * (k - 1) if mode == "same" else 0 for k, d in zip(kernel, dilation, strict=True)]
        padding = tuple((s // 2, s - s // 2) for s in spans)
    else:
        padding = tuple((p, p) for p in call.ints("padding", len(kernel), 0))
    window, groups = Window(kernel, stride, dilation, padding), int(call.get("groups", 1))
    return plain_convolution(call, source, weight, call.constant("bias"), window, groups)


def transposed(call: TorchCall) -> str:
    """Transposed convolution of any dimension."""
    source, weight = call.source("input"), call.required("weight")
    kernel = check_kernel(call, source, weight)
    stride, dilation = call.ints("stride", len(kernel), 1), call.ints("dilation", len(kernel), 1)
    window = Window(kernel, stride, dilation, tuple((p, p) for p in call.ints("padding", len(kernel), 0)))
    return transposed_convolution(
        call,
        source,
        weight,
        call.constant("bias"),
        window,
        groups=int(call.get("groups", 1)),
        output_padding=call.ints("output_padding", len(kernel), 0),
    )


# -- normalisation --------------------------------------------------------------------------------------------------


def batch_norm(call: TorchCall) -> str:
    """Batch normalisation with its running statistics; statistics of the batch are refused."""
    mean, variance = call.constant("running_mean"), call.constant("running_var")
    if mean is None or variance is None:
        hint = "train it with track_running_stats=True: a sample alone has no statistics of a batch"
        raise Refusal("batch normalisation by the statistics of the batch", hint=hint)
    if call.get("training", False):
        raise Refusal("batch normalisation by the statistics of the batch", hint=EVALUATE)
    return call.builder.batch_norm(
        call.name,
        call.source("input"),
        mean=mean,
        variance=variance,
        gamma=call.constant("weight"),
        beta=call.constant("bias"),
        epsilon=float(call.get("eps", call.get("epsilon", 1e-5))),
        origin=call.origin,
    )


def batch_norm_results(call: TorchCall) -> list[Any]:
    """Batch normalisation as the first of several results."""
    return [batch_norm(call), None, None, None, None]


_SEVERAL_RESULTS = (
    *("_native_batch_norm_legit_no_training", "_native_batch_norm_legit", "native_batch_norm"),
    *("_batch_norm_no_update", "cudnn_batch_norm"),
)

HANDLERS: dict[str, Callable[[TorchCall], Any]] = {
    "linear": linear,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution", "_convolution", "_convolution_mode"), convolution),
    **{f"conv_transpose{n}d": transposed for n in (1, 2, 3)},
    "batch_norm": batch_norm,
    **dict.fromkeys(_SEVERAL_RESULTS, batch_norm_results),
}
