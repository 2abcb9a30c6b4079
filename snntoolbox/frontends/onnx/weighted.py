"""Handlers of operators with trained weights: Gemm, Conv, ConvTranspose, BatchNormalization."""

from __future__ import annotations

import numpy as np

from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.frontends.onnx.call import EVALUATE, OnnxCall
from snntoolbox.frontends.onnx.pooling import window
from snntoolbox.frontends.windows import Window, check_kernel, convolution, transposed_convolution
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Add

# -- fully connected ------------------------------------------------------------------------------------------------


def gemm(call: OnnxCall) -> str:
    """``alpha * x @ B + beta * C`` with constant B; C is constant or an activation."""
    if call.flag("transA"):
        raise Refusal("transposes the batch (transA)")
    if not call.shape():
        raise Refusal("expects samples of 1 axis, got single numbers")
    weight = call.constant(1, "weight")
    if weight.ndim != 2:
        raise Refusal(f"its weight has the shape {weight.shape}")
    weight = weight * call.attribute("alpha", 1.0)
    weight = weight if call.flag("transB") else weight.T
    if weight.shape[1] != call.shape()[-1]:
        raise Refusal(f"its weight is for {weight.shape[1]} features, its input has {call.shape()[-1]}")
    beta = call.attribute("beta", 1.0)
    if isinstance(call.value(2), Activation):
        product = call.builder.dense(call.name, call.source(), weight, None, origin=call.origin)
        inputs = (product, call.source(2))
        return call.builder.add(Add(name=call.name, inputs=inputs, coefficients=(1.0, beta), origin=call.origin))
    bias = call.optional(2, "bias")
    row = None if bias is None else beta * _row(bias, weight.shape[0])
    return call.builder.dense(call.name, call.source(), weight, row, origin=call.origin)


def _row(bias: Array, size: int) -> Array:
    """A bias that broadcasts to (batch, size), as (size,); one that varies over the batch is refused."""
    if bias.ndim > 2 or (bias.ndim == 2 and bias.shape[0] != 1 and not np.all(bias == bias[:1])):
        raise Refusal("its bias varies over the batch")
    row = bias[0] if bias.ndim == 2 else bias
    return np.broadcast_to(row, (size,)).copy()


# -- convolution ----------------------------------------------------------------------------------------------------


def conv(call: OnnxCall) -> str:
    """Cross-correlation over 1 to 3 (or more) spatial axes."""
    weight, bias = call.constant(1, "weight"), call.optional(2, "bias")
    place = window(call, check_kernel(call, call.source(), weight))
    return convolution(call, call.source(), weight, bias, place, call.attribute("group", 1))


def conv_transpose(call: OnnxCall) -> str:
    """Transposed convolution over any number of spatial axes; weight (in, out / groups, *kernel)."""
    weight, bias = call.constant(1, "weight"), call.optional(2, "bias")
    place = window(call, check_kernel(call, call.source(), weight))
    extra = call.integers("output_padding", len(place.kernel), 0)
    cut = Window(place.kernel, place.stride, place.dilation, _cut(call, place, extra))
    groups = call.attribute("group", 1)
    return transposed_convolution(call, call.source(), weight, bias, cut, groups=groups, output_padding=extra)


def _cut(call: OnnxCall, place: Window, extra: Shape) -> tuple[tuple[int, int], ...]:
    """What is cut off before and behind each axis: the pads, or what leaves the output that is asked for."""
    space, mode = call.shape()[1:], call.attribute("auto_pad", "NOTSET")
    axes = zip(space, place.kernel, place.stride, place.dilation, extra, strict=True)
    full = [(n - 1) * s + d * (k - 1) + 1 + e for n, k, s, d, e in axes]
    if call.attributes.get("output_shape"):
        output = call.integers("output_shape", len(space), None, least=1)
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        output = tuple(n * s for n, s in zip(space, place.stride, strict=True))
    else:
        return place.padding
    cut = [f - n for f, n in zip(full, output, strict=True)]
    if min(cut) < 0:
        raise Refusal(f"its output of shape {output} is larger than the {tuple(full)} that its kernels reach")
    less_before = mode == "SAME_UPPER"
    return tuple((c // 2, c - c // 2) if less_before else (c - c // 2, c // 2) for c in cut)


# -- normalisation --------------------------------------------------------------------------------------------------


def batch_normalization(call: OnnxCall) -> str:
    """The affine map of inference, per channel (per value where ``spatial = 0``, opset 7 and 8)."""
    if call.flag("training_mode") or any(call.outputs[1:]):
        raise Refusal("in training mode", hint=EVALUATE)
    gamma, beta, mean, variance = (call.constant(i + 1, what) for i, what in enumerate(("scale", "B", "mean", "var")))
    shape, epsilon = call.shape(), call.attribute("epsilon", 1e-5)
    if not shape or np.any(np.asarray(variance) + epsilon <= 0):
        raise Refusal("its variance is not above zero")
    if not call.flag("spatial", 1):
        gain = gamma / np.sqrt(variance.astype(np.float64) + epsilon)
        return call.builder.affine(call.name, call.source(), gain, beta - mean * gain, call.origin)
    return call.builder.batch_norm(
        call.name,
        call.source(),
        mean=mean,
        variance=variance,
        gamma=gamma,
        beta=beta,
        epsilon=epsilon,
        origin=call.origin,
    )
