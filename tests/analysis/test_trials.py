"""Trials of many recipes: what the first leaves open is chosen once."""

import numpy as np
import pytest

from snntoolbox.analysis import trials as trials_module
from snntoolbox.analysis.trials import Trials
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.settle import candidates, settle
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Input, Multiply, ReLU


@pytest.fixture
def trials():
    random = np.random.default_rng(0)
    graph = Graph([Input(name="x", shape=(6,)), Dense(name="d", inputs=("x",), weight=random.normal(size=(8, 6))),
                   ReLU(name="r", inputs=("d",)), Dense(name="y", inputs=("r",), weight=random.normal(size=(3, 8)))],
                  ["y"])  # fmt: skip
    return Trials(graph, [random.random((300, 6), dtype=np.float32)], 8, Recipe())


@pytest.fixture
def settled(monkeypatch):
    """What was settled in trials, one after the other."""
    settled = []
    monkeypatch.setattr(trials_module, "settle", lambda *a: settled.append(settle(*a)) or settled[-1])
    return settled


def test_a_recipe_is_chosen_once_for_a_duration(trials, settled):
    one, two = (trials.converted(Recipe(), 8) for _ in range(2))
    assert [s.choice is not None for s in settled] == [True, False]
    assert settled[0].recipe == settled[1].recipe
    for name, population in one.populations.items():
        np.testing.assert_array_equal(population.bias, two.populations[name].bias)
    trials.converted(Recipe(), 4)  # another duration
    trials.converted(Recipe(threshold_rule="ltb"), 8)  # less left open
    assert [s.choice is not None for s in settled[2:]] == [True, True]


@pytest.mark.parametrize("schedules", [("phased", "radix"), ("radix", "first-spike")])
def test_each_schedule_chooses_for_itself(schedules, trials, settled):
    """They leave the same open, but what pays in one window need not pay in another."""
    one, other = recipes = [Recipe(schedule=name) for name in schedules]
    assert candidates(one, 4) == candidates(other, 4)
    for recipe in [*recipes, *recipes]:
        trials.converted(recipe, 4)
    assert [s.choice is not None for s in settled] == [True, True, False, False]
    assert [s.recipe.layer_correction for s in settled[:2]] == [s.recipe.layer_correction for s in settled[2:]]


def test_the_original_of_products():
    random = np.random.default_rng(0)
    graph = Graph([Input(name="x", shape=(6,)), Dense(name="d", inputs=("x",), weight=random.normal(size=(3, 6))),
                   ReLU(name="r", inputs=("d",)), Multiply(name="y", inputs=("d", "r"))], ["y"])  # fmt: skip
    trials = Trials(graph, [random.normal(size=(40, 6))], 8, Recipe(schedule="phased"))
    np.testing.assert_allclose(trials.original, graph.run(*trials.held), atol=1e-6)
    assert trials.outcome(trials.run(trials.converted(trials.recipe, 8), 8)).output_error < 0.3
