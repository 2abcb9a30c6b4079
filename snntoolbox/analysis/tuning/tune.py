"""`tune`: the settings of a conversion that reach a target, searched on calibration data within a time bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from snntoolbox.analysis.trials import Budget, Trials, widest_schedule
from snntoolbox.analysis.tuning import short_trials
from snntoolbox.analysis.tuning.search import Rung, SearchResult, search
from snntoolbox.analysis.tuning.space import Candidate, Space, axes
from snntoolbox.analysis.tuning.tuning import Target, Trial, Tuning, best_of, in_words
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.changes import changed
from snntoolbox.conversion.lower import lower, without_windows
from snntoolbox.conversion.own_windows import as_pairs, own_windows
from snntoolbox.conversion.recipe import GATES, POOLS, Recipe
from snntoolbox.conversion.smallest_network import smallest_network
from snntoolbox.errors import ConversionError, DataError, SNNToolboxError, UnsupportedError
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.features import DELAYS, MAX_POOLING, RECURRENT
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import MaxPool, ReLU
from snntoolbox.ir.samples import checked_arrays
from snntoolbox.ir.timing import DEFAULT_DURATION, steps_of

FEWEST_SAMPLES = 32
"""Calibration samples below which a search would only find chance: a quarter of them is held back."""
HELD, FITTED = 256, 512
"""At most so many samples are held back, and so many others choose the thresholds."""
FEW_HELD, FEW_FITTED = 48, 96
"""The same for trials that only screen."""

_SLOWER = {"signed": 1.5, "several levels": 1.5}
"""About how much longer a trial takes than with plain neurons."""

Progress = Callable[[float], None]


@checked
def tune(
    graph: Graph,
    calibration_data: Array | Sequence[Array],
    *,
    steps: Sequence[int] = (),
    agreement: float | None = None,
    operations: float | None = None,
    budget: float = 120.0,
    duration: float = DEFAULT_DURATION,
    recipe: Recipe | None = None,
    simulator: str = "INI",
    early_exit: float = 0.0,
    keep: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> Tuning:
    """Search threshold rule, start potential, correction, coding and pooling for a target, on calibration data alone.

    A quarter of the samples, at most 256, is held back and scores, by agreement with the graph's own classes (for other
    outputs by their error); the others choose thresholds. `steps` are the numbers of steps to try (default: those of
    `duration` and its half, quarter and eighth). With `agreement`, a share, the fewest steps that reach it are best;
    `operations` bounds the synaptic operations per sample. The search starts from `recipe` and `choices`, fields of
    `Recipe`; what is on no axis of the search stays. It ends before `budget` seconds are over, by what trials took so
    far; where the first could take long, short ones are timed before it. `early_exit` is a share of predictions to keep
    where samples end early. `keep` names axes (see `axes`) that stay as the recipe has them. `options` are those
    of the built-in simulator, on which trials run. `progress` is told the seconds spent. Errors before any work:
    ConversionError, DataError, UnsupportedError; ConversionError also where not one trial fits into the budget.
    """
    begin = Budget(budget)
    base = replace(recipe or Recipe(), **_known(choices))
    base.check_correction()
    windows = chosen_steps(steps, duration, base)
    data, longest = checked_data(graph, calibration_data), windows[-1] * base.dt
    how: dict[str, Any] = {"early_exit": early_exit, "options": options or {}}
    trials = Trials(graph, data, longest, base, simulator, most_held=HELD, most_fitted=FITTED, **how)
    check_target(trials, agreement, operations, budget, early_exit)
    space, left_out = _space(graph, base, simulator, keep)
    queues = [space.candidates(n) for n in windows]
    small = trials.fewer(FEW_HELD, FEW_FITTED)
    small = small if len(small.held[0]) < len(trials.held[0]) else trials
    few, full = (_rung(t, space, graph) for t in (small, trials))
    short = _rung(small.fewer(short_trials.FEW_HELD, short_trials.FEW_FITTED), space, graph)
    short_trials.time_short_trials(queues[0], short, few, graph, begin)
    target = Target(agreement, operations)
    result = search(queues, few, full, begin, progress or (lambda seconds: None), target)
    used = trials if result.measured else small
    needed = [[c for c in queue if c not in result.spared] for queue in queues]
    return _tuning(result, space, needed, target, used, few, begin, _texts(left_out))


def _space(graph: Graph, base: Recipe, simulator: str, keep: Sequence[str]) -> tuple[Space, dict[tuple[str, str], str]]:
    """What is searched around a recipe, and (axis, value) -> why it is left out; ConversionError where nothing is."""
    left_out = {**_left_out(graph, base, simulator), **kept(base, keep)}
    space = Space.around(base, frozenset(left_out))
    if not space.axes["coding"]:
        raise ConversionError(f"keep = coding is not possible: {left_out['coding', space.own['coding']]}")
    return space, left_out


def _known(choices: dict[str, Any]) -> dict[str, Any]:
    if wrong := sorted(set(choices) - set(Recipe.__dataclass_fields__)):
        raise ConversionError(f"unknown conversion settings: {', '.join(wrong)}", hint="see stb.Recipe")
    return choices


def chosen_steps(steps: Sequence[int], duration: float, base: Recipe) -> list[int]:
    """The numbers of steps to try, from few to many; by default those of the duration, and of half the values, ...

    ConversionError where the recipe has no runs of so many.
    """
    wrong = [n for n in steps if n != int(n) or n < 1]
    if wrong:
        raise ConversionError(f"steps = {', '.join(map(str, wrong))}: each must be a whole number from 1 on")
    schedule = base.chosen_schedule
    if steps:
        levels = {schedule.resolution(int(n)) for n in steps}
    else:
        whole = schedule.resolution(steps_of(duration, base.dt))
        levels = {whole // k for k in (1, 2, 4, 8) if whole // k}
    return sorted(schedule.steps_for(n) for n in levels)


def checked_data(graph: Graph, data: Array | Sequence[Array] | None) -> tuple[Array, ...]:
    """The calibration samples, enough of them to hold some back; DataError."""
    if data is None:
        raise DataError("tuning needs calibration samples", hint="a few hundred training samples, without labels")
    arrays = checked_arrays({n: graph.shapes[n] for n in graph.inputs}, data)
    if len(arrays[0]) < FEWEST_SAMPLES:
        raise DataError(
            f"{len(arrays[0])} calibration samples are too few to tune on: a quarter of them is held back for scoring",
            hint=f"give at least {FEWEST_SAMPLES}, better a few hundred, of the training samples",
        )
    return arrays


def check_target(
    trials: Trials, agreement: float | None, operations: float | None, budget: float, early_exit: float
) -> None:
    """ConversionError with all that is wrong in the target and the bounds."""
    wrong = []
    if agreement is not None and not 0 < agreement <= 1:
        wrong.append(f"agreement = {agreement:g} is not above 0 and at most 1")
    if not 0 <= early_exit <= 1:
        wrong.append(f"early_exit = {early_exit:g} is not from 0 to 1")
    if operations is not None and not (operations > 0 and math.isfinite(operations)):
        wrong.append(f"operations = {operations:g} is not above 0")
    if not (budget > 0 and math.isfinite(budget)):
        wrong.append(f"budget = {budget:g} seconds is not above 0")
    if not trials.classifies and (agreement is not None or early_exit):
        wrong.append("the model's output says no classes: agreement and early_exit need them")
    elif early_exit and not trials.head.decides_once(trials.original.shape[1:]):
        wrong.append("the model's output says several classes per sample: early_exit needs one")
    if not trials.recipe.normalize:
        wrong.append("normalize must be on: without it no thresholds are chosen, and there is nothing to tune")
    if wrong:
        raise ConversionError(f"invalid search settings: {'; '.join(wrong)}")


def kept(base: Recipe, keep: Sequence[str]) -> dict[tuple[str, str], str]:
    """All other values of the axes that stay as they are, with an empty reason; ConversionError for unknown ones."""
    known = axes()
    if wrong := [axis for axis in keep if axis not in known]:
        raise ConversionError(f"keep = {', '.join(wrong)}: unknown axis", hint=f"known: {', '.join(known)}")
    space = Space.around(base)
    return {(axis, name): "" for axis in keep for name in space.axes[axis] if name != space.own[axis]}


def _left_out(graph: Graph, base: Recipe, simulator: str) -> dict[tuple[str, str], str]:
    """(axis, value) -> why it cannot be, before any trial; UnsupportedError where no coding runs on the simulator."""
    backend, left_out = backend_named(simulator), {}
    space, refusal = Space.around(base), None
    lowered = lower(graph, replace(base, schedule=widest_schedule(base), max_pool="relu_tree"))
    for name, changes in space.axes["coding"].items():
        schedule = space.schedule(name)
        if offenders := [*schedule.unsupported(lowered), *without_windows(lowered, schedule)]:
            left_out["coding", name] = ", ".join(dict.fromkeys(o.reason for o in offenders))
            continue
        try:
            own_windows(lowered, as_pairs(changes["bits"]))
            network = smallest_network(changed(base, changes))
            backend.capabilities.check(backend.name, legalized(network, backend, ()))
        except SNNToolboxError as error:
            unsupported = isinstance(error, UnsupportedError)
            reasons = ", ".join(o.reason for o in error.offenders) if isinstance(error, UnsupportedError) else ""
            left_out["coding", name] = f"{simulator} cannot run {reasons}" if unsupported else error.message
            refusal = error if name == space.own["coding"] or refusal is None else refusal
    if refusal is not None and len(left_out) == len(space.axes["coding"]):
        raise refusal
    pools = any(isinstance(n, MaxPool) for n in graph.nodes.values())
    if not pools or base.max2avg_pool:
        left_out.update({("pool", name): "" for name in POOLS})
    elif MAX_POOLING not in backend.capabilities.features:
        left_out.update({("pool", name): f"{simulator} cannot run max pooling by a gate" for name in GATES})
    if not {DELAYS, RECURRENT} <= backend.capabilities.features:
        left_out["pool", "wta"] = f"{simulator} cannot run loops"
    return left_out


def _texts(left_out: dict[tuple[str, str], str]) -> dict[str, str]:
    return {f"{axis} {name}": reason for (axis, name), reason in left_out.items() if reason}


def _rung(trials: Trials, space: Space, graph: Graph) -> Rung:
    samples, dt, depth = len(trials.held[0]), trials.recipe.dt, _depth(graph)

    def measure(candidate: Candidate) -> Any:
        return trials.measured(space.recipe(candidate), window(candidate.window, dt))

    def work(candidate: Candidate) -> float:
        coding = candidate.chosen["coding"]
        factor = space.schedule(coding).cost(depth) * _SLOWER.get(coding, 1.0) * space.neurons(candidate)
        return candidate.window * factor * samples

    return Rung(samples, measure, work)


def window(steps: int, dt: float) -> float:
    """The duration in ms of so many steps, free of rounding."""
    return float(f"{steps * dt:.12g}")


def _depth(graph: Graph) -> int:
    """Rectifiers and max pools on the longest path."""
    depths: dict[str, int] = {}
    for name, node in graph.nodes.items():
        depths[name] = isinstance(node, ReLU | MaxPool) + max((depths[i] for i in node.inputs), default=0)
    return max(depths.values())


def _tuning(
    result: SearchResult,
    space: Space,
    queues: Sequence[Sequence[Candidate]],
    target: Target,
    trials: Trials,
    few: Rung,
    begin: Budget,
    left_out: dict[str, str],
) -> Tuning:
    measured = list((result.measured or result.screened).values())
    if not measured:
        raise _nothing(result, queues[0], few, begin)
    best = best_of(measured, target)
    start = {t.candidate: t for t in measured}.get(queues[-1][0])
    total = [len(queue) for queue in queues]
    seen = {*result.screened, *result.failed}
    untried = {q[0].steps: n for q in queues if (n := sum(c not in seen for c in q))}
    return Tuning(
        trials=tuple(sorted(measured, key=_order)),
        target=target,
        best=best,
        start=start,
        recipe=space.recipe(best.candidate),
        duration=window(best.candidate.window, space.base.dt),
        changes=space.changes(best.candidate),
        candidates=sum(total),
        screened=len(result.screened),
        few=few.samples,
        fitted=len(trials.fitted[0]),
        seconds=begin.spent,
        budget=begin.seconds,
        early_exit=trials.early_exit,
        untried=untried,
        never=tuple(space.never(seen, [c for queue in queues for c in queue])),
        left_out=left_out,
        failed={f"{c.steps} steps, {c}": reason for c, reason in result.failed.items()},
    )


def _nothing(result: SearchResult, shortest: Sequence[Candidate], few: Rung, budget: Budget) -> ConversionError:
    """Why there is no trial at all."""
    if result.failed:
        return ConversionError(f"no setting could be tried: {'; '.join(dict.fromkeys(result.failed.values()))}")
    seconds = min(budget.expected(few.work(candidate)) for candidate in shortest)
    trial = f"{shortest[0].steps} steps on {few.samples} samples should take {in_words(seconds)}"
    return ConversionError(
        f"no setting can be tried in {budget.seconds:g} seconds: the shortest trial, {trial}",
        hint="fewer steps (--steps, duration), fewer calibration samples, or a longer budget",
    )


def _order(trial: Trial) -> Any:
    return (trial.candidate.steps, trial.loss, trial.score)
