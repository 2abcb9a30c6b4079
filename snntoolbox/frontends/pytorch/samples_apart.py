"""Writes torch's attention with the batch in front while a model is exported: its own merges batch and heads."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_SIGNATURE = inspect.signature(functional.multi_head_attention_forward)
_OTHERS = ("bias_k", "bias_v", "static_k", "static_v")


class SamplesApart(TorchFunctionMode):
    """`torch.nn.functional.multi_head_attention_forward`, and what is made of it, as operations on each sample.

    Torch takes no fused path of layers while a mode like this one is on.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What `func` gives, attention by operations on each sample."""
        kwargs = kwargs or {}
        if func is functional.multi_head_attention_forward:
            given = _SIGNATURE.bind(*args, **kwargs)
            given.apply_defaults()
            if _is_plain(given.arguments):
                return _attention(given.arguments)
        return func(*args, **kwargs)


def _is_plain(given: Mapping[str, Any]) -> bool:
    """Whether it is attention of a batch, without keys of its own."""
    return (
        given["query"].dim() == 3
        and not given["add_zero_attn"]
        and all(given[name] is None for name in _OTHERS)
        and not (given["training"] and given["dropout_p"])
    )


def _attention(given: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The output (queries, batch, features), and the shares where they are asked for."""
    query, key, value = (
        _heads(functional.linear(given[name].transpose(0, 1), weight, bias), given["num_heads"])
        for name, weight, bias in zip(("query", "key", "value"), *_projections(given), strict=True)
    )
    scores = (query @ key.transpose(-2, -1)) * query.shape[-1] ** -0.5
    seen = _causal(scores) if _drops_mask(given) else given["attn_mask"]
    for mask in (seen, given["key_padding_mask"]):
        if mask is not None:
            wide = _of_heads(mask, given["num_heads"]) if mask is seen else mask[:, None, None]
            scores = scores.masked_fill(wide, float("-inf")) if wide.dtype == torch.bool else scores + wide
    shares = scores.softmax(-1)
    joined = (shares @ value).transpose(1, 2).flatten(2)
    output = functional.linear(joined, given["out_proj_weight"], given["out_proj_bias"]).transpose(0, 1)
    if not given["need_weights"]:
        return output, None
    return output, shares.mean(1) if given["average_attn_weights"] else shares


def _of_heads(mask: torch.Tensor, heads: int) -> torch.Tensor:
    """One mask for all samples and heads, or (samples x heads, queries, keys) with the batch in front."""
    return mask if mask.dim() == 2 else mask.reshape(-1, heads, *mask.shape[1:])


def _drops_mask(given: Mapping[str, Any]) -> bool:
    """Whether torch looks at `is_causal` alone and never at the mask: where nobody asks for the shares."""
    return bool(given["is_causal"]) and given["key_padding_mask"] is None and not given["need_weights"]


def _causal(scores: torch.Tensor) -> torch.Tensor:
    """True for what comes behind a query."""
    return torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)


def _heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """(batch, steps, features) as (batch, heads, steps, features of one)."""
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def _projections(given: Mapping[str, Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """Weights and biases of queries, keys and values."""
    bias = given["in_proj_bias"]
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    if given["use_separate_proj_weight"]:
        return [given[f"{name}_proj_weight"] for name in "qkv"], biases
    return given["in_proj_weight"].chunk(3), biases
