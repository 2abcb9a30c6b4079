"""Neurons that fire once: the time of a spike says the number that a phased network sends in spikes."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.errors import ConversionError, GraphError
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population, Readout, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Dense, Input
from snntoolbox.ir.parts import FirstSpikeWindow
from snntoolbox.ir.result import Record
from snntoolbox.workflow import demo

ALL = Record(spikes=True, potentials=True)


@pytest.fixture(scope="module")
def digits():
    graph = stb.load(demo.folder() / demo.MODELS["onnx"])
    x, y, calibration = (np.load(demo.folder() / name)["arr_0"] for name in demo.DATA)
    return graph, calibration, x[:100], y[:100]


def one(weight, threshold, steps):
    """A layer of neurons behind an input of whole currents, and its spikes summed."""
    nodes = [
        Input(name="x", shape=(weight.shape[1],)),
        Dense(name="d", inputs=("x",), weight=weight),
        Input(name="n", shape=(len(weight),)),
    ]
    cells = Population(
        name="n", shape=(len(weight),), neuron=IF(threshold=threshold, initial=threshold / 2), current="d",
        scale=np.ones(1), activation="n",
    )  # fmt: skip
    readout = Readout(name="o", current="n", shape=(len(weight),))
    rate = SpikingNetwork(Graph(nodes, ["d", "n"]), {"x": ConstantCurrent()}, [cells], [readout])
    return FireInTurn(steps, Counting.LEAD)(rate)


@pytest.mark.parametrize("steps", [1, 2, 5, 16])
def test_synapses_that_stay_on_and_a_ramp_give_the_same(steps):
    """One spike where V reaches T theta with theta more in each step; behind it the synapse is on up to the end."""
    random = np.random.default_rng(steps)
    weight, theta = random.integers(-8, 9, size=(7, 5)).astype(float), random.integers(3, 40, size=7) * 2.0
    x = random.integers(-2, 7, size=(9, 5)).astype(float)
    net = one(weight, theta, steps)
    result = interpret(net, x, steps=net.schedule.steps, record=ALL)
    v = steps * (x @ weight.T) + theta / 2
    fired, charge = np.zeros((9, 7), bool), np.zeros((9, 7))
    for step in range(steps):
        now = (v + step * theta >= steps * theta) & ~fired
        np.testing.assert_array_equal(result.spikes["n"][steps + step], now)
        fired |= now
        charge += fired  # every synapse that is on adds its weight in every step
    np.testing.assert_array_equal(result.counts["n"], charge)
    np.testing.assert_array_equal(result.counts["n"], np.clip(np.floor(v / theta), 0, steps))
    np.testing.assert_array_equal(result.output, charge / steps)
    assert charge.max() == steps, "some are clipped above"
    assert not fired.all(), "and some never fire"


@pytest.mark.parametrize("duration", [1, 3, 8])
@pytest.mark.parametrize("weight_bits", [0, 8])
def test_each_neuron_fires_once_and_says_what_a_phased_one_sends(digits, duration, weight_bits):
    graph, calibration, x, _ = digits
    choices = {"duration": duration, "weight_bits": weight_bits}
    once, often = (stb.convert(graph, calibration, schedule=s, **choices) for s in ("first-spike", "phased"))
    found, expected = (stb.simulate(snn, x, record=ALL) for snn in (once, often))
    for name, train in found.spikes.items():
        assert train.sum(axis=0).max() <= 1
        first, last = once.populations[name].neuron.window
        steps = np.arange(first, last).reshape(-1, *[1] * (train.ndim - 1))
        np.testing.assert_array_equal(found.counts[name], (train[first:last] * (last - steps)).sum(axis=0))
        np.testing.assert_array_equal(found.counts[name], expected.counts[name])
        np.testing.assert_array_equal(found.events[name], train.sum(axis=0))
    np.testing.assert_allclose(found.output, expected.output, rtol=1e-6, atol=1e-6)
    assert sum(e.sum() for e in found.events.values()) <= sum(c.sum() for c in expected.counts.values())


def test_simulator_and_reference_agree(digits):
    graph, calibration, x, _ = digits
    snn = stb.convert(graph, calibration, schedule="first-spike", duration=6, weight_bits=8)
    found, told = stb.simulate(snn, x[:2], record=ALL), interpret(snn, x[:2], steps=snn.schedule.steps, record=ALL)
    for name in found.spikes:
        np.testing.assert_array_equal(found.spikes[name], told.spikes[name])
        np.testing.assert_array_equal(found.potentials[name], told.potentials[name])


def test_most_of_the_accuracy_with_fewer_spikes(digits):
    graph, calibration, x, y = digits
    result = stb.simulate(stb.convert(graph, calibration, schedule="first-spike", duration=8), x)
    assert np.mean(result.predictions == y) >= np.mean(graph.run(x).argmax(axis=1) == y) - 0.01


def test_a_window_counts_down():
    part = FirstSpikeWindow(8, 12)
    assert [part.weight(t) for t in range(8, 13)] == [4, 3, 2, 1, 4]
    assert [part.open(t) for t in (7, 8, 11, 12)] == [False, True, True, False]


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": None},
        {"window": (4, 8), "reset": Reset.SUBTRACT},
        {"window": (4, 8), "leak": 0.5},
        {"window": (5, 8)},
    ],
)
def test_neurons_that_cannot_fire_once(wrong):
    with pytest.raises(ConversionError, match=r"lead|window"):
        IF(**{"reset": Reset.ZERO, "counting": "lead", **wrong})


def test_neurons_and_schedule_go_together(digits):
    graph, calibration, _, _ = digits
    snn = stb.convert(graph, calibration, schedule="first-spike", duration=4)
    with pytest.raises(GraphError, match="by 'lead' in a network that counts by 'one'"):
        snn.replaced(schedule=Schedule("phased", window=4, steps=snn.schedule.steps))
