"""Attention: softmax of the products of queries and keys, times values."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.frontends import functions, maps
from snntoolbox.frontends.layer_call import Activation, LayerCall, Refusal


def attention(call: LayerCall, query: str, key: str, value: str, scale: float | None = None) -> str:
    """``softmax(scale * q k^T) v`` for q (..., m, d), k (..., n, d) and v (..., n, e); by default 1 / sqrt(d)."""
    rank = len(call.shape(key))
    if rank < 2:
        raise Refusal(f"attention over samples of shape {call.shape(key)}")
    order = (*range(rank - 2), rank - 1, rank - 2)
    turned = call.builder.permute(f"{call.name}_keys", key, order, call.origin)
    factor = 1 / math.sqrt(call.shape(query)[-1]) if scale is None else scale
    found = maps.matrix_product(call.named(f"{call.name}_found"), Activation(query), Activation(turned))
    scaled = call.builder.affine(f"{call.name}_scaled", found, np.full((), factor), None, call.origin)
    shares = functions.softmax(call.named(f"{call.name}_shares"), scaled)
    return maps.matrix_product(call, Activation(shares), Activation(value))
