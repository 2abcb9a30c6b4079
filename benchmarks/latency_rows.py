"""What `latency.py` compares, as data: recipes, and how many samples of a model are worth their time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
LONG = 64
"""From so many steps on a model's `Limits.long` samples are run, unless it is said otherwise."""


@dataclass(frozen=True)
class Row:
    """A recipe: `choices` are fields of `snntoolbox.Recipe`, `neuron` those of its neurons.

    `once`: nothing in it depends on the number of steps, so one conversion and one run of the longest give the values
    after every smaller number. `most` is the largest number of steps that the row is run for, `whole` the largest for
    which all samples are run (beyond, those of `Limits.long`).
    """

    choices: Mapping[str, Any] = field(default_factory=dict)
    neuron: Mapping[str, Any] = field(default_factory=dict)
    once: bool = False
    most: int = STEPS[-1]
    whole: int = LONG - 1

    @property
    def phased(self) -> bool:
        return self.choices.get("schedule") in ("phased", "radix", "first-spike")

    @property
    def plain(self) -> bool:
        """Whether every simulator runs it: plain neurons that may fire all the time."""
        return "schedule" not in self.choices and not {"levels", "negative"} & self.neuron.keys()


_AS_IS: Mapping[str, Any] = {"layer_correction": "none", "readout_correction": 0}
_USUAL: Mapping[str, Any] = {"threshold_rule": "percentile", **_AS_IS}
_NO_LAYERS: Mapping[str, Any] = {"layer_correction": "none"}

ROWS: dict[str, Row] = {
    "default": Row(),
    # The SNN Toolbox: 99.9 % per layer, from V0 = 0, nothing corrected.
    "toolbox": Row({**_USUAL, "per_channel": False}, {"initial": 0.0}, once=True),
    "phased": Row({"schedule": "phased", "readout_correction": 0}),
    "radix": Row({"schedule": "radix", "readout_correction": 0}, most=16),
    # The layer behind the input with more digits than the others: all that follow go by what it says.
    "radix+first": Row({"schedule": "radix", "readout_correction": 0, "bits": {"0": 6}}, most=6),
    # Several neurons for each value: as fine as more digits, in as many steps.
    "radix+pairs": Row({"schedule": "radix", "readout_correction": 0, "neurons_per_value": 2}, most=16),
    "radix+fours": Row({"schedule": "radix", "readout_correction": 0, "neurons_per_value": 4}, most=16),
    "radix+auto": Row({"schedule": "radix", "readout_correction": 0, "neurons_per_value": "auto"}, most=16),
    "first-spike": Row({"schedule": "first-spike", "readout_correction": 0}),
    "multi-threshold": Row(
        {"threshold_rule": "percentile", **_NO_LAYERS},
        {"initial": 0.125, "levels": (1.0, 0.5, 0.25), "negative": "memory"},
    ),
    # It has settled long before, and its neurons cost most to simulate.
    "differential": Row({**_AS_IS, "schedule": "differential"}, once=True, most=32, whole=16),
    "half": Row({**_USUAL, "per_channel": False}, once=True),
    "percentile": Row(_USUAL, once=True),
    "signed": Row(_USUAL, {"negative": "memory"}, once=True),
    "mmse": Row({"threshold_rule": "mmse", **_NO_LAYERS}),
    "mmse+bias": Row({"threshold_rule": "mmse", "layer_correction": "bias"}, most=32),
    "mmse+both": Row({"threshold_rule": "mmse", "layer_correction": "both"}, most=32),
    "percentile+search": Row({"threshold_rule": "percentile", "layer_correction": "search"}, most=32),
    "mmse+search": Row({"threshold_rule": "mmse", "layer_correction": "search"}, most=32),
    "mmse+search+potential": Row({"threshold_rule": "mmse", "layer_correction": "search+potential"}, most=32),
    "ltb": Row({"threshold_rule": "ltb", **_AS_IS}, once=True),
}
"""The recipes by name, those first that tell most."""

ESSENTIAL = ("default", "toolbox", "phased", "multi-threshold", "percentile", "mmse")
QUICK = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Limits:
    """Test samples of a model, those for `start` steps and more, and the rows for it; None is all."""

    samples: int | None = None
    long: int | None = None
    rows: tuple[str, ...] | None = None
    start: int = LONG


MODELS = ("digits", "resnet20_akamaster", "keras_mnist_cnn", "onnx_mnist_lenet", "torch_mnist_cnn")
LIMITS: dict[str, Limits] = {
    "digits": Limits(),
    "resnet20": Limits(500, 100),
    "mnist": Limits(1000, 100, ESSENTIAL),
}
"""By a part of a model's name; the rest is as the last."""


def limits_of(model: str) -> Limits:
    """What is run of a model unless it is said otherwise."""
    return next((limits for part, limits in LIMITS.items() if part in model), LIMITS["mnist"])
