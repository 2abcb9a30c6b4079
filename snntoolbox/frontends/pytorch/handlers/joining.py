"""Handlers of padding, of joining tensors, and of writing one into another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from snntoolbox.frontends.pytorch.call import Activation, Call, Refused
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Pad

_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(call: Call) -> Activation:
    """Padding by a constant or by the data themselves; negative pads crop."""
    source = call.source()
    flat = [int(p) for p in (call.args["pad"] if "pad" in call.args else call.args["padding"])]
    pairs = list(zip(flat[::2], flat[1::2], strict=True))[::-1]
    rank = len(call.shape(source))
    if len(pairs) > rank and any(map(any, pairs[: len(pairs) - rank])):
        raise Refused("padding of the batch axis")
    pairs = [(0, 0)] * (rank - len(pairs)) + pairs[max(len(pairs) - rank, 0) :]
    mode = call.get("mode") or next((m for m in ("reflect", "replicat") if call.op.startswith(m)), "constant")
    value = call.number("value", 0.0) or 0.0
    if not math.isfinite(value):
        raise Refused(f"padding by {value}")
    call.bound([max(n + lo, n + hi, n + lo + hi) for n, (lo, hi) in zip(call.shape(source), pairs, strict=True)])
    mode = _MODES.get("replicate" if mode == "replicat" else mode, mode)
    padded = call.builder.pad(call.name, source, pairs, value=value, mode=mode, origin=call.origin)
    return Activation(padded)


def concat(call: Call) -> Activation:
    """Join along an axis; a constant part becomes padding of its neighbour."""
    parts = call.args["tensors"]
    parts = [p for p in parts if not (isinstance(p, torch.Tensor) and p.numel() == 0)]
    first = next(p for p in parts if isinstance(p, Activation))
    axis = call.axis(int(call.get("dim", call.get("axis", 0))), first.name)
    return _joined(call, parts, axis)


def stack(call: Call) -> Activation:
    """Join along a new axis."""
    parts = call.args["tensors"]
    first = next(p for p in parts if isinstance(p, Activation))
    shape = call.shape(first.name)
    axis = call.axis(int(call.get("dim", 0)), first.name, extra=1)
    wide = (*shape[:axis], 1, *shape[axis:])
    lifted: list[Any] = []
    for part in parts:
        if isinstance(part, Activation):
            lifted.append(Activation(call.builder.reshape(f"{call.name}_part", part.name, wide, call.origin)))
        else:
            full = np.broadcast_to(call.per_sample(part, len(shape)), shape)
            lifted.append(torch.from_numpy(full.reshape(1, *wide).copy()))
    return _joined(call, lifted, axis)


def _joined(call: Call, parts: Sequence[Any], axis: int) -> Activation:
    """Activations joined; constants between them are laid around the one before (or behind) them."""
    names: list[str] = []
    waiting: list[Array] = []
    for part in parts:
        if isinstance(part, Activation):
            names.append(_beside(call, part.name, waiting, axis, before=True))
            waiting = []
            continue
        rank = len(call.sample_shape())
        constant = call.per_sample(part, rank)
        if names:
            names[-1] = _beside(call, names[-1], [constant], axis, before=False)
        else:
            waiting.append(constant)
    return Activation(names[0] if len(names) == 1 else call.builder.concat(call.name, names, axis, call.origin))


def slice_scatter(call: Call) -> Activation:
    """`self` with `src` written over a slice of an axis (what ``x[:, 2:5] = y`` becomes)."""
    rank, dim = call.out.ndim, int(call.get("dim", 0))
    start, end, step = call.args.get("start"), call.args.get("end"), int(call.get("step", 1))
    if dim % rank == 0:
        if start in (None, 0) and step == 1 and (end is None or isinstance(end, torch.SymInt) or end >= 2**62):
            return nothing_but(call, "src")
        raise Refused("writing to a part of the batch")
    if any(isinstance(v, torch.SymInt) for v in (start, end)):
        raise Refused("a slice that depends on the batch size")
    axis = dim % rank - 1
    positions = range(call.sample_shape()[axis])[slice(start, end, step)]
    return _scattered(call, call.args["src"], axis, positions)


def select_scatter(call: Call) -> Activation:
    """`self` with `src` written over one position of an axis (what ``x[:, 2] = y`` becomes)."""
    rank = call.out.ndim
    dim = int(call.args["dim"]) % rank
    if dim == 0:
        raise Refused("writing to a part of the batch")
    shape, src = call.sample_shape(), call.args["src"]
    wide = (*shape[: dim - 1], 1, *shape[dim:])
    if isinstance(src, Activation):
        src = Activation(call.builder.reshape(f"{call.name}_part", src.name, wide, call.origin))
    else:
        flat = np.broadcast_to(call.per_sample(src, rank - 2), (*shape[: dim - 1], *shape[dim:]))
        src = torch.from_numpy(flat.reshape(1, *wide).copy())
    return _scattered(call, src, dim - 1, [int(call.args["index"]) % shape[dim - 1]])


def nothing_but(call: Call, name: str) -> Activation:
    """The value of one argument that replaces all of the other."""
    if not isinstance(call.args[name], Activation):
        raise Refused(f"{call.op} by a constant alone")
    return Activation(call.spread(call.args[name].name, call.sample_shape()))


def _scattered(call: Call, src: Any, axis: int, positions: Sequence[int]) -> Activation:
    """Both joined along the axis, then each position taken from where its value is."""
    size = call.sample_shape()[axis]
    if isinstance(src, torch.Tensor):
        shape = tuple(len(positions) if a == axis else n for a, n in enumerate(call.sample_shape()))
        src = torch.from_numpy(np.broadcast_to(call.per_sample(src, len(shape)), (1, *shape)).copy())
    into = call.args["self"]
    if isinstance(into, torch.Tensor):
        into = torch.from_numpy(
            np.broadcast_to(call.per_sample(into, call.out.ndim - 1), (1, *call.sample_shape())).copy()
        )
    joined = _joined(call, [into, src], axis)
    where = np.arange(size)
    where[list(positions)] = size + np.arange(len(positions))
    return Activation(call.builder.take(call.name, joined.name, axis, where.tolist(), call.origin))


def copy(call: Call) -> Activation:
    """`src` in the place of `self`."""
    return nothing_but(call, "src")


def _beside(call: Call, source: str, constants: list[Array], axis: int, *, before: bool) -> str:
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


HANDLERS: dict[str, Callable[[Call], Any]] = {
    **dict.fromkeys(("pad", "constant_pad_nd"), pad),
    **{f"{m}_pad{n}d": pad for m in ("reflection", "replication") for n in (1, 2, 3)},
    **dict.fromkeys(("cat", "concat", "concatenate"), concat),
    "stack": stack,
    "slice_scatter": slice_scatter,
    "select_scatter": select_scatter,
    "copy": copy,
}
