"""Biases that grow: the formula, the effect in a run, the grid, and what refuses them."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.smallest_network import smallest_network
from snntoolbox.conversion.spiking.relax_biases import RelaxBiases, shares
from snntoolbox.errors import ConversionError
from snntoolbox.ir.features import features
from snntoolbox.ir.interpreter import interpret


def test_the_share_grows_up_to_the_middle():
    assert shares(4, 25) == pytest.approx([0.75, 1, 1, 1])
    assert shares(8, 10) == pytest.approx([0.85, 0.9, 0.95, 1, 1, 1, 1, 1])
    assert min(shares(100, 200)) == 0


@pytest.fixture
def graph(new_net):
    net = new_net(3, seed=5)
    hidden = net.relu(net.dense("x", 4))
    net.dense(net.relu(net.dense(hidden, 4)), 2)
    return net.graph()


X = np.random.default_rng(2).random((30, 3), np.float32)


def converted(graph, **choices):
    return stb.convert(graph, X, T=20, layer_correction="none", readout_correction=0, threshold_rule="max", **choices)


def test_a_deeper_layer_has_less_of_its_bias_at_first(graph):
    network = converted(graph, bias_relaxation=True)
    plain = converted(graph)
    for name, population in network.populations.items():
        depth = network.depths[name]
        for step in range(20):
            share = min(1, 1 - (1 - 2 * (step + 1) / 20) * depth / 50)
            got = population.bias + population.pulses.get(step, 0.0)
            np.testing.assert_allclose(got, share * plain.populations[name].bias, rtol=1e-6)
    assert sorted(network.depths[n] for n in network.populations) == [1, 2]


def test_the_built_in_simulator_does_as_the_interpreter(graph):
    network = converted(graph, bias_relaxation=True, weight_bits=8)
    assert all(np.array_equal(p, np.rint(p)) for q in network.populations.values() for p in q.pulses.values())
    record = stb.Record(spikes=True, potentials=True)
    ours = stb.simulate(network, X, duration=20, record=record)
    reference = interpret(network, X, steps=20, record=record)
    plain = stb.simulate(converted(graph, weight_bits=8), X, duration=20, record=record)
    for name in network.populations:
        np.testing.assert_array_equal(ours.spikes[name], reference.spikes[name])
        assert not np.array_equal(ours.potentials[name], plain.potentials[name])


def test_what_it_needs():
    with pytest.raises(ConversionError, match="needs schedule = rate"):
        Recipe(bias_relaxation=True, schedule="phased")
    with pytest.raises(ConversionError, match="needs bias = current"):
        Recipe(bias_relaxation=True, bias="neuron")
    names = [asked.feature.name for asked in features(smallest_network(Recipe(bias_relaxation=True), 8))]
    assert any("pulses" in name for name in names)


def test_a_number_of_steps(graph):
    with pytest.raises(ConversionError, match="the number of steps"):
        stb.convert(graph, X, bias_relaxation=True)
    assert RelaxBiases(4)(converted(graph)).populations
