"""Handlers of operators with trained weights: Gemm, MatMul, Conv, BatchNormalization."""

from __future__ import annotations

import numpy as np

from snntoolbox.frontends.onnx.call import EVALUATE, Activation, Call, Refusal
from snntoolbox.frontends.onnx.pooling import LARGEST, Window, window
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Add, Conv
from snntoolbox.ir.rectifying import add_conv_transpose


def gemm(call: Call) -> str:
    """``alpha * x @ B + beta * C`` with constant B; C is constant or an activation."""
    if call.flag("transA"):
        raise Refusal("transposes the batch (transA)")
    (features,) = _rank(call, 1)
    weight = call.constant(1, "weight")
    if weight.ndim != 2:
        raise Refusal(f"its weight has the shape {weight.shape}")
    weight = weight * call.attribute("alpha", 1.0)
    weight = weight if call.flag("transB") else weight.T
    if weight.shape[1] != features:
        raise Refusal(f"its weight is for {weight.shape[1]} features, its input has {features}")
    beta = call.attribute("beta", 1.0)
    if isinstance(call.value(2), Activation):
        product = call.builder.dense(call.name, call.source(), weight, None, origin=call.origin)
        inputs = (product, call.source(2))
        return call.builder.add(Add(name=call.name, inputs=inputs, coefficients=(1.0, beta), origin=call.origin))
    bias = call.optional(2, "bias")
    shaped = None if bias is None else beta * _row(bias, weight.shape[0])
    return call.builder.dense(call.name, call.source(), weight, shaped, origin=call.origin)


def _rank(call: Call, rank: int) -> tuple[int, ...]:
    shape = call.shape()
    if len(shape) != rank:
        raise Refusal(f"expects samples of {rank} axes, got shape {shape}")
    return shape


def _row(bias: Array, size: int) -> Array:
    """A bias that broadcasts to (batch, size), as (size,); one that varies over the batch is refused."""
    if bias.ndim > 2 or (bias.ndim == 2 and bias.shape[0] != 1 and not np.all(bias == bias[:1])):
        raise Refusal("its bias varies over the batch")
    row = bias[0] if bias.ndim == 2 else bias
    return np.broadcast_to(row, (size,)).copy()


def matmul(call: Call) -> str:
    """``x @ W`` over the last axis, or ``W @ x`` over the last but one."""
    if all(isinstance(v, Activation) for v in call.inputs):
        raise Refusal("product of two activations")
    return _matmul_right(call) if isinstance(call.value(0), Activation) else _matmul_left(call)


def _matmul_right(call: Call) -> str:
    weight, shape = _matrix(call.constant(1, "weight"), len(call.shape()) + 1), call.shape()
    if not shape:
        raise Refusal("expects samples with an axis")
    if weight.ndim == 1:
        summed = call.builder.dense(call.name, call.source(), weight[None], None, origin=call.origin)
        return call.builder.reshape(f"{call.name}_squeezed", summed, shape[:-1], call.origin)
    return call.builder.dense(call.name, call.source(), weight.T, None, origin=call.origin)


def _matmul_left(call: Call) -> str:
    shape = call.shape(1)
    weight = _matrix(call.constant(0, "weight"), len(shape) + 1)
    if len(shape) < 2:
        raise Refusal("works across the batch axis")
    rows = np.atleast_2d(weight)
    out = call.builder.dense(call.name, call.source(1), rows, None, axis=-2, origin=call.origin)
    if weight.ndim == 2:
        return out
    return call.builder.reshape(f"{call.name}_squeezed", out, (*shape[:-2], shape[-1]), call.origin)


def _matrix(weight: Array, rank: int) -> Array:
    """The weight as a matrix or vector; a stack of several is refused, and one of more axes than the input."""
    while weight.ndim > 2 and weight.shape[0] == 1 and weight.ndim <= rank:
        weight = weight[0]
    if weight.ndim not in (1, 2):
        raise Refusal(f"its weight is a stack of matrices, of shape {weight.shape}")
    return weight


def conv(call: Call) -> str:
    """Cross-correlation over 1 to 3 (or more) spatial axes."""
    weight, bias = call.constant(1, "weight"), call.optional(2, "bias")
    if weight.ndim < 3 or weight.ndim != len(call.shape()) + 1:
        raise Refusal(f"its weight of shape {weight.shape} does not fit samples of shape {call.shape()}")
    groups = call.attribute("group", 1)
    if groups < 1 or weight.shape[0] % groups:
        raise Refusal(f"{weight.shape[0]} filters in {groups} groups")
    place = window(call, weight.shape[2:])
    if bias is not None and bias.size != weight.shape[0]:
        raise Refusal(f"its bias of shape {bias.shape} does not fit {weight.shape[0]} filters")
    return call.builder.add(
        Conv(
            name=call.name,
            inputs=(call.source(),),
            weight=weight,
            bias=None if bias is None else bias.reshape(-1, *[1] * len(place.kernel)),
            stride=place.stride,
            padding=place.padding,
            dilation=place.dilation,
            groups=groups,
            origin=call.origin,
        )
    )


def batch_normalization(call: Call) -> str:
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


def conv_transpose(call: Call) -> str:
    """Transposed convolution over any number of spatial axes; weight (in, out / groups, *kernel)."""
    weight, bias, shape = call.constant(1, "weight"), call.optional(2, "bias"), call.shape()
    groups = call.attribute("group", 1)
    if weight.ndim < 3 or weight.ndim != len(shape) + 1:
        raise Refusal(f"its weight of shape {weight.shape} does not fit samples of shape {shape}")
    if weight.shape[0] != shape[0] or groups < 1 or shape[0] % groups:
        raise Refusal(f"its weight of shape {weight.shape} in {groups} groups does not fit {shape[0]} channels")
    if bias is not None and bias.size != weight.shape[1] * groups:
        raise Refusal(f"its bias of shape {bias.shape} does not fit {weight.shape[1] * groups} filters")
    place = window(call, weight.shape[2:])
    extra = _sizes(call, "output_padding", (0,) * len(place.kernel))
    padding = _padding(call, place, extra)
    spread = [n * s for n, s in zip(shape[1:], place.stride, strict=True)]
    call.bound((shape[0], *(n + d * k for n, d, k in zip(spread, place.dilation, place.kernel, strict=True))))
    if bias is not None:
        bias = bias.reshape(-1)
    return add_conv_transpose(
        call.builder,
        call.name,
        call.source(),
        weight,
        bias,
        stride=place.stride,
        padding=padding,
        output_padding=extra,
        dilation=place.dilation,
        groups=groups,
        origin=call.origin,
    )


def _sizes(call: Call, what: str, default: Shape) -> Shape:
    values = tuple(call.attribute(what, default))
    if len(values) != len(default) or not all(0 <= v <= LARGEST for v in values):
        raise Refusal(f"{what} {values} are malformed")
    return values


def _padding(call: Call, place: Window, extra: Shape) -> tuple[tuple[int, int], ...]:
    """What is cut off before and behind each axis: given, or what leaves the wanted output."""
    space, mode = call.shape()[1:], call.attribute("auto_pad", "NOTSET")
    axes = list(zip(space, place.kernel, place.stride, place.dilation, extra, strict=True))
    full = [(n - 1) * s + d * (k - 1) + 1 + e for n, k, s, d, e in axes]
    if call.attributes.get("output_shape"):
        wanted = _sizes(call, "output_shape", space)
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = tuple(n * s for n, s in zip(space, place.stride, strict=True))
    else:
        return place.padding
    cut = [f - w for f, w in zip(full, wanted, strict=True)]
    if min(cut) < 0 or min(wanted) < 1:
        raise Refusal(f"its output of shape {wanted} is larger than the {tuple(full)} that its kernels reach")
    less_before = mode == "SAME_UPPER"
    return tuple((c // 2, c - c // 2) if less_before else (c - c // 2, c // 2) for c in cut)
