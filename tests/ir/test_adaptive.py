"""Thresholds that follow the rates of their layer: when they move, to what, and what activations become of it."""

import itertools

import numpy as np
import pytest
import torch
from dyadic import dyadic

import snntoolbox as stb
from snntoolbox.backends.registry import backend_named
from snntoolbox.engine.parts import TORCH
from snntoolbox.engine.tensors import Target
from snntoolbox.errors import ConversionError, UnsupportedError
from snntoolbox.ir.adaptive import RateThreshold, SubtractSent, ThresholdSpikes
from snntoolbox.ir.dynamics import start
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input, ReLU


def neuron(gap=0.2, least=0.1, every=4, initial=0.0):
    return IF(special=(RateThreshold(gap, least, every), ThresholdSpikes(), SubtractSent()), initial=initial)


def heights(model, currents, steps):
    """The threshold after each step and what was sent, for neurons (samples, neurons) with these currents."""
    currents = np.asarray(currents, float)
    shape, one = currents.shape[1:], np.ones(1)
    population = Population(name="p", shape=shape, neuron=model, current="c", scale=one, activation="p")
    neurons, found = start(population, len(currents)), []
    for step in range(steps):
        neurons.step(currents, 0.0, step)
        found.append(neurons.memory["threshold"]["height"].ravel().copy())
    return np.array(found), neurons.count


def test_it_becomes_the_highest_rate_of_the_layer_for_each_sample():
    height, _ = heights(neuron(), [[0.25, 0.5], [0.25, 0.0]], 4)
    assert np.array_equal(height, [[1, 1], [1, 1], [1, 1], [0.5, 0.25]])


@pytest.mark.parametrize(
    ("choices", "last"),
    [({}, 0.5), ({"gap": 0.5}, 1.0), ({"least": 0.5}, 1.0), ({"every": 5}, 1.0), ({"every": 2}, 0.75)],
)
def test_it_stays_near_the_largest_rate_at_low_rates_and_between_times(choices, last):
    height, _ = heights(neuron(**choices), [[0.5]], 4)
    assert height[-1, 0] == last


def test_what_is_sent_stands_for_the_same_activation():
    height, sent = heights(neuron(initial=0.5), [[0.3, 0.1, 0.02]], 400)
    assert height[-1, 0] == pytest.approx(0.3**0.5, abs=0.02)  # the rate r of 0.3 in spikes worth r
    assert sent[0] / 400 == pytest.approx([0.3, 0.1, 0.02], abs=0.005)


@pytest.mark.parametrize(("gap", "least"), [(0.1, 0.05), (0.3, 0.1), (0.43, 0.29), (0.2, 0.0)])
def test_bounds_are_strict_in_whole_spikes(gap, least):
    part = RateThreshold(gap, least, 1)
    for steps in (10, 30, 70, 100, 900):
        low, high = part.followed(steps)
        hundredths = range(0, 100 * steps + 1, 100)
        inside = [n // 100 for n in hundredths if round(100 * least) * steps < n < round(100 - 100 * gap) * steps]
        assert (low, high) == (inside[0], inside[-1])


def test_the_built_in_simulator_sets_them_at_the_same_rates():
    """At rates on both sides of a bound and on it, where float32 and float64 round otherwise."""
    for gap, least, spikes in itertools.product((0.1, 0.2, 0.3, 0.4), (0.1, 0.3), range(11)):
        part = RateThreshold(gap, least, 10)
        z = np.zeros((10, 1, 1))
        z[:spikes] = 1
        memory = part.start((1, 1))
        fast = TORCH[RateThreshold](part, Target(torch.device("cpu")), torch.zeros(1, 1))
        for one in z:
            part.fired(one, memory)
            fast.fired(torch.tensor(one, dtype=torch.float32))
        rate = np.ceil(1024 * spikes / 10) / 1024
        expected = rate if round(10 * least) < spikes < round(10 - 10 * gap) else 1.0
        assert memory["height"].item() == fast.height.item() == expected


@pytest.mark.parametrize(("simulator", "steps"), [("INI", 1000), pytest.param("brian2", 40, marks=pytest.mark.long)])
def test_long_runs_are_the_same_spike_by_spike(simulator, steps):
    """At rates such as 7 / 30 too, of which no float holds sums exactly: thresholds are 1024ths."""
    if simulator == "brian2":
        pytest.importorskip("brian2")
    original, x = graph()
    network = dyadic(stb.convert(original, x, T=16, neuron=neuron(0.0, 0.0, every=10, initial=0.25)))
    x, record = np.round(x[:3] * 16) / 16, stb.Record(spikes=True, potentials=True)
    expected = interpret(network, x, steps=steps, record=record)
    with backend_named(simulator).build(network) as run:
        found = run.run(x, steps=steps, record=record)
    for name, values in expected.spikes.items():
        assert len(np.unique(values)) > 4
        np.testing.assert_array_equal(found.spikes[name], values)
        np.testing.assert_array_equal(found.potentials[name], expected.potentials[name])


def graph():
    random = np.random.default_rng(0)
    nodes = [
        Input(name="x", shape=(6,)),
        Dense(name="first", inputs=("x",), weight=random.normal(size=(20, 6)), bias=random.normal(size=20)),
        ReLU(name="relu", inputs=("first",)),
        Dense(name="last", inputs=("relu",), weight=random.normal(size=(3, 20))),
    ]
    return Graph(nodes, ["last"]), random.random((100, 6))


def test_rates_are_finer_where_thresholds_were_too_high():
    original, x = graph()
    wide = np.concatenate([x, np.full((1, 6), 5.0)])  # one sample sets thresholds that no other reaches
    choices = {"threshold_rule": "max", "layer_correction": "none", "readout_correction": 0, "per_channel": False}
    errors, spikes = [], []
    for model in (neuron(least=0.02, initial=0.25), IF(initial=0.25)):
        result = stb.convert(original, wide, T=64, neuron=model, **choices).run(x)
        errors.append(np.abs(result.output - original.run(x)).mean())
        spikes.append(sum(events.sum() for events in result.events.values()))
    assert errors[0] < 0.6 * errors[1]
    assert spikes[0] > spikes[1]


def test_parts_that_do_not_go_together_are_refused():
    with pytest.raises(ConversionError, match="every 0 steps"):
        neuron(every=0)
    with pytest.raises(ConversionError, match="stands in the place of reset"):
        IF(special=neuron().special, reset="zero")
    with pytest.raises(ConversionError, match="no refractory period"):
        IF(special=neuron().special, refractory=2)


def test_other_simulators_refuse_them_by_name():
    original, x = graph()
    with pytest.raises(UnsupportedError, match="thresholds that follow the rates"):
        backend_named("nest").capabilities.check("nest", stb.convert(original, x, T=8, neuron=neuron(initial=0.5)))
