"""The search: candidates on few samples, nearest to the start first, then the best of them on all, within a budget."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from snntoolbox.analysis.trials import Budget, Measurement
from snntoolbox.analysis.tuning.front import front, ranks
from snntoolbox.analysis.tuning.space import REFINED, Candidate
from snntoolbox.analysis.tuning.tuning import Target, Trial
from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.progress import counted

log = logging.getLogger(__name__)

SCREENING = (0.6, 0.85)
"""Trials on few samples are made until this share of the budget; the second time with what the best left of it."""
KEPT = 3
"""One in so many of them is tried on all."""
FEWEST = 8
"""At least so many are, if there is time."""
REFINED_AT_ONCE = 4
"""Of so many at each number of steps more neurons for each value are tried at once."""


@dataclass(frozen=True)
class Rung:
    """Trials on so many samples: `measure` does one, `work` says how large it is (any unit)."""

    samples: int
    measure: Callable[[Candidate], Measurement]
    work: Callable[[Candidate], float]


@dataclass
class SearchResult:
    """What was tried on few samples and on all, what failed, and what there was no need of, see `_refinable`."""

    screened: dict[Candidate, Trial] = field(default_factory=dict)
    measured: dict[Candidate, Trial] = field(default_factory=dict)
    failed: dict[Candidate, str] = field(default_factory=dict)
    spared: frozenset[Candidate] = frozenset()


def search(
    queues: Sequence[Sequence[Candidate]],
    few: Rung,
    full: Rung,
    budget: Budget,
    progress: Callable[[float], None] = lambda seconds: None,
    target: Target = Target(),  # noqa: B008 - frozen
) -> SearchResult:
    """Try candidates until the budget is used: `queues` has those of each number of steps, by distance from the start.

    First the starts and all that differ on one axis, on few samples; then the others, the most promising first, by the
    sum of what their changes did alone. Then, on all samples, the starts and the best third of each number of steps:
    successive Pareto fronts of loss, steps and operations. What has more neurons for each value waits for the same with
    fewer, and is tried where that is among the best and misses the target (see `_refinable`). Nothing is random: only
    the time decides how far it comes.
    """
    result = SearchResult()
    free = [[c for c in queue if c.coarser is None] for queue in queues]
    finer = _by_fineness([c for queue in queues for c in queue if c.coarser is not None])

    def attempt(queue: Sequence[Candidate], rung: Rung, share: float) -> None:
        _try(queue, rung, budget, share, result.measured if rung is not few else result.screened, result, progress)

    def refine(trials: Mapping[Candidate, Trial], rung: Rung, share: float) -> None:
        for level in finer:
            chosen = _refinable(level, trials, target)
            attempt(chosen, few, share)
            if rung is not few:
                attempt([c for c in chosen if c in result.screened], rung, share)

    near = [[c for c in queue if c.distance < 2] for queue in free]
    first = [c for c in chain.from_iterable(zip_longest(*near)) if c is not None]
    attempt(first, few, SCREENING[0])
    refine(result.screened, few, SCREENING[0])
    far = [c for queue in free for c in queue if c.distance >= 2]
    starts = {queue[0].steps: queue[0] for queue in free if queue}
    effects = {steps: _effects(result.screened, start) for steps, start in starts.items()}
    promising = sorted(far, key=lambda c: _expected(c, starts[c.steps], effects[c.steps]))
    alike = few.samples == full.samples
    for share in SCREENING if not alike else (1.0,):
        attempt([*first, *promising], few, share)
        refine(result.screened, few, share)
        if not alike:
            known = [start for start in starts.values() if start in result.screened]
            attempt([*known, *_promoted(result.screened)], full, 1.0)
            refine(result.measured, full, 1.0)
    if alike:
        result.measured = dict(result.screened)
    result.spared = frozenset(_spared(finer, result, target))
    return result


def _by_fineness(finer: Sequence[Candidate]) -> list[list[Candidate]]:
    """Those of few neurons for each value before those of more, which wait for them."""
    values = sorted({c.chosen[REFINED] for c in finer}, key=int)
    return [[c for c in finer if c.chosen[REFINED] == value] for value in values]


def _refinable(finer: Sequence[Candidate], trials: Mapping[Candidate, Trial], target: Target) -> list[Candidate]:
    """Those whose coarser ones deserve it: on the front of their number of steps, at fault, and among its best few.

    At fault is what misses the agreement to reach, in fewer steps than any that has it; without one, what has a loss.
    What has more operations than allowed would have more yet.
    """
    enough = min((t.steps for t in trials.values() if target.agreement and target.met(t)), default=math.inf)
    coarser: list[Candidate] = []
    for steps in {c.steps for c in finer}:
        of_steps = [t for c, t in trials.items() if c.steps == steps]
        leading = [of_steps[i] for i in front([t.costs for t in of_steps])]
        bases = {c.coarser for c in finer if c.steps == steps}
        faulty = [t for t in leading if t.candidate in bases and t.steps < enough and _at_fault(t, target)]
        coarser += [t.candidate for t in sorted(faulty, key=lambda t: t.score)[:REFINED_AT_ONCE]]
    return [c for c in finer if c.coarser in coarser]


def _at_fault(trial: Trial, target: Target) -> bool:
    if target.operations is not None and trial.measured.operations > target.operations:
        return False
    return trial.loss > 1e-9 if target.agreement is None else not target.met(trial)


def _spared(finer: Sequence[Sequence[Candidate]], result: SearchResult, target: Target) -> Iterator[Candidate]:
    """Those that were not tried, and not for lack of time."""
    tried = {*result.screened, *result.failed}
    for level in finer:
        wanted = {c for t in (result.screened, result.measured) for c in _refinable(level, t, target)}
        yield from (c for c in level if c not in tried and c not in wanted)


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
