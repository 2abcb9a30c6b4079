"""Thresholds that fall to the highest rate of their layer while a network runs: online normalization.

They are three parts of one neuron. The threshold is 1 before the first step; a spike carries what it was in its step,
and takes as much from the potential, so that counts stand for the same activations whatever it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.feature import Feature
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.part import Memory, ResetRule, SpikeRule, Threshold

_FEATURE = Feature(
    "thresholds that follow the rates (online normalization)",
    avoided_by="[normalization] online_normalization = False",
    why_not="its thresholds stay as they are",
)


@dataclass(frozen=True, eq=False)
class RateThreshold(Threshold):
    """theta[0] = 1; behind step t, a multiple of `every`, theta = r[t] where `least` < r[t] < 1 - `gap`.

    r[t] is the largest number of spikes that a neuron of the layer has fired so far, over t: for each sample its own.
    """

    features = (_FEATURE,)

    gap: float
    least: float
    every: int

    def start(self, shape: Shape) -> Memory:
        """The height for each sample, the spikes of each neuron, and the steps so far."""
        height = np.ones((shape[0], *(1,) * (len(shape) - 1)))
        return {"height": height, "spikes": np.zeros(shape), "steps": np.zeros(1)}

    def height(self, step: int, memory: Memory) -> Array | float:
        """That of each sample."""
        return memory["height"]

    def fired(self, spikes: Array, memory: Memory) -> None:
        """Count, and set the height where it is time."""
        memory["spikes"] += spikes != 0
        memory["steps"] += 1
        if memory["steps"][0] % self.every == 0:
            rate = memory["spikes"].max(axis=tuple(range(1, spikes.ndim)), keepdims=True) / memory["steps"][0]
            memory["height"] = np.where((rate > self.least) & (1 - rate > self.gap), rate, memory["height"])

    def misfits(self) -> Iterator[str]:
        """Rates that are none."""
        if not (self.gap >= 0 and self.least >= 0 and self.every >= 1):
            yield f"thresholds that follow rates every {self.every} steps from {self.least} to 1 - {self.gap}"


@dataclass(frozen=True, eq=False)
class ThresholdSpikes(SpikeRule):
    """z[t] = theta[t] where V-[t] >= theta[t], else 0."""

    features = (_FEATURE,)

    def fire(self, before: Array, height: Array | float, sent: Array) -> Array:
        """The height, where it is reached."""
        return np.where(before >= height, height, 0.0)


@dataclass(frozen=True, eq=False)
class SubtractSent(ResetRule):
    """V[t] = V-[t] - z[t]."""

    features = (_FEATURE,)

    def after(self, before: Array, spikes: Array, height: Array | float) -> Array:
        """Less what was sent."""
        return np.asarray(before - spikes)
