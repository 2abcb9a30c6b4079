"""The integer grid: everything on it is an integer, the bound holds, and simulators agree exactly."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.conversion.thresholds.thresholds import PercentileThresholds
from snntoolbox.errors import ConversionError, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import constant_currents, interpret
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Add, AveragePool, Conv, Dense, Input, Mean, ReLU, Scale, Sparse
from snntoolbox.ir.result import Record


def chain(net):
    a = net.relu(net.conv("x", 4))
    net.dense(net.flat(net.relu(net.conv(a, 3, stride=2))), 5)


def pooling(net):
    a = net.average(net.relu(net.conv("x", 4)))
    b = net.relu(net.conv(a, 3))
    net.dense(net.mean(b), 5)


def uneven_pooling(net):
    """Windows at the rim average fewer values: the divisor varies in space."""
    a = net.average(net.relu(net.conv("x", 4)), kernel=3, stride=1, pad=1)
    net.dense(net.flat(net.relu(net.conv(a, 3))), 5)


def two_maps(net):
    """Two convolutions in a row without a rectifier between."""
    a = net.relu(net.conv("x", 3))
    net.dense(net.flat(net.relu(net.conv(net.conv(a, 2), 3))), 5)


def residual(net):
    a = net.relu(net.conv("x", 3))
    b = net.sum(net.conv(net.relu(net.conv(a, 3)), 3), a, "x3", coefficients=(1.0, 0.5, -0.25))
    net.dense(net.flat(net.relu(b)), 5)


def joined(net):
    a, b = net.relu(net.conv("x", 3)), net.relu(net.conv("x", 2, kernel=1, pad=0))
    net.dense(net.flat(net.relu(net.conv(net.concat(a, b, "x"), 3))), 5)


NETS = {f.__name__: f for f in (chain, pooling, uneven_pooling, two_maps, residual, joined)}


def built(new_net, name, encoding=None, seed=2, **choices):
    net = new_net(3, 4, 4, seed=seed)
    if name == "residual":
        net.add(Scale, "x", gain=np.ones((3, 1, 1)), name="x3")
    NETS[name](net)
    graph = net.graph()
    x = np.random.default_rng(0).random((24, 3, 4, 4))
    scales = PercentileThresholds(100)(graph, [x])
    return graph, x, Convert(encoding=encoding or ConstantCurrent(), **choices)(graph, scales)


cases = pytest.mark.parametrize("name", NETS)
codings = pytest.mark.parametrize("encoding", [ConstantCurrent(), Poisson(seed=3)], ids=["constant", "Poisson"])


def whole(array):
    return np.array_equal(array, np.rint(array))


@cases
@codings
def test_everything_that_meets_a_spike_is_an_integer(new_net, name, encoding):
    network = Quantize(8)(built(new_net, name, encoding)[2])
    analogue = {n for n, e in network.encodings.items() if isinstance(e, ConstantCurrent)}
    for node_name, node in network.wiring.nodes.items():
        if network.sources[node_name] <= analogue:
            continue
        weights = getattr(node, "weights", None)
        assert weights is None or whole(weights), node_name
        assert weights is None or np.abs(weights).max() <= 127, node_name
        assert not isinstance(node, Add) or set(node.factors) == {1.0}
        assert not isinstance(node, (AveragePool, Mean)) or node.summed
    for population in network.populations.values():
        neuron = population.neuron
        assert whole(neuron.threshold)
        assert np.min(neuron.threshold) >= 1
        assert whole(neuron.initial)
        assert population.bias is None or whole(population.bias)
    assert all(r.bias is None or whole(r.bias) for r in network.readouts)
    assert network.grid.weight_bits == 8


@cases
@codings
@pytest.mark.parametrize("bits", [6, 8])
def test_the_bound_holds_and_values_are_integers(new_net, name, encoding, bits):
    _, x, network = built(new_net, name, encoding)
    network = Quantize(bits)(network)
    x = x[:4] * 3  # the bound must hold for inputs that calibration did not see
    steps = 30
    result = interpret(network, x, steps=steps, record=Record(potentials=True))
    largest = max((np.abs(c).max() for c in constant_currents(network, x).values()), default=0.0)
    for t in (1, 5, steps):
        bound = network.grid.bound(t, largest)
        for potentials in result.potentials.values():
            assert whole(potentials)
            assert np.abs(potentials[:t]).max() <= bound
    assert bound < 100 * max(np.abs(p).max() for p in result.potentials.values()), "and is not absurdly wide"


@cases
@codings
def test_the_simulator_is_exact_on_the_grid(new_net, name, encoding):
    _, x, network = built(new_net, name, encoding)
    network = Quantize(8)(network)
    everything = Record(spikes=True)
    slow = interpret(network, x[:4], steps=25, record=everything)
    fast = InisimBackend().build(network, device="cpu").run(x[:4], steps=25, record=everything)
    for population in network.populations:
        np.testing.assert_array_equal(slow.spikes[population], fast.spikes[population])
    np.testing.assert_allclose(slow.output, fast.output, rtol=1e-9)


@cases
def test_outputs_approach_the_float_network(new_net, name):
    graph, x, network = built(new_net, name)
    expected = graph.run(x)
    errors = [
        np.abs(InisimBackend().build(Quantize(bits)(network), device="cpu").run(x, steps=512).output - expected).mean()
        for bits in (4, 6, 12)
    ]
    scale = np.abs(expected).mean()
    assert errors[2] < 0.03 * scale
    assert errors[2] < errors[0]
    assert errors[1] < 1.1 * errors[0] + 0.01 * scale


def test_average_pooling_is_merged_into_the_weights(new_net):
    _, _, network = built(new_net, "pooling")
    nodes = Quantize(8)(network).wiring.nodes.values()
    assert not [n for n in nodes if isinstance(n, (Scale, Sparse))]
    assert [n.summed for n in nodes if isinstance(n, (AveragePool, Mean))] == [True, True]


def test_two_maps_in_a_row_are_composed(new_net):
    _, _, network = built(new_net, "two_maps")
    nodes = list(Quantize(8)(network).wiring.nodes.values())
    assert len([n for n in nodes if isinstance(n, Sparse)]) == 1
    assert len([n for n in nodes if isinstance(n, Conv)]) == 1, "the first layer stays a convolution"


def test_largest_weights_use_the_whole_range(new_net):
    _, _, network = built(new_net, "chain")
    for bits in (4, 8):
        quantized = Quantize(bits)(network)
        (conv,) = [
            n for n in quantized.wiring.nodes.values() if isinstance(n, Conv) and n.inputs[0] in quantized.populations
        ]
        peaks = np.abs(conv.weight).max(axis=(1, 2, 3))
        assert peaks.max() <= 2 ** (bits - 1) - 1
        assert peaks.min() > 2 ** (bits - 2)


@pytest.mark.parametrize("bits", [0, 1, 17, -8])
def test_bits_out_of_range_are_refused(new_net, bits):
    with pytest.raises(ConversionError, match=f"weight_bits = {bits} is not from 2 to 16"):
        Quantize(bits)(built(new_net, "chain")[2])


def test_what_leaves_the_grid_is_listed(new_net):
    network = built(new_net, "chain", neuron=IF(leak=0.9, reset="zero", reset_potential=0.25))[2]
    with pytest.raises(UnsupportedError) as caught:
        Quantize(8)(network)
    reasons = [o.reason for o in caught.value.offenders]
    assert len(reasons) == 4, "both populations, both reasons"
    assert "a leak, which leaves the integer grid" in reasons


def test_weights_too_large_raise_their_scale(new_net, caplog):
    """A weight of 100 thresholds does not fit 4 bits: its channel fires 100/7 times less often, and stands for more."""
    net = new_net(2)
    a = net.relu("x")
    b = net.relu(net.add(Scale, a, gain=np.array([1.0, 100.0])))
    graph = net.graph(net.add(Dense, b, weight=np.array([[1.0, 1.0], [0.5, -2.0]])))
    network = Convert()(graph, {a: np.ones(1), b: np.ones(1)})
    quantized = Quantize(4)(network)
    assert "1 of 2 channels" in caplog.text
    scale = np.broadcast_to(quantized.populations[b].scale, 2)
    np.testing.assert_allclose(scale, [1, 100 / 7])
    np.testing.assert_array_equal(quantized.populations[b].neuron.threshold, [7, 1])
    x = np.array([[0.5, 0.125]])
    output = interpret(quantized, x, steps=400).output
    np.testing.assert_allclose(output, graph.run(x), rtol=0.1)
    caplog.clear()
    kept = Quantize(8)(network)
    assert np.all(kept.populations[b].scale == 1), "100 thresholds fit 8 bits"
    assert not caplog.text


@pytest.mark.parametrize(("bound", "told"), [(None, False), (1.0, True), (100.0, False)])
def test_a_raised_scale_above_the_bound_is_told(new_net, caplog, bound, told):
    """A neuron that stands for more per spike saturates above the upper bound of its rectifier."""
    net = new_net(2)
    a = net.relu("x")
    b = net.relu(net.add(Scale, a, gain=np.array([1.0, 100.0])), max_value=bound, name="bounded")
    network = Convert()(net.graph(), {a: np.ones(1), b: np.ones(1)})
    assert network.populations[b].bound == bound
    Quantize(4)(network)
    assert ("upper bound of bounded no longer holds" in caplog.text) is told


def test_gates_stay_as_they_are(new_net):
    net = new_net(2, 4, 4)
    net.dense(net.flat(net.pool(net.relu(net.conv("x", 3)))), 3)
    graph, x = net.graph(), np.random.default_rng(0).random((3, 2, 4, 4))
    network = Quantize(8)(Convert()(graph, PercentileThresholds(100)(graph, [x])))
    slow = interpret(network, x, steps=20)
    fast = InisimBackend().build(network, device="cpu").run(x, steps=20)
    np.testing.assert_allclose(slow.output, fast.output, rtol=1e-9)
    assert np.abs(slow.output).max() > 0


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("threshold", [10, 100])
def test_one_threshold_for_all_neurons(new_net, name, threshold):
    """Weights are multiplied by it and rounded; those that would not fit stand for more each."""
    _, _, network = built(new_net, name)
    quantize = Quantize(8, threshold)
    placed = quantize(network)
    assert {float(t) for p in placed.populations.values() for t in np.unique(p.neuron.threshold)} == {threshold}
    held = [getattr(node, "weights", None) for node in placed.wiring.nodes.values()]
    peaks = [np.abs(weights).max() for weights in held if weights is not None and whole(weights)]  # of spikes
    assert max(peaks) <= quantize.limit
    fitting = quantize.fitting(network)
    for population in placed.populations.values():
        before = fitting.populations[population.name].bias
        np.testing.assert_array_equal(population.bias, np.rint(before * threshold))


def test_thresholds_of_a_recipe(new_net):
    graph, x, _ = built(new_net, "chain")
    with pytest.raises(ConversionError, match="grid_threshold = 10 needs weight_bits"):
        stb.convert(graph, x, T=8, grid_threshold=10)
    coarse, fine, exact = (stb.convert(graph, x, T=64, weight_bits=16, grid_threshold=g) for g in (2, 1000, 0))
    errors = [np.abs(n.run(x).output - graph.run(x)).mean() for n in (coarse, fine, exact)]
    assert errors[0] > 2 * errors[1]
    assert errors[1] < 2 * errors[2]


WIDTHS = {"a": (12, 10), "b": (10, 8), "y": (8, 3)}


def on_own_grids(alike=True):
    """Layers whose weights are integers of eight bits times a step for each channel (for all read-outs), and those.

    Their rectifiers have levels up to one value, or one for each channel where they are not `alike`.
    """
    random, nodes, whole = np.random.default_rng(4), [Input(name="x", shape=(12,))], {}
    for name, (inputs, size) in WIDTHS.items():
        largest = 100 if name == "y" else 127
        counts = random.integers(-largest, largest + 1, (size, inputs))
        counts[:, 0], whole[name] = largest, counts
        steps = np.full((size, 1), 0.01) if name == "y" else random.uniform(0.0045, 0.0075, (size, 1))
        weight = (counts * steps).astype(np.float32)
        nodes.append(Dense(name=name, inputs=(nodes[-1].name,), weight=weight, bias=random.normal(size=size) / 8))
        if name != "y":
            most = 1.5 if alike else random.uniform(0.8, 1.5, size)
            nodes.append(ReLU(name=f"{name}_relu", inputs=(name,), max_value=most, levels=15))
    return Graph(nodes, ["y"]), whole, random.random((40, 12), dtype=np.float32)


@pytest.mark.parametrize("schedule", ["rate", "phased"])
def test_weights_on_a_grid_of_their_own_stay_those_integers(schedule):
    graph, whole, x = on_own_grids()
    exact, placed = (stb.convert(graph, x, T=15, schedule=schedule, weight_bits=bits) for bits in (0, 8))
    weights = {name: node.weight for name, node in placed.wiring.nodes.items() if isinstance(node, Dense)}
    for name in ("b", "y"):
        (found,) = [w for n, w in weights.items() if n.partition("@")[0].partition("/")[0] == name]
        np.testing.assert_array_equal(found, whole[name])
    steps = exact.wiring.nodes["b"].weight[:, 0] / 127
    threshold = placed.populations["b_relu"].neuron.threshold
    np.testing.assert_array_equal(threshold.ravel(), np.rint(1 / steps))
    np.testing.assert_allclose(placed.readouts[0].scale * whole["y"][0, 0], exact.wiring.nodes["y"].weight[0, 0])
    same = placed.run(x).output - exact.run(x).output
    assert np.sqrt(np.mean(same**2)) < 0.1 * np.sqrt(np.mean(exact.run(x).output ** 2))


def test_a_threshold_that_is_rounded_beside_a_large_bias_is_no_fault():
    """Where nothing fires the bias alone says how far a sum may be from that of the network before."""
    weight = np.full((2, 4), 127 / 200.49)
    nodes = [Input(name="x", shape=(4,)), Dense(name="a", inputs=("x",), weight=np.eye(4), bias=np.full(4, -2.0)),
             ReLU(name="r", inputs=("a",), max_value=1.0, levels=8),
             Dense(name="b", inputs=("r",), weight=weight, bias=np.full(2, 3.0)),
             ReLU(name="s", inputs=("b",), max_value=1.0, levels=8),
             Dense(name="y", inputs=("s",), weight=np.eye(2))]  # fmt: skip
    placed = stb.convert(Graph(nodes, ["y"]), np.full((20, 4), 0.5, np.float32), T=8, weight_bits=8)
    assert placed.populations["s"].neuron.threshold.ravel().tolist() == [200.0, 200.0]
    assert placed.populations["s"].bias.ravel().tolist() == [601.0, 601.0]


def test_weights_behind_activations_on_several_grids_are_put_on_one():
    graph, whole, x = on_own_grids(alike=False)
    placed = stb.convert(graph, x, T=15, weight_bits=8)
    (found,) = [n.weight for name, n in placed.wiring.nodes.items() if name.startswith("b") and isinstance(n, Dense)]
    assert (found != whole["b"]).any()
