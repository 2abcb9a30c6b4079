"""The Pareto front on points whose front is known, and the choice for a target."""

import pytest

from snntoolbox.analysis.diagnosis.diagnosis import Outcome
from snntoolbox.analysis.trials import Measurement
from snntoolbox.analysis.tuning.front import dominates, front, ranks
from snntoolbox.analysis.tuning.space import Candidate
from snntoolbox.analysis.tuning.tuning import Target, Trial, best_of

# points -> the indices on their front
FRONTS = {
    "one": ([(1, 1)], [0]),
    "a chain": ([(3, 3), (1, 1), (2, 2)], [1]),
    "a stair": ([(1, 3), (2, 2), (3, 1), (3, 3)], [0, 1, 2]),
    "equal in one": ([(1, 3), (1, 2)], [1]),
    "equal": ([(1, 1), (1, 1), (2, 1)], [0, 1]),
    "three costs": ([(1, 2, 3), (2, 3, 1), (2, 3, 2), (3, 1, 2), (1, 2, 4)], [0, 1, 3]),
    "none": ([], []),
}


@pytest.mark.parametrize("case", FRONTS)
def test_front(case):
    points, wanted = FRONTS[case]
    assert front(points) == wanted


def test_ranks_peel_fronts():
    assert ranks([(3, 3), (1, 1), (2, 2), (1, 4)]) == [2, 0, 1, 1]
    assert ranks([]) == []


def test_a_point_does_not_beat_its_equal():
    assert not dominates((1, 1), (1, 1))
    assert dominates((1, 1), (1, 2))
    assert not dominates((0, 3), (1, 2))


def trial(agreement, steps, operations, error=0.1, neurons=10):
    measured = Measurement(Outcome(agreement, error, steps), operations, 0.0, steps, neurons)
    return Trial(Candidate(steps, ()), measured, 100, 1.0)


TRIALS = (trial(0.90, 4, 100), trial(0.97, 8, 300), trial(0.99, 16, 200), trial(0.99, 32, 150), trial(0.97, 8, 250))

# target -> agreement, steps, operations of what is taken, and whether it reaches it
TARGETS = {
    "nothing": (Target(), (0.99, 16, 200), True),
    "agreement": (Target(agreement=0.95), (0.97, 8, 250), True),
    "agreement, hardly": (Target(agreement=0.99), (0.99, 16, 200), True),
    "agreement and operations": (Target(agreement=0.95, operations=160), (0.99, 32, 150), True),
    "operations": (Target(operations=120), (0.90, 4, 100), True),
    "too much agreement": (Target(agreement=0.999), (0.99, 16, 200), False),
    "too much for so few operations": (Target(agreement=0.999, operations=180), (0.99, 32, 150), False),
    "too few operations": (Target(operations=10), (0.90, 4, 100), False),
}


@pytest.mark.parametrize("case", TARGETS)
def test_best_for_a_target(case):
    target, wanted, reached = TARGETS[case]
    best = best_of(TRIALS, target)
    assert (best.measured.outcome.agreement, best.steps, best.measured.operations) == wanted
    assert target.met(best) is reached


def test_neurons_are_a_cost():
    few, many = trial(0.99, 8, 100), trial(0.99, 8, 100, neurons=20)
    assert dominates(few.costs, many.costs)
    cheaper = trial(0.99, 8, 90, neurons=20)
    assert front([few.costs, many.costs, cheaper.costs]) == [0, 2]


def test_of_equal_trials_the_one_of_least_error():
    found = best_of([trial(1.0, 8, 100, 0.2), trial(1.0, 8, 100, 0.1)], Target())
    assert found.measured.outcome.output_error == 0.1


def test_without_classes_the_error_counts():
    found = best_of([trial(None, 8, 100, 0.2), trial(None, 16, 100, 0.1)], Target())
    assert found.steps == 16
    assert found.loss == 0.1
