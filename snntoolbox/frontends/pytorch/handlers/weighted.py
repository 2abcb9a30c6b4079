"""Handlers of layers with trained weights: linear, matrix products, convolution, batch normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snntoolbox.frontends.pytorch.call import EVALUATE, Activation, Call, Refused
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Conv
from snntoolbox.ir.rectifying import add_conv_transpose


def _weight(call: Call, name: str) -> Array:
    weight = call.constant(name)
    if weight is None:
        raise Refused(f"{call.op} without '{name}'")
    return weight


def linear(call: Call) -> Activation:
    """``weight @ x + bias`` along the last axis."""
    source, weight, bias = call.source("input"), _weight(call, "weight"), call.constant("bias")
    if not call.shape(source):
        raise Refused("linear over the batch axis")
    return Activation(call.builder.dense(call.name, source, weight, bias, axis=-1, origin=call.origin))


def _product(call: Call, left: str, right: str) -> str:
    """``left @ right`` with exactly one of the two constant."""
    a, b = call.args[left], call.args[right]
    if isinstance(a, Activation) and isinstance(b, Activation):
        raise Refused("product of two activations is not supported")
    value = a if isinstance(a, Activation) else b
    matrix = _weight(call, right if value is a else left)
    rank = len(call.shape(value.name))
    if matrix.ndim > 2:
        raise Refused(f"a product with a constant of {matrix.ndim} axes")
    axis = rank - 1 if value is a else rank - 2
    if matrix.ndim == 1 and value is b and rank == 1:
        raise Refused("a product along the batch axis mixes samples")
    if axis < 0:
        raise Refused("a product along the batch axis mixes samples")
    vector = matrix.ndim == 1
    rows = matrix[None] if vector else matrix.T if value is a else matrix
    product = call.builder.dense(call.name, value.name, rows, None, axis=axis, origin=call.origin)
    if not vector:
        return product
    shape = call.shape(product)
    return call.builder.reshape(f"{call.name}_flat", product, shape[:axis] + shape[axis + 1 :], call.origin)


def matmul(call: Call) -> Activation:
    """A product with a constant matrix or vector."""
    other = "other" if "other" in call.args else "mat2" if "mat2" in call.args else "vec"
    return Activation(_product(call, "self", other))


def addmm(call: Call) -> Activation:
    """``beta * self + alpha * mat1 @ mat2`` with constants `self` and `mat2`."""
    if not isinstance(call.args["mat1"], Activation) or isinstance(call.args["self"], Activation):
        raise Refused("a sum of activations with a product")
    source, matrix = call.source("mat1"), _weight(call, "mat2") * (call.number("alpha", 1.0) or 0.0)
    bias = call.per_sample(call.args["self"], 1) * (call.number("beta", 1.0) or 0.0)
    bias = np.broadcast_to(bias, (matrix.shape[1],))
    return Activation(call.builder.dense(call.name, source, matrix.T, bias, origin=call.origin))


def convolution(call: Call) -> Activation:
    """Convolution of any dimension; padding by numbers or 'same' / 'valid'."""
    if call.get("transposed", False):
        return transposed_convolution(call)
    source, weight, bias = call.source("input"), _weight(call, "weight"), call.constant("bias")
    rank = weight.ndim - 2
    if len(call.shape(source)) != rank + 1:
        raise Refused(f"{call.op} on data without a batch axis")
    stride, dilation = call.ints("stride", rank, 1), call.ints("dilation", rank, 1)
    given = call.args.get("padding", 0)
    if isinstance(given, str):
        spans = [d * (k - 1) if given == "same" else 0 for k, d in zip(weight.shape[2:], dilation, strict=True)]
        padding = tuple((s // 2, s - s // 2) for s in spans)
    else:
        padding = tuple((p, p) for p in call.ints("padding", rank, 0))
    node = Conv(
        name=call.name,
        inputs=(source,),
        weight=weight,
        bias=None if bias is None else bias.reshape(-1, *(1,) * rank),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=int(call.get("groups", 1)),
        origin=call.origin,
    )
    return Activation(call.builder.add(node))


def transposed_convolution(call: Call) -> Activation:
    """Transposed convolution of any dimension."""
    source, weight, bias = call.source("input"), _weight(call, "weight"), call.constant("bias")
    rank, groups = weight.ndim - 2, int(call.get("groups", 1))
    shape = call.shape(source)
    if len(shape) != rank + 1 or rank < 1:
        raise Refused(f"{call.op} on data without a batch axis")
    if shape[0] != weight.shape[0] or groups < 1 or shape[0] % groups:
        raise Refused(f"its weight of shape {weight.shape} in {groups} groups does not fit {shape[0]} channels")
    stride = call.ints("stride", rank, 1)
    call.bound((shape[0], *(n * s for n, s in zip(shape[1:], stride, strict=True))))
    made = add_conv_transpose(
        call.builder,
        call.name,
        source,
        weight,
        bias,
        stride=stride,
        padding=tuple((p, p) for p in call.ints("padding", rank, 0)),
        output_padding=call.ints("output_padding", rank, 0),
        dilation=call.ints("dilation", rank, 1),
        groups=groups,
        origin=call.origin,
    )
    return Activation(made)


def batch_norm(call: Call) -> Activation:
    """Batch normalisation with its running statistics; statistics of the batch are refused."""
    mean, variance = call.constant("running_mean"), call.constant("running_var")
    if call.get("training", False) or mean is None or variance is None:
        raise Refused("batch normalisation by the statistics of the batch", hint=EVALUATE)
    return Activation(
        call.builder.batch_norm(
            call.name,
            call.source("input"),
            mean=mean,
            variance=variance,
            gamma=call.constant("weight"),
            beta=call.constant("bias"),
            epsilon=float(call.get("eps", call.get("epsilon", 1e-5))),
            origin=call.origin,
        )
    )


def batch_norm_results(call: Call) -> list[Any]:
    """Batch normalisation as the first of several results."""
    return [batch_norm(call), None, None, None, None]


HANDLERS: dict[str, Callable[[Call], Any]] = {
    "linear": linear,
    "addmm": addmm,
    **dict.fromkeys(("mm", "matmul", "mv"), matmul),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution", "_convolution"), convolution),
    **{f"conv_transpose{n}d": transposed_convolution for n in (1, 2, 3)},
    "batch_norm": batch_norm,
    **dict.fromkeys(
        (
            "_native_batch_norm_legit_no_training",
            "_native_batch_norm_legit",
            "native_batch_norm",
            "_batch_norm_no_update",
            "cudnn_batch_norm",
        ),
        batch_norm_results,
    ),
}
