"""Corrections of layers that fire in turn: they are taken where a trial on other samples shows that they pay."""

import numpy as np
import pytest

from snntoolbox.conversion.corrections.choose_in_turn import ChooseInTurn
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.phased import Phased
from snntoolbox.conversion.settle import settle
from snntoolbox.ir.neurons import IF


class Spoiling(Phased):
    """What it calls a correction makes every neuron fire once more."""

    def corrected(self, network, graph, x, duration, layers):
        return network.with_neurons(initial=1.5)


@pytest.fixture
def graph(new_net):
    net = new_net(2, 6, 6)
    net.dense(net.flat(net.relu(net.conv(net.relu(net.conv("x", 4)), 4))), 3)
    return net.graph()


def images(n):
    return np.random.default_rng(0).random((n, 2, 6, 6), dtype=np.float32)


@pytest.mark.parametrize(("schedule", "steps"), [("phased", 4), ("radix", 3)])
def test_a_correction_that_pays_is_taken(graph, schedule, steps):
    """Without start potentials all is floored: their mean error is half a level."""
    recipe = Recipe(schedule=schedule, neuron=IF(initial=0.0), threshold_rule="max", readout_correction=0)
    made = settle(lower(graph, recipe), [images(200)], recipe, steps)
    assert [t.layers for t in made.choice.tried] == ["search", "potential", "none"]
    assert made.recipe.layer_correction != "none"
    assert made.choice.chosen.error < 0.5 * made.choice.tried[-1].error


def test_one_that_does_not_is_left(graph, monkeypatch):
    from snntoolbox.conversion.schedules import registry

    monkeypatch.setitem(registry.SCHEDULES, "phased", Spoiling())
    recipe = Recipe(schedule="phased")
    made = settle(lower(graph, recipe), [images(200)], recipe, 4)
    assert made.recipe.layer_correction == "none"
    assert made.choice.tried[0].error > made.choice.tried[-1].error


@pytest.mark.parametrize("choices", [{"weight_bits": 8}, {"layer_correction": "potential"}, {"duration": 65}])
def test_where_nothing_is_open_nothing_is_tried(graph, choices):
    duration = choices.pop("duration", 4)
    recipe = Recipe(schedule="phased", **choices)
    assert settle(lower(graph, recipe), [images(200)], recipe, duration).choice is None


def test_few_samples_correct_nothing(graph):
    made = settle(lower(graph, Recipe()), [images(90)], Recipe(schedule="phased"), 4)
    assert made.choice is None
    assert made.recipe.layer_correction == "none"


def test_a_trial_takes_all_samples_that_there_are():
    choose = ChooseInTurn(steps=16, schedule=Phased())
    assert choose.shares(100, 2, 0) == (2, 67, 33)
    assert choose.shares(5000, 2, 0) == (2, 128, 128)
