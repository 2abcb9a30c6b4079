"""Operation counts against brute force: the stored entries of every projection's matrix, one by one."""

import math
import time

import numpy as np
import pytest
import scipy.sparse as sp
from node_catalogue import CASES as CATALOGUE
from node_catalogue import LINEAR, graph_of

from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.ir import operations
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import LinearNode
from snntoolbox.ir.nodes import (
    Add,
    AveragePool,
    Concat,
    Conv,
    Dense,
    Input,
    MatrixProduct,
    MaxPool,
    Mean,
    Multiply,
    Normalise,
    Pad,
    Permute,
    ReLU,
    Reshape,
    Scale,
    Softmax,
    Sparse,
    Take,
)
from snntoolbox.ir.operations import (
    ann_operations,
    ann_operations_per_node,
    fan_out,
    input_events,
    input_operations,
    input_trains,
    multiply_accumulates,
    neuron_updates_per_step,
    synaptic_operations,
    synaptic_operations_per_step,
)
from snntoolbox.ir.result import Record

ONES = np.ones(())


def ones(*shape):
    """Weights above zero, so that nothing cancels and no entry is left out of a matrix."""
    return np.random.default_rng(0).uniform(0.5, 1.5, shape)


def conv(name, source, weight, stride=1, padding=0, dilation=1, groups=1):
    rank = weight.ndim - 2
    pads = padding if isinstance(padding, tuple) else ((padding, padding),) * rank
    return Conv(
        name=name,
        inputs=(source,),
        weight=weight,
        stride=(stride,) * rank,
        padding=pads,
        dilation=(dilation,) * rank,
        groups=groups,
    )


def pool(name, source, kernel, stride, padding=0, **more):
    pads = ((padding, padding),) * len(kernel)
    return AveragePool(name=name, inputs=(source,), kernel=kernel, stride=stride, padding=pads, **more)


def network(shape, *nodes, readouts=(), encoding=None):
    """The nodes as the wiring from population 'z' (and the input) to populations on the last one and to read-outs."""
    wiring = [Input(name="x", shape=shape), Scale(name="gain", inputs=("x",), gain=np.ones((1,) * len(shape)))]
    wiring += [Input(name="z", shape=shape), *nodes]
    target = nodes[-1].name
    outputs = ["gain", target, *(current for _, current in readouts)]
    out = Graph(wiring, [target]).shapes[target]
    graph = Graph([*wiring, Input(name="y", shape=out)], list(dict.fromkeys(outputs)))
    populations = [
        Population(name="z", shape=shape, neuron=IF(), current="gain", scale=ONES, activation="z"),
        Population(name="y", shape=graph.shapes[target], neuron=IF(), current=target, scale=ONES, activation="y"),
    ]
    outs = [Readout(name=n, current=c, shape=graph.shapes[c]) for n, c in readouts]
    return SpikingNetwork(graph, {"x": encoding or ConstantCurrent()}, populations, outs)


def chain(*makers):
    """Nodes a, b, c, ... each reading the one before, the first reading 'z'."""
    nodes, source = [], "z"
    for name, make in zip("abcdefgh", makers, strict=False):
        nodes.append(make(name, source))
        source = name
    return nodes


def over(make, *args, **kw):
    return lambda name, source: make(name, source, *args, **kw)


def plain(kind, **fields):
    return lambda name, source: kind(name=name, inputs=(source,), **fields)


SHAPE = (4, 9, 8)
CASES = {
    "dense": ((7,), chain(plain(Dense, weight=ones(5, 7)))),
    "dense on the first axis": (SHAPE, chain(plain(Dense, weight=ones(3, 4), axis=0))),
    "flatten dense": (SHAPE, chain(plain(Reshape, shape=(288,)), plain(Dense, weight=ones(5, 288)))),
    "conv": (SHAPE, chain(over(conv, ones(6, 4, 3, 3)))),
    "conv same": (SHAPE, chain(over(conv, ones(6, 4, 3, 3), padding=1))),
    "conv strided": (SHAPE, chain(over(conv, ones(6, 4, 3, 3), stride=2, padding=1))),
    "conv strided beyond its kernel": (SHAPE, chain(over(conv, ones(6, 4, 2, 2), stride=3))),
    "conv dilated": (SHAPE, chain(over(conv, ones(6, 4, 3, 3), padding=2, dilation=2))),
    "conv dilated and strided": (SHAPE, chain(over(conv, ones(6, 4, 3, 2), stride=2, padding=1, dilation=3))),
    "conv 1x1 stride 2": (SHAPE, chain(over(conv, ones(6, 4, 1, 1), stride=2))),
    "conv uneven padding": (SHAPE, chain(over(conv, ones(6, 4, 2, 3), padding=((0, 1), (2, 0))))),
    "conv grouped": (SHAPE, chain(over(conv, ones(6, 2, 3, 3), padding=1, groups=2))),
    "conv depthwise": (SHAPE, chain(over(conv, ones(8, 1, 3, 3), stride=2, padding=1, groups=4))),
    "conv 1-D": ((3, 11), chain(over(conv, ones(5, 3, 4), stride=2, padding=1))),
    "conv 3-D": ((2, 4, 5, 3), chain(over(conv, ones(3, 2, 2, 3, 2), padding=1))),
    "average pool": (SHAPE, chain(over(pool, (2, 2), (2, 2)))),
    "average pool overlapping": (SHAPE, chain(over(pool, (3, 3), (2, 2), 1))),
    "average pool ceil": (SHAPE, chain(over(pool, (2, 2), (2, 2), overhang=(1, 0)))),
    "pool conv": (SHAPE, chain(over(pool, (2, 2), (2, 2)), over(conv, ones(6, 4, 3, 3), padding=1))),
    "overlapping pool conv": (SHAPE, chain(over(pool, (3, 3), (2, 2), 1), over(conv, ones(6, 4, 3, 3), padding=1))),
    "conv pool": (SHAPE, chain(over(conv, ones(6, 4, 3, 3), padding=1), over(pool, (3, 3), (2, 2)))),
    "conv conv": (SHAPE, chain(over(conv, ones(6, 4, 3, 3), stride=2), over(conv, ones(4, 3, 2, 2), groups=2))),
    "conv flatten dense": (
        SHAPE,
        chain(over(conv, ones(2, 4, 3, 3), stride=4), plain(Reshape, shape=(8,)), plain(Dense, weight=ones(3, 8))),
    ),
    "pool flatten dense drops the rim": (
        SHAPE,
        chain(over(pool, (3, 3), (3, 3)), plain(Reshape, shape=(24,)), plain(Dense, weight=ones(5, 24))),
    ),
    "mean dense": (SHAPE, chain(plain(Mean, axes=(1, 2)), plain(Dense, weight=ones(5, 4)))),
    "mean kept": (SHAPE, chain(plain(Mean, axes=(1,), keepdims=True), over(conv, ones(2, 4, 1, 3)))),
    "scale pad take permute": (
        SHAPE,
        chain(
            plain(Scale, gain=ones(4, 1, 1)),
            plain(Pad, pads=((0, 0), (2, 1), (0, 3))),
            plain(Take, axis=1, indices=(0, 2, 2, 5, 11)),
            plain(Permute, axes=(2, 0, 1)),
            over(conv, ones(2, 11, 3, 2)),
        ),
    ),
    "upsample conv": (SHAPE, chain(plain(Take, axis=1, indices=(0, 0, 1, 1, 2, 2)), over(conv, ones(3, 4, 3, 3)))),
    "channel shuffle": (
        SHAPE,
        chain(
            over(conv, ones(4, 2, 1, 1), groups=2),
            plain(Reshape, shape=(2, 2, 9, 8)),
            plain(Permute, axes=(1, 0, 2, 3)),
            plain(Reshape, shape=SHAPE),
            over(conv, ones(4, 1, 3, 3), groups=4, padding=1),
        ),
    ),
    "space to depth": (
        SHAPE,
        chain(
            over(conv, ones(4, 1, 2, 2), groups=4, padding=((1, 0), (0, 1))),
            plain(Reshape, shape=(4, 3, 3, 4, 2)),
            plain(Permute, axes=(0, 2, 4, 1, 3)),
            plain(Reshape, shape=(24, 3, 4)),
            over(conv, ones(8, 6, 2, 2), groups=4),
        ),
    ),
    "reshape across axes, dense": (
        SHAPE,
        chain(over(pool, (1, 2), (1, 2)), plain(Reshape, shape=(6, 24)), plain(Dense, weight=ones(5, 24))),
    ),
    "reshape with ones": ((4, 1, 1), chain(plain(Reshape, shape=(1, 4, 1)), plain(Dense, weight=ones(3, 4), axis=1))),
    "residual": (
        SHAPE,
        [conv("a", "z", ones(4, 4, 3, 3), padding=1), Add(name="b", inputs=("a", "z"))],
    ),
    "residual then conv": (
        SHAPE,
        [
            conv("a", "z", ones(4, 1, 3, 1), padding=((1, 1), (0, 0)), groups=4),
            Add(name="b", inputs=("a", "z"), coefficients=(1.0, 2.0)),
            conv("c", "b", ones(3, 4, 2, 2), stride=2),
        ],
    ),
    "maximum of neighbours": (
        (4, 6),
        [
            Take(name="a", inputs=("z",), axis=1, indices=(0, 2, 4)),
            Take(name="b", inputs=("z",), axis=1, indices=(1, 3, 5)),
            Add(name="c", inputs=("a", "b"), coefficients=(0.5, 0.25)),
        ],
    ),
    "concatenation": (
        SHAPE,
        [
            conv("a", "z", ones(3, 4, 1, 1)),
            Concat(name="b", inputs=("a", "z"), axis=0),
            conv("c", "b", ones(2, 7, 3, 3), padding=1),
        ],
    ),
    "sparse": (
        (3, 4),
        chain(
            plain(Sparse, matrix=sp.csr_array(np.tri(6, 12)), shape_in=(3, 4), shape_out=(2, 3)),
            plain(Dense, weight=ones(2, 3)),
        ),
    ),
}


def brute_force(net, source):
    """Entries of every matrix out of `source`, column by column."""
    size = net.wiring.size(source)
    counts = np.zeros(size, np.int64)
    for projection in net.projections:
        if projection.source == source:
            counts += (projection.synapses().toarray() != 0).sum(axis=0)
    return counts.reshape(net.wiring.shapes[source])


@pytest.mark.parametrize("case", CASES)
def test_fan_out_equals_brute_force(case):
    shape, nodes = CASES[case]
    net = network(shape, *nodes, readouts=[("first", nodes[0].name)])
    found = fan_out(net)
    for source in ("x", "z"):
        np.testing.assert_array_equal(found[source], brute_force(net, source))
    assert not found["y"].any()


ALONE = {case: (node, shapes) for case, (node, shapes, _) in LINEAR.items() if len(shapes) == 1}


@pytest.mark.parametrize("case", ALONE)
def test_fan_out_of_every_linear_node_equals_brute_force(case):
    node, (shape,) = ALONE[case]
    net = network(shape, node.with_inputs("z").with_bias(None))
    for source in ("x", "z"):
        np.testing.assert_array_equal(fan_out(net)[source], brute_force(net, source))


@pytest.mark.parametrize("case", [c for c in CATALOGUE if c != "input"])
def test_every_node_has_a_count_of_operations(case):
    """Weights cost what their matrices have entries; what is not linear is free, maxima, products and norms aside.

    A product of matrices costs a multiplication and an addition for each of its terms, as a matrix of weights does.
    """
    node, shapes, out = CATALOGUE[case]
    cost = ann_operations(graph_of(node, shapes))
    bias = math.prod(out) if getattr(node, "bias", None) is not None else 0
    if isinstance(node, (Dense, Conv, Sparse)):
        assert cost == 2 * sum(m.nnz for m in node.synapses(*shapes)) + bias
    elif isinstance(node, MaxPool):
        assert cost > math.prod(out) / 2
    elif isinstance(node, Multiply):
        assert cost == math.prod(out)
    elif isinstance(node, MatrixProduct):
        assert cost == 2 * node.contraction.terms * math.prod(out)
    elif isinstance(node, Normalise):
        assert cost == (5 if node.centred else 3) * math.prod(out)
    elif not isinstance(node, LinearNode):
        assert cost == 0
    else:
        assert cost >= bias


def test_a_network_is_counted_once(monkeypatch):
    net, counted = network(SHAPE, conv("a", "z", ones(4, 4, 3, 3), padding=1)), []
    count = operations.source_supports
    monkeypatch.setattr(operations, "source_supports", lambda net: counted.append(net) or count(net))
    assert [fan_out(net)["z"].sum() for _ in range(3)] == 3 * [brute_force(net, "z").sum()]
    assert counted == [net]
    with pytest.raises(ValueError, match="read-only"):
        fan_out(net)["z"][:] = 0


def test_two_sources_are_kept_apart():
    nodes = [conv("a", "z", ones(4, 4, 3, 3), padding=1), conv("skip", "x", ones(4, 4, 1, 1))]
    nodes += [Add(name="b", inputs=("a", "skip")), Concat(name="c", inputs=("b", "skip", "z"), axis=0)]
    net = network(SHAPE, *nodes)
    found = fan_out(net)
    for source in ("x", "z"):
        np.testing.assert_array_equal(found[source], brute_force(net, source))


def test_a_zero_weight_is_a_synapse_still():
    weight = ones(6, 4, 3, 3)
    weight[:, :, 1] = 0
    dense, sparse = (network(SHAPE, conv("a", "z", w)) for w in (ones(6, 4, 3, 3), weight))
    np.testing.assert_array_equal(fan_out(sparse)["z"], fan_out(dense)["z"])


def test_synaptic_operations_are_spikes_times_fan_out():
    net = network(SHAPE, conv("a", "z", ones(6, 4, 3, 3), stride=2), readouts=[("out", "a")])
    rng = np.random.default_rng(1)
    spikes = rng.random((5, 3, *SHAPE)) < 0.3
    expected = sum(brute_force(net, "z")[i] for i in zip(*(a for a in np.nonzero(spikes)[2:]), strict=True)) / 3
    counts = {"z": spikes.sum(axis=0), "y": np.ones((3, *net.populations["y"].shape), np.int64)}
    assert synaptic_operations(net, counts) == pytest.approx(expected)
    per_step = synaptic_operations_per_step(net, {"z": spikes})
    assert per_step.shape == (3, 5)
    assert per_step.sum() == pytest.approx(3 * expected)


def layer(kind):
    """A small graph with a convolution of this kind behind a rectifier, and what is behind that."""
    weight, geometry = np.random.default_rng(2).normal(size=(4, 4, 3, 3)), {"stride": 1, "padding": 1}
    if kind == "groups":
        weight = weight[:, :2]
    geometry |= {"strided": {"stride": 2}, "dilated": {"dilation": 2, "padding": ((2, 0), (1, 2))}}.get(kind, {})
    geometry |= {"groups": {"groups": 2}}.get(kind, {})
    nodes = [Input(name="x", shape=(2, 6, 5)), conv("first", "x", np.ones((4, 2, 1, 1)))]
    nodes.append(ReLU(name="a", inputs=("first",)))
    source = "a"
    if kind == "transposed":  # zeros between the values, as transposed convolutions are read
        nodes += [
            Reshape(name="apart", inputs=("a",), shape=(4, 6, 1, 5, 1)),
            Pad(name="zeros", inputs=("apart",), pads=((0, 0), (0, 0), (0, 1), (0, 0), (0, 1))),
            Reshape(name="joined", inputs=("zeros",), shape=(4, 12, 10)),
            Take(name="cut", inputs=("joined",), axis=1, indices=tuple(range(11))),
        ]
        source = "cut"
    nodes.append(conv("second", source, weight, **geometry))
    nodes.append(ReLU(name="b", inputs=("second",)))
    shape = Graph(nodes, ["b"]).shapes["b"]
    nodes += [Reshape(name="flat", inputs=("b",), shape=(math.prod(shape),))]
    nodes += [Dense(name="out", inputs=("flat",), weight=ones(3, math.prod(shape)))]
    return Graph(nodes, ["out"])


NEURONS = {
    "plain": IF(initial=0.5),
    "bursts": IF(initial=0.5, levels=(1.0, 2.0)),
    "signed": IF(initial=0.5, negative="memory"),
    "refractory": IF(initial=0.5, refractory=2),
}


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("kind", ["plain", "strided", "dilated", "groups", "transposed"])
def test_operations_of_each_sample_and_step_equal_brute_force(kind, name):
    """Spike by spike: how many entries the matrices out of that neuron have."""
    graph, x = layer(kind), np.random.default_rng(3).normal(size=(2, 2, 6, 5))
    scales = {name: np.ones((1, 1, 1)) for name in ("a", "b")}
    net = Convert(neuron=NEURONS[name], encoding=Poisson(amplitude=4.0, seed=5))(graph, scales)
    result = interpret(net, x, steps=6, record=Record(spikes=True))
    trains = {**result.spikes, **input_trains(net, [x], 6)}
    fans = {source: brute_force(net, source) for source in trains}
    expected = np.zeros((2, 6), np.int64)
    for source, train in trains.items():
        for step, sample, *neuron in zip(*np.nonzero(train), strict=True):
            expected[sample, step] += fans[source][tuple(neuron)]
    np.testing.assert_array_equal(synaptic_operations_per_step(net, trains), expected)
    counts = {**result.events, **input_events(net, [x], 6)}
    assert synaptic_operations(net, counts) == pytest.approx(expected.sum() / 2)
    assert input_operations(net) == 0
    assert neuron_updates_per_step(net, 2, 6).tolist() == [[sum(p.size for p in net.populations.values())] * 6] * 2


def test_the_first_sample_of_a_batch_numbers_its_trains():
    net = network((7,), *chain(plain(Dense, weight=ones(5, 7))), encoding=Poisson(amplitude=2.0, seed=1))
    x = np.random.default_rng(0).random((6, 7))
    whole = input_events(net, [x], 70)["x"]
    np.testing.assert_array_equal(input_events(net, [x[4:]], 70, 4)["x"], whole[4:])
    np.testing.assert_array_equal(np.count_nonzero(input_trains(net, [x], 70)["x"], axis=0), whole)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_spike_into_gates_counts_for_each_of_its_windows(stride):
    geometry = {"kernel": (3, 2), "stride": (stride,) * 2, "padding": ((1, 1), (0, 0)), "dilation": (1, 1)}
    node = MaxPool(name="p", inputs=("r",), **geometry)
    graph = Graph([Input(name="x", shape=(2, 6, 6)), ReLU(name="r", inputs=("x",)), node], ["p"])
    net = Convert()(graph, {"r": np.ones((1, 1, 1))})
    taps = np.zeros((6, 6), np.int64)
    for top in range(-1, 5, stride):
        for left in range(0, 5, stride):
            rows, columns = np.arange(top, top + 3), np.arange(left, left + 2)
            taps[np.ix_(rows[(rows >= 0) & (rows < 6)], columns)] += 1
    np.testing.assert_array_equal(fan_out(net)["r"], np.stack([taps, taps]))


@pytest.mark.parametrize("kind", ["plain", "strided", "dilated", "groups"])
def test_multiply_accumulates_are_the_entries_of_the_matrices(kind):
    graph = layer(kind)
    weighted = [graph.nodes[n] for n in ("first", "second", "out")]
    entries = sum(int(m.nnz) for node in weighted for m in node.synapses(*graph.input_shapes(node.name)))
    assert multiply_accumulates(graph) == entries
    assert multiply_accumulates(_model()) == (ANN_COSTS["conv"] - 256 + ANN_COSTS["fc"] - 10) / 2


def test_constant_input_is_paid_once_and_spiking_input_is_not():
    assert input_operations(network((7,), *chain(plain(Dense, weight=ones(5, 7))))) == 2 * 7
    assert input_operations(network((7,), *chain(plain(Dense, weight=ones(5, 7))), encoding=Poisson())) == 0


def _model():
    shape = (3, 8, 8)
    return Graph(
        [
            Input(name="x", shape=shape),
            Conv(
                name="conv", inputs=("x",), weight=ones(4, 3, 3, 3), bias=ones(4, 1, 1),
                stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1),
            ),
            ReLU(name="relu", inputs=("conv",)),
            Scale(name="bn", inputs=("relu",), gain=ones(4, 1, 1), bias=ones(4, 1, 1)),
            MaxPool(name="max", inputs=("bn",), kernel=(2, 2), stride=(2, 2), padding=((0, 0),) * 2, dilation=(1, 1)),
            pool("avg", "max", (2, 2), (2, 2)),
            Add(name="sum", inputs=("avg", "avg", "avg")),
            Reshape(name="flat", inputs=("sum",), shape=(16,)),
            Dense(name="fc", inputs=("flat",), weight=ones(10, 16), bias=ones(10)),
            Softmax(name="softmax", inputs=("fc",)),
        ],
        ["softmax"],
    )  # fmt: skip


ANN_COSTS = {
    # 8x8 windows of 3x3 with one row and column of padding: (3 * 8 - 2) taps along each axis
    "conv": 2 * 4 * 3 * 22 * 22 + 4 * 64,
    "relu": 0,
    "bn": 256 + 256,
    "max": 256,
    "avg": 64,
    "sum": 2 * 16,
    "flat": 0,
    "fc": 2 * 160 + 10,
    "softmax": 0,
}


@pytest.mark.parametrize("name", ANN_COSTS)
def test_ann_operations_of_each_node(name):
    assert ann_operations_per_node(_model())[name] == ANN_COSTS[name]


def test_ann_operations_are_the_sum():
    assert ann_operations(_model()) == sum(ANN_COSTS.values())


def test_one_spike_each_costs_the_multiply_accumulates_of_the_layer():
    node = conv("a", "z", ones(6, 2, 3, 3), stride=2, padding=1, dilation=2, groups=2)
    net = network(SHAPE, node)
    macs = ann_operations(Graph([Input(name="z", shape=SHAPE), node], ["a"])) / 2
    assert synaptic_operations(net, {"z": np.ones((1, *SHAPE))}) == macs


def resnet20():
    """Wiring of a CIFAR ResNet-20 with projections on the shortcuts: neurons behind each sum and inside each block."""
    nodes, populations = [Input(name="x", shape=(3, 32, 32))], []

    def neurons(name, current, shape):
        nodes.append(Input(name=name, shape=shape))
        populations.append(
            Population(name=name, shape=shape, neuron=IF(), current=current, scale=ONES, activation=name)
        )
        return name

    nodes.append(conv("stem", "x", ones(16, 3, 3, 3), padding=1))
    source, channels, size = neurons("z", "stem", (16, 32, 32)), 16, 32
    for block in range(9):
        stride = 2 if block in (3, 6) else 1
        wider, smaller = channels * stride, size // stride
        nodes.append(conv(f"{block}a", source, ones(wider, channels, 3, 3), stride=stride, padding=1))
        inner = neurons(f"{block}i", f"{block}a", (wider, smaller, smaller))
        nodes.append(conv(f"{block}b", inner, ones(wider, wider, 3, 3), padding=1))
        skip = source
        if stride == 2:
            nodes.append(conv(f"{block}s", source, ones(wider, channels, 1, 1), stride=2))
            skip = f"{block}s"
        nodes.append(Add(name=f"{block}+", inputs=(f"{block}b", skip)))
        source, channels, size = neurons(f"{block}o", f"{block}+", (wider, smaller, smaller)), wider, smaller
    nodes.append(Mean(name="gap", inputs=(source,), axes=(1, 2)))
    nodes.append(Dense(name="fc", inputs=("gap",), weight=ones(10, 64)))
    graph = Graph(nodes, list(dict.fromkeys([*(p.current for p in populations), "fc"])))
    readout = Readout(name="out", current="fc", shape=(10,))
    return SpikingNetwork(graph, {"x": ConstantCurrent()}, populations, [readout])


def test_a_residual_network_is_counted_in_two_seconds():
    net = resnet20()
    start = time.process_time()
    found = fan_out(net)
    assert time.process_time() - start < 2
    assert found["8o"].tolist() == np.full((64, 8, 8), 10).tolist()
    assert found["0o"][0, 5, 5] == 9 * 16 + 1  # the next convolution and the shortcut around it
    assert found["2o"][0, 4, 4] == 1 * 32 + 32  # stride 2: this position lies in one window, and in the shortcut's
