"""Features of tokens come first where neurons say them, and nothing else changes."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.lowering.features_first import FeaturesFirst
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Add, Conv, Dense, Input, ReLU, Reshape, Tabulated

RNG = np.random.default_rng(4)
X = RNG.normal(size=(40, 5, 6))


def dense(name, source, wide, deep, axis=-1, bias=True):
    bias = RNG.normal(size=(wide, 1) if axis == 0 else (1, wide)) if bias else None
    return Dense(name=name, inputs=(source,), weight=RNG.normal(size=(wide, deep)), bias=bias, axis=axis)


def tokens(*nodes, output="last"):
    return Graph([Input(name="x", shape=X.shape[1:]), *nodes], [output])


def shapes(graph, *names):
    return [graph.shapes[name] for name in names]


def test_rectifiers_and_tables_are_turned():
    nodes = [
        dense("first", "x", 7, 6), ReLU(name="r", inputs=("first",), max_value=RNG.uniform(0.5, 2, (5, 1))),
        dense("second", "r", 8, 7), dense("beside", "x", 8, 6), Add(name="sum", inputs=("second", "beside")),
        Tabulated(name="t", inputs=("sum",), function="sigmoid"), dense("last", "t", 3, 8),
    ]  # fmt: skip
    graph = tokens(*nodes)
    written = FeaturesFirst()(graph)
    np.testing.assert_allclose(written.run(X), graph.run(X), atol=1e-12)
    assert shapes(written, "r", "t", "last") == [(7, 5), (8, 5), (5, 3)]
    assert FeaturesFirst()(written) is written


@pytest.mark.parametrize(
    "nodes",
    {
        "what comes first": [dense("a", "x", 7, 5, axis=0), ReLU(name="r", inputs=("a",)), dense("last", "r", 3, 6)],
        "two axes": [
            dense("a", "x", 5, 5, axis=0), dense("b", "x", 6, 6), Add(name="s", inputs=("a", "b")),
            ReLU(name="r", inputs=("s",)), dense("last", "r", 3, 6),
        ],
        "a convolution": [
            Conv(name="a", inputs=("x",), weight=RNG.normal(size=(7, 5, 3)), padding=((1, 1),), stride=(1,),
                 dilation=(1,)),
            ReLU(name="r", inputs=("a",)), dense("last", "r", 3, 6),
        ],
        "an output": [dense("a", "x", 7, 6), ReLU(name="last", inputs=("a",))],
        "an input": [ReLU(name="r", inputs=("x",)), dense("last", "r", 3, 6)],
    }.values(),
)  # fmt: skip
def test_others_stay(nodes):
    graph = tokens(*nodes)
    assert FeaturesFirst()(graph) is graph


def test_features_of_different_size_are_told_apart():
    """One feature a thousand times as large as the others takes no levels of theirs."""
    first, last = dense("first", "x", 8, 6), dense("last", "flat", 3, 40, bias=False)
    first.weight[0] *= 1000
    last.weight[:, ::8] /= 1000
    graph = tokens(first, ReLU(name="r", inputs=("first",)), Reshape(name="flat", inputs=("r",), shape=(40,)), last)
    network = stb.convert(graph, X.astype(np.float32), schedule="radix", T=5)
    wanted = graph.run(X)
    error = np.sqrt(np.mean((stb.simulate(network, X).output - wanted) ** 2))
    assert error < 0.05 * wanted.std()
    assert network.populations["r"].shape == (8, 5)


@pytest.mark.parametrize("bound", [None, 0.75, RNG.uniform(0.5, 2, (1, 4, 2))])
def test_features_of_several_heads_are_one_axis(bound):
    parted = Reshape(name="heads", inputs=("first",), shape=(5, 4, 2))
    whole = Reshape(name="flat", inputs=("r",), shape=(40,))
    rectifier, last = ReLU(name="r", inputs=("heads",), max_value=bound), dense("last", "flat", 3, 40, bias=False)
    graph = tokens(dense("first", "x", 8, 6), parted, rectifier, whole, last)
    written = FeaturesFirst()(graph)
    np.testing.assert_allclose(written.run(X), graph.run(X), atol=1e-12)
    assert shapes(written, "r") == [(8, 5)]
    graph = tokens(dense("first", "x", 8, 6), Reshape(name="heads", inputs=("first",), shape=(4, 5, 2)),
                   ReLU(name="r", inputs=("heads",)), whole, last)  # fmt: skip
    assert FeaturesFirst()(graph) is graph
