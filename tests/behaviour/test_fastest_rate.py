"""Thresholds know the fastest rate of their neurons: scales, bounds, corrections and what is said of them."""

from dataclasses import replace

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.advice.remedies import Situation, applying
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.scales import choose_scales
from snntoolbox.conversion.settle import candidates
from snntoolbox.errors import ConversionError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.parts import RefractoryPeriod
from snntoolbox.workflow import demo

PLAIN = IF(initial=0.5)

NEURONS = {
    "plain": PLAIN,
    "refractory for 1 step": replace(PLAIN, refractory=1),
    "refractory for 4 steps": replace(PLAIN, refractory=4),
    "refractory, a part": replace(PLAIN, special=(RefractoryPeriod(2),)),
    "bursts": replace(PLAIN, levels=(1.0, 2.0, 3.0)),
    "bursts of one size": replace(PLAIN, levels=(2.0,)),
    "several thresholds": replace(PLAIN, levels=(1.0, 0.5, 0.25)),
    "signed bursts": replace(PLAIN, levels=(1.0, 2.0), negative="memory"),
}
FASTEST = dict(zip(NEURONS, (1, 1 / 2, 1 / 5, 1 / 3, 1, 1, 1, 1), strict=True))


def rectifier(bound=None, levels=None, size=3):
    return Graph(
        [Input(name="x", shape=(size,)), Dense(name="d", inputs=("x",), weight=np.eye(size)),
         ReLU(name="r", inputs=("d",), max_value=bound, levels=levels)], ["r"],
    )  # fmt: skip


@pytest.mark.parametrize("rule", ["max", "percentile", "ltb", "weights"])
@pytest.mark.parametrize("headroom", [1.0, 0.8])
@pytest.mark.parametrize("name", NEURONS)
def test_the_chosen_activation_lies_at_the_share_of_the_fastest_rate(name, headroom, rule):
    data = [np.random.default_rng(0).random((50, 3))]
    chosen = choose_scales(rectifier(), data, Recipe(threshold_rule=rule))["r"]
    recipe = Recipe(threshold_rule=rule, headroom=headroom, neuron=NEURONS[name])
    np.testing.assert_allclose(choose_scales(rectifier(), data, recipe)["r"], chosen / (headroom * FASTEST[name]))


def test_mmse_knows_it_by_itself():
    data = [np.random.default_rng(0).random((500, 3))]
    few = choose_scales(rectifier(), data, Recipe(threshold_rule="mmse", neuron=NEURONS["bursts"]), duration=16)["r"]
    slow = Recipe(threshold_rule="mmse", neuron=NEURONS["refractory for 4 steps"])
    scales = choose_scales(rectifier(), data, slow, duration=16)["r"]
    assert np.all(scales > 3 * few)
    roomy = choose_scales(rectifier(), data, replace(slow, headroom=0.5), duration=16)["r"]
    np.testing.assert_allclose(roomy, 2 * scales)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("levels", [None, 8])
@pytest.mark.parametrize("name", NEURONS)
def test_a_bound_is_the_end_of_the_rates(name, levels, normalize):
    """Far above the bound of a rectifier its neurons say the bound, whatever they are.

    Without normalisation a spike stands for 1 at most, so that rates may end before the bound.
    """
    x = np.array([[0.0, 0.25, 40.0], [9.0, 60.0, 40.0]])
    headroom = 0.8 if normalize else 1.0
    snn = stb.convert(
        rectifier(0.75, levels), np.abs(x), neuron=NEURONS[name], normalize=normalize, headroom=headroom,
        threshold_rule="max", layer_correction="none", readout_correction=0,
    )  # fmt: skip
    output = stb.simulate(snn, x, duration=600).output
    end = 0.75 if normalize or levels else min(0.75, NEURONS[name].largest_rate)
    np.testing.assert_allclose(output[1], end, atol=0.01)
    assert output[0, 0] <= 0.01


@pytest.mark.parametrize("headroom", [0, -0.5, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(headroom):
    with pytest.raises(ConversionError, match="headroom"):
        Recipe(headroom=headroom)


def test_headroom_without_normalisation_is_refused():
    with pytest.raises(ConversionError, match=r"headroom = 0\.8 needs normalize"):
        Recipe(headroom=0.8, normalize=False)


@pytest.mark.parametrize("refractory", [1, 3])
def test_a_network_with_a_refractory_period_classifies(refractory):
    x_test, y_test, x_norm = (np.load(demo.folder() / name)["arr_0"] for name in demo.DATA)
    graph = stb.load(demo.folder() / "digits_cnn.onnx")
    neuron = replace(PLAIN, refractory=refractory)
    snn = stb.convert(graph, x_norm, duration=100, neuron=neuron)
    result = stb.simulate(snn, x_test[:200], duration=100, batch_size=200)
    assert result.accuracy(y_test[:200]) >= 0.97
    for name in snn.populations:
        assert result.counts[name].max() <= np.ceil(100 / (1 + refractory))


@pytest.mark.parametrize(("neuron", "correction"), [(PLAIN, "none"), (replace(PLAIN, refractory=1), "bias")])
def test_long_runs_are_corrected_where_input_is_lost(neuron, correction):
    assert candidates(Recipe(neuron=neuron), 500)[0] == ("percentile", correction)


def situation(neuron, headroom=1.0):
    graph, x = rectifier(), np.random.default_rng(0).random((40, 3))
    choices = {"neuron": neuron, "headroom": headroom, "threshold_rule": "max", "layer_correction": "none"}
    diagnosis = stb.diagnose(graph, x, duration=100, seconds=0, **choices)
    return Situation(diagnosis=diagnosis, recipe=Recipe(**choices), duration=100)


def test_full_channels_are_those_at_their_fastest_rate():
    graph, x = rectifier(), np.full((4, 3), 1.0)
    choices = {"threshold_rule": "max", "layer_correction": "none", "readout_correction": 0}
    neuron = replace(PLAIN, refractory=3)
    shown = np.tile([[16.0, 0.2, 0.0]], (4, 1))
    layer = stb.diagnose(graph, x, shown, duration=100, seconds=0, neuron=neuron, **choices).layers[0]
    assert (layer.full, layer.saturated, layer.clipped) == (1, pytest.approx(1 / 3), 0.5)


def test_a_refractory_period_gets_advice_that_can_help():
    changes = [remedy.changes(s) for s in [situation(replace(PLAIN, refractory=2))] for remedy, _ in applying(s)]
    assert {"neuron.refractory": 0} in changes
    assert {"headroom": 0.5} in changes
    assert not any("duration" in change for change in changes)


def test_a_lower_rate_bends_less():
    x = np.linspace(0, 1, 60).reshape(20, 3)
    errors = []
    for headroom in (1.0, 0.5, 0.25):
        snn = stb.convert(rectifier(), x, neuron=replace(PLAIN, refractory=2), headroom=headroom, threshold_rule="max")
        errors.append(np.abs(stb.simulate(snn, x, duration=2000).output - x).max())
    assert errors[0] > 1.4 * errors[1] > 1.4 * 1.4 * errors[2]


@pytest.mark.parametrize("lossy", [{"refractory": 1}, {"leak": 0.9}, {"reset": "zero"}, {"saturation": (-1.0, 1.0)}])
def test_neurons_that_lose_input_say_so(lossy):
    assert PLAIN.lossless
    assert not replace(PLAIN, **lossy).lossless


@pytest.mark.parametrize(("neuron", "longer"), [(replace(PLAIN, initial=0.0), True), (replace(PLAIN, leak=0.5), False)])
def test_more_steps_are_no_advice_for_what_a_leak_silences(neuron, longer):
    x = np.random.default_rng(0).random((40, 3)) * [1.0, 0.01, 0.01]
    choices = {"neuron": neuron, "threshold_rule": "max", "per_channel": False, "layer_correction": "none"}
    diagnosis = stb.diagnose(rectifier(), x, duration=60, seconds=0, **choices)
    assert diagnosis.layers[0].dead == 2
    here = Situation(diagnosis=diagnosis, recipe=Recipe(**choices), duration=60)
    assert any("duration" in remedy.changes(here) for remedy, _ in applying(here)) == longer
