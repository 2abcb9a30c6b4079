"""Neuron models as data: what a population does with its input current, independent of how it is connected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from snntoolbox.errors import ConversionError
from snntoolbox.ir.arguments import misfits
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes.windows import Padding


class Reset(StrEnum):
    """What a spike does to the membrane potential."""

    SUBTRACT = "subtract"
    """V <- V - threshold: the residue is kept."""
    ZERO = "zero"
    """V <- reset potential."""
    MODULO = "modulo"
    """V <- V - threshold * floor(V / threshold): several thresholds' worth is dropped."""


class Negative(StrEnum):
    """When a neuron fires negative spikes."""

    NEVER = "never"
    """It does not, however low its potential."""
    MEMORY = "memory"
    """While the sum of all values sent stays at or above 0, so that a negative spike takes an earlier one back
    (Wang et al., IJCAI 2022)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class IF:
    """Integrate-and-fire: V <- leak * V + current; a spike where V >= threshold; then the reset.

    Potentials are in units of the network (threshold 1 unless it is on an integer grid); arrays broadcast to the
    population's shape. `initial` is V before the first step, `leak` the factor that remains of V each step
    (exp(-dt / tau_m); 1 is none), `refractory` the number of steps after a spike in which input and bias are
    dropped and no spike is fired.

    `window` (first, last): outside the steps first <= t < last, counted from 0, it integrates but does not fire.

    `levels` are the values that a spike may carry, in thresholds: (1,) is the plain neuron, (1, 2, ..., B) bursts,
    (1, 1/2, 1/4, ...) several thresholds in one step. The value is the largest level l with V >= l * threshold, and the
    reset subtracts value * threshold. With `negative` = memory it is minus the largest level l with
    V <= -l * threshold that is no larger than the sum of the values sent so far.

    `saturation` (low, high): at the end of each step, after the reset, V is clipped to low <= V <= high. What arrives
    within a step is summed in full, whatever its order.
    """

    threshold: float | Array = 1.0
    reset: Reset = Reset.SUBTRACT
    reset_potential: float = 0.0
    initial: float | Array = 0.0
    leak: float = 1.0
    refractory: int = 0
    window: tuple[int, int] | None = None
    levels: tuple[float, ...] = (1.0,)
    negative: Negative = Negative.NEVER
    saturation: tuple[float, float] | None = None

    @property
    def graded(self) -> bool:
        """Whether spikes carry values other than 1."""
        return self.levels != (1.0,) or self.negative is not Negative.NEVER

    def fires_in(self, step: int) -> bool:
        """Whether it may fire in this step, counted from 0."""
        return self.window is None or self.window[0] <= step < self.window[1]

    def __post_init__(self) -> None:
        if wrong := misfits(self, _CHECKED):
            raise ConversionError(f"a neuron cannot be so: {'; '.join(wrong)}", hint="initial=0.5, for instance")
        for name, kind in (("reset", Reset), ("negative", Negative)):
            try:  # a plain string that names one is that one, for every engine
                object.__setattr__(self, name, kind(getattr(self, name)))
            except ValueError:
                wrong.append(f"{name} {getattr(self, name)!r} is none of {', '.join(kind)}")
        if not (np.all(np.isfinite(self.initial)) and np.isfinite(self.reset_potential)):
            wrong.append("initial or reset_potential is no finite number")
        if not np.all(np.asarray(self.threshold) > 0):
            wrong.append(f"threshold {self.threshold} is not above 0")
        if not 0 < self.leak <= 1:
            wrong.append(f"leak {self.leak} is not the share that remains, above 0 and at most 1")
        if self.refractory < 0 or self.refractory != int(self.refractory):
            wrong.append(f"refractory {self.refractory} is no number of steps")
        if self.window is not None and not 0 <= self.window[0] < self.window[1]:
            wrong.append(f"window {self.window} is no range of steps, counted from 0")
        if not self.levels or len({*self.levels}) < len(self.levels):
            wrong.append(f"levels {self.levels} are not different values, at least one")
        elif not all(level > 0 and math.isfinite(level) for level in self.levels):
            wrong.append(f"levels {self.levels} are not all above 0 and finite")
        if self.graded and (self.reset is not Reset.SUBTRACT or self.refractory):
            wrong.append("spikes with values or signs need reset = subtract and no refractory period")
        if self.saturation is not None:
            low, high = self.saturation
            if not low <= 0 <= high:
                wrong.append(f"saturation {self.saturation} is no range around 0")
            elif np.min(self.initial) < low or np.max(self.initial) > high:
                wrong.append(f"initial {self.initial} is outside of saturation {self.saturation}")
        if wrong:
            raise ConversionError(f"a neuron cannot be so: {'; '.join(wrong)}")


_CHECKED = ("threshold", "reset_potential", "initial", "leak", "refractory", "window", "levels", "saturation")
"""The others are made what they must be."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxGate:
    """Max pooling on spikes: in each window passes the current spike of the input that has fired most so far.

    The count includes the current step; among equal counts the first in C order of the window wins. Its input is
    the spikes (0 or 1) of one population of shape (channels, *space); it keeps that population's scale.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    dilation: tuple[int, ...]


Neuron = IF | MaxGate


def emitted(before: Array, sent: Array, neuron: IF) -> Array:
    """The value that each neuron sends, for its potential before the reset and the sum of what it has sent; float64."""
    value = np.zeros(before.shape)
    for level in sorted(neuron.levels):
        value = np.where(before >= level * np.asarray(neuron.threshold), level, value)
        if neuron.negative is Negative.MEMORY:
            takes_back = (before <= -level * np.asarray(neuron.threshold)) & (level <= sent)
            value = np.where(takes_back, -level, value)
    return value


def after_reset(before: Array, spikes: Array, neuron: IF) -> Array:
    """The potential after the reset and saturation, for potentials `before` them and the spikes fired."""
    after = _reset(before, spikes, neuron)
    return after if neuron.saturation is None else np.clip(after, *neuron.saturation)


def _reset(before: Array, spikes: Array, neuron: IF) -> Array:
    if neuron.reset is Reset.SUBTRACT:
        return np.asarray(before - neuron.threshold * spikes)
    if neuron.reset is Reset.MODULO:
        return np.where(spikes, before - neuron.threshold * np.floor(before / neuron.threshold), before)
    return np.where(spikes, neuron.reset_potential, before)
