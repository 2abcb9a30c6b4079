"""Conversion: rates approach activations, and the wiring is as simple as it can be."""

import numpy as np
import pytest

from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.conversion.lowering.max_pool_tree import MaxPoolTree
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.thresholds.thresholds import ModelBasedThresholds, PercentileThresholds
from snntoolbox.errors import ConversionError, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.neurons import IF, MaxGate
from snntoolbox.ir.nodes import Elementwise, Floor, MaxPool, Scale


def concat(net):
    a = net.relu(net.conv("x", 3))
    b = net.relu(net.conv("x", 2, kernel=1, pad=0))
    net.dense(net.flat(net.relu(net.conv(net.concat(a, b, a), 4))), 5)


def residual(net):
    """Branches of very different scale that rejoin."""
    a = net.relu(net.conv("x", 4))
    b = net.relu(net.add(Scale, net.conv(a, 4), gain=np.full((1, 1, 1), 20.0)))
    c = net.relu(net.sum(a, b, net.conv(a, 4), coefficients=(1.0, 0.1, -0.5)))
    net.dense(net.mean(c), 5)


def pooling(net):
    a = net.pool(net.relu(net.conv("x", 4)))
    net.dense(net.flat(net.average(net.relu(net.conv(a, 3)), kernel=3, stride=1, pad=1)), 5)


def rejoining(net):
    """The input itself is joined, and one branch has no rectifier."""
    a = net.relu(net.conv("x", 2))
    b = net.concat("x", a, net.average(a, kernel=3, stride=1, pad=1))
    net.dense(net.flat(net.relu(net.sum(net.conv(b, 3), net.conv(a, 3)))), 5)


def norms(net):
    a = net.relu(net.norm(net.conv("x", 4)))
    net.dense(net.flat(net.relu(net.norm(net.concat(net.norm(a), net.conv(a, 2))))), 5)


NETS = {f.__name__: f for f in (concat, residual, pooling, rejoining, norms)}


@pytest.fixture(params=NETS)
def graph(request, new_net):
    net = new_net(2, 4, 4, seed=4)
    NETS[request.param](net)
    return MaxPoolTree()(net.graph())


def data(graph, samples=6):
    return [np.random.default_rng(i).random((samples, *graph.shapes[n])) for i, n in enumerate(graph.inputs)]


def depth_of(network, name):
    return network.depths[name]


@pytest.mark.parametrize("per_channel", [True, False])
def test_rates_approach_activations(graph, per_channel):
    x = data(graph)
    scales = PercentileThresholds(100, per_channel)(graph, x)
    network = Convert()(graph, scales)
    activations = graph.values(*x, keep=list(scales))
    expected = graph.run(*x)
    errors = {}
    for steps in (64, 1024):
        result = InisimBackend().build(network, device="cpu", dtype="float64").run(*x, steps=steps)
        for name, population in network.populations.items():
            rate = result.rates(name) * population.scale
            # In units of the scale, a layer adds about a spike in `steps` to what reaches it.
            errors[name, steps] = np.abs(rate - activations[population.activation]).max() / np.max(population.scale)
        errors["output", steps] = np.abs(result.output - expected).max() / np.abs(expected).max()
    for name in [*network.populations, "output"]:
        assert errors[name, 1024] <= 0.03, name
        assert errors[name, 1024] <= 0.5 * errors[name, 64] + 0.005, name
    first = [n for n in network.populations if network.depths[n] == 1]
    for name in first:
        assert errors[name, 1024] <= 1.0 / 1024 + 1e-9, "the first layer gets its exact current: half a spike at most"


def test_the_interpreter_agrees(graph):
    x = data(graph, 2)
    network = Convert()(graph, PercentileThresholds(100)(graph, x))
    slow = interpret(network, *x, steps=200)
    fast = InisimBackend().build(network, device="cpu", dtype="float64").run(*x, steps=200)
    np.testing.assert_allclose(slow.output, fast.output, atol=0.05 * np.abs(fast.output).max())


# What must stay: on branches of a sum that no weights precede, and where a rectifier reads another without weights.
SCALES = {"concat": 0, "residual": 2, "pooling": 6, "rejoining": 1, "norms": 1}


def test_wiring_has_no_biases_and_few_scales(graph, request):
    network = Convert()(graph, PercentileThresholds()(graph, data(graph)))
    assert all(getattr(n, "bias", None) is None for n in network.wiring.nodes.values())
    scales = [n for n in network.wiring.nodes.values() if isinstance(n, Scale)]
    assert len(scales) == SCALES[request.node.callspec.params["graph"]]


def test_a_chain_needs_no_scale_at_all(new_net):
    net = new_net(2, 6, 6)
    a = net.average(net.relu(net.norm(net.conv("x", 4))))
    net.dense(net.relu(net.dense(net.flat(a), 6)), 3)
    graph = net.graph()
    network = Convert()(graph, PercentileThresholds()(graph, data(graph)))
    assert not [n for n in network.wiring.nodes.values() if isinstance(n, Scale)]
    assert {p.neuron.threshold for p in network.populations.values()} == {1.0}


def test_bias_is_a_current_and_the_start_half_a_threshold(new_net):
    net = new_net(2)
    net.relu(net.dense("x", 3))
    graph = net.graph()
    scale = np.array([0.5, 2.0, 4.0])
    network = Convert()(graph, {graph.outputs[0]: scale})
    (population,) = network.populations.values()
    np.testing.assert_allclose(population.bias, graph.nodes["dense1"].bias / scale)
    assert population.neuron.initial == 0.5
    np.testing.assert_array_equal(population.scale, scale)


def test_start_potential_centres_the_error(new_net):
    """With V0 = 1/2 counts round to the nearest spike; from 0 they are cut off."""
    net = new_net(1)
    net.relu(net.add(Scale, "x", gain=np.ones(1)))
    graph = net.graph()
    x = np.linspace(0.01, 0.99, 99)[:, None]
    for start, low, high in ((0.5, -0.5, 0.5), (0.0, -1.0, 0.0)):
        network = Convert(neuron=IF(initial=start))(graph, {graph.outputs[0]: np.ones(1)})
        error = interpret(network, x, steps=10).output * 10 - x * 10
        assert error.min() >= low - 1e-9
        assert error.max() <= high + 1e-9


# -- outputs --------------------------------------------------------------------------------------------------------


def test_an_output_that_spikes_keeps_its_current(new_net):
    """The read-out of a rectifier counts its spikes; the population keeps the rectifier's name and current."""
    net = new_net(4)
    name = net.relu(net.dense("x", 3))
    graph, x = net.graph(), np.random.default_rng(0).random((5, 4))
    network = Convert()(graph, PercentileThresholds(100)(graph, [x]))
    assert [r.name for r in network.readouts] == [f"{name}/output"]
    assert network.targets[name] != network.targets[f"{name}/output"]
    for found in (interpret(network, x, steps=500), InisimBackend().build(network, device="cpu").run(x, steps=500)):
        np.testing.assert_allclose(found.output, graph.run(x), atol=0.01)


def test_several_outputs_and_an_input_among_them(new_net):
    net = new_net(4)
    a = net.relu(net.dense("x", 3))
    graph, x = net.graph(net.dense(a, 2), a, "x"), np.random.default_rng(0).random((5, 4))
    network = Convert()(graph, PercentileThresholds(100)(graph, [x]))
    outputs = interpret(network, x, steps=500).outputs
    for found, name in zip(outputs.values(), graph.outputs, strict=True):
        np.testing.assert_allclose(found, graph.values(x)[name], atol=0.02)


def test_a_network_without_rectifiers_is_exact(new_net):
    net = new_net(2, 4, 4)
    net.dense(net.flat(net.average(net.norm("x"))), 3)
    graph, x = net.graph(), np.random.default_rng(0).random((5, 2, 4, 4))
    network = Convert()(graph, {})
    np.testing.assert_allclose(interpret(network, x, steps=3).output, graph.run(x), atol=1e-12)


def test_poisson_input_is_scaled_back(new_net):
    net = new_net(6)
    net.dense(net.relu(net.dense("x", 5)), 3)
    graph, x = net.graph(), np.random.default_rng(0).random((3, 6))
    network = Convert(encoding=Poisson(amplitude=2.0))(graph, PercentileThresholds(100)(graph, [x]))
    np.testing.assert_allclose(interpret(network, x, steps=4000).output, graph.run(x), atol=0.1)
    assert network.encodings["x"] == Poisson(amplitude=2.0)
    assert Convert()(graph, ModelBasedThresholds()(graph)).encodings["x"] == ConstantCurrent()


# -- max pooling by a gate ------------------------------------------------------------------------------------------


def test_gated_pools_keep_the_scale_of_what_they_gate(new_net):
    net = new_net(2, 6, 6)
    a = net.relu(net.conv("x", 4))
    net.dense(net.flat(net.pool(net.pool(a), kernel=2, stride=1)), 3)
    graph, x = net.graph(), np.random.default_rng(0).random((3, 2, 6, 6))
    scales = PercentileThresholds(100)(graph, [x])
    network = Convert()(graph, scales)
    gates = [p for p in network.populations.values() if isinstance(p.neuron, MaxGate)]
    assert len(gates) == 2
    for gate in gates:
        np.testing.assert_array_equal(gate.scale, scales[a])
    result = InisimBackend().build(network, device="cpu").run(x, steps=600)
    np.testing.assert_allclose(result.output, graph.run(x), atol=0.05 * np.abs(graph.run(x)).max())


def test_a_gate_needs_one_scale_per_window(new_net):
    net = new_net(1, 4)
    net.pool(net.relu("x"))
    graph = net.graph()
    with pytest.raises(ConversionError, match="different scales"):
        Convert()(graph, {net.nodes[1].name: np.arange(1.0, 5.0)[None]})


# -- refusals -------------------------------------------------------------------------------------------------------


def test_everything_unsupported_is_listed_at_once(new_net):
    net = new_net(2, 4, 4)
    a = net.softmax(net.conv("x", 3), axis=0)
    b = net.add(MaxPool, a, kernel=(2, 2), stride=(2, 2), padding=((0, 0),) * 2, dilation=(1, 1), name="mixed_pool")
    net.dense(net.flat(net.add(Elementwise, b, function="gelu", name="smooth")), 3)
    with pytest.raises(UnsupportedError) as caught:
        Convert()(net.graph(), {})
    assert [o.layer for o in caught.value.offenders] == [
        f"{a} (Softmax)",
        "mixed_pool (MaxPool)",
        "smooth (Elementwise)",
    ]


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_scales_must_be_positive(new_net, scale):
    net = new_net(2)
    name = net.relu("x")
    with pytest.raises(ConversionError, match=f"{name} .*not positive and finite"):
        Convert()(net.graph(), {name: np.array([1.0, scale])})


@pytest.mark.parametrize("bound", [6.0, 0.25, np.array([0.25, 6.0, 0.5])], ids=["six", "small", "each"])
def test_an_upper_bound_is_where_one_neuron_saturates(new_net, bound):
    """Whatever scale was chosen, and whatever the rectifier gets: the rate is exact to half a spike."""
    net = new_net(2)
    relu = net.relu(net.dense("x", 3), max_value=bound)
    graph, x = net.graph(), 40 * np.random.default_rng(0).normal(size=(20, 2))
    network = Convert()(graph, {relu: np.full(1, 8.0)})
    (population,) = network.populations.values()
    assert np.all(population.scale <= bound)
    found = interpret(network, x, steps=50).rates(relu) * population.scale
    np.testing.assert_allclose(found, graph.run(x), atol=np.max(population.scale) / 50)


def test_levels_keep_their_bound_and_start_at_half_a_threshold(new_net):
    """In L steps a neuron computes the quantised rectifier, and in n L steps the same with n L levels."""
    net = new_net(2)
    relu = net.relu(net.dense("x", 3), max_value=0.7, levels=4)
    graph, x = net.graph(), np.random.default_rng(0).normal(size=(200, 2))
    for model in (IF(), IF(initial=0.9), IF(threshold=0.5)):
        network = Convert(neuron=model)(graph, {relu: np.full(1, 8.0)})
        (population,) = network.populations.values()
        assert population.scale.tolist() == [0.7]
        assert population.neuron.initial == population.neuron.threshold / 2
    network = Convert()(graph, {relu: np.ones(1)})
    found = interpret(network, x, steps=4).rates(relu) * 0.7
    np.testing.assert_allclose(found, graph.run(x), atol=1e-12)


def test_a_floor_alone_is_refused(new_net):
    net = new_net(2)
    net.add(Floor, "x", name="down")
    with pytest.raises(UnsupportedError, match=r"down .*clip\(floor"):
        Convert()(net.graph(), {})
