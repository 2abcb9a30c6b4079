"""Reads a program of one sample: every axis that it has is the sample's, also those that a batch would be joined with.

Its operations are given to handlers as if a batch lay in front of all their tensors: axes are counted one higher, sizes
begin with that of the batch. So windows of an image, which models put into one axis with the batch, are an axis of
the sample like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.frontends.pytorch.handlers import BROADCASTING
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.node import Origin, Shape

SAMPLES = 61
"""The size of the batch that is made up; nothing depends on it."""

_AXES = ("dim", "dims", "dim0", "dim1", "axis", "axis0", "axis1", "start_dim", "end_dim", "source", "destination")
_SIZES: Mapping[str, str] = {
    **dict.fromkeys(("view", "_unsafe_view", "view_copy", "expand", "broadcast_to"), "size"),
    "reshape": "shape",
    "repeat": "repeats",
    "tile": "dims",
}
_TIMES = ("repeat", "tile")
_WITH_SPACE = ("conv", "pool", "upsample", "pixel", "shuffle", "batch_norm", "group_norm", "instance_norm", "rnn")
"""Operations that take the first axis for the batch, by what their names hold."""

_WIDENED = BROADCASTING | {"maximum", "minimum", "fmax", "fmin", "where", "matmul", "max", "min"}


def takes_batch(op: str) -> bool:
    """Whether an operation knows its first axis as the batch: convolutions, pools, normalisation of channels."""
    return any(part in op for part in _WITH_SPACE)


def in_front(op: str, args: dict[str, Any]) -> dict[str, Any]:
    """The arguments with axes counted one higher, and sizes that begin with the batch."""
    if op in ("t", "numpy_T"):
        raise Refusal("exchanges the batch with features")
    found = dict(args)
    for name in _AXES:
        if name in found and not (op == "tile" and name == "dims"):
            found[name] = _higher(found[name])
    if op == "permute":
        found["dims"] = [0, *found["dims"]]
    if op == "index":
        found["indices"] = [None, *found["indices"]]
    if op in _SIZES:
        found[_SIZES[op]] = [1 if op in _TIMES else SAMPLES, *found[_SIZES[op]]]
    return found


def _higher(axes: Any) -> Any:
    if isinstance(axes, int) and not isinstance(axes, bool):
        return axes + 1 if axes >= 0 else axes
    return [_higher(a) for a in axes] if isinstance(axes, list | tuple) else axes


def widened(builder: GraphBuilder, op: str, args: dict[str, Any], origin: Origin) -> dict[str, Any]:
    """The arguments with activations of as many axes as the operand that has most."""
    if op not in _WIDENED:
        return args
    ranks = {k: len(_shape(builder, v)) for k, v in args.items() if isinstance(v, Activation | torch.Tensor)}
    most = max(ranks.values())
    return {k: _wide(builder, v, most, origin) if isinstance(v, Activation) else v for k, v in args.items()}


def _shape(builder: GraphBuilder, value: Activation | torch.Tensor) -> Shape:
    return builder.shape(value.name) if isinstance(value, Activation) else tuple(value.shape)


def _wide(builder: GraphBuilder, value: Activation, rank: int, origin: Origin) -> Activation:
    shape = builder.shape(value.name)
    if len(shape) == rank:
        return value
    wide = (1,) * (rank - len(shape)) + shape
    return Activation(builder.reshape(f"{value.name}_wide", value.name, wide, origin))


def with_batch(result: Any, *, of_one: bool) -> Any:
    """What torch says of a result, with the batch in front; where that is `of_one`, in the place of its first axis."""
    if isinstance(result, list | tuple):
        return [with_batch(one, of_one=of_one) for one in result]
    if not isinstance(result, torch.Tensor):
        return result
    return torch.empty((SAMPLES, *result.shape[1 if of_one else 0 :]), dtype=result.dtype, device="meta")


def without_first(builder: GraphBuilder, values: Any, origin: Origin) -> Any:
    """Activations without their first axis, which must have length one, for an operation that takes the batch there."""

    def one(value: Any) -> Any:
        if not isinstance(value, Activation):
            return value
        shape = builder.shape(value.name)
        if not shape or shape[0] != 1:
            raise Refusal(f"reads samples of which each is {shape[:1]} windows joined with the batch")
        return Activation(builder.reshape(f"{value.name}_one", value.name, shape[1:], origin))

    return torch.utils._pytree.tree_map(one, values, is_leaf=lambda v: isinstance(v, Activation))


def with_first(builder: GraphBuilder, value: Activation, origin: Origin) -> Activation:
    """A result with that axis again."""
    return Activation(builder.reshape(f"{value.name}_one", value.name, (1, *builder.shape(value.name)), origin))
