"""Tries remedies on calibration data within a time bound: converts again, simulates, and compares with the original."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from snntoolbox.analysis.advice.remedies import OF_A_RUN, Situation, applying, proposal
from snntoolbox.analysis.diagnosis.diagnosis import Advice, Confidence, Diagnosis, Outcome
from snntoolbox.analysis.diagnosis.observer import Observer
from snntoolbox.analysis.settings import Notation, as_argument
from snntoolbox.analysis.trials import Budget, Trials
from snntoolbox.conversion.changes import Changes, changed
from snntoolbox.conversion.lower import lower
from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.progress import counted

log = logging.getLogger(__name__)


def diagnosed(trials: Trials) -> tuple[Diagnosis, Outcome]:
    """The recipe as it is, on the samples held back: the terms of its error, and its outcome."""
    network = trials.converted(trials.recipe, trials.duration)
    observer = Observer(network, lower(trials.graph, trials.recipe))
    result = trials.run(network, trials.duration)
    observer.add(trials.held, result)
    return observer.diagnosis(), trials.outcome(result)


def advise(
    trials: Trials,
    seconds: float,
    confidence: Mapping[str, Confidence] = MappingProxyType({}),
    notation: Notation = as_argument,
) -> tuple[Advice, ...]:
    """Remedies for a recipe, tried for at most about `seconds`, ranked by the gain measured.

    The recipe itself is always measured first, and a remedy is tried only if the time that it should take is left.
    Remedies that helped at no cost in duration are then tried together. `confidence` adds what is known about the
    thresholds, `notation` is how settings are written.
    """
    budget = Budget(seconds)
    with budget.timed():
        diagnosis, before = diagnosed(trials)
    diagnosis = replace(diagnosis, confidence=confidence)
    situation = Situation(
        diagnosis=diagnosis, recipe=trials.recipe, duration=trials.duration, early_exit=trials.early_exit
    )
    trying = _Trying(trials, budget, depth=len(diagnosis.layers))
    advices: list[tuple[Changes, Advice]] = []
    for remedy, reason in counted("Trying settings", [*applying(situation)]):
        changes, advice = remedy.changes(situation), proposal(remedy, reason, situation, notation)
        advice = replace(advice, samples=len(trials.held[0]), before=before)
        advices.append((changes, trying.tried(changes, advice)))
    if (joint := trying.together(advices)) is not None:
        advices.append(({}, joint))
    return tuple(advice for _, advice in sorted(advices, key=lambda pair: _rank(pair[1])))


@dataclass(frozen=True)
class _Trying:
    """Trials within a budget, for a network of so many layers at most one behind the other."""

    trials: Trials
    budget: Budget
    depth: int

    def measured(self, changes: Changes) -> Outcome | None:
        """The outcome with these changes; None where no time is left for it."""
        recipe = changed(self.trials.recipe, {n: v for n, v in changes.items() if n not in OF_A_RUN})
        duration = changes.get("duration", self.trials.duration)
        costs = [r.chosen_schedule.cost(self.depth) for r in (recipe, self.trials.recipe)]
        work = duration / self.trials.duration * costs[0] / costs[1]
        if not self.budget.allows(work):
            return None
        trials = replace(self.trials, early_exit=changes.get("early_exit", self.trials.early_exit))
        with self.budget.timed(work):
            return trials.measured(recipe, duration).outcome

    def tried(self, changes: Changes, advice: Advice) -> Advice:
        """The advice with what came of it, or why it was not tried."""
        if not changes:
            return replace(advice, untried="needs more data" if "x_norm" in advice.setting else "a file says it")
        try:
            after = self.measured(changes)
        except SNNToolboxError as error:
            return replace(advice, untried=error.brief)
        if after is None:
            return replace(advice, untried="no time was left")
        log.info("tried %s: %s", advice.setting, after)
        return replace(advice, after=after)

    def together(self, tried: Sequence[tuple[Changes, Advice]]) -> Advice | None:
        """All that helped without more steps at once, where that is more than one setting and better than each."""
        helpful = [(c, advice) for c, advice in tried if advice.helps and not c.keys() & set(OF_A_RUN)]
        if len(helpful) < 2:
            return None
        kept: list[Advice] = []
        every: dict[str, Any] = {}
        for changes, advice in sorted(helpful, key=lambda pair: _rank(pair[1])):
            if not changes.keys() & every.keys():  # of two values of a field the better
                kept.append(advice)
                every.update(changes)
        joint = Advice(
            setting=" and ".join(advice.setting for advice in kept),
            reason="each of them helps alone",
            cost=", ".join(dict.fromkeys(advice.cost for advice in kept if advice.cost)),
            samples=kept[0].samples,
            before=kept[0].before,
        )
        try:
            joint = replace(joint, after=self.measured(every))
        except SNNToolboxError:
            return None
        return joint if len(kept) > 1 and joint.helps and _rank(joint) < _rank(kept[0]) else None


def _rank(advice: Advice) -> tuple[int, float, int, float]:
    """What helped, by agreement, what costs nothing first; then what was not tried; then what did not help."""
    if advice.after is None:
        return (1, -(advice.expected or 0.0), bool(advice.cost), 0.0)
    return (0 if advice.helps else 2, -(advice.gain or 0.0), bool(advice.cost), advice.after.output_error)
