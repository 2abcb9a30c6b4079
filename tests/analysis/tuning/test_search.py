"""The search on a planted landscape: it finds the best, and keeps its budget on a clock of its own."""

from functools import cache

import pytest

from snntoolbox.analysis import trials
from snntoolbox.analysis.diagnosis.diagnosis import Outcome
from snntoolbox.analysis.trials import Budget, Measurement
from snntoolbox.analysis.tuning.search import Rung, search
from snntoolbox.analysis.tuning.space import Space
from snntoolbox.analysis.tuning.tuning import Target, best_of
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.errors import ConversionError

BEST = {"coding": "plain", "rule": "ltb", "scope": "layer", "start": "0.25", "correction": "both", "readout": "0",
        "pool": "gate", "neurons": "1"}  # fmt: skip
"""Five axes away from the default."""


class Clock:
    """Time that passes only where trials are made."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        self.trials = 0
        monkeypatch.setattr(trials.time, "perf_counter", lambda: self.now)

    def rung(self, samples, seconds=lambda candidate: 1.0, fail=lambda candidate: False):
        def measure(candidate):
            self.now += seconds(candidate) * samples
            self.trials += 1
            if fail(candidate):
                raise ConversionError("it cannot be")
            wrong = sum(candidate.chosen[axis] != name for axis, name in BEST.items())
            agreement = 1 - 0.05 * wrong - (0.2 if candidate.steps < 8 else 0)
            steps = candidate.steps
            return Measurement(Outcome(agreement, 0.02 * wrong, steps), 100.0 * steps, 0.0, steps, 10)

        return Rung(samples, measure, lambda candidate: float(candidate.steps * samples))


@cache
def candidates(steps):
    return Space.around(Recipe()).candidates(steps)


def queues(*steps):
    return [list(candidates(n)) for n in steps]


def test_the_planted_best_is_found_long_before_all_is_tried(monkeypatch):
    clock = Clock(monkeypatch)
    found = search(queues(4, 8), clock.rung(1), clock.rung(4), Budget(300))
    best = best_of(list(found.measured.values()), Target(agreement=0.99))
    assert (best.candidate.chosen, best.candidate.steps) == (BEST, 8)
    assert best.samples == 4
    assert len(found.screened) < 0.2 * sum(map(len, queues(4, 8)))


def test_short_runs_that_few_samples_flatter_do_not_keep_long_ones_out(monkeypatch):
    """On few samples all are right, and short runs are cheaper; on all samples long ones alone are."""
    clock = Clock(monkeypatch)

    def rung(samples, right):
        def measure(candidate):
            clock.now += samples
            loss = 0.01 * candidate.distance
            steps = candidate.steps
            return Measurement(Outcome(right(candidate), loss, steps), 100.0 * steps, 0.0, steps, 10)

        return Rung(samples, measure, lambda candidate: float(samples))

    few, full = rung(1, lambda c: 1.0), rung(4, lambda c: 1.0 if c.steps == 8 and c.distance else 0.9)
    found = search(queues(2, 4, 8), few, full, Budget(400))
    best = best_of(list(found.measured.values()), Target(agreement=0.99))
    assert best.candidate.steps == 8


def test_the_start_is_always_measured_on_all_samples(monkeypatch):
    clock = Clock(monkeypatch)
    both = queues(4, 8)
    found = search(both, clock.rung(1), clock.rung(4), Budget(100))
    assert {q[0] for q in both} <= found.measured.keys()


@pytest.mark.parametrize("budget", [0.5, 10, 57, 200])
def test_the_budget_is_kept(budget, monkeypatch):
    clock = Clock(monkeypatch)
    found = search(queues(4, 8), clock.rung(1), clock.rung(4), Budget(budget))
    assert clock.now <= max(budget, 1)
    assert clock.trials == len(found.screened) + len(found.measured) >= 1
    assert clock.now > 0.8 * budget


def test_a_trial_that_is_too_long_is_not_begun(monkeypatch):
    """The time grows with the steps: what the short ones took tells."""
    clock = Clock(monkeypatch)
    found = search(queues(4, 64), clock.rung(1, seconds=lambda c: c.steps / 4), clock.rung(4), Budget(20))
    assert {c.steps for c in found.screened} == {4}
    assert clock.now <= 20


def test_trials_that_fail_are_told_and_counted(monkeypatch):
    clock = Clock(monkeypatch)
    rungs = [clock.rung(n, fail=lambda c: c.chosen["rule"] == "ltb") for n in (1, 4)]
    found = search(queues(8), *rungs, Budget(150))
    assert found.failed
    assert set(found.failed.values()) == {"it cannot be"}
    assert all(c.chosen["rule"] == "ltb" for c in found.failed)
    assert not found.failed.keys() & found.screened.keys()
    assert clock.now <= 150


def test_one_rung_is_enough_where_samples_are_few(monkeypatch):
    clock = Clock(monkeypatch)
    found = search(queues(8), clock.rung(4), clock.rung(4), Budget(400))
    assert found.measured == found.screened
    assert clock.trials == len(found.screened) == 99  # the last would come out at the very end


def test_nothing_is_random(monkeypatch):
    runs = []
    for _ in range(2):
        clock = Clock(monkeypatch)
        runs.append(search(queues(4, 8), clock.rung(1), clock.rung(4), Budget(200)))
    assert list(runs[0].screened) == list(runs[1].screened)
    assert list(runs[0].measured) == list(runs[1].measured)


def test_a_budget_expects_what_the_nearest_trial_took(monkeypatch):
    clock = Clock(monkeypatch)
    budget = Budget(100)
    assert budget.allows(1e9)
    for work, seconds in ((10, 2), (100, 10)):
        with budget.timed(work):
            clock.now += seconds
    assert budget.expected(10) == budget.expected(5) == 2
    assert budget.expected(20) == 4
    assert budget.expected(200) == 20
    assert budget.allows(500)
    assert not budget.allows(1000)
    assert not budget.allows(500, share=0.5)
    assert budget.spent == 12


@cache
def digits(steps):
    return [c for c in Space.around(Recipe(schedule="radix")).candidates(steps) if c.distance <= 2]


def by_windows(monkeypatch, best, target=Target(), steps=(4,)):  # noqa: B008 - frozen
    """A search around a radix recipe; `best` has the agreement of so many neurons a value, or of steps with so many."""
    clock = Clock(monkeypatch)

    def rung(samples):
        def measure(candidate):
            clock.now += samples
            count = int(candidate.chosen["neurons"])
            loss = 1 - best.get((candidate.steps, count), best[count]) + 0.01 * (candidate.distance - (count > 1))
            operations = 100.0 * candidate.steps * count**2
            return Measurement(Outcome(1 - loss, loss, candidate.steps), operations, 0.0, candidate.steps, 10 * count)

        return Rung(samples, measure, lambda candidate: float(samples))

    queues = [list(digits(n)) for n in steps]
    return search(queues, rung(1), rung(4), Budget(1e5), target=target), queues


def counts(trials, steps=4):
    found = [int(c.chosen["neurons"]) for c in trials if c.steps == steps]
    return {count: found.count(count) for count in (1, 2, 4)}


@pytest.mark.parametrize(
    ("reached", "wanted", "tried"),
    [
        ({1: 1.0, 2: 1.0, 4: 1.0}, None, {1}),
        ({1: 0.98, 2: 1.0, 4: 1.0}, None, {1, 2}),
        ({1: 0.98, 2: 0.99, 4: 1.0}, None, {1, 2, 4}),
        ({1: 0.98, 2: 0.99, 4: 1.0}, 0.97, {1}),
        ({1: 0.98, 2: 0.99, 4: 1.0}, 0.985, {1, 2}),
        ({1: 0.98, 2: 0.99, 4: 1.0}, 0.995, {1, 2, 4}),
        ({1: 0.98, 2: 0.97, 4: 1.0}, 0.995, {1, 2}),  # nobody pays for what gets worse
    ],
)
def test_more_neurons_are_tried_where_fewer_miss_the_wish(reached, wanted, tried, monkeypatch):
    found, [queue] = by_windows(monkeypatch, reached, Target(agreement=wanted))
    assert {int(c.chosen["neurons"]) for c in found.measured} == tried
    finer = [c for c in queue if c.coarser is not None]
    assert found.spared == {c for c in finer if c not in found.screened}
    assert counts(found.screened)[1] == len(queue) - len(finer), "with time for all of one neuron nothing is left"
    assert counts(found.screened)[2] + counts(found.screened)[4] <= 8, "and few of more"
    if wanted in (0.985, 0.995) and reached[max(tried)] >= wanted:
        best = best_of(list(found.measured.values()), Target(agreement=wanted))
        assert best.candidate.chosen["neurons"] == f"{max(tried)}"


def test_no_more_neurons_where_operations_are_spent(monkeypatch):
    wish = Target(agreement=0.995, operations=399)
    found, _ = by_windows(monkeypatch, {1: 0.98, 2: 1.0, 4: 1.0}, wish)
    assert counts(found.screened)[2] == 0
    found, _ = by_windows(monkeypatch, {1: 0.98, 2: 0.99, 4: 1.0}, Target(agreement=0.995, operations=400))
    assert counts(found.screened)[2] > 0


def test_no_more_neurons_in_longer_windows_than_do_with_fewer(monkeypatch):
    """Two neurons reach it in three digits: four digits with two, which do not, get no four."""
    reached = {1: 0.98, 2: 1.0, 4: 1.0, (4, 2): 0.99}
    found, _ = by_windows(monkeypatch, reached, Target(agreement=0.995), steps=(3, 4))
    assert best_of(list(found.measured.values()), Target(agreement=0.995)).candidate.steps == 3
    assert counts(found.measured, 3)[2] > 0
    assert counts(found.screened, 4)[2] > 0
    assert counts(found.screened, 4)[4] == 0
