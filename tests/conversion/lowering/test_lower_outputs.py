"""Softmax, spiking outputs and pooling as the user asks for them."""

import numpy as np
import pytest

from snntoolbox.conversion.lowering.lower_outputs import LowerSoftmax, MaxToAveragePooling, RectifyOutputs
from snntoolbox.errors import GraphError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import AveragePool, Dense, Input, MaxPool, ReLU, Reshape, Scale, Softmax

X = np.random.default_rng(0).normal(size=(5, 4))


@pytest.fixture
def classifier(new_net):
    net = new_net(4)
    net.softmax(net.dense("x", 3))
    return net.graph()


def test_a_softmax_at_the_output_is_dropped(classifier):
    logits = LowerSoftmax()(classifier)
    assert not [n for n in logits.nodes.values() if isinstance(n, Softmax)]
    np.testing.assert_array_equal(logits.run(X).argmax(1), classifier.run(X).argmax(1))


def test_or_rectified(classifier):
    rectified = LowerSoftmax(to_relu=True)(classifier)
    assert isinstance(rectified.nodes[rectified.outputs[0]], ReLU)
    np.testing.assert_allclose(rectified.run(X), np.maximum(LowerSoftmax()(classifier).run(X), 0))


def reshaped(behind_the_reshape=False):
    nodes = [
        Input(name="x", shape=(4,)),
        Reshape(name="r", inputs=("x",), shape=(4, 1, 1)),
        Softmax(name="s", inputs=("r",), axis=0),
        Reshape(name="out", inputs=("s",), shape=(2, 2)),
    ]
    return Graph(nodes, ["out", "s"] if behind_the_reshape else ["out"])


def test_a_softmax_behind_a_reshape_is_at_the_output_too():
    logits = LowerSoftmax()(reshaped())
    assert not [n for n in logits.nodes.values() if isinstance(n, Softmax)]
    np.testing.assert_array_equal(logits.run(X), X.reshape(-1, 2, 2))
    rectified = LowerSoftmax(to_relu=True)(reshaped())
    np.testing.assert_array_equal(rectified.run(X), np.maximum(X, 0).reshape(-1, 2, 2))


def test_but_not_where_it_is_read_twice():
    both = LowerSoftmax()(reshaped(behind_the_reshape=True))
    assert [n for n in both.nodes.values() if isinstance(n, Softmax)]


GRID = {"max_value": 255 / 256, "levels": 255, "halves_to_even": True}


def quantised(gain=256.0, outputs=("y",), shift=0.0, **grid):
    """As models of TensorFlow Lite end: the softmax on a grid, and its integers."""
    nodes = [
        Input(name="x", shape=(4,)),
        Dense(name="d", inputs=("x",), weight=np.random.default_rng(1).normal(size=(3, 4))),
        Softmax(name="s", inputs=("d",), axis=-1),
        Scale(name="shifted", inputs=("s",), gain=np.ones(1), bias=np.full(1, shift)),
        ReLU(name="grid", inputs=("shifted",), **{**GRID, **grid}),
        Scale(name="integers", inputs=("grid",), gain=np.ones(3) * gain, bias=np.full(1, -128.0)),
        Reshape(name="y", inputs=("integers",), shape=(3,)),
    ]
    return Graph(nodes, outputs)


def test_a_softmax_on_a_grid_at_the_output_is_dropped_with_it():
    graph = quantised()
    logits = LowerSoftmax()(graph)
    assert [n.kind for n in logits.nodes.values()] == ["Input", "Dense", "Reshape"]
    assert logits.heads == graph.heads
    assert np.array_equal(logits.run(X).argmax(1), graph.run(X).argmax(1))
    assert [n.kind for n in LowerSoftmax(to_relu=True)(graph).nodes.values()].count("ReLU") == 1


@pytest.mark.parametrize(
    "graph",
    [
        quantised(gain=-256.0),
        quantised(gain=np.array([1.0, 2.0, 3.0])),
        quantised(outputs=("y", "grid")),
        quantised(max_value=0.5),
        quantised(max_value=0.5, levels=None),
        quantised(shift=-0.5),
        quantised().with_heads({"y": "values"}),
    ],
)
def test_but_not_where_the_order_or_the_values_count(graph):
    assert list(LowerSoftmax()(graph).nodes) == list(graph.nodes)


def test_nor_a_logarithm_that_is_cut_off():
    """It is 0 at most: a rectifier leaves nothing of it."""
    nodes = [
        Input(name="x", shape=(4,)),
        Softmax(name="s", inputs=("x",), log=True),
        Scale(name="shifted", inputs=("s",), gain=np.ones(1), bias=np.ones(1)),
    ]
    for source in ("s", "shifted"):
        graph = Graph([*nodes, ReLU(name="y", inputs=(source,))], ["y"])
        assert LowerSoftmax()(graph).run(X) == pytest.approx(graph.run(X))


def test_one_between_layers_stays(new_net):
    net = new_net(4)
    a = net.softmax(net.dense("x", 3))
    graph = net.graph(net.dense(a, 2), a)
    for pass_ in (LowerSoftmax(), LowerSoftmax(to_relu=True)):
        assert [n.kind for n in pass_(graph).nodes.values()].count("Softmax") == 1


def test_outputs_are_rectified_once(new_net):
    net = new_net(4)
    a = net.dense("x", 3)
    b = net.relu(a)
    graph = RectifyOutputs()(net.graph(a, b))
    assert [graph.nodes[o].kind for o in graph.outputs] == ["ReLU", "ReLU"]
    assert graph.outputs[1] == b
    for value in graph.values(X).values():
        assert (value >= 0).all()


def test_max_becomes_average_over_the_same_windows(new_net):
    net = new_net(2, 5, 5)
    net.pool("x", kernel=3, stride=2, pad=1)
    graph = MaxToAveragePooling()(net.graph())
    node = graph.nodes[graph.outputs[0]]
    assert isinstance(node, AveragePool)
    assert graph.shapes == net.graph().shapes
    x = np.ones((1, 2, 5, 5))
    np.testing.assert_allclose(graph.run(x), 1, err_msg="padding is no part of an average")


def test_a_dilated_maximum_cannot_become_an_average(new_net):
    net = new_net(1, 6)
    net.add(MaxPool, "x", kernel=(2,), stride=(1,), padding=((0, 0),), dilation=(2,), name="wide")
    with pytest.raises(GraphError, match=r"wide .*dilated"):
        MaxToAveragePooling()(net.graph())
