"""Handlers of padding, of joining tensors, and of writing one into another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from snntoolbox.frontends.batch_axes import widened
from snntoolbox.frontends.layer_call import TREAT_ALONE, Activation, Operand, Refusal
from snntoolbox.frontends.maps import padded
from snntoolbox.frontends.pytorch.call import TorchCall
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Pad

_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(call: TorchCall) -> str:
    """Padding by a constant or by the data themselves; negative pads crop."""
    flat = [int(p) for p in (call.args["pad"] if "pad" in call.args else call.args["padding"])]
    pairs, rank = list(zip(flat[::2], flat[1::2], strict=True))[::-1], len(call.shape())
    if len(pairs) > rank and any(map(any, pairs[: len(pairs) - rank])):
        raise Refusal("pads the batch axis", hint=TREAT_ALONE)
    pairs = [(0, 0)] * (rank - len(pairs)) + pairs[max(len(pairs) - rank, 0) :]
    by_name = {"reflection": "reflect", "replication": "edge"}.get(call.op.partition("_")[0], "constant")
    mode = call.get("mode", by_name)
    return padded(call, call.source(), pairs, value=call.number("value", 0.0) or 0.0, mode=_MODES.get(mode, mode))


# -- joining --------------------------------------------------------------------------------------------------------


def concat(call: TorchCall) -> str:
    """Join along an axis; a constant part becomes padding of its neighbour."""
    parts = [p for p in call.args["tensors"] if not (isinstance(p, torch.Tensor) and p.numel() == 0)]
    first = next(p for p in parts if isinstance(p, Activation))
    axis, rank = call.axis(int(call.get("dim", call.get("axis", 0))), first.name), len(call.shape(first.name))
    return _joined(call, [_part(call, p, rank) for p in parts], axis)


def _part(call: TorchCall, value: Any, rank: int) -> Operand:
    """A tensor to be joined, a constant without its batch axis."""
    return value if isinstance(value, Activation) else call.per_sample(call.array(value), rank)


def stack(call: TorchCall) -> Activation:
    """Join along a new axis."""
    parts, dim = call.args["tensors"], int(call.get("dim", 0))
    first = next(p for p in parts if isinstance(p, Activation))
    shape, place = call.shape(first.name), widened(call, first.name, [dim])[1]
    axis = dim % (len(shape) + 2)
    axis -= axis > place
    return Activation(_joined(call, [_widened(call, p, shape, axis) for p in parts], axis), place)


def _widened(call: TorchCall, value: Any, shape: Shape, axis: int) -> Operand:
    """A tensor of this sample shape with an axis of length one put in."""
    wide = (*shape[:axis], 1, *shape[axis:])
    if isinstance(value, Activation):
        return Activation(call.builder.reshape(f"{call.name}_part", value.name, wide, call.origin))
    return call.expanded(value, shape).reshape(wide)


def _joined(call: TorchCall, parts: Sequence[Operand], axis: int) -> str:
    """Activations joined; constants between them are laid around the one before (or behind) them."""
    names: list[str] = []
    waiting: list[Array] = []
    for part in parts:
        if isinstance(part, Activation):
            names.append(_beside(call, part.name, waiting, axis, before=True))
            waiting = []
        elif names:
            names[-1] = _beside(call, names[-1], [part], axis, before=False)
        else:
            waiting.append(part)
    return names[0] if len(names) == 1 else call.builder.concat(call.name, names, axis, call.origin)


def _beside(call: TorchCall, source: str, constants: list[Array], axis: int, *, before: bool) -> str:
    """The node with constants laid before or behind it along an axis."""
    if not constants:
        return source
    shape = call.shape(source)
    block = np.concatenate([np.asarray(c, np.float64) for c in constants], axis=axis)
    wide = (*shape[:axis], block.shape[axis], *shape[axis + 1 :])
    block, inner = np.broadcast_to(block, wide), np.zeros(shape)
    bias = np.concatenate([block, inner] if before else [inner, block], axis=axis)
    pair = (wide[axis], 0) if before else (0, wide[axis])
    pads = tuple(pair if a == axis else (0, 0) for a in range(len(shape)))
    node = Pad(name=call.name, inputs=(source,), pads=pads, bias=bias if bias.any() else None, origin=call.origin)
    return call.builder.add(node)


# -- writing --------------------------------------------------------------------------------------------------------


def slice_scatter(call: TorchCall) -> str:
    """`self` with `src` written over a slice of an axis (what ``x[:, 2:5] = y`` becomes)."""
    rank, dim = call.out.ndim, int(call.get("dim", 0))
    start, end, step = call.args.get("start"), call.args.get("end"), int(call.get("step", 1))
    if dim % rank == 0:
        if start in (None, 0) and step == 1 and (end is None or isinstance(end, torch.SymInt) or end >= 2**62):
            return copy(call)
        raise Refusal("writing to a part of the batch", hint=TREAT_ALONE)
    if any(isinstance(v, torch.SymInt) for v in (start, end)):
        raise Refusal("a slice that depends on the batch size", hint=TREAT_ALONE)
    shape, axis = call.sample_shape(), dim % rank - 1
    positions = range(shape[axis])[slice(start, end, step)]
    src = call.args["src"]
    if not isinstance(src, Activation):
        src = call.expanded(src, (*shape[:axis], len(positions), *shape[axis + 1 :]))
    return _scattered(call, src, axis, positions)


def select_scatter(call: TorchCall) -> str:
    """`self` with `src` written over one position of an axis (what ``x[:, 2] = y`` becomes)."""
    axis = int(call.args["dim"]) % call.out.ndim - 1
    if axis < 0:
        raise Refusal("writing to a part of the batch", hint=TREAT_ALONE)
    shape = call.sample_shape()
    src = _widened(call, call.args["src"], (*shape[:axis], *shape[axis + 1 :]), axis)
    return _scattered(call, src, axis, [int(call.args["index"]) % shape[axis]])


def _scattered(call: TorchCall, src: Operand, axis: int, positions: Sequence[int]) -> str:
    """Both joined along the axis, then each position taken from where its value is."""
    shape, into = call.sample_shape(), call.args["self"]
    whole = into if isinstance(into, Activation) else call.expanded(into, shape)
    joined = _joined(call, [whole, src], axis)
    where = np.arange(shape[axis])
    where[list(positions)] = shape[axis] + np.arange(len(positions))
    return call.builder.take(call.name, joined, axis, where.tolist(), call.origin)


def copy(call: TorchCall) -> str:
    """`src` in the place of `self`."""
    if not isinstance(call.args["src"], Activation):
        raise Refusal(f"{call.op} by a constant alone")
    return call.broadcast(call.args["src"].name, call.sample_shape())


HANDLERS: dict[str, Callable[[TorchCall], Any]] = {
    **dict.fromkeys(("pad", "constant_pad_nd"), pad),
    **{f"{m}_pad{n}d": pad for m in ("reflection", "replication") for n in (1, 2, 3)},
    **dict.fromkeys(("cat", "concat", "concatenate"), concat),
    "stack": stack,
    "slice_scatter": slice_scatter,
    "select_scatter": select_scatter,
    "copy": copy,
}
