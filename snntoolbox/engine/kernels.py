"""The torch function of each node type: what ``Node.apply`` computes, on tensors of shape (batch, *sample)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn import functional

from snntoolbox.engine.tensors import Target, channels_inside, extract_windows, lies_inside, padded
from snntoolbox.ir.node import LinearNode, Node, Shape
from snntoolbox.ir.nodes import (
    Add,
    AveragePool,
    Concat,
    Conv,
    Delay,
    Dense,
    Elementwise,
    Floor,
    MatrixProduct,
    MaxPool,
    Mean,
    Multiply,
    Normalise,
    Pad,
    Permute,
    ReLU,
    Reshape,
    RootMeanSquare,
    Scale,
    Softmax,
    Sparse,
    Tabulated,
    Take,
)
from snntoolbox.ir.nodes.tabulated import SMALLEST

Kernel = Callable[..., Tensor]


def prepare(node: Node, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    """The function of `node` for inputs of these shapes, its weights converted once.

    A type without an entry runs as its sparse synapses if it is linear, else as its numpy `apply`.
    """
    make = KERNELS.get(type(node), _synapses if isinstance(node, LinearNode) else _numpy)
    kernel = make(node, shapes, target)
    bias = node.bias if isinstance(node, LinearNode) else None
    return kernel if bias is None or make is _numpy else _with_bias(kernel, target.tensor(bias), type(node) in _FRESH)


def _with_bias(kernel: Kernel, bias: Tensor, fresh: bool) -> Kernel:
    if fresh:
        return lambda *x: kernel(*x).add_(bias)
    return lambda *x: kernel(*x) + bias


# -- weighted -------------------------------------------------------------------------------------------------------


def _dense(node: Dense, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    weight, rank = target.tensor(node.weight), len(shapes[0])
    axis = node.axis % rank + 1
    if axis == rank:
        return lambda x: functional.linear(x, weight)
    return lambda x: functional.linear(x.movedim(axis, -1), weight).movedim(-1, axis)


def _conv(node: Conv, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    rank = node.weight.ndim - 2
    if rank not in _CONVOLUTIONS or (target.exact and target.device.type == "cuda"):
        return _conv_by_windows(node, target)
    convolve, weight = _CONVOLUTIONS[rank], channels_inside(target.tensor(node.weight))
    stride, dilation, groups = node.stride, node.dilation, node.groups
    if all(lo == hi for lo, hi in node.padding):
        both = tuple(lo for lo, _ in node.padding)
        return lambda x: convolve(channels_inside(x), weight, None, stride, both, dilation, groups)
    return lambda x: convolve(padded(channels_inside(x), node.padding), weight, None, stride, 0, dilation, groups)


def _conv_by_windows(node: Conv, target: Target) -> Kernel:
    """Convolution as one matrix product over gathered windows: any rank, and exact on integers."""
    filters, per_group, *kernel = node.weight.shape
    weight = target.tensor(node.weight.reshape(node.groups, filters // node.groups, per_group, math.prod(kernel)))

    def convolve(x: Tensor) -> Tensor:
        windows = extract_windows(x, tuple(kernel), node.stride, node.padding, node.dilation)
        space = windows.shape[2 : 2 + len(kernel)]
        columns = windows.reshape(len(x), node.groups, per_group, math.prod(space), math.prod(kernel))
        return torch.einsum("ngcwt,gfct->ngfw", columns, weight).reshape(len(x), filters, *space)

    return convolve


def _scale(node: Scale, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    gain = target.tensor(node.gain)
    return lambda x: x * gain


def _sparse(node: Sparse, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    return _by_matrices([node.matrix], node.shape_out, target)


def _synapses(node: LinearNode, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    return _by_matrices(node.synapses(*shapes), node.output_shape(*shapes), target)


def _by_matrices(matrices: Any, shape: Shape, target: Target) -> Kernel:
    """The sum of one sparse matrix per input, applied to flattened samples."""
    stored = [_csr(sp.csr_array(m), target) for m in matrices]

    def multiply(*x: Tensor) -> Tensor:
        columns = [m @ v.reshape(len(v), -1).T for m, v in zip(stored, x, strict=True)]
        return sum(columns[1:], start=columns[0]).T.reshape(-1, *shape)

    return multiply


def _csr(matrix: sp.csr_array, target: Target) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        rows, columns = (torch.tensor(i.astype(np.int64)) for i in (matrix.indptr, matrix.indices))
        data, shape = torch.tensor(matrix.data, dtype=target.dtype), tuple(matrix.shape)
        return torch.sparse_csr_tensor(rows, columns, data, shape, device=target.device, check_invariants=False)


# -- summing --------------------------------------------------------------------------------------------------------


def _add(node: Add, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    first, *others = node.factors

    def add(*x: Tensor) -> Tensor:
        out = x[0] if first == 1 else x[0] * first
        for factor, value in zip(others, x[1:], strict=True):
            out = torch.add(out, value, alpha=factor)
        return out

    return add


def _average_pool(node: AveragePool, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    """Sums of windows, then one division, so that sums of integers are exact before they are divided."""
    (_, *space), rank = shapes[0], len(node.kernel)
    over = node.overhang or (0,) * rank
    pads = tuple((lo, hi + o) for (lo, hi), o in zip(node.padding, over, strict=True))
    divisor = node.divisor(tuple(space))
    pool = _SUMS.get(rank)
    if pool is not None and np.all(divisor == divisor.flat[0]):
        whole = int(divisor.flat[0])
        return lambda x: pool(padded(channels_inside(x), pads), node.kernel, node.stride, whole)
    shared = target.tensor(divisor)
    if pool is not None:
        return lambda x: pool(padded(channels_inside(x), pads), node.kernel, node.stride, 1).div_(shared)
    ones, taps = (1,) * rank, tuple(range(-rank, 0))
    return lambda x: extract_windows(x, node.kernel, node.stride, pads, ones).sum(taps).div_(shared)


def _sums_1d(x: Tensor, kernel: Shape, stride: Shape, divisor: int) -> Tensor:
    out = functional.avg_pool2d(x[:, :, None], (1, *kernel), (1, *stride), divisor_override=divisor)
    return out[:, :, 0]


def _sums_2d(x: Tensor, kernel: Shape, stride: Shape, divisor: int) -> Tensor:
    return functional.avg_pool2d(x, kernel, stride, divisor_override=divisor)


def _sums_3d(x: Tensor, kernel: Shape, stride: Shape, divisor: int) -> Tensor:
    return functional.avg_pool3d(x, kernel, stride, divisor_override=divisor)


def _mean(node: Mean, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    axes = tuple(a + 1 for a in node.axes)
    count = node.divisor(shapes[0])
    return lambda x: x.sum(axes, keepdim=node.keepdims).div_(count)


# -- moving ---------------------------------------------------------------------------------------------------------


def _reshape(node: Reshape, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    return lambda x: x.reshape(len(x), *node.shape)


def _permute(node: Permute, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    axes = (0, *(a + 1 for a in node.axes))
    return lambda x: x.permute(axes)


def _take(node: Take, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    """A view where the indices step evenly upwards, else a copy."""
    axis, indices = node.axis + 1, node.indices
    step = indices[1] - indices[0] if len(indices) > 1 else 1
    if step > 0 and indices == tuple(range(indices[0], indices[-1] + 1, step)):
        picked = (*(slice(None),) * axis, slice(indices[0], indices[-1] + 1, step))
        return lambda x: x[picked]
    index = torch.tensor(indices, device=target.device)
    return lambda x: x.index_select(axis, index)


def _pad(node: Pad, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    return lambda x: padded(x, node.pads)


def _concat(node: Concat, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    def join(*x: Tensor) -> Tensor:
        # Of inputs laid out in different ways torch makes one with the channels apart, which all readers would turn.
        inside = [lies_inside(value) for value in x]
        return torch.cat(x if all(inside) or not any(inside) else [*map(channels_inside, x)], dim=node.axis + 1)

    return join


# -- non-linear -----------------------------------------------------------------------------------------------------


def _relu(node: ReLU, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    if node.max_value is None:
        return lambda x: x.clamp(min=0)
    bound, levels = target.tensor(node.max_value), node.levels
    if levels is None:
        high = bound.item() if bound.ndim == 0 else bound
        return lambda x: x.clamp(min=0).clamp_(max=high)
    level = bound / levels
    if node.halves_to_even:
        return lambda x: level * (x / level).round().clamp(0, levels)
    return lambda x: level * (x / level + 0.5).floor().clamp(0, levels)


def _tabulated(node: Tabulated, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    function, rectified, sign = _FUNCTIONS[node.function], _relu(node, shapes, target), node.sign
    return lambda x: rectified(function(x) if sign > 0 else -function(x))


def _floor(node: Floor, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    return torch.floor


def _max_pool(node: MaxPool, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    pool, lowest = _MAXIMA.get(len(node.kernel)), -math.inf
    if pool is None:
        taps = tuple(range(-len(node.kernel), 0))
        windows = (node.kernel, node.stride, node.padding, node.dilation)
        return lambda x: extract_windows(x, *windows, fill=lowest).amax(taps)
    geometry = (node.kernel, node.stride, 0, node.dilation)
    return lambda x: pool(padded(channels_inside(x), node.padding, lowest), *geometry)


def _softmax(node: Softmax, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    axis = node.axis % len(shapes[0]) + 1
    return lambda x: x.log_softmax(axis) if node.log else x.softmax(axis)


def _normalise(node: Normalise, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    axes = tuple(a + 1 for a in node.axes)

    def normalise(x: Tensor) -> Tensor:
        centred = x - x.mean(axes, keepdim=True) if node.centred else x
        square = (centred * centred).mean(axes, keepdim=True).add_(node.epsilon)
        return centred * square.clamp_(min=torch.finfo(x.dtype).tiny).rsqrt_()

    return normalise


def _root_mean_square(node: RootMeanSquare, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    axes, power = tuple(a + 1 for a in node.axes), -0.5 if node.inverse else 0.5
    return lambda x: (x * x).mean(axes, keepdim=True).add_(node.epsilon).pow_(power)


def _elementwise(node: Elementwise, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    return _FUNCTIONS[node.function]


def _numpy(node: Node, shapes: tuple[Shape, ...], target: Target) -> Kernel:
    return lambda *x: target.tensor(node.apply(*(v.cpu().numpy() for v in x)))


_FUNCTIONS: dict[str, Kernel] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "mish": functional.mish,
    "elu": functional.elu,
    "selu": functional.selu,
    "softplus": lambda x: functional.softplus(x, threshold=50),
    "hard_swish": functional.hardswish,
    "exp": lambda x: x.clamp(max=80).exp(),
    "inverse": lambda x: x.clamp(min=1).reciprocal(),
    "square": lambda x: x * x,
    "inverse_root": lambda x: x.clamp(min=SMALLEST).rsqrt(),
}

_CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
_MAXIMA: dict[int, Callable[..., Tensor]] = {
    1: functional.max_pool1d,
    2: functional.max_pool2d,
    3: functional.max_pool3d,
}
_SUMS: dict[int, Callable[..., Tensor]] = {1: _sums_1d, 2: _sums_2d, 3: _sums_3d}
_FRESH = frozenset({Dense, Conv, Scale})
"""Types whose kernels give memory of their own, so that a bias can be added in place."""

KERNELS: dict[type[Node], Callable[..., Kernel]] = {
    Dense: _dense,
    Conv: _conv,
    Scale: _scale,
    Sparse: _sparse,
    Add: _add,
    AveragePool: _average_pool,
    Mean: _mean,
    Reshape: _reshape,
    Permute: _permute,
    Take: _take,
    Pad: _pad,
    Concat: _concat,
    Delay: lambda node, shapes, target: lambda x: x,
    ReLU: _relu,
    Tabulated: _tabulated,
    MaxPool: _max_pool,
    Softmax: _softmax,
    Normalise: _normalise,
    RootMeanSquare: _root_mean_square,
    Floor: _floor,
    Elementwise: _elementwise,
    Multiply: lambda node, shapes, target: torch.mul,
    MatrixProduct: lambda node, shapes, target: node.contraction.of,
}
