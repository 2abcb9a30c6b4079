"""Products that nothing reads, or that are always 0, are left out."""

import numpy as np
import pytest

from snntoolbox.conversion.lowering.softmax_tables import SoftmaxTables
from snntoolbox.conversion.lowering.unseen_products import UnseenProducts
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Add, Dense, Input, Mean, Multiply, Pad, Permute, ReLU, Reshape, Scale, Softmax, Take

SHAPE = (2, 3, 4)


def products(graph):
    return [graph.shapes[n.name] for n in graph.nodes.values() if isinstance(n, Multiply)]


def behind(nodes, end, size):
    """The graph of nodes that end with so many values, and a layer behind them."""
    weight = np.random.default_rng(1).normal(size=(2, size))
    flat = [Reshape(name="f", inputs=(end,), shape=(size,)), Dense(name="y", inputs=("f",), weight=weight)]
    return Graph([Input(name="x", shape=SHAPE), *nodes, *flat], ["y"])


SQUARE = Multiply(name="p", inputs=("x", "x"))
ZEROS = Pad(name="z", inputs=("t",), pads=((0, 0), (0, 0), (1, 0)))
FRONT = Take(name="t", inputs=("x",), axis=2, indices=(1, 2, 3))
CASES = {
    "taken": ([SQUARE, Take(name="e", inputs=("p",), axis=2, indices=(0, 0, 3))], 18, [(2, 6)]),
    "taken of the channels": ([SQUARE, Take(name="e", inputs=("p",), axis=0, indices=(1,))], 12, [(1, 12)]),
    "summed": (
        [SQUARE, Mean(name="m", inputs=("p",), axes=(2,)), Take(name="e", inputs=("m",), axis=1, indices=(2, 1))],
        4,
        [(2, 8)],
    ),
    "moved": (
        [SQUARE, ReLU(name="r", inputs=("p",)), Permute(name="m", inputs=("r",), axes=(2, 0, 1)),
         Scale(name="s", inputs=("m",), gain=np.ones((1, 1, 1)), bias=np.ones((1, 1, 1))),
         Take(name="e", inputs=("s",), axis=0, indices=(3, 1))], 12, [(2, 6)]),
    "zeros": ([FRONT, ZEROS, Multiply(name="e", inputs=("x", "z"))], 24, [(2, 9)]),
    "zeros through a rectifier": (
        [FRONT, ZEROS, ReLU(name="r", inputs=("z",)), Add(name="a", inputs=("r", "z")),
         Multiply(name="e", inputs=("x", "a"))], 24, [(2, 9)]),
    "no zeros behind a constant": (
        [FRONT, ZEROS, Scale(name="s", inputs=("z",), gain=np.ones((1, 1, 1)), bias=np.ones((1, 1, 1))),
         Multiply(name="e", inputs=("x", "s"))], 24, [SHAPE]),
    "read by two": (
        [SQUARE, Take(name="a", inputs=("p",), axis=2, indices=(0, 1)),
         Take(name="b", inputs=("p",), axis=2, indices=(1, 2)), Add(name="e", inputs=("a", "b"))], 12, [(2, 9)]),
    "an output as well": ([SQUARE, Take(name="e", inputs=("p",), axis=2, indices=(0,))], 6, [SHAPE]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_fewer_products(case):
    nodes, size, left = CASES[case]
    graph = behind(nodes, "e", size)
    if case == "an output as well":
        graph = Graph(graph.nodes.values(), ["y", "p"])
    fewer, x = UnseenProducts()(graph), np.random.default_rng(0).normal(size=(5, *SHAPE))
    for name, values in graph.values(x).items():
        np.testing.assert_allclose(fewer.values(x)[name], values, atol=1e-12)
    assert products(fewer) == left


def test_nothing_to_leave_out():
    for nodes, end in (([SQUARE], "p"), ([ReLU(name="r", inputs=("x",))], "r")):
        graph = behind(nodes, end, 24)
        assert UnseenProducts()(graph) is graph


@pytest.mark.parametrize("seed", range(3))
def test_attention_under_a_mask_has_the_products_that_it_leaves(seed):
    random = np.random.default_rng(seed)
    seen = random.random((3, 3)) < 0.5
    seen[np.arange(3), random.integers(0, 3, 3)] = True
    wide, high = ((2, 3, 1, 4), (2, 1, 3, 4))
    nodes = [
        *(Reshape(name="q", inputs=("x",), shape=wide), Take(name="Q", inputs=("q",), axis=2, indices=(0,) * 3)),
        *(Reshape(name="k", inputs=("x",), shape=high), Take(name="K", inputs=("k",), axis=1, indices=(0,) * 3)),
        *(Multiply(name="qk", inputs=("Q", "K")), Mean(name="s", inputs=("qk",), axes=(3,))),
        Scale(name="m", inputs=("s",), gain=np.ones((1, 1, 1)), bias=np.where(seen, 0.0, -1e30)[None]),
        *(Softmax(name="p", inputs=("m",)), Reshape(name="r", inputs=("p",), shape=(2, 3, 1, 3))),
        *(Take(name="P", inputs=("r",), axis=2, indices=(0,) * 4), Permute(name="t", inputs=("x",), axes=(0, 2, 1))),
        Reshape(name="v", inputs=("t",), shape=(2, 1, 4, 3)),
        *(Take(name="V", inputs=("v",), axis=1, indices=(0,) * 3), Multiply(name="pv", inputs=("P", "V"))),
        Mean(name="e", inputs=("pv",), axes=(3,)),
    ]
    graph = behind(nodes, "e", 24)
    fewer, x = UnseenProducts()(SoftmaxTables()(graph)), random.normal(size=(5, *SHAPE))
    np.testing.assert_allclose(fewer.run(x), graph.run(x), atol=1e-12)
    count = int(seen.sum())
    assert 0 < count < seen.size
    assert products(fewer) == [(2, 4 * count), (2 * count, 1), (2, 4 * count)]
