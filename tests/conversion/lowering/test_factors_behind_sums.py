"""What all terms of a sum have in common is multiplied behind it."""

import math

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.factors_behind_sums import FactorsBehindSums
from snntoolbox.conversion.lowering.softmax_tables import SoftmaxTables
from snntoolbox.conversion.lowering.unseen_products import UnseenProducts
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import (
    Add,
    Concat,
    Dense,
    Input,
    Mean,
    Multiply,
    Pad,
    Permute,
    ReLU,
    Reshape,
    Scale,
    Softmax,
    Take,
)
from snntoolbox.ir.nodes.multiplying import MOST_THRESHOLDS

SHAPE = (2, 3, 4)
COUNT = math.prod(SHAPE)


def products(graph):
    return sorted(graph.shapes[n.name] for n in graph.nodes.values() if isinstance(n, Multiply))


def spread(name, source, shape, axis, times):
    """A value once for each of so many others."""
    wide = Reshape(name=f"{name}0", inputs=(source,), shape=shape)
    return [wide, Take(name=name, inputs=(wide.name,), axis=axis, indices=(0,) * times)]


def factor(axis):
    """A rectified value for each place but along this axis, and all of x by it."""
    shape = tuple(1 if a == axis else n for a, n in enumerate(SHAPE))
    return [
        Mean(name="m", inputs=("x",), axes=(axis,), keepdims=True),
        ReLU(name="r", inputs=("m",)),
        *spread("R", "r", shape, axis, SHAPE[axis]),
        Multiply(name="p", inputs=("x", "R")),
    ]


def summed(name, source, axes, **more):
    return Mean(name=name, inputs=(source,), axes=axes, **more)


WEIGHT = np.random.default_rng(2).normal(size=(3, 4))
TURNED = Permute(name="t", inputs=("p",), axes=(2, 0, 1))
HALF = Scale(name="h", inputs=("p",), gain=np.arange(1.0, 5).reshape(1, 1, 4))
SHIFTED = Scale(name="h", inputs=("p",), gain=np.ones((1, 1, 1)), bias=np.ones((1, 1, 1)))
SQUARED = Multiply(name="q", inputs=("p", "p"))
OTHER = [ReLU(name="o", inputs=("x",)), Multiply(name="q", inputs=("o", "p"))]
BIAS = np.arange(6.0).reshape(2, 3, 1)

MOVED = {
    "a mean": ([*factor(2), summed("e", "p", (2,))], [(6, 1)]),
    "a mean of all but one axis": ([*factor(1), summed("e", "p", (1,), keepdims=True)], [(8, 1)]),
    "a sum": ([*factor(0), summed("e", "p", (0,), summed=True)], [(12, 1)]),
    "with a constant part": ([*factor(2), summed("e", "p", (2,), keepdims=True, bias=BIAS)], [(6, 1)]),
    "a matrix": ([*factor(2), Dense(name="e", inputs=("p",), weight=WEIGHT, bias=np.ones((1, 1, 3)))], [(18, 1)]),
    "a matrix along another axis": (
        [*factor(1), Dense(name="e", inputs=("p",), weight=WEIGHT[:2, :3], axis=1)], [(16, 1)]),
    "moved and scaled before": ([*factor(2), HALF, Permute(name="t", inputs=("h",), axes=(2, 0, 1)),
                                 summed("e", "t", (0,))], [(6, 1)]),
    "padded before": ([*factor(2), Pad(name="t", inputs=("p",), pads=((0, 0), (0, 1), (1, 0))),
                       summed("e", "t", (2,))], [(8, 1)]),
    "multiplied before": ([*factor(2), *OTHER, summed("e", "q", (2,))], [(2, 3, 4), (6, 1)]),
    "two sums": (
        [*factor(2), summed("a", "p", (2,)), *OTHER, summed("b", "q", (2,)), Add(name="e", inputs=("a", "b"))],
        [(2, 3, 4), (6, 1), (6, 1)]),
    "behind two sums, as both have it": (
        [summed("m", "x", (1, 2), keepdims=True), ReLU(name="r", inputs=("m",)),
         Take(name="R1", inputs=("r",), axis=1, indices=(0,) * 3),
         Take(name="R", inputs=("R1",), axis=2, indices=(0,) * 4), Multiply(name="p", inputs=("R", "x")),
         summed("s", "p", (2,)), summed("e", "s", (1,))], [(2, 1)]),
}  # fmt: skip

STAYING = {
    "it varies along the sum": [*factor(1), summed("e", "p", (2,))],
    "it varies along one of the axes": [*factor(1), summed("e", "p", (1, 2))],
    "as many sums as terms": [*factor(2), Dense(name="e", inputs=("p",), weight=np.vstack([WEIGHT, WEIGHT])[:4])],
    "a sum of one term": [
        Take(name="one", inputs=("x",), axis=2, indices=(0,)), ReLU(name="r", inputs=("one",)),
        Multiply(name="p", inputs=("one", "r")), summed("e", "p", (2,))],
    "read by another": [
        *factor(2), summed("s", "p", (2,), keepdims=True), Take(name="S", inputs=("s",), axis=2, indices=(0,) * 4),
        Add(name="e", inputs=("S", "p"))],
    "rectified before": [*factor(2), ReLU(name="a", inputs=("p",)), summed("e", "a", (2,))],
    "shifted before": [*factor(2), SHIFTED, summed("e", "h", (2,))],
    "padded with zeros": [
        summed("m", "x", (2,), keepdims=True), ReLU(name="r", inputs=("m",)), Take(name="R", inputs=("r",), axis=2,
        indices=(0, 0)), Pad(name="P", inputs=("R",), pads=((0, 0), (0, 0), (1, 1))),
        Multiply(name="p", inputs=("P", "x")), summed("e", "p", (2,))],
    "beside others": [*factor(2), Concat(name="c", inputs=("p", "x"), axis=2), summed("e", "c", (2,))],
    "with itself": [*factor(2), SQUARED, summed("e", "q", (2,))],
    "meeting itself": [*factor(2), TURNED, Permute(name="b", inputs=("t",), axes=(1, 2, 0)),
                       Multiply(name="q", inputs=("p", "b")), summed("e", "q", (2,))],
    "whole": [*factor(2)[:-1], Multiply(name="p", inputs=("R", "x"), whole=True), summed("e", "p", (2,))],
    "in what is to be whole": [*factor(2), Multiply(name="q", inputs=("R", "p"), whole=True), summed("e", "q", (2,))],
}  # fmt: skip


def ending(nodes, outputs=("e",)):
    return Graph([Input(name="x", shape=SHAPE), *nodes], outputs)


def assert_same(before, after, seed=0):
    x = np.random.default_rng(seed).normal(size=(5, *before.shapes["x"]))
    old, new = before.values(x), after.values(x)
    for one, other in zip(before.outputs, after.outputs, strict=True):
        np.testing.assert_allclose(new[other], old[one], atol=1e-12)


@pytest.mark.parametrize("case", MOVED)
def test_multiplied_behind_the_sum(case):
    nodes, left = MOVED[case]
    graph = ending(nodes)
    behind = FactorsBehindSums()(graph)
    assert_same(graph, behind)
    assert products(behind) == sorted(left)


@pytest.mark.parametrize("case", STAYING)
def test_products_that_stay(case):
    graph = ending(STAYING[case])
    assert FactorsBehindSums()(graph) is graph


def test_what_is_an_output_too_stays():
    graph = ending(MOVED["a mean"][0], ("e", "p"))
    assert FactorsBehindSums()(graph) is graph


def attention(seed, heads=2, tokens=3, depth=4, mask=None):
    """Heads whose queries, keys and values are in x, with or without a mask; their axes in a random order."""
    random = np.random.default_rng(seed)
    size, row, column = (heads, tokens, depth), (heads, tokens, 1, depth), (heads, 1, tokens, depth)
    shown = np.zeros((tokens, tokens)) if mask is None else np.where(mask, 0.0, -1e30)
    order = (0, *(int(a) for a in 1 + random.permutation(3)))
    nodes = [Input(name="x", shape=(3, *size))]
    for k, name in enumerate("qkv"):
        nodes += [Take(name=f"{name}1", inputs=("x",), axis=0, indices=(k,))]
        nodes += [Reshape(name=name, inputs=(f"{name}1",), shape=size)]
    nodes += spread("Q", "q", row, 2, tokens) + spread("K", "k", column, 1, tokens)
    nodes += [Multiply(name="qk", inputs=("Q", "K")), summed("s", "qk", (3,), summed=True)]
    nodes += [Scale(name="m", inputs=("s",), gain=np.full((1, 1, 1), 0.7), bias=shown[None])]
    nodes += [Softmax(name="p", inputs=("m",), axis=2), Permute(name="vt", inputs=("v",), axes=(0, 2, 1))]
    nodes += spread("P1", "p", (heads, tokens, 1, tokens), 2, depth)
    nodes += spread("V1", "vt", (heads, 1, depth, tokens), 1, tokens)
    nodes += [Permute(name=n, inputs=(f"{n}1",), axes=order) for n in "PV"]
    nodes += [Multiply(name="pv", inputs=("P", "V")), summed("o", "pv", (order.index(3),), summed=True)]
    return Graph(nodes, ["o"])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_divided_behind_its_values(seed, masked):
    random = np.random.default_rng(seed)
    heads, tokens, depth = random.integers(1, 4), random.integers(2, 6), random.integers(1, 5)
    mask = random.random((tokens, tokens)) < 0.5 if masked else np.ones((tokens, tokens), bool)
    mask[np.arange(tokens), random.integers(0, tokens, tokens)] = True
    graph = attention(seed, heads, tokens, depth, mask)
    written = SoftmaxTables()(graph)
    behind = FactorsBehindSums()(written)
    assert_same(graph, behind, seed)
    kept = UnseenProducts()(behind)
    assert_same(graph, kept, seed)
    values = heads * tokens * depth
    assert (values, 1) in products(kept)
    assert sum(map(math.prod, products(kept))) == values + 2 * heads * depth * int(mask.sum())


def test_many_values_have_a_threshold_for_each_place_but_the_last_ones():
    nodes = [Input(name="x", shape=(3, 40, 50, 2)), summed("m", "x", (3,), keepdims=True)]
    nodes += [ReLU(name="r", inputs=("m",))]
    nodes += [Take(name="R", inputs=("r",), axis=3, indices=(0, 0)), Multiply(name="p", inputs=("R", "x"))]
    nodes += [summed("e", "p", (3,))]
    behind = FactorsBehindSums()(Graph(nodes, ["e"]))
    assert 3 * 40 <= MOST_THRESHOLDS < 3 * 40 * 50
    assert products(behind) == [(120, 50)]


def test_a_lowered_network_divides_behind_its_values():
    graph = attention(0)
    lowered = lower(graph, Recipe(schedule="radix"))
    assert_same(graph, lowered)
    assert max(math.prod(shape) for shape in products(lowered)) == 2 * 3 * 3 * 4
    assert not any("share" in n.name for n in lowered.nodes.values() if isinstance(n, Multiply))


def test_it_loses_less_than_shares_that_are_rounded(monkeypatch):
    x = np.random.default_rng(1).normal(size=(80, 3, 2, 6, 4))
    graph = attention(1, tokens=6)
    expected, errors = graph.run(x[:40]), []
    for _ in range(2):
        network = stb.convert(graph, x, schedule="radix", T=5, layer_correction="none", readout_correction=0)
        (output,) = stb.simulate(network, x[:40], T=5).outputs.values()
        errors.append(np.sqrt(np.mean((output - expected) ** 2)))
        monkeypatch.setattr(FactorsBehindSums, "__call__", lambda self, graph: graph)
    assert errors[0] < 0.9 * errors[1]
