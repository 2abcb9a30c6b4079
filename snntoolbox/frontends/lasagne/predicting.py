"""Computes what a network of Lasagne recorded by functions of torch: the reading that a graph is compared with.

There is no Theano to ask. What an operation computes is told here a second time, on whole batches with axes counted
with the batch. It shares the recorded expressions with parsing, and neither handlers nor nodes. Constants are worked
out here too: the signs that a binary layer takes of its weights, for instance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.lasagne.expressions import Expression, Shared, ordered
from snntoolbox.frontends.lasagne.model import LasagneModel
from snntoolbox.ir.node import Array

CHUNK = 128


def predict(model: LasagneModel, x: tuple[Array, ...]) -> tuple[Array, ...]:
    """The outputs for a batch of each input, in float32."""
    if len(x) != len(model.inputs):
        raise FrontendError(f"the network takes {len(model.inputs)} inputs, got {len(x)}")
    for (name, (_, shape)), array in zip(model.inputs.items(), x, strict=True):
        if array.shape[1:] != shape or len(array) != len(x[0]):
            raise FrontendError(f"expects samples of shape {shape}, got {array.shape[1:]}", layer=name)
    parts = []
    for start in range(0, max(len(x[0]), 1), CHUNK):
        arrays = [np.asarray(a[start : start + CHUNK], np.float32) for a in x]
        feeds = {id(e): torch.from_numpy(a.copy()) for (e, _), a in zip(model.inputs.values(), arrays, strict=True)}
        parts.append([t.numpy() for t in evaluated(list(model.outputs), feeds, torch.float32)])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def constant(expression: Expression) -> Array:
    """The value of an expression that no input has a part in, in float64; KeyError where an operation is not known."""
    array: Array = evaluated([expression], {}, torch.float64)[0].numpy()
    return array


def evaluated(ends: list[Expression], feeds: Mapping[int, Tensor], dtype: torch.dtype) -> list[Tensor]:
    """The values of expressions, given those of the inputs."""
    values: dict[int, Tensor] = dict(feeds)
    with torch.no_grad():
        for node in ordered(ends):
            if id(node) in values:
                continue
            if isinstance(node, Shared):
                values[id(node)] = torch.from_numpy(np.array(node.get_value())).to(dtype)
            else:
                values[id(node)] = _as_tensor(_applied(node, values), dtype)
    return [values[id(end)] for end in ends]


def _applied(node: Expression, values: Mapping[int, Tensor]) -> Any:
    function = COMPUTED[node.op]
    return function(*(_value(operand, values) for operand in node.operands), **node.settings)


def _value(operand: Any, values: Mapping[int, Tensor]) -> Any:
    if isinstance(operand, Expression):
        return values[id(operand)]
    if isinstance(operand, list | tuple):
        return [_value(o, values) for o in operand]
    return operand


def _as_tensor(value: Any, dtype: torch.dtype) -> Tensor:
    tensor = torch.as_tensor(value)
    return tensor if tensor.dtype == torch.bool else tensor.to(dtype)


def _tensor(value: Any, like: Tensor) -> Tensor:
    return torch.as_tensor(np.asarray(value) if not isinstance(value, Tensor) else value).to(like.dtype)


def _pair(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Any, Any], Tensor]:
    """A function of two values, of which one may be a plain number or array."""

    def both(a: Any, b: Any) -> Tensor:
        like = next((v for v in (a, b) if isinstance(v, Tensor)), torch.zeros(()))
        return function(_tensor(a, like), _tensor(b, like))

    return both


# -- layers ---------------------------------------------------------------------------------------------------------


def _along(x: Tensor, values: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Values for some of the axes, so that they broadcast."""
    shape = [1] * x.ndim
    for axis, size in zip(axes, values.shape, strict=True):
        shape[axis] = size
    return values.reshape(shape)


def _conv(x: Tensor, weight: Tensor, *, flip: bool, stride: Any, pads: Any, dilation: Any, groups: int) -> Tensor:
    rank = x.ndim - 2
    convolve: Callable[..., Tensor] = (functional.conv1d, functional.conv2d, functional.conv3d)[rank - 1]
    kernel = weight.flip(tuple(range(2, weight.ndim))) if flip else weight
    around = [p for pad in reversed(pads) for p in (pad, pad)]
    return convolve(functional.pad(x, around), kernel, None, tuple(stride), 0, tuple(dilation), groups)


def _pool(x: Tensor, *, kernel: Any, stride: Any, pads: Any, mode: str, windows: Any) -> Tensor:
    """Window by window, in the data and the padding around."""
    rank, out = x.ndim - 2, []
    for place in np.ndindex(*windows):
        starts = [i * s - p for i, s, p in zip(place, stride, pads, strict=True)]
        spans = zip(starts, kernel, x.shape[2:], strict=True)
        inside: Any = (..., *(slice(max(a, 0), min(a + k, n)) for a, k, n in spans))
        part = x[inside].flatten(2)
        padded = (min(a + k, n + p) - a for a, k, n, p in zip(starts, kernel, x.shape[2:], pads, strict=True))
        size = math.prod(padded) if mode == "average_inc_pad" else part.shape[2]
        out.append(part.amax(2) if mode == "max" else part.sum(2) / size)
    return torch.stack(out, 2).reshape(*x.shape[:2], *windows) if rank else x


def _upscale(x: Tensor, *, factors: Any, mode: str) -> Tensor:
    for axis, factor in enumerate(factors, 2):
        x = x.repeat_interleave(factor, axis)
    return x


def _padded(x: Tensor, *, widths: Any, value: float) -> Tensor:
    return functional.pad(x, [n for pair in reversed(widths) for n in pair], value=value)


# -- shapes ---------------------------------------------------------------------------------------------------------


def _flatten(x: Tensor, outdim: int = 1, **named: int) -> Tensor:
    return x.flatten(named.get("ndim", outdim) - 1)


def _reshape(x: Tensor, shape: Any, *_: Any, **__: Any) -> Tensor:
    sizes = [int(n) if n is not None else -1 for n in (shape if isinstance(shape, list) else [shape])]
    return x.reshape(sizes)


def _dimshuffle(x: Tensor, *pattern: Any) -> Tensor:
    order = pattern[0] if len(pattern) == 1 and isinstance(pattern[0], list) else list(pattern)
    moved = x.permute([p for p in order if p != "x"])
    for place, p in enumerate(order):
        moved = moved.unsqueeze(place) if p == "x" else moved
    return moved


def _over(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A reduction over one axis, several or all."""

    def reduce(x: Tensor, axis: Any = None, *_: Any, keepdims: bool = False, **__: Any) -> Tensor:
        axes = list(range(x.ndim)) if axis is None else [axis] if isinstance(axis, int) else list(axis)
        return function(x, axes, keepdims)

    return reduce


def _concatenate(parts: Any, axis: int = 0) -> Tensor:
    return torch.cat(list(parts), axis)


def _getitem(x: Tensor, *, key: Any) -> Tensor:
    return torch.from_numpy(x.numpy()[key].copy())  # PyTorch knows no steps below 0


# -- functions ------------------------------------------------------------------------------------------------------


def _relu(x: Tensor, alpha: Any = 0) -> Tensor:
    return torch.where(x > 0, x, x * _tensor(alpha, x))


def _prelu(x: Tensor, alpha: Tensor, *, axes: tuple[int, ...]) -> Tensor:
    return torch.where(x > 0, x, x * _along(x, alpha, axes))


def _rounded(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return torch.floor(x + 0.5) if bool((x >= 0).all()) else torch.trunc(x + 0.5 * torch.sign(x))


def _switch(condition: Any, a: Any, b: Any) -> Tensor:
    like = next((v for v in (a, b, condition) if isinstance(v, Tensor) and v.dtype != torch.bool), torch.zeros(()))
    return torch.where(torch.as_tensor(condition) != 0, _tensor(a, like), _tensor(b, like))


def _clip(x: Any, low: Any, high: Any) -> Tensor:
    return torch.minimum(torch.maximum(x, _tensor(low, x)), _tensor(high, x))


def _scaled_elu(x: Tensor, *, scale: float, alpha: float) -> Tensor:
    return scale * torch.where(x > 0, x, alpha * torch.expm1(x))


COMPUTED: dict[str, Callable[..., Any]] = {
    "layer": lambda x: x,
    "dense": lambda x, w, *, leading: x.flatten(leading) @ w,
    "mix": lambda x, w: torch.einsum("nc...,cu->nu...", x, w),
    "shift": lambda x, b, *, axes: x + _along(x, b, axes),
    "stretch": lambda x, g, *, axes: x * _along(x, g, axes),
    "prelu": _prelu,
    "conv": _conv,
    "pool": _pool,
    "upscale": _upscale,
    "pad": _padded,
    "flatten": _flatten,
    "reshape": _reshape,
    "dimshuffle": _dimshuffle,
    "transpose": lambda x: x.permute(*reversed(range(x.ndim))),
    "concatenate": _concatenate,
    "getitem": _getitem,
    "mean": _over(lambda x, axes, keep: x.mean(axes, keep)),
    "sum": _over(lambda x, axes, keep: x.sum(axes, keep)),
    "max": _over(lambda x, axes, keep: x.amax(axes, keep)),
    "dot": lambda x, w: x @ w,
    "relu": _relu,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": lambda x: torch.clamp(0.2 * x + 0.5, 0, 1),
    "tanh": torch.tanh,
    "softplus": functional.softplus,
    "elu": lambda x, alpha=1: torch.where(x > 0, x, alpha * torch.expm1(x)),
    "scaled_elu": _scaled_elu,
    "softmax": lambda x: torch.softmax(x, -1),
    "abs_": torch.abs,
    "neg": torch.neg,
    "sqrt": torch.sqrt,
    "inv": torch.reciprocal,
    "sqr": torch.square,
    "sgn": torch.sign,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "exp": torch.exp,
    "log": torch.log,
    "ones_like": torch.ones_like,
    "zeros_like": torch.zeros_like,
    "min": _over(lambda x, axes, keep: x.amin(axes, keep)),
    "clip": _clip,
    "switch": _switch,
    "cast": lambda x, *_, **__: x,
    "astype": lambda x, *_, **__: x,
    "round": lambda x, mode=None: _rounded(x) if mode == "half_away_from_zero" else torch.round(x),
    **dict.fromkeys(("round3", "iround"), _rounded),
    "add": _pair(torch.add),
    "sub": _pair(torch.sub),
    "mul": _pair(torch.mul),
    "true_div": _pair(torch.true_divide),
    "pow": _pair(torch.pow),
    "maximum": _pair(torch.maximum),
    "minimum": _pair(torch.minimum),
    **{name: _pair(getattr(torch, name)) for name in ("gt", "ge", "lt", "le")},
    "eq": _pair(torch.eq),
    "neq": _pair(torch.ne),
}
"""What each operation gives."""
