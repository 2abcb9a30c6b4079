import numpy as np
import pytest

from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Reset
from snntoolbox.ir.node import Origin
from snntoolbox.ir.nodes import Add, AveragePool, Conv, Dense, Input, MaxPool, Mean, ReLU, Reshape, Scale, Take
from snntoolbox.ir.summary import describe, graph_summary, incoming, network_summary, span, summary


def conv(name, source, shape, stride=(1, 1), dilation=(1, 1), groups=1, **more):
    pads = tuple((d * (k // 2), d * (k // 2)) for k, d in zip(shape[2:], dilation, strict=True))
    geometry = {"stride": stride, "padding": pads, "dilation": dilation, "groups": groups}
    return Conv(name=name, inputs=(source,), weight=np.ones(shape), **geometry, **more)


def pool(kind, kernel, stride, **more):
    return kind(name="p", inputs=("x",), kernel=kernel, stride=stride, padding=((0, 0), (0, 0)), **more)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (conv("c", "x", (8, 3, 3, 3)), "Conv 3x3"),
        (conv("c", "x", (8, 3, 1, 5), stride=(2, 2)), "Conv 1x5 /2"),
        (conv("c", "x", (8, 3, 3, 3), stride=(1, 2), dilation=(2, 2)), "Conv 3x3 /1x2, dilation 2x2"),
        (conv("c", "x", (8, 2, 3, 3), groups=4), "Conv 3x3, 4 groups"),
        (conv("c", "x", (8, 1, 3, 3), groups=4), "depthwise Conv 3x3"),
        (pool(AveragePool, (2, 2), (2, 2)), "AveragePool 2x2"),
        (pool(MaxPool, (3, 3), (2, 2), dilation=(1, 1)), "MaxPool 3x3 /2"),
        (ReLU(name="r", inputs=("x",), max_value=6.0), "ReLU up to 6"),
        (ReLU(name="r", inputs=("x",), max_value=0.5, levels=8), "ReLU up to 0.5 in 8 levels"),
        (ReLU(name="r", inputs=("x",), max_value=np.array([0.5, 2.0])), "ReLU up to 0.5 .. 2"),
        (Mean(name="m", inputs=("x",), axes=(1, 2)), "Mean"),
    ],
)
def test_a_node_is_described_briefly(node, expected):
    assert describe(node) == expected


@pytest.mark.parametrize(("values", "expected"), [(1.0, "1"), (np.full(3, 0.25), "0.25"), ([0.5, 2, 1], "0.5 .. 2")])
def test_a_span_is_one_number_or_two(values, expected):
    assert span(values) == expected


def columns(text):
    """The table between header and notes: {first cell: line}, and the header."""
    lines = text.splitlines()
    return {line.split()[0]: line for line in lines[2:] if line.strip("-")}, lines[1]


def test_graph_summary_tells_shapes_parameters_layers_and_branches():
    keras = Origin("keras", "Conv2D", "conv2d_1")
    graph = Graph(
        [
            Input(name="x", shape=(3, 8, 8)),
            conv("a", "x", (16, 3, 3, 3), bias=np.ones((16, 1, 1)), origin=keras),
            conv("b", "a", (16, 16, 3, 3), origin=Origin("keras", "Conv2D", "b")),
            Add(name="sum", inputs=("b", "a")),
        ],
        ["sum"],
        name="small",
    )
    text = graph_summary(graph)
    lines, header = columns(text)
    assert text.startswith("small\n")
    assert lines["a"].split() == ["a", "Conv", "3x3", "16x8x8", "448", "conv2d_1", "(Conv2D)"]
    assert lines["b"].split() == ["b", "Conv", "3x3", "16x8x8", "2,304", "Conv2D"]
    assert lines["sum"].split()[-2:] == ["b,", "a"]
    assert lines["total"].split() == ["total", "4", "nodes", "2,752"]
    ends = {line.index(n) + len(n) for line, n in ((lines["a"], "448"), (lines["b"], "2,304"), (header, "parameters"))}
    assert len(ends) == 1, "numbers are aligned on the right"
    assert text.splitlines()[-1] == "outputs: sum (values)"


def network(encoding=None, neuron=None, grid=None, dt=1.0):
    """x -> a (conv) -> b (pool, conv, plus a skipping scale) -> read-out."""
    nodes = [
        Input(name="x", shape=(2, 4, 4)),
        conv("first", "x", (3, 2, 3, 3)),
        Input(name="a", shape=(3, 4, 4)),
        pool(AveragePool, (2, 2), (2, 2)).with_inputs("a"),
        conv("second", "p", (2, 3, 1, 1)),
        Take(name="take", inputs=("x",), axis=1, indices=(0, 2)),
        Take(name="less", inputs=("take",), axis=2, indices=(0, 2)),
        Scale(name="skip", inputs=("less",), gain=np.ones((2, 1, 1))),
        Add(name="sum", inputs=("second", "skip")),
        Input(name="b", shape=(2, 2, 2)),
        Reshape(name="flat", inputs=("b",), shape=(8,)),
        Dense(name="fc", inputs=("flat",), weight=np.ones((10, 8))),
    ]
    neuron = neuron or IF()
    origin = Origin("onnx", "Relu", "/layer1/Relu")
    scale = np.array([0.5, 2.0, 1.0]).reshape(3, 1, 1)
    a = Population(name="a", shape=(3, 4, 4), neuron=neuron, current="first", scale=scale, activation="a")
    b = Population(
        name="b", shape=(2, 2, 2), neuron=neuron, current="sum", scale=np.ones(()), activation="b", origin=origin
    )
    readout = Readout(name="out", current="fc", shape=(10,), scale=3.5)
    graph = Graph(nodes, ["first", "sum", "fc"], name="net")
    return SpikingNetwork(graph, {"x": encoding or ConstantCurrent()}, [a, b], [readout], dt=dt, grid=grid)


def test_network_summary_tells_maps_neurons_synapses_and_sources():
    lines, _ = columns(network_summary(network()))
    # 3x3 taps over 4x4 positions with a rim of padding: (3 * 4 - 2)^2 pairs for each pair of channels
    assert lines["a"].split() == ["a", "3x4x4", "48", "600", "1", "0.5", "..", "2", "Conv", "3x3"]
    assert lines["b"].split()[6:13] == ["AveragePool", "2x2", "+", "Conv", "1x1", "+", "Add"]
    # four pooled positions of three channels for each neuron, and the skipping input
    assert lines["b"].split()[1:6] == ["2x2x2", "8", str(8 * (12 + 1)), "1", "1"]
    assert lines["b"].split()[13:] == ["/layer1/Relu", "(Relu)", "x,", "a"]
    assert lines["out"].split() == ["out", "10", "80", "3.5", "Dense", "(read-out)"]
    assert lines["total"].split() == ["total", "56", "784", "2", "populations"]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_table_says_the_same_below_its_rows(width):
    wide, narrow = network_summary(network()), network_summary(network(), width)
    table = narrow.split("input:")[0]
    assert max(map(len, table.splitlines())) <= width
    words = set(wide.replace("-", "").split())
    told = set(narrow.replace("-", "").replace(";", "").split()) | {"map", "into", "it", "layer", "reads", "scale"}
    assert words - {"2", "populations", "threshold", "synapses", "neurons", "shape"} <= told


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "constant current"),
        ({"encoding": Poisson(amplitude=2.0, seed=7), "dt": 0.5}, "at most 2,000 Hz for |x| = 2, seed 7"),
        ({"dt": 0.5}, "0.5 ms"),
        ({}, "integrate-and-fire, reset by subtraction, V starts at 0"),
        ({"neuron": IF(reset=Reset.ZERO, reset_potential=-0.5)}, "reset to -0.5"),
        ({"neuron": IF(reset=Reset.MODULO, initial=0.5)}, "reset modulo the threshold, V starts at 0.5"),
        ({"neuron": IF(leak=0.9, refractory=2)}, "leaky integrate-and-fire (keeps 0.9 a step)"),
        ({"neuron": IF(leak=0.9, refractory=2)}, "refractory for 2 steps"),
        ({"grid": Grid(weight_bits=8, start=64, growth=1234)}, "8-bit weights, |V| grows by at most 1,234 a step"),
    ],
)
def test_network_summary_tells_coding_neurons_step_and_grid(options, expected):
    assert expected in network_summary(network(**options))


def test_long_chains_of_maps_are_cut():
    nodes = [Input(name="x", shape=(1, 8, 8))]
    for i, k in enumerate((1, 3, 5, 7)):
        nodes.append(conv(f"c{i}", nodes[-1].name, (1, 1, k, k)))
    net = SpikingNetwork(
        Graph(nodes, ["c3"]), {"x": ConstantCurrent()}, [], [Readout(name="o", current="c3", shape=(1, 8, 8))]
    )
    assert incoming(net, "c3") == "... + Conv 3x3 + Conv 5x5 + Conv 7x7"
    assert incoming(net, "x") == "direct"


def test_a_gate_has_no_threshold():
    gate = MaxGate(kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)), dilation=(1, 1))
    nodes = [Input(name="x", shape=(1, 4, 4)), Input(name="g", shape=(1, 2, 2))]
    population = Population(name="g", shape=(1, 2, 2), neuron=gate, current="x", scale=np.ones(()), activation="g")
    net = SpikingNetwork(Graph(nodes, ["x"]), {"x": Poisson()}, [population], [])
    assert "max gate" in network_summary(net)


def test_summaries_are_methods_too():
    net = network()
    assert summary(net) == network_summary(net)
    assert summary(net.wiring) == graph_summary(net.wiring)
