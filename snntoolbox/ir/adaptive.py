"""Thresholds that fall to the highest rate of their layer while a network runs: online normalization.

They are three parts of one neuron. The threshold is 1 before the first step; a spike carries what it was in its step,
and takes as much from the potential, so that counts stand for the same activations whatever it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from snntoolbox.ir.feature import Feature
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.part import Memory, ResetRule, SpikeRule, Threshold

_FEATURE = Feature(
    "thresholds that follow the rates",
    avoided_by="[normalization] online_normalization = False",
    why_not="its thresholds stay as they are",
)


def _fraction(value: float) -> Fraction:
    """The one that a float such as 0.1 was written for."""
    return Fraction(value).limit_denominator(10**9)


FINEST = 1024
"""Thresholds are whole numbers of this part of 1, which every engine holds exactly, and so are sums of them."""


@dataclass(frozen=True, eq=False)
class RateThreshold(Threshold):
    """theta[0] = 1; behind step t, a multiple of `every`, theta = r[t] where `least` < r[t] < 1 - `gap`.

    It is rounded up to a whole number of 1024ths, so that what spikes carry, and their sums, are exact in every engine.

    r[t] is the largest number of spikes that a neuron of the layer has fired so far, over t `per_step`: for each sample
    its own. Where a step adds `per_step` of each current, it is a rate in the unit of activations.
    """

    features = (_FEATURE,)

    gap: float
    least: float
    every: int
    per_step: float = 1.0

    def start(self, shape: Shape) -> Memory:
        """The height for each sample, the spikes of each neuron, and the steps so far."""
        height = np.ones((shape[0], *(1,) * (len(shape) - 1)))
        return {"height": height, "spikes": np.zeros(shape), "steps": np.zeros(1)}

    def height(self, step: int, memory: Memory) -> Array | float:
        """That of each sample."""
        return memory["height"]

    def followed(self, steps: int) -> tuple[int, int]:
        """The fewest and the most spikes in so many steps with which the height is set.

        They are whole numbers, exact on every engine: in floats 1 - 9 / 10 is above 0.1 here and below it there.
        """
        gap, least, unit = (_fraction(value) for value in (self.gap, self.least, self.per_step))
        return math.floor(least * unit * steps) + 1, math.ceil((1 - gap) * unit * steps) - 1

    def fired(self, spikes: Array, memory: Memory) -> None:
        """Count, and set the height where it is time."""
        memory["spikes"] += spikes != 0
        memory["steps"] += 1
        if memory["steps"][0] % self.every == 0:
            steps = int(memory["steps"][0])
            most = memory["spikes"].max(axis=tuple(range(1, spikes.ndim)), keepdims=True)
            low, high = self.followed(steps)
            rate = np.ceil(most * FINEST / (steps * self.per_step)) / FINEST
            memory["height"] = np.where((most >= low) & (most <= high), rate, memory["height"])

    def misfits(self) -> Iterator[str]:
        """Rates that are none."""
        if not (0 <= self.gap < math.inf and 0 <= self.least < math.inf and self.every >= 1):
            yield f"thresholds that follow rates every {self.every} steps from {self.least} to 1 - {self.gap}"
        if not 0 < self.per_step <= 1:
            yield f"thresholds that follow rates with per_step = {self.per_step}, which is not above 0 and at most 1"


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
