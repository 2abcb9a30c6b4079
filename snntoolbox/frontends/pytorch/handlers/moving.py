"""Handlers of operations that move values, or leave them as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from snntoolbox.frontends.batch_axes import permuted, reshaped, widened, without
from snntoolbox.frontends.layer_call import LARGEST, TREAT_ALONE, Activation, Refusal
from snntoolbox.frontends.pytorch.call import EVALUATE, TorchCall
from snntoolbox.frontends.recurrence import row
from snntoolbox.frontends.truths import are_truths, compared

# -- the same values --------------------------------------------------------------------------------------------


def nothing(call: TorchCall) -> str:
    """The same value."""
    return call.source()


def cast(call: TorchCall) -> str:
    """The same value, where its type stays wide enough; whether it is not 0 where it becomes a truth value."""
    source = Activation(call.source())
    if call.out.dtype == torch.bool:
        return source.name if source.name in call.truths else compared(call, source, np.zeros(()), "not_equal")
    if are_truths(call.builder, source.name) and not call.out.dtype.is_complex:
        return source.name
    if call.out.dtype not in (torch.float32, torch.float64):
        raise Refusal(
            f"casts to {str(call.out.dtype).removeprefix('torch.')}; only float32 and float64 are wide enough"
        )
    return call.source()


def dropout(call: TorchCall) -> str:
    """The same value; dropout at work is refused."""
    if call.get("train", False) and call.number("p") != 0:
        raise Refusal("in training mode", hint=EVALUATE)
    return call.source()


def native_dropout(call: TorchCall) -> list[Any]:
    """Dropout with its mask as second result."""
    return [dropout(call), None]


def reshape(call: TorchCall) -> Activation:
    """Any operation that keeps the order of values: flatten, view, squeeze, unsqueeze, ..."""
    if not call.batch_axis:
        return Activation(call.reshaped(call.source(), call.sample_shape()))
    place = reshaped(call, list(call.out.shape), lambda size: str(size) == str(call.samples))
    return _as(call, call.source(), call.out, place)


def _as(call: TorchCall, source: str, out: Any, place: int) -> Activation:
    """The node in the shape of one of torch's results, which has the batch at this place."""
    return Activation(call.reshaped(source, call.sample_shape(out, place)), place)


def squeeze(call: TorchCall) -> Activation:
    """Drop axes of length one, but never the batch axis."""
    source, dims = call.source(), call.args.get("dim")
    named = [dims] if isinstance(dims, int) else list(range(len(call.shape()) + 1)) if dims is None else dims
    ones = [d for d in named if dims is not None or (d != call.batch_axis and call.shape()[call.axis(d)] == 1)]
    dropped = {d for d in ones if call.shape()[call.axis(d, source)] == 1}
    return _as(call, source, call.out, without(call, dropped))


def unsqueeze(call: TorchCall) -> Activation:
    """A new axis of length one."""
    return _as(call, call.source(), call.out, widened(call, call.source(), [int(call.args["dim"])])[1])


# -- another order ----------------------------------------------------------------------------------------------


def _permuted(call: TorchCall, dims: Sequence[int]) -> Activation:
    """The axes in the order `dims`, in torch's counting."""
    return Activation(*permuted(call, dims))


def permute(call: TorchCall) -> Activation:
    """Axes in another order."""
    return _permuted(call, call.args["dims"])


def transpose(call: TorchCall) -> Activation:
    """Two axes exchanged."""
    names = ("axis0", "axis1") if "axis0" in call.args else ("dim0", "dim1")
    rank = len(call.shape()) + 1
    dims = list(range(rank))
    a, b = (int(call.args[n]) for n in names)
    dims[a], dims[b] = dims[b], dims[a]
    return _permuted(call, dims)


def transpose_last(call: TorchCall) -> Activation:
    """The last two axes exchanged (`mT`)."""
    rank = len(call.shape()) + 1
    return _permuted(call, [*range(rank - 2), rank - 1, rank - 2])


def movedim(call: TorchCall) -> Activation:
    """Axes moved to other places."""
    rank = len(call.shape()) + 1
    ends = [[v] if isinstance(v, int) else list(v) for v in (call.args["source"], call.args["destination"])]
    order = [d for d in range(rank) if d not in {s % rank for s in ends[0]}]
    for where, what in sorted((d % rank, s % rank) for s, d in zip(*ends, strict=True)):
        order.insert(where, what)
    return _permuted(call, order)


def flip_matrix(call: TorchCall) -> str:
    """``x.t()`` would exchange batch and features."""
    raise Refusal("moves the batch axis", hint=TREAT_ALONE)


# -- picking ----------------------------------------------------------------------------------------------------


def _take(call: TorchCall, source: str, axis: int, indices: Any) -> str:
    return call.builder.take(call.name, source, axis, [int(i) for i in indices], call.origin)


def slice_(call: TorchCall) -> str:
    """``x[start:end:step]`` along one axis; along the batch axis only all of it."""
    source, step = call.source(), int(call.get("step", 1))
    start, end = call.args.get("start"), call.args.get("end")
    rank, dim = len(call.shape(source)) + 1, int(call.get("dim", 0))
    if dim % rank == call.batch_axis:
        whole = isinstance(end, torch.SymInt) or end is None or end >= 2**62
        if start in (None, 0) and step == 1 and whole and str(call.out.shape[dim]) == str(call.samples):
            return source
        raise Refusal("slices the batch axis", hint=TREAT_ALONE)
    if any(isinstance(v, torch.SymInt) for v in (start, end)):
        raise Refusal("a slice that depends on the batch size", hint=TREAT_ALONE)
    axis = call.axis(dim, source)
    indices = range(call.shape(source)[axis])[slice(start, end, step)]
    if not indices:
        raise Refusal(f"a slice of axis {dim} that is empty")
    return _take(call, source, axis, indices)


def select(call: TorchCall) -> Activation:
    """``x[:, ..., index]``: one value of an axis, which goes away."""
    source = call.source()
    dim, index = int(call.args["dim"]), int(call.args["index"])
    axis, place = call.axis(dim, source), without(call, [dim])
    return _as(call, _one(call, source, axis, index % call.shape(source)[axis]), call.out, place)


def _one(call: TorchCall, source: str, axis: int, index: int) -> str:
    """The values at one position of an axis."""
    return row(call, source, index) if axis == 0 else _take(call, source, axis, [index])


def narrow(call: TorchCall) -> str:
    """`length` values of an axis from `start` on."""
    source, start = call.source(), int(call.number("start") or 0)
    axis = call.axis(int(call.args["dim"]), source)
    start %= call.shape(source)[axis]
    return _take(call, source, axis, range(start, start + int(call.args["length"])))


def index_select(call: TorchCall) -> str:
    """Constant positions of an axis."""
    source, positions = call.source(), call.constant("index")
    axis = call.axis(int(call.args["dim"]), source)
    size = call.shape(source)[axis]
    return _take(call, source, axis, (np.atleast_1d(np.asarray(positions)) % size).astype(int))


def index(call: TorchCall) -> str:
    """``x[:, positions]`` with one list of constant positions."""
    source, lists = call.source(), call.args["indices"]
    indexed = [(dim, p) for dim, p in enumerate(lists) if p is not None]
    if len(indexed) != 1 or not isinstance(indexed[0][1], torch.Tensor) or indexed[0][1].ndim != 1:
        raise Refusal("indexing by several or computed positions is not supported")
    dim, positions = indexed[0]
    axis = call.axis(dim, source)
    if positions.dtype == torch.bool:
        positions = positions.nonzero().flatten()
    return _take(call, source, axis, (positions % call.shape(source)[axis]).tolist())


def split(call: TorchCall) -> list[str]:
    """Pieces of an axis, of the sizes that torch gives them."""
    source = call.source()
    axis, start, pieces = call.axis(int(call.get("dim", 0)), source), 0, []
    for out in call.out:
        size = call.sample_shape(out)[axis]
        pieces.append(_take(call, source, axis, range(start, start + size)))
        start += size
    return pieces


def unbind(call: TorchCall) -> list[Activation]:
    """Each value of an axis, which goes away."""
    source, dim = call.source(), int(call.get("dim", 0))
    axis, place = call.axis(dim, source), without(call, [dim])
    pieces = (_one(call, source, axis, i) for i in range(call.shape(source)[axis]))
    return [_as(call, piece, out, place) for piece, out in zip(pieces, call.out, strict=True)]


def flip(call: TorchCall) -> str:
    """Axes in reverse order."""
    source = first = call.source()
    for axis in call.axes(call.args["dims"], first):
        source = _take(call, source, axis, reversed(range(call.shape(source)[axis])))
    return source


def roll(call: TorchCall) -> str:
    """Axes rotated."""
    source = call.source()
    dims = call.get("dims")
    if not dims:
        raise Refusal("rolls over all axes, the batch too, and mixes samples", hint=TREAT_ALONE)
    for shift, dim in zip(call.ints("shifts", len(dims), least=-LARGEST), dims, strict=True):
        axis = call.axis(dim, source)
        source = _take(call, source, axis, np.roll(np.arange(call.shape(source)[axis]), shift))
    return source


# -- repeating --------------------------------------------------------------------------------------------------


def expand(call: TorchCall) -> str:
    """Axes of length one repeated."""
    return call.broadcast(call.source(), call.sample_shape())


def repeat(call: TorchCall) -> str:
    """The whole repeated along axes of the sample."""
    source = call.source()
    times = list(call.args["repeats"] if "repeats" in call.args else call.args["dims"])
    rank = len(call.shape(source)) + 1
    times = [1] * (rank - len(times)) + times
    if len(times) != rank or times[0] != 1 or any(not isinstance(t, int) for t in times):
        raise Refusal("repeats the batch axis", hint=TREAT_ALONE)
    for axis, count in enumerate(times[1:]):
        if count != 1:
            source = _take(call, source, axis, list(range(call.shape(source)[axis])) * count)
    return source


def repeat_interleave(call: TorchCall) -> str:
    """Each value of an axis repeated in place."""
    source = call.source()
    if call.get("dim") is None:
        raise Refusal("repeats values over all axes, the batch too, and mixes samples", hint=TREAT_ALONE)
    axis = call.axis(int(call.args["dim"]), source)
    counts = call.args["repeats"]
    counts = counts.tolist() if isinstance(counts, torch.Tensor) else counts
    return _take(call, source, axis, np.repeat(np.arange(call.shape(source)[axis]), counts))


HANDLERS: dict[str, Callable[[TorchCall], Any]] = {
    **dict.fromkeys(("clone", "contiguous", "detach", "alias", "positive", "lift_fresh_copy", "lift_fresh"), nothing),
    **dict.fromkeys(("to", "_to_copy", "type_as"), cast),
    **dict.fromkeys(("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"), dropout),
    "native_dropout": native_dropout,
    **dict.fromkeys(
        ("flatten", "view", "reshape", "_unsafe_view", "unflatten", "view_as", "reshape_as", "view_copy"),
        reshape,
    ),
    **dict.fromkeys(("squeeze", "squeeze_copy"), squeeze),
    **dict.fromkeys(("unsqueeze", "unsqueeze_copy"), unsqueeze),
    "permute": permute,
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), transpose),
    "mT": transpose_last,
    **dict.fromkeys(("movedim", "moveaxis"), movedim),
    **dict.fromkeys(("t", "numpy_T"), flip_matrix),
    "slice": slice_,
    "select": select,
    "narrow": narrow,
    "index_select": index_select,
    "index": index,
    **dict.fromkeys(("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk"), split),
    "unbind": unbind,
    "flip": flip,
    "roll": roll,
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), expand),
    **dict.fromkeys(("repeat", "tile"), repeat),
    "repeat_interleave": repeat_interleave,
}
