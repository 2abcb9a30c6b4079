"""The table of remedies: which finding asks for which settings.

A new one is one entry of `REMEDIES`: a function that says why it could help (or None), and what it changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntoolbox.analysis.diagnosis.diagnosis import Advice, Diagnosis
from snntoolbox.analysis.diagnosis.terms import CLIPPING, QUANTISATION, SAMPLING, UNEVENNESS
from snntoolbox.analysis.settings import Notation, as_argument, in_one_line
from snntoolbox.conversion.changes import Changes
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.phased import Phased
from snntoolbox.conversion.schedules.radix import Radix
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.counting import MOST_BITS
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.neurons import Negative, Reset
from snntoolbox.ir.timing import steps_of

MATTERS = 0.2
"""A term matters that makes at least this share of the local squared errors."""

MANY_STEPS = 16
"""From so many steps on an early exit is worth trying."""

REFRACTORY = "input during a refractory period is lost, the more the faster a neuron fires"

_NAMES = {
    CLIPPING: "clipping (activations above the scale)",
    QUANTISATION: "quantisation (rates are multiples of one spike)",
    SAMPLING: "input by spikes (the noise, or rounding, of what they say)",
    UNEVENNESS: "unevenness (spikes too early to be taken back, or late)",
}


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What remedies are chosen by: a diagnosis, the conversion's choices, the duration in ms, and any early exit."""

    diagnosis: Diagnosis
    recipe: Recipe
    duration: float
    early_exit: float = 0.0

    @property
    def rule(self) -> str:
        """The rule that chooses the thresholds, where the recipe leaves it open by the number of steps."""
        steps = self.duration / self.recipe.dt if self.recipe.chosen_schedule.counts_steps else None
        return self.recipe.rule_for(None if steps is None else round(steps))


@dataclass(frozen=True)
class Reason:
    """Why a remedy could help, and the share of the local squared errors that it acts on; None if they do not tell.

    `rank` from 0 to 1 says what is tried first: the share, or how much is at stake where there is none.
    """

    text: str
    share: float | None = None
    rank: float = 1.0


OF_A_RUN = ("duration", "early_exit")
"""What a remedy may change beside the recipe: the duration in ms, the share of predictions that an early exit keeps."""


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """Settings to change.

    when: the reason in a situation, None where it does not apply. changes: of the recipe, and of what is `OF_A_RUN`;
    nothing where it cannot be tried, and `text` says what to do. cost: in words; empty for nothing.
    """

    when: Callable[[Situation], Reason | None]
    changes: Callable[[Situation], Changes]
    text: str = ""
    cost: str = ""

    def setting(self, situation: Situation, notation: Notation = as_argument) -> str:
        """What to do, as users write it."""
        return self.text or in_one_line(self.changes(situation), notation)


def caused_by(*terms: str) -> Callable[[Situation], Reason | None]:
    """Applies where one of these terms matters; the reason names the largest, and the layer it is largest in."""

    def reason(situation: Situation) -> Reason | None:
        diagnosis = situation.diagnosis
        term = max(terms, key=diagnosis.share)
        share, worst = diagnosis.share(term), diagnosis.worst(term)
        if share < MATTERS or worst is None:
            return None
        where = f"most in {worst.name} ({worst.rms(term):.1%} of its activation)"
        return Reason(f"{_NAMES[term]} makes {share:.0%} of the error that the layers add, {where}", share, share)

    return reason


def where(condition: Callable[[Situation], Any], why: str, rank: float = 1.0) -> Callable[[Situation], Reason | None]:
    """Applies where a choice was made that cannot be judged by the terms."""
    return lambda situation: Reason(why, rank=rank) if condition(situation) else None


def both(
    condition: Callable[[Recipe], Any], reason: Callable[[Situation], Reason | None]
) -> Callable[[Situation], Reason | None]:
    """The reason, where the recipe meets the condition."""
    return lambda situation: reason(situation) if condition(situation.recipe) else None


def _silenced(situation: Situation) -> Reason | None:
    """Channels that should fire and never do: their rates lie below one spike in all the steps."""
    layers = [layer for layer in situation.diagnosis.layers if layer.channels]
    worst = max(layers, key=lambda layer: layer.dead / layer.channels, default=None)
    if worst is None or worst.dead < max(1, 0.05 * worst.channels):
        return None
    return Reason(f"{worst.dead} of {worst.channels} channels of {worst.name} never fire though they should", rank=0.1)


def _any(*reasons: Callable[[Situation], Reason | None]) -> Callable[[Situation], Reason | None]:
    """The first reason that applies."""
    return lambda situation: next((r for reason in reasons if (r := reason(situation))), None)


def _unsure(situation: Situation) -> Reason | None:
    moved = [name for name, confidence in situation.diagnosis.confidence.items() if confidence.more_helps]
    if not moved:
        return None
    samples = max(confidence.samples for confidence in situation.diagnosis.confidence.values())
    return Reason(f"{samples} calibration samples leave thresholds unsure, as in {moved[0]}", rank=0.0)


def _to(**fields: Any) -> Callable[[Situation], Changes]:
    """Always these values."""
    return lambda situation: fields


def _neuron_to(**fields: Any) -> Callable[[Situation], Changes]:
    return lambda situation: {f"neuron.{name}": value for name, value in fields.items()}


def _percentile(situation: Situation, percent: float) -> Changes:
    """Thresholds by this percentile; where another rule was named, that too."""
    named = situation.recipe.threshold_rule not in ("auto", "percentile")
    return {"percentile": percent, **({"threshold_rule": "percentile"} if named else {})}


def _phased(situation: Situation) -> Changes:
    """With the corrections of layers that a phased network has; none stays none."""
    other = situation.recipe.layer_correction not in ("auto", "none")
    return {"schedule": Phased.name, **({"layer_correction": "auto"} if other else {})}


def _radix(situation: Situation) -> Changes:
    """The same in as many steps as the levels have binary digits."""
    digits = Radix().steps_for(_levels(situation))
    return {**_phased(situation), "schedule": Radix.name, "duration": digits * situation.recipe.dt}


def _levels(situation: Situation) -> int:
    """The values above 0 that a neuron tells apart."""
    return situation.recipe.chosen_schedule.resolution(steps_of(situation.duration, situation.recipe.dt))


def _longer(situation: Situation) -> Changes:
    """So many steps that a neuron tells twice as many values apart."""
    return {"duration": situation.recipe.chosen_schedule.steps_for(2 * _levels(situation)) * situation.recipe.dt}


def _in_digits(recipe: Recipe) -> bool:
    return recipe.schedule == Radix.name


def _plain(recipe: Recipe) -> bool:
    """Whether neurons are the plain ones, which every schedule can have, and fire all the time."""
    return recipe.chosen_schedule.always_fires and recipe.neuron.lossless and not recipe.neuron.graded


def _coarse(situation: Situation) -> Reason | None:
    """The thresholds are not those of least error for the duration, though clipping or quantisation matters."""
    recipe = situation.recipe
    other = recipe.normalize and recipe.chosen_schedule.counts_steps and situation.rule != "mmse"
    return caused_by(CLIPPING, QUANTISATION)(situation) if other else None


def _uncorrected(situation: Situation) -> bool:
    """Whether layers are left as they are, or corrected in part; with a schedule they always are."""
    recipe = situation.recipe
    return recipe.chosen_schedule.always_fires and recipe.layer_correction not in ("auto", "search", "search+potential")


def _idle(situation: Situation) -> Reason | None:
    """Every sample takes all of many steps."""
    steps = situation.diagnosis.steps
    if situation.early_exit or not situation.recipe.chosen_schedule.ends_early or steps < MANY_STEPS:
        return None
    return Reason(f"every sample takes all {steps} steps, though most are decided long before", rank=0.05)


_COARSE = _any(
    # What a leak silences stays silent.
    caused_by(QUANTISATION, UNEVENNESS, SAMPLING),
    both(lambda r: r.neuron.leak == 1, _silenced),
)
"""More steps, which are finer, help."""


def _without(
    condition: Callable[[Recipe], Any], why: str, changes: Callable[[Situation], Changes]
) -> Remedy:
    """What to do without a choice that cannot be judged by the terms."""
    return Remedy(when=where(lambda situation: condition(situation.recipe), why, 0.3), changes=changes)


def _higher(recipe: Recipe) -> float:
    return 99.9 if recipe.percentile < 99.9 else 100.0


REMEDIES: tuple[Remedy, ...] = (
    Remedy(
        when=both(lambda r: not r.normalize, caused_by(CLIPPING, QUANTISATION)),
        changes=_to(normalize=True),
    ),
    Remedy(
        when=both(lambda r: r.normalize and r.percentile < 100, caused_by(CLIPPING)),
        changes=lambda s: _percentile(s, _higher(s.recipe)),
    ),
    Remedy(
        when=_coarse,
        changes=_to(threshold_rule="mmse"),
    ),
    Remedy(
        when=both(lambda r: np.mean(r.neuron.initial) != 0.5, _any(caused_by(QUANTISATION), _silenced)),
        changes=_neuron_to(initial=0.5),
    ),
    Remedy(
        when=both(lambda r: r.normalize and not r.per_channel, _any(caused_by(QUANTISATION), _silenced)),
        changes=_to(per_channel=True),
    ),
    Remedy(
        when=both(lambda r: r.normalize and r.percentile > 99.9, _any(caused_by(QUANTISATION), _silenced)),
        changes=lambda s: _percentile(s, 99.9),
    ),
    Remedy(
        when=both(lambda r: r.normalize and r.percentile == 99.9, caused_by(QUANTISATION, UNEVENNESS)),
        changes=lambda s: _percentile(s, 99.0),
    ),
    Remedy(
        when=both(lambda r: isinstance(r.encoding, (Poisson, Latency, BinaryDigits)), caused_by(SAMPLING)),
        changes=_to(encoding=ConstantCurrent()),
    ),
    _without(
        lambda r: r.max_pool == "wta", "its circuit may count a spike too many", _to(max_pool="relu_tree")
    ),
    _without(lambda r: r.bias_relaxation, "biases are too small at first", _to(bias_relaxation=False)),
    _without(lambda r: r.delay > 0, "a delay leaves each next layer fewer steps", _to(delay=0)),
    _without(
        lambda r: any(r.neuron.synaptic), "currents that fade bring spikes late", _neuron_to(synaptic=(0.0, 0.0))
    ),
    _without(lambda r: r.neuron.saturation, "limits cut off potentials", _neuron_to(saturation=None)),
    Remedy(
        when=where(lambda s: s.recipe.clamps, "layers that are held miss what comes in the first steps", 0.3),
        changes=_to(),
        text="[paths] filename_clamp_indices left out",
    ),
    Remedy(
        when=where(
            lambda s: s.recipe.neuron.reset is not Reset.SUBTRACT, "this reset loses current above the threshold"
        ),
        changes=_neuron_to(reset=Reset.SUBTRACT),
    ),
    Remedy(
        when=where(lambda s: s.recipe.neuron.leak != 1, "a leak loses part of the current: rates come out too low"),
        changes=_neuron_to(leak=1.0),
    ),
    Remedy(
        when=where(lambda s: s.recipe.neuron.refractory, REFRACTORY),
        changes=_neuron_to(refractory=0),
    ),
    Remedy(
        when=where(lambda s: s.recipe.neuron.refractory and s.recipe.normalize and s.recipe.headroom > 0.2, REFRACTORY),
        changes=lambda s: {"headroom": s.recipe.headroom / 2},
        cost="half the spikes, so rates are coarser",
    ),
    Remedy(
        when=where(lambda s: s.recipe.gate is not None, "a gate passes the spikes of one input at a time", 0.3),
        changes=_to(max_pool="relu_tree"),
        cost="a neuron per comparison",
    ),
    Remedy(
        when=where(lambda s: s.recipe.max2avg_pool, "max pooling was replaced by average pooling: another network"),
        changes=_to(max2avg_pool=False),
    ),
    Remedy(
        when=where(
            lambda s: s.recipe.readout == "spikes", "spike counts of the output are coarse, and never negative", 0.3
        ),
        changes=_to(readout="linear"),
    ),
    Remedy(
        when=where(_uncorrected, "the layers keep what the layers before leave over", 0.3),
        changes=_to(layer_correction="auto"),
    ),
    Remedy(
        when=where(
            lambda s: not s.recipe.readout_correction, "the read-out keeps the mean error and the first steps", 0.3
        ),
        changes=_to(readout_correction=100),
    ),
    Remedy(
        when=where(lambda s: 0 < s.recipe.weight_bits < 16, "weights are rounded to few bits", 0.3),
        changes=lambda s: {"weight_bits": min(16, s.recipe.weight_bits + 2)},
        cost="wider weights",
    ),
    Remedy(
        when=both(lambda r: _plain(r) and r.max_pool != "wta", caused_by(UNEVENNESS)),
        changes=_neuron_to(negative=Negative.MEMORY),
        cost="neurons that remember what they sent",
    ),
    Remedy(
        when=both(lambda r: _plain(r) and r.max_pool == "relu_tree", caused_by(UNEVENNESS)),
        changes=_phased,
        cost="layers fire one after the other, an answer takes as many times the steps",
    ),
    Remedy(
        when=both(
            lambda r: _plain(r) and r.max_pool == "relu_tree" and isinstance(r.encoding, ConstantCurrent),
            caused_by(UNEVENNESS),
        ),
        changes=_radix,
        cost="layers fire one after the other, a binary digit in each step",
    ),
    Remedy(
        when=both(lambda r: not _in_digits(r), _COARSE),
        changes=_longer,
        cost="twice the time and spikes",
    ),
    Remedy(
        when=lambda s: _COARSE(s) if _in_digits(s.recipe) and s.duration < MOST_BITS * s.recipe.dt else None,
        changes=_longer,
        cost="a step more in each window",
    ),
    Remedy(
        when=_idle,
        changes=_to(early_exit=0.99),
        cost="up to 1 % of the predictions are others than after all steps",
    ),
    Remedy(
        when=_unsure,
        changes=_to(),
        text="more samples in x_norm, or a larger [normalization] num_samples",
    ),
)


def applying(situation: Situation) -> list[tuple[Remedy, Reason]]:
    """The remedies that apply, those first that act on the largest part of the error."""
    pairs = [(remedy, reason) for remedy in REMEDIES if (reason := remedy.when(situation))]
    return sorted(pairs, key=lambda pair: -pair[1].rank)  # of equal ranks the table's order stays


def proposal(remedy: Remedy, reason: Reason, situation: Situation, notation: Notation = as_argument) -> Advice:
    """The advice that a remedy comes to, before it is tried; its setting as users write it."""
    setting = remedy.setting(situation, notation)
    return Advice(setting=setting, reason=reason.text, expected=reason.share, cost=remedy.cost)
