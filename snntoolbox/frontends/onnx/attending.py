"""Handlers of attention, Einstein sums and powers."""

from __future__ import annotations

from snntoolbox.frontends import maps
from snntoolbox.frontends.attention import attention, causal, joined
from snntoolbox.frontends.einsum import einsum as sum_by_letters
from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.frontends.onnx.call import Known, OnnxCall


def einsum(call: OnnxCall) -> str:
    """A sum of products of activations and constants, axes named by letters."""
    return sum_by_letters(call, str(call.attribute("equation", "")), call.operands())


def power(call: OnnxCall) -> str:
    """``x ** n`` for a small whole number n."""
    if not isinstance(call.value(0), Activation) or not isinstance(call.value(1), Known):
        raise Refusal("an exponent that depends on the input")
    exponent = call.constant(1, "exponent")
    if exponent.size != 1:
        raise Refusal("an exponent for each value")
    return maps.power(call, call.source(), float(exponent.item()))


def scaled_attention(call: OnnxCall) -> str:
    """Attention of queries, keys and values (heads, steps, features) or (steps, heads x features)."""
    if any(call.value(i) is not None for i in (4, 5, 6)) or any(call.outputs[1:]):
        raise Refusal("attention with keys and values of earlier calls, or lengths, or more than one output")
    if call.number("softcap", 0.0):
        raise Refusal("attention with a bound on its scores")
    flat = len(call.shape(call.source(0))) == 2
    heads = [int(call.attribute(name, 0)) for name in ("q_num_heads", "kv_num_heads", "kv_num_heads")]
    query, key, values = (_apart(call, i, n) if flat else call.source(i) for i, n in enumerate(heads))
    read = value if isinstance(value := call.value(3), Activation) else None
    given, seen = (None, read) if call.truths[3:4] == (True,) else (read, None)
    mask = call.optional(3, "mask") if read is None else None
    masks = [] if mask is None else [call.per_sample(mask, 3)]
    masks += [causal(call, query, key)] if call.flag("is_causal") else []
    scale = call.number("scale", 0.0) or None
    said, _ = attention(call.named(f"{call.name}_attended"), query, key, values, scale, joined(masks), given, seen)
    if not flat:
        return said
    together = call.builder.permute(f"{call.name}_together", said, (1, 0, 2), call.origin)
    steps, *rest = call.shape(together)
    return call.builder.reshape(call.name, together, (steps, rest[0] * rest[1]), call.origin)


def _apart(call: OnnxCall, i: int, heads: int) -> str:
    """Input i (steps, heads x features) as (heads, steps, features)."""
    source = call.source(i)
    steps, features = call.shape(source)
    if heads < 1 or features % heads:
        raise Refusal(f"{features} features in {heads} heads")
    split = call.builder.reshape(f"{call.name}_split", source, (steps, heads, features // heads), call.origin)
    return call.builder.permute(f"{call.name}_heads", split, (1, 0, 2), call.origin)
