"""Attention: torch's own operation, and its layers written out by operations that keep samples apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from snntoolbox.frontends.attention import attention, causal, joined
from snntoolbox.frontends.layer_call import Activation, Operand, Refusal
from snntoolbox.frontends.pytorch.call import TorchCall
from snntoolbox.ir.node import Array


def scaled_attention(call: TorchCall) -> str:
    """Attention of queries, keys and values, with or without a mask: constant, or an input's."""
    if call.get("dropout_p"):
        raise Refusal("attention with dropout")
    rank = len(call.shape(call.sources[0]))
    query, key, value = (_operand(call, name, rank) for name in ("query", "key", "value"))
    masks = [mask] if (mask := _mask(call, rank)) is not None else []
    if call.get("is_causal"):
        masks.append(causal(call, query, key))
    read = mask if isinstance(mask := call.args.get("attn_mask"), Activation) else None
    given, seen = (None, read) if read is not None and read.name in call.truths else (read, None)
    return attention(call, query, key, value, call.number("scale"), joined(masks), given, seen)[0]


def _operand(call: TorchCall, name: str, rank: int) -> Operand:
    """Queries, keys or values: a node, or constants for a sample, as queries that were learned are."""
    value = call.args[name]
    return value if isinstance(value, Activation) else call.per_sample(call.array(value), rank)


def _mask(call: TorchCall, rank: int) -> Array | None:
    """A constant mask for a sample, truth values or what is added."""
    mask = call.args.get("attn_mask")
    if mask is None or isinstance(mask, Activation):
        return None
    found = call.per_sample(call.array(mask), rank)
    return found.astype(bool) if mask.dtype == torch.bool else np.asarray(found)


HANDLERS: dict[str, Callable[[TorchCall], Any]] = {"scaled_dot_product_attention": scaled_attention}
