"""Neuron models as data: what a population does with its input current, independent of how it is connected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np

from snntoolbox.errors import ConversionError
from snntoolbox.ir.adaptive import SubtractSent, ThresholdSpikes
from snntoolbox.ir.arguments import misfits
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.float32 import RANGE, held
from snntoolbox.ir.gating import Estimate
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes.windows import Padding
from snntoolbox.ir.part import Part, Parts, role_of
from snntoolbox.ir.parts import (
    BinarySpikes,
    ConstantThreshold,
    Delta,
    DigitWindow,
    FiringWindow,
    FirstSpikeWindow,
    GradedSpikes,
    Leak,
    Modulo,
    PerfectIntegrator,
    RefractoryPeriod,
    Saturation,
    Subtract,
    ToPotential,
)
from snntoolbox.ir.payloads import ResidueSpikes
from snntoolbox.ir.schedule import Schedule
from snntoolbox.ir.synapses import Exponential
from snntoolbox.ir.tabulating import Table
from snntoolbox.ir.uneven_digits import UnevenDigitWindow


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
    dropped and no spike is fired: after one in step t the next may come in step t + refractory + 1.

    `synaptic` is what remains each step of the current that spikes make through positive, and of that through negative
    weights (exp(-dt / tau_syn)); at 0 they act at once: see `Exponential`. Where it is `latched` each spike adds what
    others have counted before: see `Latched`, and what a `contraction` sums of such products.

    `window` (first, last): outside the steps first <= t < last, counted from 0, it integrates but does not fire.
    `counting` says how often current, threshold and spikes of a step count, by its place in its window: see
    `DigitWindow` and `FirstSpikeWindow`. `ends` are the steps behind all windows of a network whose steps are digits,
    where these are not as many in each.

    `levels` are the values that a spike may carry, in thresholds: (1,) is the plain neuron, (1, 2, ..., B) bursts,
    (1, 1/2, 1/4, ...) several thresholds in one step. The value is the largest level l with V >= l * threshold, and the
    reset subtracts value * threshold. With `negative` = memory it is minus the largest level l with
    V <= -l * threshold that is no larger than the sum of the values sent so far.

    `saturation` (low, high): at the end of each step, after the reset, V is clipped to low <= V <= high. What arrives
    within a step is summed in full, whatever its order.

    `table`: when its window opens, the potential becomes what a table has at it: see `Table`.

    These choose among the parts of `snntoolbox.ir.parts`; `special` are other parts, each in the place of the one of
    its role. `parts` are all that the neuron is made of.
    """

    threshold: float | Array = 1.0
    reset: Reset = Reset.SUBTRACT
    reset_potential: float = 0.0
    initial: float | Array = 0.0
    leak: float = 1.0
    synaptic: tuple[float, float] = (0.0, 0.0)
    latched: bool = False
    contraction: Contraction | None = None
    refractory: int = 0
    window: tuple[int, int] | None = None
    counting: Counting = Counting.ONE
    ends: tuple[int, ...] = ()
    levels: tuple[float, ...] = (1.0,)
    negative: Negative = Negative.NEVER
    saturation: tuple[float, float] | None = None
    table: Table | None = None
    special: tuple[Part, ...] = ()

    @cached_property
    def parts(self) -> Parts:
        """What it is made of."""
        by_role: dict[str, Any] = {role_of(part): part for part in (*self._usual(), *self.special)}
        return Parts(**by_role)

    def _usual(self) -> Iterator[Part]:
        """The parts that the fields choose."""
        if self.latched:
            yield Latched(self.contraction)
        else:
            yield Exponential(*self.synaptic) if any(self.synaptic) else Delta()
        yield PerfectIntegrator() if self.leak == 1 else Leak(self.leak)
        yield ConstantThreshold(self.threshold)
        signed = self.negative is not Negative.NEVER
        yield GradedSpikes(self.levels, signed) if signed or self.levels != (1.0,) else BinarySpikes()
        yield _RESETS[self.reset](self)
        if self.saturation is not None:
            yield Saturation(*self.saturation)
        if self.refractory:
            yield RefractoryPeriod(self.refractory)
        if self.window is not None:
            even = _WINDOWS[self.counting]
            yield UnevenDigitWindow(*self.window, tuple(self.ends)) if self.ends else even(*self.window)
        if self.table is not None:
            yield self.table

    def weight(self, step: int) -> float:
        """How often the current, the threshold and a spike of this step count."""
        return 1.0 if self.parts.openings is None else self.parts.openings.weight(step)

    @property
    def most(self) -> int:
        """What its spikes count at most in its window; ConversionError where it has none."""
        if self.window is None:
            raise ConversionError("a neuron without a window has no largest count", hint="schedule='phased'")
        return self.counting.total(self.window[1] - self.window[0])

    @property
    def lossless(self) -> bool:
        """Whether all that comes in is sent or kept, so that in enough steps its rate is its mean current."""
        plain = self.reset is Reset.SUBTRACT and self.leak == 1 and not self.refractory and not self.special
        return plain and self.saturation is None and self.table is None

    @property
    def fastest_rate(self) -> float:
        """The most spikes that it fires per step in a long run: 1, or fewer with a refractory period."""
        return 1.0 if self.parts.pause is None else self.parts.pause.fastest

    @property
    def largest_rate(self) -> float:
        """The largest sum of values that it sends per step in a long run, in thresholds."""
        spikes = self.parts.spikes
        return self.fastest_rate * (max(spikes.levels) if isinstance(spikes, GradedSpikes) else 1.0)

    @property
    def special_words(self) -> tuple[str, ...]:
        """What its special parts are, in the words in which they are refused."""
        return tuple(dict.fromkeys(feature.words for part in self.special for feature in part.features))

    @property
    def graded(self) -> bool:
        """Whether spikes carry values other than 1."""
        return self.parts.spikes.graded

    @property
    def valued(self) -> bool:
        """Whether spikes count other values than 1, by what they carry or by the step."""
        return self.graded or self.counting is not Counting.ONE

    def __post_init__(self) -> None:
        if wrong := misfits(self, _CHECKED):
            raise ConversionError(f"invalid neuron: {'; '.join(wrong)}", hint="initial=0.5, for instance")
        for name, kind in (("reset", Reset), ("negative", Negative), ("counting", Counting)):
            try:  # a plain string that names one is that one, for every engine
                object.__setattr__(self, name, kind(getattr(self, name)))
            except ValueError:
                wrong.append(f"{name} {getattr(self, name)!r} is none of {', '.join(kind)}")
        pairs = ("window", "saturation", "synaptic")
        wrong += [f"{n} {v} is no pair" for n in pairs if (v := getattr(self, n)) and len(v) != 2]
        wrong = wrong or [*_unfit(self.special)] or [*_doubled(self)] or [*self._misfits()]
        if wrong:
            raise ConversionError(f"invalid neuron: {'; '.join(wrong)}", hint=_PLAIN if _VALUES in wrong else None)

    def _misfits(self) -> Iterator[str]:
        """What is wrong with its parts, and between them."""
        if not (np.all(np.isfinite(self.initial)) and np.isfinite(self.reset_potential)):
            yield "initial or reset_potential is no finite number"
        for part in self.parts:
            yield from part.misfits()
        if not held(self.initial):
            yield f"initial {self.initial} is {RANGE}"
        if held(self.levels) and held(self.threshold) and not held(np.multiply.outer(self.levels, self.threshold)):
            yield f"levels {self.levels} times threshold {self.threshold} are {RANGE}"
        subtracts = isinstance(self.parts.reset, Subtract)
        graded = isinstance(self.parts.spikes, (GradedSpikes, ResidueSpikes)) and not subtracts
        sent = isinstance(self.parts.spikes, ThresholdSpikes) and not isinstance(self.parts.reset, SubtractSent)
        if graded or sent or (self.parts.pause and self.parts.spikes.features):
            yield _VALUES
        lasts = any(self.synaptic)
        lossy = self.leak != 1 or self.saturation is not None or self.refractory or not subtracts or lasts
        if self.latched and lasts:
            yield "a product of counts has no synaptic currents that last"
        if self.contraction is not None and not self.latched:
            yield "a contraction sums products of counts, and it has none (latched)"
        without = "without leak, synaptic currents, limits and refractory period"
        if self.ends and (self.counting is not Counting.DIGIT or self.window is None):
            yield "windows of several lengths are told to neurons whose steps are digits"
        if self.counting is Counting.DIGIT and (self.window is None or lossy):
            yield f"digits need a window and reset = subtract, {without}"
        resets = isinstance(self.parts.reset, ToPotential) and self.reset_potential == 0
        plain = resets and self.leak == 1 and self.saturation is None and not self.refractory and not self.graded
        if self.counting is Counting.LEAD and (self.window is None or lasts or not plain):
            yield f"spikes by their lead need a window and reset = zero, {without}"
        if self.saturation is not None and self.saturation[0] <= 0 <= self.saturation[1]:
            low, high = self.saturation
            if np.min(self.initial) < low or np.max(self.initial) > high:
                found = f"from {np.min(self.initial):g} to {np.max(self.initial):g}"
                yield f"initial {found} is outside of saturation {self.saturation}"


_CHECKED = (
    *("threshold", "reset_potential", "initial", "leak", "synaptic", "refractory", "window", "ends"),
    *("levels", "saturation", "table", "contraction", "special"),
)
"""The others are made what they must be."""

_VALUES = "spikes with values or signs need reset = subtract and no refractory period"
_PLAIN = "[cell] reset = subtract and tau_refrac = 0, or [cell] levels = [1] and spikes = unsigned"

_RESETS: Mapping[Reset, Callable[[IF], Part]] = {
    Reset.SUBTRACT: lambda neuron: Subtract(),
    Reset.ZERO: lambda neuron: ToPotential(neuron.reset_potential),
    Reset.MODULO: lambda neuron: Modulo(),
}


_WINDOWS: Mapping[Counting, type[FiringWindow | DigitWindow | FirstSpikeWindow]] = {
    Counting.ONE: FiringWindow,
    Counting.DIGIT: DigitWindow,
    Counting.LEAD: FirstSpikeWindow,
}

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "synapse": ("synaptic", "latched", "contraction"),
    "membrane": ("leak",),
    "threshold": ("threshold",),
    "spikes": ("levels", "negative"),
    "reset": ("reset", "reset_potential"),
    "limits": ("saturation",),
    "pause": ("refractory",),
    "openings": ("window", "counting", "ends"),
    "transfer": ("table",),
}
"""The fields that choose the part of each role."""


def _doubled(neuron: IF) -> Iterator[str]:
    """Fields that choose a part where a special one stands."""
    defaults: dict[str, Any] = {field.name: field.default for field in fields(neuron)}
    for part in neuron.special:
        chosen = [n for n in _FIELDS[role_of(part)] if not np.array_equal(getattr(neuron, n), defaults[n])]
        if chosen:
            yield f"{type(part).__name__} stands in the place of {' and '.join(chosen)}, which must not be set"


def _unfit(special: Sequence[object]) -> Iterator[str]:
    """What cannot be parts of one neuron."""
    for part in special:
        name = type(part).__name__
        if not role_of(part) or not is_dataclass(part):
            yield f"{name} is no part: it must be a frozen dataclass with exactly one role of snntoolbox.ir.part"
        elif not _has_features(part):
            yield f"{name} has no features, by which simulators could refuse it"
    by_role: dict[str, list[str]] = {}
    for part in special:
        by_role.setdefault(role_of(part), []).append(type(part).__name__)
    for role, names in by_role.items():
        if role and len(names) > 1:
            yield f"{' and '.join(names)} are both its {role}: two special parts have one role"


def _has_features(part: object) -> bool:
    features = getattr(part, "features", ())
    return bool(features) and all(isinstance(feature, Feature) for feature in features)


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxGate:
    """Max pooling on spikes: in each window passes the current spike of the input whose rate is the highest so far.

    `estimate` says which estimate of the rates: it includes the current step; among equal ones the first in C order of
    the window wins. Its input is the spikes (0 or 1) of one population of shape (channels, *space); it keeps that
    population's scale.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    dilation: tuple[int, ...]
    estimate: Estimate = Estimate.AVERAGE

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "estimate", Estimate(self.estimate))
        except ValueError as error:
            known = ", ".join(Estimate)
            raise ConversionError(f"invalid gate: estimate {self.estimate!r} is none of {known}") from error


Neuron = IF | MaxGate


def miscounting(neuron: Neuron, schedule: Schedule | None) -> str | None:
    """How its spikes count otherwise than a network with this schedule takes them for; None where alike."""
    counting, steps, ends = (schedule.counting, schedule.window, schedule.ends) if schedule else (Counting.ONE, 0, ())
    own, window = (neuron.counting, neuron.window) if isinstance(neuron, IF) else (Counting.ONE, None)
    if own is not counting:
        return f"has spikes that count by '{own}' in a network that counts by '{counting}'"
    if own is Counting.DIGIT and isinstance(neuron, IF) and tuple(neuron.ends) != ends:
        return f"weighs steps by windows to {list(neuron.ends)}, in a network with windows to {list(ends)}"
    if own is not Counting.ONE and window and not ends and window[1] - window[0] != steps:
        return f"fires in {window}, in a network with windows of {steps} steps"
    return None


def has_usual_parts(neuron: Neuron) -> TypeGuard[IF]:
    """Whether the fields of an integrate-and-fire neuron say all of it: it has no special parts."""
    return isinstance(neuron, IF) and not neuron.special
