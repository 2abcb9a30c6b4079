"""Where the batch lies behind operations that move axes: layers over sequences have the steps in front of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from snntoolbox.frontends.layer_call import TREAT_ALONE, Activation, LayerCall, Operand, Refusal
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.node import Origin, Shape

Size = TypeVar("Size")

FIRST = "let the model return it with the batch as the first axis"


def elsewhere(what: str) -> Refusal:
    """The refusal of an operation that takes the batch in front alone."""
    return Refusal(f"{what} reads data whose first axis is not the batch", hint=TREAT_ALONE)


def told(builder: GraphBuilder, value: Activation) -> None:
    """Refuse an output of the model whose first axis is not the batch, in the name of what moved it."""
    if value.batch_axis:
        builder.refuse(
            value.moved_by or Origin(builder.framework, "Output", value.name), "moves the batch axis", hint=FIRST
        )


def placed(call: LayerCall, added: str | Activation | None, read: Sequence[Activation]) -> Activation | None:
    """A handler's result; one that is named alone has the batch where it was."""
    if added is None:
        return None
    value = Activation(added, call.batch_axis) if isinstance(added, str) else added
    known = next((v.moved_by for v in read if v.moved_by is not None), call.origin)
    return replace(value, moved_by=known) if value.batch_axis else value


def permuted(call: LayerCall, dims: Sequence[int]) -> tuple[str, int]:
    """The source with its axes, the batch among them, in the order `dims`; and where the batch is then."""
    rank, place = len(dims), call.batch_axis
    dims = [d % rank for d in dims]
    order = [d - (d > place) for d in dims if d != place]
    return call.builder.permute(call.name, call.source(), order, call.origin), dims.index(place)


def without(call: LayerCall, axes: Collection[int]) -> int:
    """Where the batch is when these axes, counted with it, are left out."""
    rank = len(call.shape()) + 1
    return call.batch_axis - sum(a % rank < call.batch_axis for a in axes)


def widened(call: LayerCall, source: str, axes: Collection[int]) -> tuple[Shape, int]:
    """The sample's shape with axes of length one at these places of the result, and where the batch is then."""
    old = list(call.shape(source))
    rank = len(old) + 1 + len(axes)
    new = {a % rank for a in axes}
    if len(new) != len(axes) or any(not -rank <= a < rank for a in axes):
        raise Refusal(f"cannot put axes in at {sorted(axes)}: the result has {rank}")
    kept = [a for a in range(rank) if a not in new]
    place = kept[call.batch_axis]
    sizes = iter(old)
    return tuple(1 if a in new else next(sizes) for a in range(rank) if a != place), place


_JOINING = {
    "MultiheadAttention": "give the module and not a program that was exported before"
}
"""What to do where a layer itself joins the batch with others of its axes."""


def reshaped(call: LayerCall, target: Sequence[Size], *is_batch: Callable[[Size], bool]) -> int:
    """Which axis of a target shape is the batch: as many values lie before it as did; Refusal where none is.

    The first of the tests that one passes decides: a size of one may be the batch's, an open one more likely is.
    """
    before = math.prod(call.shape()[: call.batch_axis])
    for test in is_batch:
        for place, size in enumerate(target):
            sizes = [n for n in target[:place] if isinstance(n, int)]
            if test(size) and len(sizes) == place and math.prod(sizes) == before:
                return place
    raise Refusal("mixes the batch with other axes", hint=_JOINING.get(call.origin.kind, TREAT_ALONE))


def aligned(builder: GraphBuilder, values: Sequence[Operand], origin: Origin) -> list[Operand]:
    """Operands that broadcast by numpy's rules, activations with axes of length one in front as far as it takes.

    They stay as they are where their batches would not meet.
    """
    ranks = [len(builder.shape(v.name)) + 1 if isinstance(v, Activation) else v.ndim for v in values]
    active = [(v, rank) for v, rank in zip(values, ranks, strict=True) if isinstance(v, Activation)]
    most = max(ranks)
    if len({rank - v.batch_axis for v, rank in active}) > 1 or all(rank == most for _, rank in active):
        return list(values)
    return [_in_front(builder, v, most - r, origin) if isinstance(v, Activation) else v
            for v, r in zip(values, ranks, strict=True)]  # fmt: skip


def _in_front(builder: GraphBuilder, value: Activation, count: int, origin: Origin) -> Activation:
    shape = (*(1,) * count, *builder.shape(value.name))
    return Activation(builder.reshape(f"{value.name}_wide", value.name, shape, origin), value.batch_axis + count)
