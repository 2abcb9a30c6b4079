"""Attention: softmax of the products of queries and keys, times values; and masks, which say who sees whom."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.frontends import functions, maps
from snntoolbox.frontends.layer_call import Activation, LayerCall, Operand, Refusal, broadcast_shape
from snntoolbox.frontends.truths import chosen_by
from snntoolbox.ir.node import Array, Shape


def attention(
    call: LayerCall,
    query: str | Operand,
    key: str | Operand,
    value: str | Operand,
    scale: float | None = None,
    mask: Array | None = None,
    given: Activation | None = None,
    seen: Activation | None = None,
) -> tuple[str, str]:
    """``softmax(scale * q k^T + mask) v`` for q (..., m, d), k (..., n, d) and v (..., n, e); by default 1 / sqrt(d).

    With it come the shares (..., m, n) that each query gives to the keys. Nodes, or constants without batch, such as
    queries that were learned. A mask is for samples: truth values, or what is added; what it leaves out takes no part.
    What is `given` for each sample is added as well, and truth values say which are `seen`. Where queries have more
    heads than keys and values, so many heads beside each other share one of these (grouped queries).
    """
    query, key, value = (Activation(v) if isinstance(v, str) else v for v in (query, key, value))
    shape, rank = shape_of(call, query), len(shape_of(call, key))
    if rank < 2:
        raise Refusal(f"attention over samples of shape {shape_of(call, key)}")
    key, value = (_shared(call, shape, source) for source in (key, value))
    factor = 1 / math.sqrt(shape[-1]) if scale is None else scale
    found = maps.matrix_product(call.named(f"{call.name}_found"), query, _turned(call, key))
    scaled = call.builder.affine(f"{call.name}_scaled", found, np.full((), factor), None, call.origin)
    if mask is not None:
        scaled = _masked(call.named(f"{call.name}_masked"), scaled, mask)
    if seen is not None:
        scaled = seen_alone(call.named(f"{call.name}_seen"), scaled, seen)
    if given is not None:
        scaled = _added(call.named(f"{call.name}_given"), scaled, given)
    shares = functions.softmax(call.named(f"{call.name}_shares"), scaled)
    return maps.matrix_product(call, Activation(shares), value), shares


def shape_of(call: LayerCall, value: Operand) -> Shape:
    """The shape of a node or of a constant."""
    return call.shape(value.name) if isinstance(value, Activation) else np.shape(value)


def _turned(call: LayerCall, keys: Operand) -> Operand:
    """Keys with their last two axes exchanged."""
    if not isinstance(keys, Activation):
        return np.swapaxes(keys, -1, -2)
    rank = len(call.shape(keys.name))
    order = (*range(rank - 2), rank - 1, rank - 2)
    return Activation(call.builder.permute(f"{call.name}_keys", keys.name, order, call.origin))


def _shared(call: LayerCall, query: Shape, source: Operand) -> Operand:
    """Keys or values with each head repeated for the heads of queries that share it."""
    shape = shape_of(call, source)
    if len(shape) < 3 or len(query) != len(shape):
        return source
    axis = len(shape) - 3
    many, few = query[axis], shape[axis]
    if many % few:
        raise Refusal(f"attention of {many} heads over keys and values of {few}")
    places = np.repeat(range(few), many // few)
    if not isinstance(source, Activation):
        return source.take(places, axis)
    return Activation(call.builder.take(f"{call.name}_shared", source.name, axis, places.tolist(), call.origin))


def causal(call: LayerCall, query: str | Operand, key: str | Operand) -> Array:
    """Query i sees the keys 0 to i: truth values (m, n)."""
    steps = [shape_of(call, Activation(v) if isinstance(v, str) else v)[-2] for v in (query, key)]
    return np.tri(*steps, dtype=bool)


def joined(masks: list[Array]) -> Array | None:
    """One mask that leaves out what any of several does; None for none."""
    added = [added_by(mask) for mask in masks]
    with np.errstate(invalid="ignore"):
        return sum(added[1:], added[0]) if added else None


def added_by(mask: Array) -> Array:
    """What a mask adds: 0 or minus infinity for truth values."""
    return np.where(mask, 0.0, -np.inf) if mask.dtype == np.bool_ else np.asarray(mask, np.float64)


def seen_alone(call: LayerCall, scores: str, seen: Activation) -> str:
    """The scores where truth values say so, minus infinity elsewhere."""
    _check_fit(call, scores, seen)
    return chosen_by(call, seen.name, Activation(scores), np.asarray(-np.inf))


def _check_fit(call: LayerCall, scores: str, mask: Activation) -> None:
    shape, own = call.shape(scores), call.shape(mask.name)
    if len(own) != len(shape) or any(n not in (1, m) for n, m in zip(own, shape, strict=True)):
        raise Refusal(f"its mask of samples of shape {own} does not fit scores of shape {shape}")


def _added(call: LayerCall, scores: str, given: Activation) -> str:
    """The scores plus what is given for each, or for several alike."""
    _check_fit(call, scores, given)
    return maps.weighted_sum(call, [Activation(scores), given], (1.0, 1.0))


def _masked(call: LayerCall, scores: str, mask: Array) -> str:
    """The scores plus a mask."""
    added, shape = added_by(mask), call.shape(scores)
    if added.ndim > len(shape) or broadcast_shape([added.shape, shape]) != shape:
        raise Refusal(f"its mask of shape {added.shape} does not fit scores of shape {shape}")
    if np.any(np.all(np.isneginf(np.broadcast_to(added, shape)), axis=-1)):
        raise Refusal("its mask leaves a query without any key, so that its softmax is no number")
    return maps.weighted_sum(call, [Activation(scores), added], (1.0, 1.0))
