"""The search: candidates on few samples, nearest to the start first, then the best of them on all, within a budget."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from snntoolbox.analysis.trials import Budget, Measurement
from snntoolbox.analysis.tuning.front import ranks
from snntoolbox.analysis.tuning.space import Candidate
from snntoolbox.analysis.tuning.tuning import Trial
from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.progress import counted

log = logging.getLogger(__name__)

SCREENING = (0.6, 0.85)
"""Trials on few samples are made until this share of the budget; the second time with what the best left of it."""
KEPT = 3
"""One in so many of them is tried on all."""
FEWEST = 8
"""At least so many are, if there is time."""


@dataclass(frozen=True)
class Rung:
    """Trials on so many samples: `measure` does one, `work` says how large it is (any unit)."""

    samples: int
    measure: Callable[[Candidate], Measurement]
    work: Callable[[Candidate], float]


@dataclass
class SearchResult:
    """What was tried on few samples and on all, and what failed."""

    screened: dict[Candidate, Trial] = field(default_factory=dict)
    measured: dict[Candidate, Trial] = field(default_factory=dict)
    failed: dict[Candidate, str] = field(default_factory=dict)


def search(
    queues: Sequence[Sequence[Candidate]],
    few: Rung,
    full: Rung,
    budget: Budget,
    progress: Callable[[float], None] = lambda seconds: None,
) -> SearchResult:
    """Try candidates until the budget is used: `queues` has those of each number of steps, by distance from the start.

    First the starts and all that differ on one axis, on few samples; then the others, the most promising first, by the
    sum of what their changes did alone. Then, on all samples, the starts and the best third of each number of steps:
    successive Pareto fronts of loss, steps and operations. Nothing is random: only the time decides how far it comes.
    """
    result = SearchResult()
    near = [[c for c in queue if c.distance < 2] for queue in queues]
    first = [c for c in chain.from_iterable(zip_longest(*near)) if c is not None]
    _try(first, few, budget, SCREENING[0], result.screened, result, progress)
    far = [c for queue in queues for c in queue if c.distance >= 2]
    starts = {queue[0].steps: queue[0] for queue in queues if queue}
    effects = {steps: _effects(result.screened, start) for steps, start in starts.items()}
    promising = sorted(far, key=lambda c: _expected(c, starts[c.steps], effects[c.steps]))
    if few.samples == full.samples:
        _try([*first, *promising], few, budget, 1.0, result.screened, result, progress)
        result.measured = dict(result.screened)
        return result
    for share in SCREENING:
        _try([*first, *promising], few, budget, share, result.screened, result, progress)
        known = [start for start in starts.values() if start in result.screened]
        _try([*known, *_promoted(result.screened)], full, budget, 1.0, result.measured, result, progress)
    return result


def _try(
    queue: Sequence[Candidate],
    rung: Rung,
    budget: Budget,
    share: float,
    into: dict[Candidate, Trial],
    result: SearchResult,
    progress: Callable[[float], None],
) -> None:
    name = f"As time allows, on {rung.samples} samples"
    for candidate in counted(name, [c for c in queue if c not in into]):
        work = rung.work(candidate)
        if candidate in result.failed or not budget.allows(work, share):
            continue  # a smaller one may still fit
        begin = time.perf_counter()
        try:
            with budget.timed(work):
                measured = rung.measure(candidate)
        except SNNToolboxError as error:
            result.failed[candidate] = error.brief
            continue
        into[candidate] = Trial(candidate, measured, rung.samples, time.perf_counter() - begin)
        log.debug("%d steps, %s: %s", candidate.steps, candidate, measured)
        progress(budget.spent)


def _effects(screened: Mapping[Candidate, Trial], start: Candidate) -> dict[tuple[str, str], float]:
    """What each change of one axis did to the score; nothing where the start itself is not known."""
    if start not in screened:
        return {}
    known, effects = screened[start].score, {}
    for candidate, trial in screened.items():
        changed = set(candidate.choices) - set(start.choices)
        if candidate.steps == start.steps and candidate.distance == 1:
            # What a choice fixes beside itself belongs to it.
            for choice in changed if len(changed) == 1 else [c for c in candidate.choices if c in changed][:1]:
                effects[choice] = trial.score - known
    return effects


def _expected(candidate: Candidate, start: Candidate, effects: Mapping[tuple[str, str], float]) -> float:
    """The sum of what the changes did alone, then the number of changes; less is more promising."""
    return sum(effects.get(c, 0.0) for c in set(candidate.choices) - set(start.choices)) + 1e-6 * candidate.distance


def _promoted(screened: Mapping[Candidate, Trial]) -> list[Candidate]:
    """The best third of each number of steps: whole fronts one after the other, of each the better scores first.

    The numbers of steps take turns. Among all of them long runs would have to beat short ones that are right on the few
    samples by chance.
    """
    queues = []
    for steps in sorted({c.steps for c in screened}):
        trials = [t for c, t in screened.items() if c.steps == steps]
        ranked = sorted(zip(ranks([t.costs for t in trials]), trials, strict=True), key=lambda r: (r[0], r[1].score))
        queues.append([t.candidate for _, t in ranked[: max(FEWEST, math.ceil(len(trials) / KEPT))]])
    return [c for c in chain.from_iterable(zip_longest(*queues)) if c is not None]
