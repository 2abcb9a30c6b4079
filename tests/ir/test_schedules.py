"""Firing windows, pulses, input in the first steps, and spikes with values: worked out by hand."""

import numpy as np
import pytest

from snntoolbox.errors import ConversionError, DataError, GraphError
from snntoolbox.ir.encodings import ConstantCurrent, Poisson, poisson_spikes
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population, Readout, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF, Negative, Reset
from snntoolbox.ir.nodes import Concat, Input
from snntoolbox.ir.result import Record, joined

ALL = Record(spikes=True, potentials=True)
SIGNED = Negative.MEMORY


def one(neuron, pulses=None, coding=None, **more):
    """One neuron that gets the input as its current; the read-out is its spikes and the input."""
    nodes = [Input(name="x", shape=(1,)), Input(name="n", shape=(1,)), Concat(name="both", inputs=("n", "x"))]
    fields = {"shape": (1,), "scale": np.ones(1), "activation": "n", "pulses": pulses or {}}
    return SpikingNetwork(
        Graph(nodes, ["x", "both"]),
        {"x": coding or ConstantCurrent()},
        [Population(name="n", neuron=neuron, current="x", **fields)],
        [Readout(name="o", current="both", shape=(2,))],
        **more,
    )


def pulsed(*currents):
    return {step: np.array([float(current)]) for step, current in enumerate(currents) if current}


# (neuron, current in every step, pulses, values sent, potentials after the reset)
BY_HAND = {
    "silent outside its window": (IF(window=(2, 4)), 0.75, {}, [0, 0, 1, 1, 0], [0.75, 1.5, 1.25, 1, 1.75]),
    "window, zero": (
        IF(window=(1, 9), reset=Reset.ZERO), 2.0, {}, [0, 1, 1], [2, 0, 0]
    ),
    "window, refractory": (IF(window=(1, 9), refractory=1), 1.0, {}, [0, 1, 0, 1], [1, 1, 1, 1]),
    "a pulse in its step": (IF(), 0.25, pulsed(0, 0.5, 0, -1), [0, 1, 0, 0], [0.25, 0, 0.25, -0.5]),
    "a pulse is dropped while refractory": (IF(refractory=1), 1.0, pulsed(0, 5), [1, 0, 1], [0, 0, 0]),
    "burst": (IF(levels=(1.0, 2.0)), 0.0, pulsed(3.5), [2, 1, 0], [1.5, 0.5, 0.5]),
    "several thresholds": (
        IF(levels=(1.0, 0.5, 0.25)), 0.0, pulsed(1.8125), [1, 0.5, 0.25, 0], [0.8125, 0.3125, 0.0625, 0.0625]
    ),
    "levels are thresholds of the neuron": (IF(levels=(0.5, 1.0), threshold=2.0), 0.0, pulsed(3), [1, 0.5], [1, 0]),
    "nothing to take back": (IF(negative=SIGNED), 0.0, pulsed(-3), [0, 0], [-3, -3]),
    "takes back": (IF(negative=SIGNED), 0.0, pulsed(2, 0, -2.5), [1, 1, -1, -1, 0], [1, 0, -1.5, -0.5, -0.5]),
    "takes back at a tie": (IF(negative=SIGNED), 0.0, pulsed(1, -1), [1, -1], [0, 0]),
    "no more than was sent": (
        IF(levels=(1.0, 2.0), negative=SIGNED), 0.0, pulsed(1, -4), [1, -1, 0], [0, -3, -3]
    ),
    "a memory holds values": (
        IF(levels=(1.0, 0.5), negative=SIGNED), 0.0, pulsed(1.5, 0, -2), [1, 0.5, -1, -0.5, 0], [0.5, 0, -1, -0.5, -0.5]
    ),
}  # fmt: skip


@pytest.mark.parametrize(("neuron", "current", "pulses", "values", "potentials"), BY_HAND.values(), ids=BY_HAND)
def test_one_neuron_by_hand(neuron, current, pulses, values, potentials):
    result = interpret(one(neuron, pulses), np.array([[current]]), steps=len(values), record=ALL)
    assert result.spikes["n"].ravel().astype(float).tolist() == values
    assert result.potentials["n"].ravel().tolist() == potentials
    assert result.counts["n"].tolist() == [[sum(values)]]
    assert result.events["n"].tolist() == [[sum(v != 0 for v in values)]]


def test_input_in_the_first_steps_alone():
    result = interpret(one(IF(threshold=9.0), coding=ConstantCurrent(steps=2)), np.array([[0.5]]), steps=4, record=ALL)
    assert result.potentials["n"].ravel().tolist() == [0.5, 1.0, 1.0, 1.0]
    assert result.outputs_per_step["o"][:, 0, 1].tolist() == [0.5, 0.5, 1 / 3, 0.25], "the read-out gets it too"


@pytest.mark.parametrize("first", [0, 1, 3, 9])
def test_poisson_input_in_the_first_steps_alone(first):
    x, limited = np.ones((1, 7)), Poisson(seed=1, steps=3)
    whole = poisson_spikes(x, 20, Poisson(seed=1), 0)
    whole[3:] = 0
    np.testing.assert_array_equal(poisson_spikes(x, 20 - first, limited, 0, first_step=first), whole[first:])


def test_a_schedule_divides_by_its_window():
    """Two spikes in a window of 4 steps are a rate of 1/2, whatever passed before and after."""
    net = one(IF(window=(4, 6)), coding=ConstantCurrent(steps=4), schedule=Schedule("phased", window=4, steps=8))
    result = interpret(net, np.array([[1.0]]), steps=8)
    assert result.rates("n").tolist() == [[0.5]]
    assert result.output.tolist() == [[0.5, 1.0]]
    assert joined([result, result]).rates("n").tolist() == [[0.5], [0.5]]


REFUSED = {
    "window": (lambda: IF(window=(3, 3)), "window"),
    "no level": (lambda: IF(levels=()), "levels"),
    "level twice": (lambda: IF(levels=(1.0, 1.0)), "levels"),
    "negative level": (lambda: IF(levels=(1.0, -1.0)), "levels"),
    "graded and zero": (lambda: IF(levels=(1.0, 2.0), reset=Reset.ZERO), "reset = subtract"),
    "signed and refractory": (lambda: IF(negative=SIGNED, refractory=1), "refractory"),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_impossible_neurons_are_refused(make, message):
    with pytest.raises(ConversionError, match=message):
        make()


def test_impossible_networks_are_refused():
    with pytest.raises(GraphError, match="pulse in step 1"):
        one(IF(), {1: np.ones(2)})
    with pytest.raises(GraphError, match="steps from 0"):
        one(IF(), {-1: np.ones(1)})
    with pytest.raises(GraphError, match="invalid schedule"):
        Schedule("phased", window=0)


def test_input_beyond_what_the_network_is_made_for_is_refused():
    ConstantCurrent(largest=1.0).check(np.array([-1.0, 0.5]), "x")
    with pytest.raises(DataError, match="values up to 1"):
        ConstantCurrent(largest=1.0).check(np.array([-1.5]), "x")
