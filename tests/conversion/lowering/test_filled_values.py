"""What masks that are inputs take off values of which rectifiers, functions and maxima make the same."""

import logging

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.lowering.filled_values import FilledValues
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Add, Dense, Elementwise, Input, MaxPool, Mean, ReLU, Reshape, Scale, Softmax

TOKENS, WIDTH = 5, 4
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(64, WIDTH, TOKENS))
THERE = (np.arange(TOKENS) < RANDOM.integers(1, TOKENS + 1, size=(64, 1))) * 1.0
POOL = {"kernel": (TOKENS,), "stride": (TOKENS,), "padding": ((0, 0),), "dilation": (1,)}


def graph_of(fill, read, *, outputs=("y",), truths=True, negated=False):
    """Maps of tokens, less a large number where a mask says so, what reads them, and a layer."""
    size, sign = WIDTH * TOKENS, -1.0 if negated else 1.0
    width = int(np.prod(read[-1].output_shape(*[(WIDTH, TOKENS)] * len(read[-1].inputs))))
    nodes = [
        *(Input(name="x", shape=(WIDTH, TOKENS)), Input(name="m", shape=(TOKENS,), truths=truths)),
        *(Reshape(name="flat", inputs=("x",), shape=(size,)), Dense(name="d", inputs=("flat",), weight=np.eye(size))),
        *(Reshape(name="s", inputs=("d",), shape=(WIDTH, TOKENS)), Reshape(name="r", inputs=("m",), shape=(1, TOKENS))),
        Dense(name="rows", inputs=("r",), weight=np.full((WIDTH, 1), -fill), bias=np.full((WIDTH, 1), fill), axis=0),
        Add(name="a", inputs=("s", "rows"), coefficients=(1.0, sign)),
        *read,
        Reshape(name="f", inputs=(read[-1].name,), shape=(width,)),
        Dense(name="y", inputs=("f",), weight=np.random.default_rng(1).normal(size=(3, width))),
    ]
    return Graph(nodes, outputs)


def function(name):
    return [Elementwise(name="e", inputs=("a",), function=name)]


MAXIMUM = [MaxPool(name="top", inputs=("a",), **POOL)]
RECTIFIED = [ReLU(name="e", inputs=("a",))]
READ = {
    "maximum": (MAXIMUM, False),
    "maxima of two": ([MaxPool(name="two", inputs=("a",), **{**POOL, "kernel": (2,), "stride": (1,)}),
                       MaxPool(name="top", inputs=("two",), **{**POOL, "kernel": (4,)})], False),
    "rectifier": (RECTIFIED, False),
    "bound": ([ReLU(name="e", inputs=("a",), max_value=1.0)], True),
    **{name: (function(name), False) for name in ("sigmoid", "gelu", "exp", "tanh", "elu")},
    "sigmoid on the other side": (function("sigmoid"), True),
}  # fmt: skip


@pytest.mark.parametrize("fill", [-50.0, -1e4, -1e9, -3.4e38])
@pytest.mark.parametrize("read", READ)
def test_what_is_left_out_takes_no_levels(read, fill):
    nodes, negated = READ[read]
    graph, data = graph_of(fill, nodes, negated=negated), [X, THERE]
    bounded = FilledValues(data)(graph)
    np.testing.assert_allclose(bounded.run(*data), graph.run(*data), atol=1e-9)
    assert np.abs(bounded.values(*data, keep=["a"])["a"]).max() < 100


@pytest.mark.parametrize("read", READ)
def test_networks_say_what_the_original_does(read):
    nodes, negated = READ[read]
    graph, data = graph_of(-1e9, nodes, negated=negated), [X, THERE]
    network, expected = stb.convert(graph, data, schedule="radix", T=7, readout_correction=0), graph.run(*data)
    assert np.sqrt(np.mean((stb.simulate(network, data).output - expected) ** 2)) < 0.08 * expected.std()


@pytest.mark.parametrize(
    "graph",
    [
        graph_of(-1e9, [Mean(name="e", inputs=("a",), axes=(1,))]),
        graph_of(-1e9, RECTIFIED, negated=True),
        graph_of(-5.0, RECTIFIED),
        graph_of(-50.0, RECTIFIED, truths=False),
        graph_of(-1e9, [MaxPool(name="two", inputs=("a",), **{**POOL, "kernel": (2,), "stride": (1,)})]),
    ],
    ids=["all count", "the other side", "a value like others", "no truth values", "nothing is left of some"],
)
def test_what_counts_stays(graph):
    data = [X, THERE * (1.0 if graph.nodes["m"].truths else RANDOM.random(THERE.shape))]
    assert FilledValues(data)(graph) is graph


def test_a_rectifier_leaves_out_what_is_far_larger_than_samples():
    graph = graph_of(-1e4, RECTIFIED)
    bounded = FilledValues([X, THERE])(graph)
    assert bounded is not graph
    np.testing.assert_allclose(bounded.run(10 * X, THERE), graph.run(10 * X, THERE), atol=1e-9)


def test_others_that_read_the_sum_read_it_as_it_was():
    graph = graph_of(-1e4, RECTIFIED, outputs=("y", "a"))
    bounded = FilledValues([X, THERE])(graph)
    assert bounded is not graph
    before, after = graph.values(X, THERE, keep=["y", "a"]), bounded.values(X, THERE, keep=["y", "a"])
    for output in ("y", "a"):
        np.testing.assert_allclose(after[output], before[output], atol=1e-9)
    assert after["a"].min() < -9e3


def test_two_softmax_that_read_one_sum_in_other_scales_each_get_a_mask():
    warm = [Scale(name="warm", inputs=("a",), gain=np.full((1, 1), 0.05)), Softmax(name="w", inputs=("warm",))]
    cold = [Scale(name="cold", inputs=("a",), gain=np.full((1, 1), 3.0)), Softmax(name="c", inputs=("cold",))]
    graph = graph_of(-1e5, [*cold, *warm, Add(name="e", inputs=("c", "w"))])
    network = stb.convert(graph, [X, THERE], schedule="radix", T=7, readout_correction=0)
    expected = graph.run(X, THERE)
    assert np.sqrt(np.mean((stb.simulate(network, [X, THERE]).output - expected) ** 2)) < 0.08 * expected.std()


def test_a_network_that_says_less_than_a_constant_is_told(caplog):
    leaky = [
        *(Scale(name="less", inputs=("a",), gain=np.full((1, 1), -1.0)), ReLU(name="low", inputs=("less",))),
        *(Scale(name="more", inputs=("low",), gain=np.full((1, 1), -0.1)), Add(name="all", inputs=("a", "more"))),
        MaxPool(name="top", inputs=("all",), **POOL),
    ]
    with caplog.at_level(logging.WARNING):
        stb.convert(graph_of(-1e4, leaky), [X, THERE], schedule="radix", T=7)
    assert "more than a constant would be" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        stb.convert(graph_of(-1e9, MAXIMUM), [X, THERE], schedule="radix", T=7)
    assert "more than a constant would be" not in caplog.text
