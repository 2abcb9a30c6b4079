"""What a search found, as data: its trials, their Pareto front, and the best of them for the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snntoolbox.conversion import Recipe
from snntoolbox.trials import Measured
from snntoolbox.tuning.front import Costs, front
from snntoolbox.tuning.space import Candidate


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
    measured: Measured
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
        """What the front is of: loss, steps, synaptic operations."""
        return (round(self.loss, 9), self.steps, self.measured.operations)


def best_of(trials: Sequence[Trial], target: Target) -> Trial:
    """The trial to take.

    With an agreement to reach, the one of the fewest steps (then operations) that does and keeps the operations; else
    the one of least loss within the operations, then of fewest steps. Where none reaches the target: of those within
    the operations, if any, the one of least loss; else the one of fewest operations.
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

    trials: those on most samples; front: those of them that none beats in agreement, steps and operations at once; best
    is one of them; start is the recipe as it was, at the most steps. screened of candidates were tried at all, on
    `few` samples; untried: steps -> number left for lack of time, and `never` the values that none tried has. left_out:
    value -> why it cannot be; failed: trial -> its error. recipe, duration (ms), keys: the best, ready to convert with.
    """

    trials: tuple[Trial, ...]
    target: Target
    best: Trial
    start: Trial | None
    recipe: Recipe
    duration: float
    keys: Mapping[str, object]
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

    def data(self) -> dict[str, Any]:
        """As plain data for ``tune.json``."""
        return {
            "target": {"agreement": self.target.agreement, "operations": self.target.operations},
            "reached": self.reached,
            "best": {**_plain(self.best), "settings": {**self.keys, "simulation.duration": self.duration}},
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
        from snntoolbox.tuning.text import tuning_text

        return tuning_text(self)


def _plain(trial: Trial) -> dict[str, Any]:
    outcome = trial.measured.outcome
    return {
        "duration_steps": trial.candidate.steps,
        "choices": trial.candidate.chosen,
        "agreement": outcome.agreement,
        "output_error": outcome.output_error,
        "mean_steps": trial.steps,
        "synaptic_operations": trial.measured.operations,
        "samples": trial.samples,
        "seconds": round(trial.seconds, 3),
    }
