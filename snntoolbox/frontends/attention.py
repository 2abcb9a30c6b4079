"""Attention: softmax of the products of queries and keys, times values; and masks, which say who sees whom."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.frontends import functions, maps
from snntoolbox.frontends.layer_call import Activation, LayerCall, Refusal, broadcast_shape
from snntoolbox.ir.node import Array


def mask_read() -> Refusal:
    """The refusal of a mask that is not constant."""
    return Refusal(
        "a mask that depends on the input: which neurons take part is settled when the network is built",
        hint="give all samples one length, and the model a mask that is constant: a buffer, is_causal in PyTorch and "
        "ONNX, use_causal_mask in Keras",
    )



def attention(
    call: LayerCall, query: str, key: str, value: str, scale: float | None = None, mask: Array | None = None
) -> str:
    """``softmax(scale * q k^T + mask) v`` for q (..., m, d), k (..., n, d) and v (..., n, e); by default 1 / sqrt(d).

    A mask is for samples: truth values, or what is added; what it leaves out takes no part. Where queries have more
    heads than keys and values, so many heads beside each other share one of these (grouped queries).
    """
    rank = len(call.shape(key))
    if rank < 2:
        raise Refusal(f"attention over samples of shape {call.shape(key)}")
    key, value = (_shared(call, query, source) for source in (key, value))
    order = (*range(rank - 2), rank - 1, rank - 2)
    turned = call.builder.permute(f"{call.name}_keys", key, order, call.origin)
    factor = 1 / math.sqrt(call.shape(query)[-1]) if scale is None else scale
    found = maps.matrix_product(call.named(f"{call.name}_found"), Activation(query), Activation(turned))
    scaled = call.builder.affine(f"{call.name}_scaled", found, np.full((), factor), None, call.origin)
    if mask is not None:
        scaled = _masked(call.named(f"{call.name}_masked"), scaled, mask)
    shares = functions.softmax(call.named(f"{call.name}_shares"), scaled)
    return maps.matrix_product(call, Activation(shares), Activation(value))


def _shared(call: LayerCall, query: str, source: str) -> str:
    """Keys or values with each head repeated for the heads of queries that share it."""
    if len(call.shape(source)) < 3 or len(call.shape(query)) != len(call.shape(source)):
        return source
    axis = len(call.shape(source)) - 3
    many, few = call.shape(query)[axis], call.shape(source)[axis]
    if many % few:
        raise Refusal(f"attention of {many} heads over keys and values of {few}")
    places = np.repeat(range(few), many // few).tolist()
    return call.builder.take(f"{call.name}_shared", source, axis, places, call.origin)


def causal(call: LayerCall, query: str, key: str) -> Array:
    """Query i sees the keys 0 to i: truth values (m, n)."""
    return np.tri(call.shape(query)[-2], call.shape(key)[-2], dtype=bool)


def joined(masks: list[Array]) -> Array | None:
    """One mask that leaves out what any of several does; None for none."""
    added = [added_by(mask) for mask in masks]
    with np.errstate(invalid="ignore"):
        return sum(added[1:], added[0]) if added else None


def added_by(mask: Array) -> Array:
    """What a mask adds: 0 or minus infinity for truth values."""
    return np.where(mask, 0.0, -np.inf) if mask.dtype == np.bool_ else np.asarray(mask, np.float64)


def _masked(call: LayerCall, scores: str, mask: Array) -> str:
    """The scores plus a mask."""
    added, shape = added_by(mask), call.shape(scores)
    if added.ndim > len(shape) or broadcast_shape([added.shape, shape]) != shape:
        raise Refusal(f"its mask of shape {added.shape} does not fit scores of shape {shape}")
    if np.any(np.all(np.isneginf(np.broadcast_to(added, shape)), axis=-1)):
        raise Refusal("its mask leaves a query without any key, so that its softmax is no number")
    return maps.weighted_sum(call, [Activation(scores), added], (1.0, 1.0))
