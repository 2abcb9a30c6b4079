"""The result of a search as data: its trials, their Pareto front, and the best of them for the target."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snntoolbox.analysis.settings import Notation, as_argument, written
from snntoolbox.analysis.trials import Measurement
from snntoolbox.analysis.tuning.front import Costs, front
from snntoolbox.analysis.tuning.space import Candidate
from snntoolbox.conversion.changes import Changes
from snntoolbox.conversion.recipe import Recipe

WIDTH = 80
_MOST = 24
"""Rows of the table; of a longer front the ends and an even choice between."""


def tuning_text(tuning: Tuning, notation: Notation = as_argument) -> str:
    """The whole result, with settings as users write them."""
    parts = ["\n".join(_table(tuning)), "\n".join(_best(tuning, notation)), "\n".join(_effort(tuning))]
    return "\n\n".join(parts)


def _table(tuning: Tuning) -> Iterator[str]:
    best, start = tuning.best, tuning.start
    yield from _wrapped(f"What nothing beats on {best.samples} calibration samples held back")
    score = "error" if best.measured.outcome.agreement is None else "agree"
    yield f"  {score:>7}{'steps':>8}{'every':>7}{'neurons':>10}{'operations':>13}  setting"
    yield "-" * WIDTH
    front = list(tuning.front)
    shown = front if len(front) <= _MOST else [front[i * (len(front) - 1) // (_MOST - 1)] for i in range(_MOST)]
    if best not in shown:
        shown = sorted([*shown, best], key=lambda t: (t.steps, t.loss))
    for trial in shown:
        yield from _row(trial, "*" if trial is best else " ")
    if len(shown) < len(front):
        yield f"  ... {len(front) - len(shown)} more are in tune.json"
    if start is not None and start not in shown:
        yield "As it was:"
        yield from _row(start, " ")


def _row(trial: Trial, mark: str) -> Iterator[str]:
    outcome = trial.measured.outcome
    share = outcome.output_error if outcome.agreement is None else outcome.agreement
    found = trial.measured
    costs = f"{trial.steps:>8.4g}{found.interval:>7.4g}{found.neurons:>10,}{found.operations:>13,.0f}"
    numbers = f"{mark} {share:>7.1%}{costs}  "
    setting = textwrap.wrap(str(trial.candidate), WIDTH - len(numbers), break_on_hyphens=False)
    for i, line in enumerate(setting):
        yield (" " * len(numbers) if i else numbers) + line


def _best(tuning: Tuning, notation: Notation) -> Iterator[str]:
    goals = []
    if tuning.target.agreement is not None:
        goals.append(f"an agreement of {tuning.target.agreement:.1%}")
    if tuning.target.operations is not None:
        goals.append(f"at most {tuning.target.operations:,.0f} operations")
    if goals and not tuning.reached:
        yield from _wrapped(f"NOT REACHED: {' with '.join(goals)}. The nearest to it:")
    else:
        yield from _wrapped(f"The best{' for ' + ' with '.join(goals) if goals else ''} (*):")
    for setting in written({"duration": tuning.duration, **tuning.changes}, notation):
        yield f"  {setting}"


def _effort(tuning: Tuning) -> Iterator[str]:
    one = 1 / tuning.best.samples
    yield from _wrapped(
        f"{tuning.seconds:.0f} s of {tuning.budget:g} s: {tuning.screened} of {tuning.candidates} settings tried on "
        f"{tuning.few} samples, {len(tuning.trials)} shown on {tuning.best.samples}; {tuning.fitted} others chose "
        f"thresholds. One sample is {one:.1%}. The test set was not read."
    )
    if tuning.untried:
        counts = ", ".join(f"{n} at {steps} steps" for steps, n in tuning.untried.items())
        yield from _wrapped(f"Left untried, as they should take longer than what is left: {counts}.")
    if tuning.never:
        yield from _wrapped(f"Never tried: {', '.join(tuning.never)}.")
    for value, reason in tuning.left_out.items():
        yield from _wrapped(f"Left out: {value}: {reason}.")
    if tuning.failed:
        reasons = "; ".join(dict.fromkeys(tuning.failed.values()))
        yield from _wrapped(f"{len(tuning.failed)} could not be converted: {reasons}.")


def in_words(seconds: float) -> str:
    """About so much time."""
    for unit, length in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.0f} {unit}"
    return f"about {seconds:.2g} seconds"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="   ", break_on_hyphens=False)


@dataclass(frozen=True)
class Target:
    """What is wanted: an agreement of at least so much, at most so many synaptic operations; None for any."""

    agreement: float | None = None
    operations: float | None = None

    def met(self, trial: Trial) -> bool:
        """Whether a trial reaches it."""
        agreement = trial.measured.outcome.agreement
        enough = self.agreement is None or (agreement is not None and agreement >= self.agreement - 1e-9)
        return enough and (self.operations is None or trial.measured.operations <= self.operations)


@dataclass(frozen=True)
class Trial:
    """A candidate and what it gave on `samples` samples held back, and the seconds that took."""

    candidate: Candidate
    measured: Measurement
    samples: int
    seconds: float

    @property
    def steps(self) -> float:
        """Mean steps from a sample to its answer."""
        return self.measured.outcome.steps or float(self.candidate.steps)

    @property
    def loss(self) -> float:
        """The share of samples that are not agreed on; without classes the relative error of the output."""
        outcome = self.measured.outcome
        return outcome.output_error if outcome.agreement is None else 1 - outcome.agreement

    @property
    def score(self) -> float:
        """The loss, told apart where it is equal by the error of the output; less is better."""
        return self.loss + self.measured.outcome.output_error

    @property
    def costs(self) -> Costs:
        """What the front is of: loss, steps, steps between samples, synaptic operations, spikes, neurons."""
        found = self.measured
        return (round(self.loss, 9), self.steps, found.interval, found.operations, found.spikes, found.neurons)


def best_of(trials: Sequence[Trial], target: Target) -> Trial:
    """The trial to take.

    With an agreement to reach, the one of the fewest steps (then the fewest between samples, then of fewest operations)
    that does and keeps the operations; else the one of least loss within the operations, then of fewest steps. Where
    none reaches the target: of those within the operations, if any, the one of least loss; else the one of fewest
    operations.
    """
    met = [t for t in trials if target.met(t)]
    if met and target.agreement is not None:
        return min(met, key=lambda t: (*t.costs[1:], t.score))
    affordable = [t for t in trials if Target(None, target.operations).met(t)]
    if not affordable:
        return min(trials, key=lambda t: (t.measured.operations, t.costs))
    return min(affordable, key=lambda t: (*t.costs, t.score))


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What a search found; printed it is a table of 80 columns.

    trials: those on most samples; front: those of them that none beats in agreement, steps, throughput, operations,
    spikes and neurons at once; best is one of them; start is the recipe as it was, at the most steps. screened of
    candidates were tried at all, on `few` samples; untried: steps -> number left for lack of time, and `never` the
    values that none tried has. left_out: value -> why it cannot be; failed: trial -> its error. recipe, duration (ms):
    the best, ready to convert with; changes: what makes that recipe of the one that was given.
    """

    trials: tuple[Trial, ...]
    target: Target
    best: Trial
    start: Trial | None
    recipe: Recipe
    duration: float
    changes: Changes
    candidates: int
    screened: int
    few: int
    fitted: int
    seconds: float
    budget: float
    early_exit: float = 0.0
    untried: Mapping[int, int] = field(default_factory=dict)
    never: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Whether the best meets the target."""
        return self.target.met(self.best)

    @property
    def front(self) -> tuple[Trial, ...]:
        """The Pareto front, from few steps to many; of equal trials the first."""
        kept = {self.trials[i].costs: self.trials[i] for i in reversed(front([t.costs for t in self.trials]))}
        return tuple(sorted(kept.values(), key=lambda t: (t.steps, t.loss, t.measured.operations)))

    def data(self, notation: Notation = as_argument) -> dict[str, Any]:
        """As plain data for ``tune.json``, with settings as users write them."""
        settings = written({**self.changes, "duration": self.duration}, notation)
        return {
            "target": {"agreement": self.target.agreement, "operations": self.target.operations},
            "reached": self.reached,
            "best": {**_plain(self.best), "settings": {s.path: s.value for s in settings}},
            "start": None if self.start is None else _plain(self.start),
            "front": [_plain(t) for t in self.front],
            "trials": [_plain(t) for t in self.trials],
            "candidates": self.candidates,
            "screened": self.screened,
            "samples": {"held_back": self.best.samples, "screening": self.few, "thresholds": self.fitted},
            "seconds": round(self.seconds, 3),
            "budget": self.budget,
            "early_exit": self.early_exit,
            "untried": {str(steps): n for steps, n in self.untried.items()},
            "never_tried": list(self.never),
            "left_out": dict(self.left_out),
            "failed": dict(self.failed),
        }

    def __str__(self) -> str:

        return tuning_text(self)


def _plain(trial: Trial) -> dict[str, Any]:
    outcome = trial.measured.outcome
    return {
        "duration_steps": trial.candidate.window or trial.candidate.steps,
        "choices": trial.candidate.chosen,
        "agreement": outcome.agreement,
        "output_error": outcome.output_error,
        "mean_steps": trial.steps,
        "steps_between_samples": trial.measured.interval,
        "synaptic_operations": trial.measured.operations,
        "spikes": trial.measured.spikes,
        "neurons": trial.measured.neurons,
        "samples": trial.samples,
        "seconds": round(trial.seconds, 3),
    }
