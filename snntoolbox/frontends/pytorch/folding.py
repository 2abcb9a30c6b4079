"""Computes what does not depend on the input: operations on constants, run by torch itself."""

from __future__ import annotations

from typing import Any

import torch
from torch.export import ExportedProgram

from snntoolbox.frontends.budget import Budget
from snntoolbox.frontends.layer_call import TREAT_ALONE, Refusal
from snntoolbox.frontends.pytorch.handlers import quantised
from snntoolbox.frontends.pytorch.operators import FACTORIES, FOLDED, PRODUCTS, SHAPE_ONLY, op_name, writes_out
from snntoolbox.frontends.pytorch.sizes import planned

# operations that give a constant the shape of an activation
_SHAPED_LIKE = frozenset({"expand_as", "view_as", "reshape_as"})
# operations that take sizes, where a batch size may stand
_SIZED = SHAPE_ONLY | {"zeros", "ones", "full", "expand", "repeat", "view", "reshape", "broadcast_to"}


def reads_shape_only(op: str, first: Any) -> bool:
    """Whether an operation with this first argument gives a constant although it reads an activation."""
    return op in SHAPE_ONLY or (op in _SHAPED_LIKE and isinstance(first, torch.Tensor))


class Folder:
    """Runs the operations of `FOLDED` on the constants of one program, within a `Budget`."""

    def __init__(self, program: ExportedProgram) -> None:
        stored = [*program.state_dict.values(), *program.constants.values()]
        self.budget = Budget(sum(v.numel() for v in stored if isinstance(v, torch.Tensor)))

    def fold(self, target: Any, args: Any, kwargs: Any, batch: Any) -> Any:
        """The result on constants, for one sample where the batch size is among the sizes; Refusal where it is none."""
        op = op_name(target)
        leaves = torch.utils._pytree.tree_leaves((args, kwargs))
        if torch.Tag.nondeterministic_seeded in getattr(target, "tags", ()) and op != "dropout":
            raise Refusal(f"{op} is random")
        if not isinstance(target, torch._ops.OpOverload) or op not in FOLDED or writes_out(target):
            raise Refusal(f"the operation {target} on constants is not one of those that are computed")
        if not any(isinstance(v, torch.Tensor) for v in leaves) and op not in FACTORIES:
            raise Refusal(f"{op} without a tensor is not run")
        args, kwargs = torch.utils._pytree.tree_map(lambda v: _concrete(op, v, batch), (args, kwargs))
        if op == "_weight_norm":
            _check_norm(*args)
        if op == quantised.WATCHED and not quantised.is_frozen(args[1]):
            raise Refusal("its grid follows from earlier calls", hint=quantised.FREEZE)
        with torch.no_grad():
            try:
                # Of fake quantisation torch has no plan; its results are as large as what it reads first.
                made = args[0].numel() if op in quantised.FOLDED else planned(target, args, kwargs)
                self._spend(op, made, leaves)
                return target(*args, **kwargs)
            except Refusal:
                raise
            except Exception as error:
                raise Refusal(f"{op} on constants failed: {_first_line(error)}") from error

    def _spend(self, op: str, made: int, leaves: list[Any]) -> None:
        """Take from the budget what an operation makes, and what it reads or multiplies for that."""
        tensors = [v for v in leaves if isinstance(v, torch.Tensor)]
        inner = max((v.shape[-1] for v in tensors if v.ndim), default=1) if op in PRODUCTS else 1
        self.budget.spend(made, made * inner + sum(v.numel() for v in tensors))


def _concrete(op: str, value: Any, batch: Any) -> Any:
    """An argument with one sample in the place of the batch size."""
    if not isinstance(value, (torch.SymInt, torch.SymFloat)):
        return value
    if op in _SIZED and str(value) == str(batch):
        return 1
    raise Refusal(f"{op} computes a constant from the batch size", hint=TREAT_ALONE)


def _check_norm(v: torch.Tensor, g: torch.Tensor, dim: int = 0) -> None:
    """Refusal where a normalised weight has not one gain for each of its rows: torch would read behind its memory."""
    if not -1 <= dim < v.ndim or g.numel() != (1 if dim == -1 else v.shape[dim]):
        raise Refusal(f"its gains of shape {tuple(g.shape)} do not fit a weight of shape {tuple(v.shape)}")


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)[:200]
