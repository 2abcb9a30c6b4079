"""The parts that neurons are made of: each has its equation, its step in numpy, and its rows in that of features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.adaptive import RateThreshold, SubtractSent, ThresholdSpikes
from snntoolbox.ir.clamping import Clamped
from snntoolbox.ir.counting import MOST_BITS, Counting
from snntoolbox.ir.feature import Feature, Lowering
from snntoolbox.ir.float32 import RANGE, held
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.part import (
    Limits,
    Membrane,
    Memory,
    Openings,
    Part,
    Pause,
    ResetRule,
    SpikeRule,
    Synapse,
    Threshold,
    Window,
)
from snntoolbox.ir.payloads import ResidueSpikes
from snntoolbox.ir.synapses import Exponential
from snntoolbox.ir.tabulating import Table
from snntoolbox.ir.uneven_digits import UnevenDigitWindow
from snntoolbox.ir.ways_out import RATE, plain_spikes, reset_to_zero, subtraction

ABSENT = "no such rule in its neurons"
"""Why most simulators lack a part."""

ONLY_SCHEDULES = f"only other schedules need it than {RATE} (the default)"
PULSES = "time-varying bias (pulses of current)"
"""The name of what a window is lowered to."""


@dataclass(frozen=True, eq=False)
class Delta(Synapse):
    """I[t] = W z[t]: a spike acts in one step."""

    features = ()

    def current(self, arriving: Array, memory: Memory) -> Array:
        """What arrives."""
        return arriving


@dataclass(frozen=True, eq=False)
class PerfectIntegrator(Membrane):
    """V-[t] = V[t-1] + I[t]."""

    features = ()

    def integrated(self, potential: Array, current: Array, memory: Memory) -> Array:
        """The sum."""
        return potential + current


@dataclass(frozen=True, eq=False)
class Leak(Membrane):
    """V-[t] = factor V[t-1] + I[t]; `factor` remains of the potential, exp(-dt / tau_m)."""

    features = (Feature("leak", avoided_by="[cell] leak = False", why_not=ABSENT),)

    factor: float

    def integrated(self, potential: Array, current: Array, memory: Memory) -> Array:
        """What remains, and the current."""
        return self.factor * potential + current

    def misfits(self) -> Iterator[str]:
        """A factor that is no share."""
        if not 0 < self.factor <= 1:
            yield f"leak {self.factor} is not the share that remains, above 0 and at most 1"


@dataclass(frozen=True, eq=False)
class ConstantThreshold(Threshold):
    """theta[t] = value, which broadcasts to the population's shape."""

    features = (
        Feature(
            "thresholds per neuron", "thresholds that differ within a layer", why_not="one threshold for each layer"
        ),
    )

    value: float | Array

    def asks(self) -> tuple[Feature, ...]:
        """Values of their own, where they differ."""
        return self.features if np.ptp(self.value) != 0 else ()

    def height(self, step: int, memory: Memory) -> Array | float:
        """The same in every step."""
        return self.value

    def misfits(self) -> Iterator[str]:
        """Values that any potential is above."""
        if not np.all(np.asarray(self.value) > 0):
            yield f"threshold {self.value} is not above 0"
        elif not held(self.value):
            yield f"threshold {self.value} is {RANGE}"


@dataclass(frozen=True, eq=False)
class BinarySpikes(SpikeRule):
    """z[t] = 1 where V-[t] >= theta[t], else 0."""

    features = ()
    graded = False

    def fire(self, before: Array, height: Array | float, sent: Array) -> Array:
        """Bool."""
        return np.asarray(before >= height)


@dataclass(frozen=True, eq=False)
class GradedSpikes(SpikeRule):
    """z[t] = the largest level l with V-[t] >= l theta[t], else 0.

    Where they are `signed`, minus the largest l with V-[t] <= -l theta[t] that is no larger than the sum sent so far.
    """

    features = (
        Feature(
            "spikes that carry values (payloads)",
            "spikes that carry values",
            avoided_by=plain_spikes,
            why_not=ABSENT,
        ),
        Feature("signed spikes of neurons", "signed spikes", avoided_by=plain_spikes, why_not=ABSENT),
    )

    levels: tuple[float, ...]
    signed: bool

    def asks(self) -> tuple[Feature, ...]:
        """Values and signs, each where it has them."""
        values, signs = self.features
        return (*([values] if self.levels != (1.0,) else []), *([signs] if self.signed else []))

    def fire(self, before: Array, height: Array | float, sent: Array) -> Array:
        """The values, float64."""
        value = np.zeros(before.shape)
        for level in sorted(self.levels):
            value = np.where(before >= level * np.asarray(height), level, value)
            if self.signed:
                takes_back = (before <= -level * np.asarray(height)) & (level <= sent)
                value = np.where(takes_back, -level, value)
        return value

    def misfits(self) -> Iterator[str]:
        """Levels that are none."""
        if not self.levels or len({*self.levels}) < len(self.levels):
            yield f"levels {self.levels} are not different values, at least one"
        elif not all(level > 0 and math.isfinite(level) for level in self.levels):
            yield f"levels {self.levels} are not all above 0 and finite"
        elif not held(self.levels):
            yield f"levels {self.levels} are {RANGE}"


@dataclass(frozen=True, eq=False)
class Subtract(ResetRule):
    """V = V- - theta z: the residue is kept."""

    features = (
        Feature("reset by subtraction", avoided_by=reset_to_zero, why_not=ABSENT, kind="reset", value="subtract"),
    )

    def after(self, before: Array, spikes: Array, height: Array | float) -> Array:
        """Less a threshold for each unit of spikes."""
        return np.asarray(before - height * spikes)


@dataclass(frozen=True, eq=False)
class ToPotential(ResetRule):
    """V = potential where z."""

    features = (
        Feature("reset to a potential", avoided_by=subtraction, why_not=ABSENT, kind="reset", value="zero"),
    )

    potential: float

    def after(self, before: Array, spikes: Array, height: Array | float) -> Array:
        """The potential to reset to, where a spike is."""
        return np.where(spikes, self.potential, before)

    def misfits(self) -> Iterator[str]:
        """A potential that no simulator can hold."""
        if not held(self.potential):
            yield f"reset_potential {self.potential} is {RANGE}"


@dataclass(frozen=True, eq=False)
class Modulo(ResetRule):
    """V = V- - theta floor(V- / theta) where z: several thresholds' worth is dropped."""

    features = (Feature("reset by modulo", avoided_by=subtraction, why_not=ABSENT, kind="reset", value="modulo"),)

    def after(self, before: Array, spikes: Array, height: Array | float) -> Array:
        """What is left of the division, where a spike is."""
        return np.where(spikes, before - height * np.floor(before / height), before)


@dataclass(frozen=True, eq=False)
class Saturation(Limits):
    """V[t] = min(max(V, low), high), once a step: what arrives within it is summed in full, whatever its order."""

    features = (
        Feature(
            "potentials that saturate",
            avoided_by="[cell] v_limits left empty",
            why_not="asked for by [cell] v_limits, `snntoolbox deploy --saturate`, or `IF(saturation=...)` in Python",
        ),
    )

    low: float
    high: float

    def kept(self, potential: Array) -> Array:
        """Clipped."""
        return np.clip(potential, self.low, self.high)

    def misfits(self) -> Iterator[str]:
        """A range that 0 is not in."""
        if not self.low <= 0 <= self.high:
            yield f"saturation {(self.low, self.high)} is no range around 0"
        elif not held(self.low, self.high):
            yield f"saturation {(self.low, self.high)} is {RANGE}"


MOST_STEPS = 2**31
"""Simulators count the steps of a pause in 32 bits."""


@dataclass(frozen=True, eq=False)
class RefractoryPeriod(Pause):
    """I[t] = 0, z[t] = 0 in the `steps` steps after a spike; the leak goes on."""

    features = (Feature("refractory period", avoided_by="[cell] tau_refrac = 0", why_not=ABSENT),)

    steps: int

    @property
    def fastest(self) -> float:
        """A spike, and then so many steps without one."""
        return 1.0 / (1 + self.steps)

    def start(self, shape: Shape) -> Memory:
        """Steps that each neuron still waits."""
        return {"waiting": np.zeros(shape, np.int64)}

    def awake(self, memory: Memory) -> Array:
        """Whoever does not wait."""
        return np.asarray(memory["waiting"] == 0)

    def fired(self, spikes: Array, memory: Memory) -> None:
        """All steps ahead after a spike, else one less."""
        memory["waiting"] = np.where(spikes, self.steps, np.maximum(memory["waiting"] - 1, 0))

    def misfits(self) -> Iterator[str]:
        """What is no number of steps."""
        if not 0 <= self.steps < MOST_STEPS or self.steps != int(self.steps):
            yield f"refractory {self.steps} is no number of steps below {MOST_STEPS}"


@dataclass(frozen=True, eq=False)
class FiringWindow(Window):
    """z[t] = 0 outside the steps first <= t < last, counted from 0."""

    features = (
        Feature(
            "firing windows",
            lowered_by=Lowering(
                "[conversion] weight_bits = 8: on the integer grid windows become pulses of current",
                needs=PULSES,
                off_grid=True,
            ),
            avoided_by=RATE,
            why_not=ONLY_SCHEDULES,
        ),
    )

    def misfits(self) -> Iterator[str]:
        """What is no range of steps."""
        if not 0 <= self.first < self.last:
            yield f"window {(self.first, self.last)} is no range of steps, counted from 0"


@dataclass(frozen=True, eq=False)
class RecurringWindow(Openings):
    """z[t] = 0 but in `steps` steps from first + k period on, for k = 0, 1, ...

    Each time but the first the potential begins anew, at `potential`, as many steps before the window opens.
    """

    features = (
        Feature(
            "windows that recur",
            avoided_by=RATE,
            why_not="its neurons go on from the potential that they have",
        ),
    )

    first: int
    steps: int
    period: int
    potential: float | Array

    def open(self, step: int) -> bool:
        """Whether the step lies in one of them."""
        return step >= self.first and (step - self.first) % self.period < self.steps

    def restart(self, step: int) -> Array | float | None:
        """`potential` where a sum begins."""
        since = step - self.first + self.steps
        return self.potential if since > 0 and since % self.period == 0 else None

    def misfits(self) -> Iterator[str]:
        """Windows that overlap with the steps before them."""
        if not (self.steps >= 1 and self.first >= self.steps and self.period >= 2 * self.steps):
            yield f"windows of {self.steps} steps from {self.first} on cannot recur every {self.period} steps"
        elif not held(self.potential) or not np.all(np.isfinite(self.potential)):
            yield f"a potential of {self.potential} is {RANGE}"


@dataclass(frozen=True, eq=False)
class DigitWindow(Window):
    """Steps are binary digits: I[t] and theta[t] count 2^(B - 1 - t mod B) times, with B = last - first.

    z[t] = 0 outside the steps first <= t < last, where first is a multiple of B. So a sum S that is there when the
    window opens leaves as the digits of floor(S / theta), the most significant first.
    """

    features = (
        Feature(
            "radix windows",
            "steps that are binary digits (radix windows)",
            avoided_by=RATE,
            why_not="its weights and thresholds are the same in every step",
        ),
    )

    def weight(self, step: int) -> float:
        """The value of the step's digit."""
        return Counting.DIGIT.weight(step, self.steps)

    def misfits(self) -> Iterator[str]:
        """What is no window of digits."""
        if not 0 <= self.first < self.last or self.first % self.steps or self.steps > MOST_BITS:
            yield f"window {(self.first, self.last)} is no range of up to {MOST_BITS} digits behind others as long"


@dataclass(frozen=True, eq=False)
class FirstSpikeWindow(Window):
    """The earlier, the more: I[t] and theta[t] count T - t mod T times, with T = last - first.

    z[t] = 0 outside the steps first <= t < last, where first is a multiple of T. A spike counts as if its synapses
    stayed on up to the end of the window, and the threshold falls from T theta to theta. With a reset to 0 a neuron
    fires once: a sum S that is there when the window opens leaves as one spike that counts floor(S / theta).
    """

    features = (
        Feature(
            "first-spike windows",
            "spikes that count by their time (first-spike windows)",
            avoided_by=RATE,
            why_not="its weights and thresholds are the same in every step",
        ),
    )

    def weight(self, step: int) -> float:
        """The steps that are left."""
        return Counting.LEAD.weight(step, self.steps)

    def misfits(self) -> Iterator[str]:
        """What is no window behind others as long."""
        if not 0 <= self.first < self.last or self.first % self.steps or self.last > MOST_STEPS:
            yield f"window {(self.first, self.last)} is no range of steps behind others as long"


_OTHERS = (Exponential, Latched, ResidueSpikes, RateThreshold, ThresholdSpikes, SubtractSent, Clamped, Table)
_HOMES = (*(kind.__module__ for kind in (*_OTHERS, UnevenDigitWindow)), __name__)

PARTS: tuple[type[Part], ...] = tuple(
    kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Part) and kind.__module__ in _HOMES
)
"""All parts of this package."""
