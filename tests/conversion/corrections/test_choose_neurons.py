"""The neurons of a value are chosen by what a network would lose: as few as do, where they save most."""

import logging

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.corrections.choose_neurons import ChooseNeurons, expected_losses, neurons
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.scales import choose_scales
from snntoolbox.errors import ConversionError
from snntoolbox.ir.head import Head

RECIPE = stb.Recipe(schedule="radix", threshold_rule="mmse")


@pytest.fixture
def graph(new_net):
    net = new_net(2, 8, 8)
    hidden = net.relu(net.conv("x", 8))
    net.dense(net.relu(net.dense(net.flat(net.pool(hidden)), 12)), 6)
    return net.graph()


def images(n):
    return np.random.default_rng(0).random((n, 2, 8, 8), dtype=np.float32)


def chosen(graph, allowed, most=0.0, samples=300):
    lowered = lower(graph, RECIPE)
    choose = ChooseNeurons(levels=7, allowed=allowed, most=most)
    return lowered, *choose(lowered, lambda g, x: choose_scales(g, x, RECIPE, duration=3), [images(samples)])


def test_less_may_be_lost_with_more_neurons(graph):
    """None where all may be lost; the more the less; four everywhere where nothing may, which a warning says."""
    found = [chosen(graph, allowed)[2] for allowed in (1.0, 0.02, 0.0)]
    assert found[0].layers == {}
    assert found[0].neurons == found[0].neurons_before == neurons(lower(graph, RECIPE))
    counts = [choice.neurons for choice in found]
    assert counts == sorted(counts)
    assert counts[0] < counts[2]
    assert found[0].before == found[1].before > found[1].loss >= found[2].loss
    assert found[1].reached
    assert "expected loss" in str(found[1])


def test_what_costs_least_comes_first(graph):
    """The small layer behind saves as much with fewer neurons."""
    lowered, shared, choice = chosen(graph, 0.0, most=1.2)
    small = [n for n in choice.layers if lowered.size(n) < 100]
    assert small
    assert not choice.reached
    assert choice.neurons <= 1.2 * choice.neurons_before
    assert neurons(shared) == choice.neurons


def test_what_is_compared_has_as_many(graph):
    lowered, shared, _ = chosen(graph, 0.0)
    pooled = {n.neurons for n in shared.nodes.values() if getattr(n, "neurons", 0) and lowered.size(n.name) > 12}
    assert len(pooled) == 1


def test_a_conversion_tells_what_it_chose(graph, caplog):
    x = images(300)
    with caplog.at_level(logging.WARNING):
        snn = stb.convert(graph, x, duration=3, schedule="radix", neurons_per_value="auto", allowed_loss=0.01)
    fixed = stb.convert(graph, x, duration=3, schedule="radix")
    assert any("neurons for each value: " in note for note in snn.notes)
    assert snn.neurons > fixed.neurons
    assert f"{snn.neurons:,} neurons in place of {fixed.neurons:,}" in snn.summary()
    wanted = graph.run(x)
    errors = [np.mean((stb.simulate(n, x).output - wanted) ** 2) for n in (snn, fixed)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("samples", [None, 60])
def test_without_samples_nothing_is_chosen(graph, samples, caplog):
    with caplog.at_level(logging.WARNING):
        x = None if samples is None else images(samples)
        snn = stb.convert(graph, x, duration=3, schedule="radix", neurons_per_value="auto")
    assert "neurons_per_value = auto needs" in caplog.text
    assert snn.neurons == neurons(lower(graph, RECIPE))


def test_losses_are_what_the_original_holds_of_its_classes():
    """0 where the class stays; the difference of two shares else; whatever the unit."""
    targets = np.array([[2.0, 1.0, 0.0], [0.0, 0.1, 3.0]])
    outputs = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 9.0]])
    shares = np.exp(targets[0]) / np.exp(targets[0]).sum()
    found = expected_losses(outputs, targets, Head(kind="classes"))
    assert found[1] == 0
    assert found[0] >= shares[0] - shares[1]
    tiny = expected_losses(outputs / 1e4, targets / 1e4, Head(kind="classes"))
    assert tiny[0] > 0.3
    values = expected_losses(outputs, targets, Head(kind="values"))
    np.testing.assert_allclose(values, ((outputs - targets) ** 2).mean(axis=1) / targets.var())


@pytest.mark.parametrize(
    ("choices", "message"),
    [({"allowed_loss": 1.5}, "allowed_loss = 1.5 is no share"), ({"most_neurons": 0.5}, "neither 0")],
)
def test_bounds_that_are_none(choices, message):
    with pytest.raises(ConversionError, match=message):
        stb.Recipe(schedule="radix", neurons_per_value="auto", **choices)
