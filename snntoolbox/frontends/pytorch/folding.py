"""Computes what does not depend on the input: operations on constants, run by torch itself."""

from __future__ import annotations

import math
from typing import Any

import torch

from snntoolbox.frontends.layer_call import TREAT_ALONE, Refusal

# operations that read only the shape of an activation, and those that give a constant the shape of one
_SHAPE_ONLY = frozenset({"zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full", "fill"})
_SHAPED_LIKE = frozenset({"expand_as", "view_as", "reshape_as"})
# operations without a tensor argument
_FACTORIES = frozenset({"zeros", "ones", "full", "arange", "linspace", "eye", "scalar_tensor"})
# operations that take sizes, where a batch size may stand
_SIZED = _SHAPE_ONLY | {"zeros", "ones", "full", "expand", "repeat", "view", "reshape", "broadcast_to"}
_LIMIT = 1 << 28


def reads_shape_only(op: str, first: Any) -> bool:
    """Whether an operation with this first argument gives a constant although it reads an activation."""
    return op in _SHAPE_ONLY or (op in _SHAPED_LIKE and isinstance(first, torch.Tensor))


def fold(target: Any, args: Any, kwargs: Any, batch: Any) -> Any:
    """The result on constants, for one sample where the batch size is among the sizes; Refusal where it is not pure."""
    if not isinstance(target, torch._ops.OpOverload) or target.namespace not in ("aten", "prims"):
        raise Refusal(f"the operation {target} on constants is not one of torch's own")
    op = target._schema.name.partition("::")[2]
    leaves = torch.utils._pytree.tree_leaves((args, kwargs))
    if torch.Tag.nondeterministic_seeded in target.tags and op not in ("dropout", "native_dropout"):
        raise Refusal(f"{op} is random")
    if not any(isinstance(v, torch.Tensor) for v in leaves) and op not in _FACTORIES:
        raise Refusal(f"{op} without a tensor is not run")

    def concrete(value: Any) -> Any:
        if not isinstance(value, (torch.SymInt, torch.SymFloat)):
            return value
        if op in _SIZED and str(value) == str(batch):
            return 1
        raise Refusal(f"{op} computes a constant from the batch size", hint=TREAT_ALONE)

    args, kwargs = torch.utils._pytree.tree_map(concrete, (args, kwargs))
    sizes = [args[0]] if op in _FACTORIES else [a for a in args[1:] if op in _SIZED]
    if any(_product(s) > _LIMIT for s in sizes):
        raise Refusal(f"{op} asks for a constant of more than {_LIMIT} values")
    with torch.no_grad():
        try:
            return target(*args, **kwargs)
        except Exception as error:
            raise Refusal(f"{op} on constants failed: {str(error).splitlines()[0][:200]}") from error


def _product(sizes: Any) -> int:
    """The number of values of a size (a list, or one integer)."""
    sizes = sizes if isinstance(sizes, (list, tuple)) else [sizes]
    return math.prod(abs(int(s)) for s in sizes if isinstance(s, int))
