"""Attention and products of branches along axes: layers and operations made of products of matrices and softmax."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntoolbox.frontends.attention import attention, causal, joined
from snntoolbox.frontends.einsum import einsum
from snntoolbox.frontends.keras.activations import with_activation
from snntoolbox.frontends.keras.call import KerasCall, constant
from snntoolbox.frontends.keras.comparing import as_truths, seen_by
from snntoolbox.frontends.keras.nested import SEVERAL_HEADS, numbered
from snntoolbox.frontends.keras.records import leaves
from snntoolbox.frontends.layer_call import PRODUCTS, Activation, Operand, Refusal
from snntoolbox.frontends.maps import product, weighted_sum
from snntoolbox.ir.node import Array

_MULTI_HEAD = ("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask")
_DOT_PRODUCT = ("query", "key", "value", "bias", "mask", "scale")

CALLED_WITH: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(SEVERAL_HEADS, (*_MULTI_HEAD, "use_causal_mask", "return_attention_scores")),
    "Attention": ("use_causal_mask", "mask", "return_attention_scores"),
    "Softmax": ("mask",),
    "keras.ops.LayerNorm": ("gamma", "beta"),
    "keras.ops.RMSNorm": ("scale",),
    "keras.ops.DotProductAttention": _DOT_PRODUCT,
}
"""The arguments by name that a layer may be called with; what its handler says of them."""

# -- attention ------------------------------------------------------------------------------------------------------


def multi_head(call: KerasCall) -> str | tuple[str, str]:
    """Attention of several heads, some of which may share keys and values, causal or under a mask."""
    given, config = _given(call, _MULTI_HEAD), call.config
    sources = [_read(given, "query"), _read(given, "key", "value"), _read(given, "value")]
    if any(len(call.shape(source)) != 2 for source in sources):
        raise Refusal("attention over more than one axis")
    if config.get("use_gate") or config.get("sliding_window"):
        raise Refusal("attention with a gate or a sliding window")
    query, key, value = (
        call.builder.permute(f"{call.name}_heads", _projected(call, s, place, "abc,cde->abde"), (1, 0, 2), call.origin)
        for s, place in zip(sources, (0, 1, 2), strict=True)
    )
    kinds = {"attention_mask": 2, "query_mask": 1, "value_mask": 1, "key_mask": 1}
    found = [_Mask.of(call, mask, kinds[n], _SPREAD.get(n)) for n in kinds if (mask := given.get(n)) is not None]
    masks = [m.constant for m in found if m.constant is not None]
    masks += [causal(call, query, key)] if call.kwargs.get("use_causal_mask") else []
    seen = seen_by(call, [m.read for m in found if m.read is not None])
    scale = 1 / math.sqrt(float(config["head_dim" if "head_dim" in config else "key_dim"]))
    said, shares = attention(call.named(f"{call.name}_attended"), query, key, value, scale, joined(masks), seen=seen)
    together = call.builder.permute(f"{call.name}_together", said, (1, 0, 2), call.origin)
    letters = "efghij"[: call.weight(numbered("kernel", 3)).ndim - 2]
    made = _projected(call, together, 3, f"abcd,cd{letters}->ab{letters}")
    return (made, shares) if call.kwargs.get("return_attention_scores") else made


def _projected(call: KerasCall, source: str, place: int, equation: str) -> str:
    """The dense layer at a place of the four of multi-head attention: queries, keys, values, output."""
    name = f"{call.name}_{('query', 'key', 'value', 'output')[place]}"
    made = einsum(call.named(name), equation, [Activation(source), call.weight(numbered("kernel", place))])
    bias = call.layer.weights.get(numbered("bias", place))
    return made if bias is None else weighted_sum(call.named(name), [Activation(made), bias], (1.0, 1.0))


def single_head(call: KerasCall) -> str | tuple[str, str]:
    """``softmax(q k^T) v`` for the inputs [q, v] or [q, v, k], with a trained scale where it has one."""
    if call.config.get("score_mode", "dot") != "dot":
        raise Refusal("scores by the sum of queries and keys", hint=PRODUCTS)
    read = leaves(call.args, Activation)
    if len(read) not in (2, 3):
        raise Refusal(f"reads {len(read)} tensors instead of two or three")
    query, value, key = (v.name for v in (*read, read[1])[:3])
    scale = float(call.weight("scale")) if call.config.get("use_scale") else 1.0
    masks = [causal(call, query, key)] if call.kwargs.get("use_causal_mask") else []
    asking, there = (*(call.kwargs.get("mask") or ()), None, None)[:2]
    found = None if there is None else _Mask.of(call, there, 1, 0, heads=False)
    masks += [] if found is None or found.constant is None else [found.constant]
    seen = None if found is None or found.read is None else seen_by(call, [found.read])
    said, shares = attention(call, query, key, value, scale, joined(masks), seen=seen)
    said = said if asking is None else _asked(call, said, asking)
    return (said, shares) if call.kwargs.get("return_attention_scores") else said


def _asked(call: KerasCall, said: str, asking: Any) -> str:
    """What is said to the queries that a mask lets ask, 0 to others."""
    given = _Mask.of(call, asking, 1, 1, heads=False)
    if given.read is not None:
        return product(call, Activation(said), Activation(as_truths(call, given.read)))
    assert given.constant is not None
    return call.builder.affine(f"{call.name}_seen", said, given.constant.astype(np.float64), None, call.origin)


def dot_product(call: KerasCall) -> str:
    """Attention of queries, keys and values (steps, heads, features), with or without a bias and a mask."""
    given = _given(call, _DOT_PRODUCT)
    if call.config.get("attn_logits_soft_cap"):
        raise Refusal("attention with a bound on its scores")
    order = (1, 0, 2)
    query, key, value = (
        call.builder.permute(f"{call.name}_heads", _read(given, name), order, call.origin)
        for name in ("query", "key", "value")
    )
    found = None if given.get("mask") is None else _Mask.of(call, given["mask"], 3, None)
    masks = [] if found is None or found.constant is None else [found.constant]
    seen = None if found is None or found.read is None else seen_by(call, [found.read])
    bias = given.get("bias")
    if bias is not None and not isinstance(bias, Activation):
        masks.append(call.per_sample(constant(bias), 3))
    masks += [causal(call, query, key)] if call.config.get("is_causal") else []
    scale = None if given.get("scale") is None else float(given["scale"])
    read = bias if isinstance(bias, Activation) else None
    said, _ = attention(call.named(f"{call.name}_attended"), query, key, value, scale, joined(masks), read, seen)
    return call.builder.permute(call.name, said, order, call.origin)


def _given(call: KerasCall, names: Sequence[str]) -> dict[str, Any]:
    """The arguments of the layer by name."""
    if len(call.args) > len(names):
        raise Refusal("called in a way that is not supported")
    return {**call.kwargs, **dict(zip(names, call.args, strict=False))}


def _read(given: Mapping[str, Any], *names: str) -> str:
    """The node behind the first of these arguments that is given."""
    value = next((given[name] for name in names if given.get(name) is not None), None)
    if not isinstance(value, Activation):
        raise Refusal(f"its {names[0]} is a constant")
    return value.name


_SPREAD: Mapping[str, int] = {"query_mask": 1, "value_mask": 0, "key_mask": 0}
"""At which axis of a sample's (queries, keys) one is put into what says who is there."""


@dataclass(frozen=True)
class _Mask:
    """A mask of truth values, (queries, keys) with heads in front or without: constant for a sample, or read."""

    constant: Array | None = None
    read: Activation | None = None

    @classmethod
    def of(cls, call: KerasCall, mask: Any, rank: int, spread: int | None, *, heads: bool = True) -> _Mask:
        """One that is given with so many axes for a sample."""
        if not isinstance(mask, Activation):
            found = np.asarray(call.per_sample(constant(mask), rank) != 0)
            return cls(constant=found if spread is None else np.expand_dims(found, spread))
        shape = call.shape(mask.name)
        if spread is not None:
            shape = (*shape[:spread], 1, *shape[spread:])
        shape = (1, *shape) if heads and len(shape) == 2 else shape
        return cls(read=Activation(call.builder.reshape(f"{call.name}_mask", mask.name, shape, call.origin)))


# -- products along axes --------------------------------------------------------------------------------------------


def dot(call: KerasCall) -> str:
    """The product of two branches, summed over an axis of each."""
    if call.config.get("normalize"):
        raise Refusal("divides by the lengths of what it multiplies (normalize=True)")
    first, second = (list(letters) for letters in ("abcdefg", "anopqrs"))
    one, other = call.sources
    axes = call.config["axes"]
    pair = (axes, axes) if isinstance(axes, int) else axes
    place, beside = (call.axis(axis, s) + 1 for axis, s in zip(pair, (one, other), strict=True))
    second[beside] = first[place]
    left, right = first[: len(call.shape(one)) + 1], second[: len(call.shape(other)) + 1]
    kept = [c for c in (*left, *right[1:]) if c != first[place]]
    equation = f"{''.join(left)},{''.join(right)}->{''.join(kept)}"
    found = einsum(call, equation, [Activation(one), Activation(other)])
    return call.builder.reshape(f"{call.name}_value", found, call.shape(found) or (1,), call.origin)


def einsum_dense(call: KerasCall) -> str:
    """A kernel along the axes that an equation says, and a bias."""
    made = einsum(call, str(call.config["equation"]), [Activation(call.source()), call.weight("kernel")])
    if call.bias is not None:
        made = weighted_sum(call, [Activation(made), call.bias], (1.0, 1.0))
    return with_activation(call, made)


def by_letters(call: KerasCall) -> str:
    """A sum of products of branches and constants, axes named by letters."""
    operands: list[Operand] = [a if isinstance(a, Activation) else constant(a) for a in call.args]
    return einsum(call, str(call.config["subscripts"]), operands)


HANDLERS: dict[str, Callable[[KerasCall], str | tuple[str, str]]] = {
    **dict.fromkeys(SEVERAL_HEADS, multi_head),
    "Attention": single_head,
    "Dot": dot,
    "EinsumDense": einsum_dense,
    "keras.ops.DotProductAttention": dot_product,
    "keras.ops.Einsum": by_letters,
}
