"""Runs a Caffe net by functions of torch, straight from its messages: the reading that a graph is compared with.

There is no Caffe to ask. So what a layer computes is told a second time, in other terms than those of the graph: in
float32, on whole batches, with axes counted as Caffe counts them, every window and pad written out, and blobs
overwritten in place. It shares the decoded messages with parsing, and neither handlers nor nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.caffe.net import Layer, Net
from snntoolbox.ir.node import Array

CHUNK = 128  # samples at once: bounds the memory of large sets


def predict(net: Net, x: tuple[Array, ...]) -> tuple[Array, ...]:
    """The outputs for a batch of each input."""
    if len(x) != len(net.inputs):
        raise FrontendError(f"the net takes {len(net.inputs)} inputs, got {len(x)}")
    for (name, shape), array in zip(net.inputs.items(), x, strict=True):
        if array.shape[1:] != shape or len(array) != len(x[0]):
            raise FrontendError(f"expects samples of shape {shape}, got {array.shape[1:]}", layer=name)
    parts = []
    with torch.no_grad():
        for start in range(0, max(len(x[0]), 1), CHUNK):
            arrays = (torch.from_numpy(np.array(a[start : start + CHUNK], np.float32)) for a in x)
            blobs = dict(zip(net.inputs, arrays, strict=True))
            for layer in net.layers:
                _forward(layer, blobs)
            parts.append([blobs[name].numpy() for name in net.outputs])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _forward(layer: Layer, blobs: dict[str, Tensor]) -> None:
    """What one layer writes."""
    bottoms = [blobs[name] for name in layer.bottoms]
    made = FORWARD[layer.kind](layer, *bottoms)
    blobs.update(zip(layer.tops, made if isinstance(made, tuple) else (made,), strict=True))


def _trained(layer: Layer, i: int) -> Tensor:
    return torch.from_numpy(np.asarray(layer.blobs[i].values, np.float32))


# -- weights --------------------------------------------------------------------------------------------------------


def _sides(told: Any, what: str, single: str, rank: int, least: int) -> list[int]:
    """A setting for each axis of space: height and width where they are set, else one for all or one for each."""
    if told.HasField(f"{what}_h") or told.HasField(f"{what}_w"):
        return [getattr(told, f"{what}_h"), getattr(told, f"{what}_w")]
    value = getattr(told, single)
    values = list(value) if not isinstance(value, int) else [value]
    values = values or [least]
    return values if len(values) == rank else values * rank


def _convolved(x: Tensor, told: Any, weight: Tensor, bias: Tensor | None) -> Tensor:
    rank = x.ndim - 2
    stride, dilation = _sides(told, "stride", "stride", rank, 1), list(told.dilation) or [1]
    dilation = dilation if len(dilation) == rank else dilation * rank
    around = [p for pad in reversed(_sides(told, "pad", "pad", rank, 0)) for p in (pad, pad)]
    kernel = weight.reshape(told.num_output, x.shape[1] // told.group, *_sides(told, "kernel", "kernel_size", rank, 0))
    if rank > 3:
        raise FrontendError(f"a convolution over {rank} axes of space has nothing to be compared with")
    convolve: Callable[..., Tensor] = (functional.conv1d, functional.conv2d, functional.conv3d)[rank - 1]
    return convolve(functional.pad(x, around), kernel, bias, stride, 0, dilation, told.group)


def _convolution(layer: Layer, x: Tensor) -> Tensor:
    told = layer.message.convolution_param
    return _convolved(x, told, _trained(layer, 0), _trained(layer, 1).flatten() if told.bias_term else None)


def _deconvolution(layer: Layer, x: Tensor) -> Tensor:
    told, rank = layer.message.convolution_param, x.ndim - 2
    bias = _trained(layer, 1).flatten() if told.bias_term else None
    kernel = _sides(told, "kernel", "kernel_size", rank, 0)
    weight = _trained(layer, 0).reshape(x.shape[1], told.num_output // told.group, *kernel)
    stride, pad = _sides(told, "stride", "stride", rank, 1), _sides(told, "pad", "pad", rank, 0)
    dilation = list(told.dilation) or [1]
    names = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
    deconvolve: Callable[..., Tensor] = names[rank - 1]
    return deconvolve(
        x, weight, bias, stride, pad, 0, told.group, dilation if len(dilation) == rank else dilation * rank
    )


def _multiplied(x: Tensor, told: Any, weight: Tensor, bias: Tensor | None) -> Tensor:
    rows = x.flatten(told.axis)
    weight = weight.reshape(rows.shape[-1], -1) if told.transpose else weight.reshape(-1, rows.shape[-1]).T
    product = torch.matmul(rows, weight)
    return product if bias is None else product + bias


def _inner_product(layer: Layer, x: Tensor) -> Tensor:
    told = layer.message.inner_product_param
    return _multiplied(x, told, _trained(layer, 0), _trained(layer, 1).flatten() if told.bias_term else None)


def _fixed(x: Tensor, told: Any) -> Tensor:
    """Rounded, halves away from zero, to so many bits."""
    scale = 2.0**told.ad
    most = 2.0 ** (told.bd - 1) - 1 / scale
    return torch.clamp(torch.trunc(x * scale + 0.5 * torch.sign(x)) / scale, -most, most)


def _fixed_weights(layer: Layer, biased: bool) -> tuple[Tensor, Tensor | None]:
    told = layer.message.lpfp_param
    bias = _trained(layer, 2).flatten() if biased else None
    rounds = bias is not None and told.round_bias
    return _fixed(_trained(layer, 0), told), _fixed(bias, told) if rounds and bias is not None else bias


def _lp_convolution(layer: Layer, x: Tensor) -> Tensor:
    told = layer.message.convolution_param
    return _convolved(x, told, *_fixed_weights(layer, told.bias_term))


def _lp_inner_product(layer: Layer, x: Tensor) -> Tensor:
    told = layer.message.inner_product_param
    return _multiplied(x, told, *_fixed_weights(layer, told.bias_term))


def _batch_norm(layer: Layer, x: Tensor) -> Tensor:
    mean, variance, factor = (_trained(layer, i).flatten() for i in range(3))
    factor = factor if factor.item() else torch.full((1,), torch.inf)
    return functional.batch_norm(x, mean / factor, variance / factor, eps=layer.message.batch_norm_param.eps)


def _over(values: Tensor, x: Tensor, axis: int) -> Tensor:
    """Trained values over the axes of x from one on, so that they broadcast."""
    start = axis % x.ndim
    return values.reshape((1,) * start + tuple(values.shape) + (1,) * (x.ndim - start - values.ndim))


def _scale(layer: Layer, x: Tensor) -> Tensor:
    told = layer.message.scale_param
    count = x.ndim - told.axis % x.ndim if told.num_axes == -1 else told.num_axes
    shape = x.shape[told.axis % x.ndim :][:count]
    scaled = x * _over(_trained(layer, 0).reshape(shape), x, told.axis if count else 0)
    return scaled + _over(_trained(layer, 1).reshape(shape), x, told.axis if count else 0) if told.bias_term else scaled


def _bias(layer: Layer, x: Tensor) -> Tensor:
    told = layer.message.bias_param
    count = x.ndim - told.axis % x.ndim if told.num_axes == -1 else told.num_axes
    shape = x.shape[told.axis % x.ndim :][:count]
    return x + _over(_trained(layer, 0).reshape(shape), x, told.axis if count else 0)


def _prelu(layer: Layer, x: Tensor) -> Tensor:
    return functional.prelu(x, _trained(layer, 0).flatten())


# -- pooling --------------------------------------------------------------------------------------------------------


def _pooling(layer: Layer, x: Tensor) -> Tensor:
    told = layer.message.pooling_param
    if told.global_pooling:
        return x.amax((2, 3), keepdim=True) if told.pool == 0 else x.mean((2, 3), keepdim=True)
    kernel, stride = _sides(told, "kernel", "kernel_size", 2, 0), _sides(told, "stride", "stride", 2, 1)
    pad = _sides(told, "pad", "pad", 2, 0)
    axes = zip(x.shape[2:], kernel, stride, pad, strict=True)
    starts = [_starts(n, k, s, p, told.round_mode, any(pad)) for n, k, s, p in axes]
    rows = []
    for top in starts[0]:
        columns = []
        for left in starts[1]:
            part = x[:, :, max(top, 0) : top + kernel[0], max(left, 0) : left + kernel[1]]
            if told.pool == 0:
                columns.append(part.amax((2, 3)))
                continue
            ends = [min(a + k, n + p) - a for a, k, n, p in zip((top, left), kernel, x.shape[2:], pad, strict=True)]
            columns.append(part.sum((2, 3)) / math.prod(ends))
        rows.append(torch.stack(columns, -1))
    return torch.stack(rows, -2)


def _starts(size: int, kernel: int, stride: int, pad: int, round_mode: int, padded: bool) -> list[int]:
    """Where the windows of an axis begin: the last one in the data or the padding before them, if there is any."""
    reach = (size + 2 * pad - kernel) / stride
    count = (math.ceil(reach) if round_mode == 0 else math.floor(reach)) + 1
    if padded and (count - 1) * stride >= size + pad:
        count -= 1
    return [i * stride - pad for i in range(count)]


# -- joining and shaping --------------------------------------------------------------------------------------------


def _eltwise(layer: Layer, *x: Tensor) -> Tensor:
    told = layer.message.eltwise_param
    stacked = torch.stack(x)
    if told.operation == 0:
        return stacked.prod(0)
    if told.operation == 2:
        return stacked.amax(0)
    factors = list(told.coeff) or [1.0] * len(x)
    return torch.stack([factor * part for factor, part in zip(factors, x, strict=True)]).sum(0)


def _concat(layer: Layer, *x: Tensor) -> Tensor:
    told = layer.message.concat_param
    return torch.cat(x, told.concat_dim if told.HasField("concat_dim") else told.axis)


def _slice(layer: Layer, x: Tensor) -> tuple[Tensor, ...]:
    told = layer.message.slice_param
    axis, points = told.slice_dim if told.HasField("slice_dim") else told.axis, list(told.slice_point)
    return torch.tensor_split(x, points or len(layer.tops), axis)


def _flatten(layer: Layer, x: Tensor) -> Tensor:
    told = getattr(layer.message, "flatten_param", None)  # layers of the first version have none
    return x.flatten(1) if told is None else x.flatten(told.axis, told.end_axis)


def _reshape(layer: Layer, x: Tensor) -> Tensor:
    told = layer.message.reshape_param
    start = told.axis if told.axis >= 0 else x.ndim + told.axis + 1
    end = x.ndim if told.num_axes == -1 else start + told.num_axes
    dims = [x.shape[start + i] if d == 0 else d for i, d in enumerate(told.shape.dim)]
    shape = [*x.shape[:start], *dims, *x.shape[end:]]
    if not start and shape[0] != -1:
        shape[0] = x.shape[0]  # the text names the batch that it was written for
    return x.reshape(shape)


def _crop(layer: Layer, x: Tensor, like: Tensor) -> Tensor:
    told = layer.message.crop_param
    axes = range(told.axis % x.ndim, x.ndim)
    offsets = list(told.offset) or [0]
    for axis, start in zip(axes, offsets * len(axes) if len(offsets) == 1 else offsets, strict=True):
        x = x.narrow(axis, start, like.shape[axis])
    return x


def _tile(layer: Layer, x: Tensor) -> Tensor:
    told = layer.message.tile_param
    return torch.cat([x] * told.tiles, told.axis)


def _reduction(layer: Layer, x: Tensor) -> Tensor:
    told = layer.message.reduction_param
    flat = x.flatten(told.axis)
    return float(told.coeff) * (flat.sum(-1) if told.operation == 1 else flat.mean(-1))


# -- functions ------------------------------------------------------------------------------------------------------


def _relu(layer: Layer, x: Tensor) -> Tensor:
    return functional.leaky_relu(x, layer.message.relu_param.negative_slope)


def _power(layer: Layer, x: Tensor) -> Tensor:
    told = layer.message.power_param
    return torch.pow(told.shift + told.scale * x, told.power)


def _clip(layer: Layer, x: Tensor) -> Tensor:
    return torch.clamp(x, layer.message.clip_param.min, layer.message.clip_param.max)


def _swish(layer: Layer, x: Tensor) -> Tensor:
    return x * torch.sigmoid(float(layer.message.swish_param.beta) * x)


FORWARD: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "AbsVal": lambda layer, x: x.abs(),
    "BNLL": lambda layer, x: functional.softplus(x),
    "BatchNorm": _batch_norm,
    "Bias": _bias,
    "Clip": _clip,
    "Concat": _concat,
    "Convolution": _convolution,
    "Crop": _crop,
    "Deconvolution": _deconvolution,
    "Dropout": lambda layer, x: x,
    "ELU": lambda layer, x: functional.elu(x, layer.message.elu_param.alpha),
    "Eltwise": _eltwise,
    "Flatten": _flatten,
    "InnerProduct": _inner_product,
    "LPAct": lambda layer, x: _fixed(x, layer.message.lpfp_param),
    "LPConvolution": _lp_convolution,
    "LPInnerProduct": _lp_inner_product,
    "PReLU": _prelu,
    "Pooling": _pooling,
    "Power": _power,
    "ReLU": _relu,
    "Reduction": _reduction,
    "Reshape": _reshape,
    "Scale": _scale,
    "Sigmoid": lambda layer, x: torch.sigmoid(x),
    "Slice": _slice,
    "Softmax": lambda layer, x: torch.softmax(x, layer.message.softmax_param.axis),
    "Split": lambda layer, x: (x,) * len(layer.tops),
    "Swish": _swish,
    "TanH": lambda layer, x: torch.tanh(x),
    "Tile": _tile,
}
"""What each type of layer writes, given what it reads."""
