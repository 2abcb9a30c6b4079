"""The choice of a recipe: its arithmetic by hand, and trials whose outcome is known."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from snntoolbox.conversion.corrections import choose
from snntoolbox.conversion.corrections.choose import (
    CANDIDATES,
    ENOUGH,
    FEWEST_HELD,
    Choose,
    Tried,
    best,
    output_errors,
)
from snntoolbox.conversion.corrections.correct import Correct
from snntoolbox.conversion.corrections.correct_layers import correct_potential, refine_potential
from snntoolbox.conversion.corrections.sample_steps import LEAST_SAMPLES, PASSES
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.scales import choose_scales, uncorrected
from snntoolbox.conversion.settle import candidates, settle
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.stages import convert
from snntoolbox.engine import layer_activations
from snntoolbox.engine.fast import planning
from snntoolbox.engine.layerwise import Layerwise
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.io import load_network, save
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.summary import network_summary

RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.normal(size=(3, 6))


def small_net():
    """Six rectifiers that hand on their inputs, and three classes."""
    return Graph([Input(name="x", shape=(6,)), Dense(name="d", inputs=("x",), weight=np.eye(6)),
                  ReLU(name="r", inputs=("d",)), Dense(name="y", inputs=("r",), weight=WEIGHT)], ["y"])  # fmt: skip


def network_of(scales):
    """Networks of `small_net` by the name of their rule."""
    return lambda rule: Convert(neuron=IF(initial=0.5))(small_net(), {"r": np.full(6, scales[rule])})


def samples(n, largest=1.0):
    return np.random.default_rng(1).uniform(0, largest, size=(n, 6)).astype(np.float32)


# -- what is tried ------------------------------------------------------------------------------------------------


def test_the_better_rule_is_found():
    """Activations up to 1: a scale of 40 rounds all of them to nothing in 8 steps."""
    choice = Choose(steps=8)([("coarse", "bias"), ("fine", "bias")], network_of({"coarse": 40, "fine": 1}), small_net(),
                             [samples(300)])  # fmt: skip
    assert choice.chosen.rule == "fine"
    assert choice.tried[1].error < choice.tried[0].error / 10
    assert choice.tried[1].agreement > 0.9


def test_others_than_the_corrected_samples_judge():
    """The first 128 samples are small: on them a scale of 0.1 is finer. On those behind it saturates."""
    x = np.concatenate([samples(128, 0.1), samples(300, 1.0)])
    pairs, networks = [("small", "bias"), ("large", "bias")], network_of({"small": 0.1, "large": 1.0})
    assert Choose(steps=8)(pairs, networks, small_net(), [x]).chosen.rule == "large"
    assert Choose(steps=8)(pairs, networks, small_net(), [x[:128]]).chosen.rule == "small"


@pytest.mark.parametrize("n", [100, 150, 500, 1000, 2000, 10_000])
@pytest.mark.parametrize("steps", [1, 2, 4, 8, 16, 32, 64])
def test_trials_stay_within_some_passes(n, steps):
    allowed = int(PASSES * max(n, LEAST_SAMPLES))
    count, corrected, held = Choose(steps=steps).shares(n, len(CANDIDATES), allowed)
    assert count * (corrected + held) * steps <= allowed or count < 2
    assert corrected + held <= n
    if count > 1:
        assert min(corrected, held) >= FEWEST_HELD
        assert corrected >= held or corrected == 128
    assert (count == len(CANDIDATES)) == (steps * 3 * 2 * ENOUGH <= allowed)


def test_all_candidates_see_as_many_samples_as_there_are_at_few_steps():
    assert Choose(steps=2).shares(2000, 3, 3200) == (3, 128, 128)
    assert Choose(steps=8).shares(2000, 3, 3200) == (3, 93, 40)
    assert Choose(steps=8).shares(100, 3, 1500) == (2, 60, 33)


def test_what_leaves_nothing_to_choose():
    pairs, networks = [("a", "bias"), ("b", "bias")], network_of({"a": 1, "b": 2})
    assert Choose(steps=8)(pairs, networks, small_net(), [samples(60)]) is None  # too few
    assert Choose(steps=8)(pairs[:1], networks, small_net(), [samples(300)]) is None
    levels = [replace(n, max_value=1.0, levels=4) if isinstance(n, ReLU) else n for n in small_net().nodes.values()]
    assert Choose(steps=8)(pairs, networks, Graph(levels, ["y"]), [samples(300)]) is None  # exact as they are


# -- how it is judged ---------------------------------------------------------------------------------------------


CLASSES = Head(kind="classes")


def test_the_error_of_classes_is_a_divergence():
    """Outputs of -1 and 1 have a standard deviation of 1: in halves of it they are -2 and 2."""
    wanted, said = np.array([[-1.0, 1.0], [1.0, -1.0]]), np.array([[0.0, 0.0], [1.0, -1.0]])
    p = 1 / (1 + np.exp(-4))
    expected = [p * np.log(2 * p) + (1 - p) * np.log(2 - 2 * p), 0]
    np.testing.assert_allclose(output_errors(said, wanted, CLASSES), expected)
    np.testing.assert_allclose(output_errors(100 * said, 100 * wanted, CLASSES), output_errors(said, wanted, CLASSES))


def test_of_a_map_it_is_the_mean_over_places():
    wanted, said = np.random.default_rng(0).normal(size=(2, 5, 3, 4))
    centred = wanted - wanted.mean(axis=1, keepdims=True)
    wanted = centred / centred.std(axis=(0, 1))  # one unit for all places
    along = output_errors(said, wanted, Head(kind="classes", axis=0))
    single = [output_errors(said[..., i], wanted[..., i], CLASSES) for i in range(4)]
    np.testing.assert_allclose(along, np.mean(single, axis=0))


def test_the_error_of_other_outputs_is_relative():
    wanted = np.array([[1.0], [3.0]])
    np.testing.assert_allclose(output_errors(np.array([[1.5], [3.0]]), wanted, Head()), [0.25, 0])


def test_a_scale_of_all_outputs_is_no_error_where_any_will_do():
    wanted = np.random.default_rng(0).normal(size=(20, 5))
    assert output_errors(0.5 * wanted, wanted, CLASSES).min() > 1e-3
    np.testing.assert_allclose(output_errors(0.5 * wanted, wanted, CLASSES, any_scale=True), 0, atol=1e-12)
    assert output_errors(-wanted, wanted, CLASSES, any_scale=True).min() > 1e-3


def tried(rule, error, uncertain, layers="search"):
    return Tried(rule=rule, layers=layers, error=error, uncertain=uncertain, agreement=None)


def test_only_what_is_clearly_better_replaces_the_first():
    first = tried("first", 1.0, 0.0)
    assert best([first, tried("luckily", 0.9, 0.07), tried("clearly", 0.95, 0.01)]).rule == "clearly"
    assert best([first, tried("luckily", 0.9, 0.2), tried("worse", 1.1, 0.0)]).rule == "first"


def test_layers_stay_as_they_are_where_that_is_no_worse():
    first = tried("first", 1.0, 0.0)
    assert best([first, tried("as it is", 0.99, 0.2, "none")]).rule == "as it is"
    assert best([first, tried("as it is", 1.01, 0.2, "none")]).rule == "first"
    assert best([first, tried("clearly", 0.9, 0.01), tried("as it is", 0.95, 0.2, "none")]).rule == "clearly"


# -- what convert does with it --------------------------------------------------------------------------------------


@pytest.fixture
def graph(new_net):
    net = new_net(2, 6, 6)
    net.dense(net.flat(net.average(net.relu(net.conv(net.relu(net.conv("x", 4)), 4)))), 3)
    return net.graph()


def images(n):
    return np.random.default_rng(0).random((n, 2, 6, 6), dtype=np.float32)


def test_the_network_tells_what_was_chosen(graph, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="snntoolbox"):
        network = convert(graph, images(200), duration=2)
    made = settle(lower(graph, Recipe()), [images(200)], Recipe(), 2)
    assert [(t.rule, t.layers) for t in made.choice.tried] == list(CANDIDATES)
    assert (made.recipe.threshold_rule, made.recipe.layer_correction) in CANDIDATES
    assert network.notes == made.notes
    assert f"chosen: {network.notes[0]}" in caplog.text
    assert network.notes[0] in network_summary(load_network(save(network, tmp_path / "net")))
    assert made.report()["tried"][0]["error"] == made.choice.tried[0].error


def test_what_is_chosen_is_taken(graph, monkeypatch):
    monkeypatch.setattr(choose, "best", lambda tried: tried[2])
    made = settle(lower(graph, Recipe()), [images(200)], Recipe(), 2)
    assert (made.recipe.threshold_rule, made.recipe.layer_correction) == CANDIDATES[2]
    rule = Recipe(threshold_rule=CANDIDATES[2][0])
    scales = choose_scales(lower(graph, Recipe()), [images(200)], rule, duration=2)
    assert all(np.array_equal(made.scales[name], scale) for name, scale in scales.items())


def test_the_choice_is_what_its_recipe_gives(graph):
    """Twice the same, and the same as with rule and correction named."""
    made = settle(lower(graph, Recipe()), [images(200)], Recipe(), 8)
    named = {f: getattr(made.recipe, f) for f in ("threshold_rule", "layer_correction")}
    one, two, third = (convert(graph, images(200), duration=8, **c) for c in ({}, {}, named))
    for other in (two, third):
        for name, population in one.populations.items():
            np.testing.assert_array_equal(population.bias, other.populations[name].bias)
            np.testing.assert_array_equal(population.neuron.initial, other.populations[name].neuron.initial)
    assert not third.notes


def test_what_was_corrected_for_its_trial_is_taken(graph, monkeypatch):
    """With few samples for each; nothing is corrected again, and the original is run once for all candidates."""
    monkeypatch.setattr(planning, "work", lambda _: 1.0)
    values, found = layer_activations.Activations._found, []
    monkeypatch.setattr(layer_activations.Activations, "_found", lambda *a: found.append(a[1]) or values(*a))
    network = convert(graph, images(200), duration=4)
    assert len(found) == len(set(found)) == len(network.populations) + 1
    made = settle(lower(graph, Recipe()), [images(200)], Recipe(), 4)
    assert network.corrected == made.choice.corrected == 85
    for name, population in made.choice.network.populations.items():
        np.testing.assert_array_equal(population.bias, network.populations[name].bias)
        np.testing.assert_array_equal(population.neuron.initial, network.populations[name].neuron.initial)
    np.testing.assert_array_equal(made.choice.network.readouts[0].bias, network.readouts[0].bias)
    chosen = CANDIDATES.index((made.choice.chosen.rule, made.choice.chosen.layers))
    alone = Correct(steps=4, layers=CANDIDATES[chosen][1])
    plain = uncorrected(lower(graph, Recipe()), made.scales, [images(200)], Recipe(), 4)
    again, _ = alone.outcome(plain, lower(graph, Recipe()), [images(200)[: 85 + 40]], 40)
    np.testing.assert_array_equal(again.readouts[0].bias, network.readouts[0].bias)
    assert network.duration == 4
    assert network.calibrated


@pytest.mark.parametrize(
    ("choices", "steps", "wanted"),
    [
        ({}, 8, list(CANDIDATES)),
        ({}, 33, [("mmse", "search")]),
        ({}, 65, [("percentile", "none")]),
        ({"layer_correction": "both"}, 8, [("mmse", "both")]),
        ({"threshold_rule": "ltb"}, 8, [("ltb", "search"), ("ltb", "search+potential"), ("ltb", "both")]),
        ({"percentile": 99.0, "neuron": IF(initial=0.0)}, 8, [("percentile", "bias")]),
        ({"neuron": IF(initial=0.25)}, 8, [("mmse", "bias"), ("percentile", "bias")]),
        ({"neuron": IF(initial=0.25)}, 40, [("mmse", "bias")]),
        ({"schedule": "phased"}, 8, [("mmse", "search"), ("mmse", "potential"), ("mmse", "none")]),
        ({"schedule": "radix"}, 8, [("mmse", "search"), ("mmse", "potential"), ("mmse", "none")]),
        ({"schedule": "radix", "layer_correction": "potential"}, 4, [("mmse", "potential")]),
        ({"schedule": "differential"}, 8, [("percentile", "none")]),
        ({}, None, [("percentile", "none")]),
    ],
)
def test_only_what_is_left_open_is_tried(choices, steps, wanted):
    assert candidates(Recipe(**choices), steps) == wanted


def test_few_samples_get_the_usual_recipe(graph):
    made = settle(lower(graph, Recipe()), [images(50)], Recipe(), 8)
    assert made.choice is None
    assert (made.recipe.threshold_rule, made.recipe.layer_correction) == ("mmse", "search")


def test_a_start_potential_that_is_set_stays(graph, caplog):
    network = convert(graph, images(150), duration=8, neuron=IF(initial=0.25))
    assert all(np.all(p.neuron.initial == 0.25) for p in network.populations.values())
    assert all(p.bias is not None for p in network.populations.values())
    assert "start potential" not in caplog.text
    convert(graph, images(150), duration=8, neuron=IF(initial=0.25), layer_correction="search")
    assert "search changes the start potential that is set" in caplog.text


# -- the potential of each neuron ----------------------------------------------------------------------------------


def channel(errors):
    """Four neurons of one channel with rates of 0 whose activations are `errors`, (samples, 4)."""
    graph = Graph([Input(name="x", shape=(1, 4)), Dense(name="d", inputs=("x",), weight=np.zeros((4, 4))),
                   ReLU(name="r", inputs=("d",))], ["r"])  # fmt: skip
    run = Layerwise(Convert()(graph, {"r": np.ones((1, 1))}), graph, [np.zeros((len(errors), 1, 4), np.float32)], 8)
    return run, run.network.populations["r"], np.asarray(errors, np.float64)[:, None]


def test_neurons_that_differ_for_sure_get_their_own_potential():
    run, population, wanted = channel(np.tile([0.0, 0.02, 0.04, 0.06], (50, 1)))
    found = refine_potential(run, population, wanted).neuron.initial
    np.testing.assert_allclose(found, correct_potential(run, population, wanted).neuron.initial, atol=1e-12)


def test_neurons_that_differ_by_chance_share_one():
    noise = np.random.default_rng(3).normal(0.02, 0.1, size=(50, 4))
    run, population, wanted = channel(noise)
    spread = [float(np.std(f(run, population, wanted).neuron.initial)) for f in (refine_potential, correct_potential)]
    assert spread[0] < 0.3 * spread[1]
    shift = refine_potential(run, population, wanted).neuron.initial - population.neuron.initial
    np.testing.assert_allclose(np.mean(shift), 8 * noise.mean())
