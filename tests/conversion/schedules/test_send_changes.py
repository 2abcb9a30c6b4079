"""Differential coding: sums of signed spikes follow the activation and settle within the smallest level."""

import numpy as np
import pytest

from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.conversion.schedules.send_changes import LEVELS, SendChanges
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import constant_currents, interpret
from snntoolbox.ir.neurons import IF, Negative, Reset
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.result import Record

ALL = Record(spikes=True)


def perceptron():
    random = np.random.default_rng(2)
    dense = {f"w{i}": random.integers(-8, 9, size=(6, 6)) / 16 for i in range(3)}
    nodes = [Input(name="x", shape=(6,))]
    source = "x"
    for i in range(2):
        nodes.append(Dense(name=f"d{i}", inputs=(source,), weight=dense[f"w{i}"], bias=random.integers(-4, 5, 6) / 16))
        nodes.append(ReLU(name=f"r{i}", inputs=(f"d{i}",)))
        source = f"r{i}"
    nodes.append(Dense(name="out", inputs=(source,), weight=dense["w2"], bias=random.integers(-4, 5, 6) / 16))
    return Graph(nodes, ["out"])


def test_one_neuron_by_hand():
    """Levels 1, 1/2, 1/4 and V0 = 1/8: an activation of 1.8 is sent as 1, 1/2, 1/4; then nothing."""
    graph = Graph([Input(name="x", shape=(1,)), ReLU(name="r", inputs=("x",))], ["r"])
    net = SendChanges((1.0, 0.5, 0.25))(Convert()(graph, {"r": np.ones(1)}))
    result = interpret(net, np.array([[1.75 + 0.0625]]), steps=5, record=ALL)
    assert result.spikes["r"].ravel().tolist() == [1, 0.5, 0.25, 0, 0]
    assert result.output.tolist() == [[1.75]]
    assert net.schedule.window == 1


@pytest.mark.parametrize(("activation", "sent"), [(0.0, 0), (0.0625, 0), (0.1875, 0.25), (0.3125, 0.25), (0.4375, 0.5)])
def test_it_rounds_to_the_nearest(activation, sent):
    graph = Graph([Input(name="x", shape=(1,)), ReLU(name="r", inputs=("x",))], ["r"])
    net = SendChanges((1.0, 0.5, 0.25))(Convert()(graph, {"r": np.ones(1)}))
    assert interpret(net, np.array([[activation]]), steps=6).output.tolist() == [[sent]]


@pytest.mark.parametrize("smallest", [2.0**-4, 2.0**-7])
def test_it_settles_within_the_smallest_level(smallest):
    """Each neuron, on the values that its sources sent: |sent - activation| <= smallest level (times its scale)."""
    graph = perceptron()
    levels = tuple(2.0**-k for k in range(int(1 - np.log2(smallest))))
    scales = {"r0": np.full(1, 1.0), "r1": np.full(1, 0.5)}
    net = SendChanges(levels)(Convert()(graph, scales))
    x = np.random.default_rng(0).integers(-16, 17, size=(50, 6)) / 16
    late = interpret(net, x, steps=60)
    assert all(np.array_equal(late.counts[n], interpret(net, x, steps=61).counts[n]) for n in net.populations)
    sent = {n: late.rates(n) * p.scale for n, p in net.populations.items()}
    nodes = graph.nodes
    wanted = {"r0": nodes["r0"].apply(nodes["d0"].apply(x)), "r1": nodes["r1"].apply(nodes["d1"].apply(sent["r0"]))}
    for name in wanted:
        assert np.abs(sent[name] - wanted[name]).max() <= 1.5 * smallest * scales[name].max() + 1e-12
    np.testing.assert_allclose(late.output, nodes["out"].apply(sent["r1"]), atol=1e-12)
    assert np.abs(late.output - graph.run(x)).max() < 6 * smallest


def test_what_was_sent_never_falls_below_zero():
    net = SendChanges()(Convert()(perceptron(), {"r0": np.ones(1), "r1": np.ones(1)}))
    x = np.random.default_rng(1).integers(-16, 17, size=(50, 6)) / 16
    result = interpret(net, x, steps=20, record=ALL)
    assert min(s.cumsum(axis=0).min() for s in result.spikes.values()) == 0
    assert min(s.min() for s in result.spikes.values()) < 0, "some are taken back"


def test_the_simulator_has_the_same_spikes():
    net = SendChanges()(Convert()(perceptron(), {"r0": np.ones(1), "r1": np.ones(1)}))
    x = np.random.default_rng(1).integers(-16, 17, size=(5, 6)) / 16
    expected = interpret(net, x, steps=12, record=ALL)
    with InisimBackend().build(net, chunk=5) as executable:
        found = executable.run(x, steps=12, record=ALL)
    for name in net.populations:
        np.testing.assert_array_equal(found.spikes[name], expected.spikes[name])
        np.testing.assert_array_equal(found.events[name], expected.events[name])
        assert (expected.events[name] != expected.counts[name]).any()
    np.testing.assert_array_equal(found.outputs_per_step["out"], expected.outputs_per_step["out"])


def test_levels_of_the_neurons_are_kept():
    graph, scales = perceptron(), {"r0": np.ones(1), "r1": np.ones(1)}
    plain = SendChanges()(Convert()(graph, scales)).populations["r0"].neuron
    assert plain.levels == LEVELS
    assert plain.negative is Negative.MEMORY
    own = SendChanges()(Convert(neuron=IF(levels=(2.0, 1.0)))(graph, scales)).populations["r0"].neuron
    assert own.levels == (2.0, 1.0)


@pytest.mark.parametrize("neuron", [IF(leak=0.5), IF(reset=Reset.ZERO), IF(refractory=2)])
def test_other_neurons_are_refused(neuron):
    net = Convert(neuron=neuron)(perceptron(), {"r0": np.ones(1), "r1": np.ones(1)})
    with pytest.raises(UnsupportedError, match="differential"):
        SendChanges()(net)


def test_the_integer_grid_is_refused():
    net = Quantize(8)(Convert()(perceptron(), {"r0": np.ones(1), "r1": np.ones(1)}))
    with pytest.raises(UnsupportedError, match="fractions"):
        SendChanges()(net)
    graded = Convert(neuron=IF(levels=(1.0, 0.5)))(perceptron(), {"r0": np.ones(1), "r1": np.ones(1)})
    with pytest.raises(UnsupportedError, match="fractions"):
        Quantize(8)(graded)


def test_bursts_stay_exact_on_the_grid():
    """Whole levels keep every sum an integer, within the bound."""
    neuron = IF(initial=0.5, levels=(1.0, 2.0, 3.0), negative=Negative.MEMORY)
    net = Quantize(6)(Convert(neuron=neuron)(perceptron(), {"r0": np.full(1, 0.25), "r1": np.full(1, 0.25)}))
    x = np.random.default_rng(1).integers(-16, 17, size=(8, 6)) / 16
    expected = interpret(net, x, steps=12, record=Record(spikes=True, potentials=True))
    assert max(s.max() for s in expected.spikes.values()) > 1
    largest = max(np.abs(v).max() for v in expected.potentials.values())
    currents = constant_currents(net, x).values()
    assert largest <= net.grid.bound(12, max(np.abs(c).max() for c in currents))
    with InisimBackend().build(net) as executable:
        found = executable.run(x, steps=12, record=ALL)
    for name in net.populations:
        np.testing.assert_array_equal(found.spikes[name], expected.spikes[name])
