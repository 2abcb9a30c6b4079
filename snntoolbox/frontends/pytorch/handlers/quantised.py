"""Handlers of quantised arithmetic: values are kept as what their integers stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from snntoolbox.frontends.layer_call import Refusal
from snntoolbox.frontends.pytorch.call import TorchCall
from snntoolbox.frontends.quantising import BY_SAMPLE, FIXED_GRID, Grid, lies_on, quantised

DECOMPOSED = "quantized_decomposed"
"""The namespace of what an export of a quantised model (PT2E) is made of."""

FREEZE = "freeze it: model.apply(torch.ao.quantization.disable_observer)"

WATCHED = "_fused_moving_avg_obs_fq_helper_functional"
"""Fake quantisation with an observer in it, as training with quantisation leaves it."""

FOLDED = frozenset(
    {
        *("fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine"),
        *(f"{DECOMPOSED}.{way}quantize_per_{what}" for way in ("", "de") for what in ("tensor", "channel")),
        WATCHED,
    }
)
"""What is worked out on weights."""


def _grid(call: TorchCall) -> Grid:
    """The grid that an operation says; its bounds are those of integers."""
    scale, zero, low, high = (call.number(n) for n in ("scale", "zero_point", "quant_min", "quant_max"))
    if scale is None or zero is None or low is None or high is None:
        raise Refusal(f"{call.op} without scale, zero point or bounds")
    return Grid(scale=scale, zero=int(zero), low=int(low), high=int(high))


def quantize(call: TorchCall) -> str:
    """The nearest value of its grid: a rectifier with levels, or two where something can be below zero."""
    return quantised(call, call.source("self" if "self" in call.args else "input"), _grid(call))


def quantize_with_mask(call: TorchCall) -> list[Any]:
    """The same as the first of two results."""
    enabled = call.args.get("fake_quant_enabled")
    if isinstance(enabled, torch.Tensor) and not bool(enabled.all()):
        return [call.source(), None]
    return [quantize(call), None]


def dequantize(call: TorchCall) -> str:
    """What quantised values stand for, which they are kept as."""
    source, grid = call.source("input"), _grid(call)
    if not lies_on(call, source, grid):
        raise Refusal("takes its integers for values of another grid than they were put on")
    return source


def by_channel(call: TorchCall) -> str:
    """Activations with a grid for each channel are refused."""
    raise Refusal("quantises activations by a scale for each channel", hint="quantise activations per tensor")


def by_sample(call: TorchCall) -> str:
    """Dynamic quantisation is refused."""
    raise Refusal(f"quantised arithmetic: {BY_SAMPLE}", hint=FIXED_GRID)


def observing(call: TorchCall) -> str:
    """Fake quantisation whose grid still follows the data."""
    raise Refusal(BY_SAMPLE, hint=FREEZE)


def is_frozen(observes: Any) -> bool:
    """Whether an observer is known to be off, by the buffer that says whether it is on."""
    return isinstance(observes, torch.Tensor) and not bool(observes.any())


def watched(call: TorchCall) -> list[Any]:
    """Fake quantisation whose observer has been disabled, the first of six results; the others stay as they were."""
    if not is_frozen(call.args.get("observer_on")):
        observing(call)
    enabled = call.args.get("fake_quant_on")
    if isinstance(enabled, torch.Tensor) and not bool(enabled.any()):
        return [call.source(), *(None,) * 5]
    if call.args.get("per_row_fake_quant"):
        by_channel(call)
    return [quantize(call), *(None,) * 5]


_OBSERVING = ("fused_moving_avg_obs_fake_quant", "_fused_moving_avg_obs_fq_helper")

HANDLERS: dict[str, Callable[[TorchCall], Any]] = {
    "fake_quantize_per_tensor_affine": quantize,
    "fake_quantize_per_tensor_affine_cachemask": quantize_with_mask,
    "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams": quantize_with_mask,
    "fake_quantize_per_channel_affine": by_channel,
    f"{DECOMPOSED}.quantize_per_tensor": quantize,
    f"{DECOMPOSED}.dequantize_per_tensor": dequantize,
    f"{DECOMPOSED}.quantize_per_channel": by_channel,
    f"{DECOMPOSED}.choose_qparams": by_sample,
    **dict.fromkeys(_OBSERVING, observing),
    WATCHED: watched,
}
