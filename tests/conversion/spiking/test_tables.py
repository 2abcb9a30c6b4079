"""Tables of smooth functions: their entries, and networks of them on every engine."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.diagnosis.observer import Observer
from snntoolbox.conversion.schedules.quantized_reference import quantized_reference
from snntoolbox.conversion.schedules.radix import Radix
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.spiking.tables import FINENESS, MOST_ENTRIES, table_errors, tabulated
from snntoolbox.errors import ConversionError, UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.nodes import Add, Conv, Dense, Elementwise, Input, Mean, Multiply, ReLU, Reshape, Tabulated
from snntoolbox.ir.nodes.elementwise import FUNCTIONS
from snntoolbox.ir.nodes.moving import Take
from snntoolbox.ir.result import Record

BOTH = [(function, sign) for function in FUNCTIONS for sign in (1, -1) if (function, sign) != ("softplus", -1)]


@pytest.mark.parametrize(("function", "sign"), BOTH)
@pytest.mark.parametrize("levels", [3, 15, 255])
def test_entries_are_the_nearest_levels_and_go_as_far_as_they_change(function, sign, levels):
    node = Tabulated(name="n", function=function, sign=sign)
    scale = np.array([0.2, 0.9, 4.0]).reshape(3, 1, 1)
    table = tabulated(node, scale, levels)
    assert table.counts.shape[1] <= MOST_ENTRIES
    x = np.linspace(-20, 20, 8001)
    got = np.take_along_axis(table.counts, table.place(np.floor(x / table.step[:, None] + 0.5)), axis=1)
    exact = np.clip(node.apply(x) / (scale[:, 0] / levels), 0, levels)
    slope = np.abs(np.diff(node.apply(x)) / np.diff(x)).max()
    rounding = 0.5 + slope * table.step[:, None] / 2 / (scale[:, 0] / levels)
    assert np.all(np.abs(got - exact) <= rounding + 1e-3)
    if levels < 20 and sign > 0:
        assert rounding.max() <= 0.5 + 0.5 / FINENESS + 1e-2


def test_channels_that_are_alike_share_a_row():
    node = Tabulated(name="n", function="tanh")
    assert len(tabulated(node, np.full((4, 1), 0.5), 7).counts) == 1
    assert len(tabulated(node, np.array([[0.5], [0.25]]), 7).counts) == 2


def random_net(seed):
    """Convolutions and a gate of squeeze and excitation, with functions drawn for each layer."""
    random = np.random.default_rng(seed)
    one, two, three, gate = random.choice(list(FUNCTIONS), 4)
    window = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}

    def smooth(name, source, function):
        return Elementwise(name=name, inputs=(source,), function=str(function))

    nodes = [
        Input(name="x", shape=(2, 4, 4)),
        Conv(name="c", inputs=("x",), weight=random.normal(size=(3, 2, 3, 3)), bias=random.normal(size=(3, 1, 1)),
             **window),
        smooth("a", "c", one),
        Mean(name="m", inputs=("a",), axes=(1, 2), keepdims=False),
        Dense(name="e", inputs=("m",), weight=random.normal(size=(3, 3))),
        smooth("g", "e", gate if seed % 2 else "sigmoid"),
        Reshape(name="w", inputs=("g",), shape=(3, 1, 1)),
        Take(name="w1", inputs=("w",), axis=1, indices=(0,) * 4),
        Take(name="w2", inputs=("w1",), axis=2, indices=(0,) * 4),
        Multiply(name="p", inputs=("a", "w2")),
        Conv(name="c2", inputs=("p",), weight=random.normal(size=(3, 3, 3, 3)) / 2, **window),
        smooth("b", "c2", two),
        Add(name="s", inputs=("b", "p")),
        Reshape(name="f", inputs=("s",), shape=(48,)),
        Dense(name="d", inputs=("f",), weight=random.normal(size=(5, 48)) / 4),
        smooth("h", "d", three),
        Dense(name="y", inputs=("h",), weight=random.normal(size=(3, 5))),
    ]  # fmt: skip
    return Graph(nodes, ["y"]), random.uniform(-1, 1, (30, 2, 4, 4))


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_have_the_same_spikes_by_every_engine(seed):
    graph, x = random_net(seed)
    schedule, steps = (("phased", 5), ("radix", 4), ("first-spike", 6))[seed % 3]
    network = stb.convert(graph, x, schedule=schedule, T=steps, weight_bits=(8, 5, 12)[seed % 3])
    x, record = x[:3], Record(spikes=True, potentials=seed < 2)
    expected = interpret(network, x, steps=network.schedule.steps, record=record)
    assert sum(p.neuron.table is not None for p in network.populations.values()) >= 4
    for engine in ("counts", "dense"):
        result = stb.simulate(network, x, T=steps, record=record, engine=engine)
        for name, spikes in expected.spikes.items():
            np.testing.assert_array_equal(result.spikes[name], spikes, err_msg=f"{engine}: {name}")
        for name, potentials in expected.potentials.items():
            np.testing.assert_array_equal(result.potentials[name], potentials, err_msg=f"{engine}: {name}")
        np.testing.assert_array_equal(result.outputs["y"], expected.outputs["y"])


def test_brian2_has_the_same_spikes():
    pytest.importorskip("brian2")
    graph, x = random_net(1)
    network = stb.convert(graph, x, schedule="radix", T=3, weight_bits=8)
    record = Record(spikes=True)
    expected = interpret(network, x[:2], steps=network.schedule.steps, record=record)
    result = stb.simulate(network, x[:2], T=3, simulator="brian2", record=record)
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(result.spikes[name], spikes, err_msg=name)


def small(function, seed=0):
    random = np.random.default_rng(seed)
    first = Dense(name="first", inputs=("x",), weight=random.normal(size=(8, 6)), bias=random.normal(size=8))
    smooth = Elementwise(name="smooth", inputs=("first",), function=function)
    last = Dense(name="last", inputs=("smooth",), weight=random.normal(size=(3, 8)))
    return Graph([Input(name="x", shape=(6,)), first, smooth, last], ["last"])


X = np.random.default_rng(1).uniform(0, 1, (200, 6))


@pytest.mark.parametrize("function", ["sigmoid", "silu", "gelu", "hard_swish"])
def test_errors_fall_with_digits_and_are_split(function):
    graph, errors = small(function), []
    expected = graph.run(X)
    for steps in (4, 6, 8):
        network = stb.convert(graph, X, schedule="radix", T=steps)
        result = stb.simulate(network, X, T=steps)
        errors.append(np.sqrt(np.mean((result.outputs["last"] - expected) ** 2)) / expected.std())
        told = table_errors(network, network.original)
        assert told.keys() == network.populations.keys()
        for name, error in told.items():
            most = np.max(network.populations[name].scale)
            assert 0.4 * most < error * (2**steps - 1) < (1 + 0.1 * 2 ** (steps - 4)) * most
        observer = Observer(network, network.original)  # which checks that the terms of each layer make its error
        observer.add([X], result)
        assert not any(layer.undefined for layer in observer.diagnosis().layers)
    assert errors[0] < 0.1
    assert errors[1] < errors[0] / 2
    assert errors[2] < errors[1] / 2


@pytest.mark.parametrize(("function", "size"), [("silu", 1e5), ("silu", 1.0), ("tanh", 1e-4), ("gelu", 1e-3)])
def test_what_is_told_of_a_table_is_what_its_function_loses_however_large_it_is(function, size):
    node = Tabulated(name="t", function=function, inputs=("x",))
    graph = Graph([Input(name="x", shape=(1,)), node], ["t"])
    network = Convert(levels=7)(graph, {"t": np.full((1,), size)})
    table = network.populations["t"].neuron.table
    x = np.linspace(-1, 1, 200001) * 1.5 * size
    values = table.counts[0][table.place(np.floor(x / table.step + 0.5))] * (size / 7)
    found = np.abs(values - np.minimum(node.apply(x), size)).max()
    assert 0.99 * found <= table_errors(network, graph)["t"] <= 1.01 * found + 1e-9


def test_the_reference_without_spikes_has_the_same_tables():
    graph = small("mish")
    network = stb.convert(graph, X, schedule="phased", T=9, readout_correction=0, layer_correction="none")
    scales = {p.activation: p.scale for p in network.populations.values()}
    values = quantized_reference(network.original, scales, 9, [X[:20]])
    result = stb.simulate(network, X[:20], T=9)
    np.testing.assert_allclose(result.outputs["last"], values["last"], atol=1e-6)


def test_weights_that_are_many_entries_read_the_table_more_coarsely(caplog):
    graph = small("silu")
    nodes = [*graph.nodes.values(), Elementwise(name="s", inputs=("last",), function="silu")]
    graph = Graph([*nodes, Dense(name="y", inputs=("s",), weight=np.eye(3))], ["y"])
    network = stb.convert(graph, X, schedule="radix", T=4)
    coarse = stb.convert(graph, X, schedule="radix", T=4, weight_bits=3)
    assert "read their tables more coarsely, so that they fit 3 bits" in caplog.text
    step = {n: p.neuron.table.step.max() for n, p in network.populations.items()}
    raised = {n: p.neuron.table.step.max() > step[n] for n, p in coarse.populations.items()}
    assert raised == {n: n.startswith("s.") for n in raised}  # the others read constant currents
    np.testing.assert_array_equal(coarse.populations["s.positive"].scale, network.populations["s.positive"].scale)


def test_a_window_is_asked_for_where_none_is_given():
    with pytest.raises(ConversionError, match=r"T = 6, \[simulation\] duration = 6"):
        stb.convert(small("silu"), X, schedule="radix")


def test_windows_must_be_those_that_the_table_is_for():
    graph = Graph([Input(name="x", shape=(6,)), Tabulated(name="t", inputs=("x",), function="tanh")], ["t"])
    scales = {"t": np.full((6,), 0.5)}
    with pytest.raises(ConversionError, match="needs a table of levels"):
        Convert()(graph, scales)
    network = Convert(levels=7)(graph, scales)
    assert Radix().apply(network, 3).schedule.total == 7
    with pytest.raises(ConversionError, match="its table is for windows of 7 levels, not of 15"):
        Radix().apply(network, 4)


def test_without_data_thresholds_follow_from_the_weights():
    network = stb.convert(small("gelu"), schedule="radix", T=8)
    result = stb.simulate(network, X, T=8)
    expected = small("gelu").run(X)
    assert np.abs(result.outputs["last"] - expected).max() < 0.1 * np.abs(expected).max()


def test_simulators_without_tables_refuse_them_by_name():
    network = stb.convert(small("tanh"), X, schedule="phased", T=4, weight_bits=8)
    for simulator in ("pynn.brian2", "nest"):
        with pytest.raises(UnsupportedError, match=r"smooth.*: a table of counts") as caught:
            stb.simulate(network, X, T=4, simulator=simulator)
        # Not that windows become pulses on the grid, on which it is.
        assert "simulator = INI or brian2 or verilog can run all of these, or" in str(caught.value)
        assert "weight_bits" not in str(caught.value)


def test_a_rectifier_beside_a_table_is_corrected_alone():
    graph = small("silu")
    nodes = [*graph.nodes.values(), ReLU(name="r", inputs=("last",)), Dense(name="y", inputs=("r",), weight=np.eye(3))]
    network = stb.convert(Graph(nodes, ["y"]), X, schedule="phased", T=2, layer_correction="potential")
    starts = {n: np.ptp(np.asarray(p.neuron.initial) % 1) for n, p in network.populations.items()}
    assert len(starts) == 3
