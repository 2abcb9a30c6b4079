"""Tries remedies on calibration data within a time bound: converts again, simulates, and compares with the original."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from snntoolbox.analysis.advice.remedies import Remedy, Situation, applying, proposal
from snntoolbox.analysis.diagnosis.diagnosis import Advice, Confidence, Diagnosis, Outcome
from snntoolbox.analysis.diagnosis.observer import Observer
from snntoolbox.analysis.trials import Budget, Trials
from snntoolbox.conversion.lower import lower
from snntoolbox.errors import SNNToolboxError

log = logging.getLogger(__name__)


def diagnosed(trials: Trials) -> tuple[Diagnosis, Outcome]:
    """The recipe as it is, on the samples held back: the terms of its error, and its outcome."""
    network = trials.converted(trials.recipe, trials.duration)
    observer = Observer(network, lower(trials.graph, trials.recipe))
    result = trials.run(network, trials.duration)
    observer.add(trials.held, result)
    return observer.diagnosis(), trials.outcome(result)


def advise(
    trials: Trials, seconds: float, confidence: Mapping[str, Confidence] = MappingProxyType({})
) -> tuple[Advice, ...]:
    """Remedies for a recipe, tried for at most about `seconds`, ranked by the gain measured.

    The recipe itself is always measured first, and a remedy is tried only if the time that it should take is left.
    Remedies that helped at no cost in duration are then tried together. `confidence` adds what is known about the
    thresholds.
    """
    budget = Budget(seconds)
    with budget.timed():
        diagnosis, before = diagnosed(trials)
    diagnosis = replace(diagnosis, confidence=confidence)
    situation = Situation(
        diagnosis=diagnosis, recipe=trials.recipe, duration=trials.duration, early_exit=trials.early_exit
    )
    trying = _Trying(trials, budget, depth=len(diagnosis.layers))
    advices: list[tuple[Remedy | None, Advice]] = []
    for remedy, reason in applying(situation):
        advice = replace(proposal(remedy, reason, situation), samples=len(trials.held[0]), before=before)
        advices.append((remedy, trying.tried(remedy, advice)))
    if (joint := trying.together(advices)) is not None:
        advices.append((None, joint))
    return tuple(advice for _, advice in sorted(advices, key=lambda pair: _rank(pair[1])))


@dataclass(frozen=True)
class _Trying:
    """Trials within a budget, for a network of so many layers at most one behind the other."""

    trials: Trials
    budget: Budget
    depth: int

    def measured(self, remedies: Sequence[Remedy]) -> Outcome | None:
        """The outcome with these remedies at once; None where no time is left for it."""
        recipe, lengthen, early_exit = self.trials.recipe, 1, self.trials.early_exit
        for remedy in remedies:
            assert remedy.change is not None
            recipe, lengthen = remedy.change(recipe), lengthen * remedy.lengthen
            early_exit = remedy.early_exit or early_exit
        costs = [r.chosen_schedule.cost(self.depth) for r in (recipe, self.trials.recipe)]
        work = lengthen * costs[0] / costs[1]
        if not self.budget.allows(work):
            return None
        trials = replace(self.trials, early_exit=early_exit)
        with self.budget.timed(work):
            return trials.measured(recipe, trials.duration * lengthen).outcome

    def tried(self, remedy: Remedy, advice: Advice) -> Advice:
        """The advice with what came of it, or why it was not tried."""
        if remedy.change is None:
            return replace(advice, untried="needs more data")
        try:
            after = self.measured([remedy])
        except SNNToolboxError as error:
            return replace(advice, untried=error.message.splitlines()[0])
        if after is None:
            return replace(advice, untried="no time was left")
        log.info("tried %s: %s", advice.setting, after)
        return replace(advice, after=after)

    def together(self, tried: Sequence[tuple[Remedy | None, Advice]]) -> Advice | None:
        """All that helped without more steps at once, where that is more than one setting and better than each."""
        helpful = [(r, advice) for r, advice in tried if r and advice.helps and not r.alone]
        if len(helpful) < 2:
            return None
        settings: dict[str, tuple[Remedy, Advice]] = {}
        for remedy, advice in sorted(helpful, key=lambda pair: _rank(pair[1])):
            settings.setdefault(advice.setting.partition(" = ")[0], (remedy, advice))  # of two values the better
        best = min((advice for _, advice in helpful), key=_rank)
        joint = Advice(
            setting=" and ".join(advice.setting for _, advice in settings.values()),
            reason="each of them helps alone",
            cost=", ".join(dict.fromkeys(a.cost for _, a in settings.values() if a.cost)),
            samples=best.samples,
            before=best.before,
        )
        try:
            joint = replace(joint, after=self.measured([remedy for remedy, _ in settings.values()]))
        except SNNToolboxError:
            return None
        return joint if len(settings) > 1 and joint.helps and _rank(joint) < _rank(best) else None


def _rank(advice: Advice) -> tuple[int, float, int, float]:
    """What helped, by agreement, what costs nothing first; then what was not tried; then what did not help."""
    if advice.after is None:
        return (1, -(advice.expected or 0.0), bool(advice.cost), 0.0)
    return (0 if advice.helps else 2, -(advice.gain or 0.0), bool(advice.cost), advice.after.output_error)
