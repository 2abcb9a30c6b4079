"""Scores that truth values choose from, as sums with a mask."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.chosen_scores import without_choices
from snntoolbox.conversion.lowering.given_masks import NOTHING, SMALL, UNSEEN, GivenMasks
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.errors import DataError, UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Add, Dense, Input, Multiply, ReLU, Reshape, Scale, Softmax, Take

TOKENS, WIDTH = 5, 3
RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.normal(size=(TOKENS, WIDTH))
X = RANDOM.normal(size=(96, TOKENS, WIDTH))
THERE = np.arange(TOKENS) < RANDOM.integers(1, TOKENS + 1, size=(96, 1))
SEEN = (RANDOM.random((96, TOKENS, TOKENS)) < 0.6) | np.eye(TOKENS, dtype=bool)


def scale(name, source, gain, bias=0.0):
    shift = np.full((1, 1), bias) if np.any(bias) else None
    return Scale(name=name, inputs=(source,), gain=np.full((1, 1), gain), bias=shift)


def graph_of(truths, fill, offset=0.0, behind=()):
    """Scores where truths say so, else a number; softmax, and a layer."""
    nodes = [
        *(Input(name="x", shape=(TOKENS, WIDTH)), ReLU(name="r", inputs=("x",))),
        Dense(name="s", inputs=("r",), weight=3 * WEIGHT, bias=np.full((1, 1), offset)),
        *truths,
        Multiply(name="kept", inputs=("s", truths[-1].name)),
        *(scale("fill", truths[-1].name, -fill, fill), Add(name="a", inputs=("kept", "fill"))),
        *behind,
        Softmax(name="p", inputs=(behind[-1].name if behind else "a",), axis=1),
        Reshape(name="f", inputs=("p",), shape=(TOKENS**2,)),
        Dense(name="y", inputs=("f",), weight=np.random.default_rng(1).normal(size=(2, TOKENS**2))),
    ]
    return Graph(nodes, ["y"])


KEYS = [
    Input(name="m", shape=(TOKENS,), truths=True),
    Reshape(name="row", inputs=("m",), shape=(1, TOKENS)),
    Take(name="rows", inputs=("row",), axis=0, indices=(0,) * TOKENS),
]
ABSENT = [*KEYS, scale("not", "rows", -1.0, 1.0)]
PAIRS = [Input(name="m", shape=(TOKENS, TOKENS), truths=True), scale("same", "m", 1.0)]
BOTH = [
    *KEYS,
    Input(name="n", shape=(TOKENS, TOKENS), truths=True),
    Add(name="count", inputs=("rows", "n"), bias=np.full((1, 1), -1.0)),
    ReLU(name="both", inputs=("count",), max_value=1.0),
]
FORMS = {
    "keys that are there": (KEYS, [THERE]),
    "keys that are not": (ABSENT, [~THERE]),
    "pairs": (PAIRS, [SEEN]),
    "of two": (BOTH, [np.pad(THERE[:, 1:], [(0, 0), (1, 0)], constant_values=True), SEEN | (np.arange(TOKENS) == 0)]),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fill", [-1e30, -1e9, -1e4])
def test_no_product_is_left(form, fill):
    truths, given = FORMS[form]
    graph = graph_of(truths, fill)
    summed = without_choices(graph, dict(zip(graph.inputs, [X, *given], strict=True)))
    assert not any(isinstance(n, Multiply) for n in summed.nodes.values())
    np.testing.assert_allclose(summed.run(X, *given), graph.run(X, *given), atol=1e-12)
    found = GivenMasks.of(graph, [X, *given])
    assert not found.refused
    np.testing.assert_allclose(found.graph.run(X, *given), graph.run(X, *given), atol=1e-9)
    read = found.graph.values(X, *given, keep=["s", "a"])
    assert (read["s"] - read["a"]).max() < 100


def test_behind_a_layer_that_scales_and_another_mask():
    causal = np.where(np.tri(TOKENS), 0.0, -1e9)
    behind = [scale("b", "a", 0.5), Scale(name="c", inputs=("b",), gain=np.ones((1, 1)), bias=causal)]
    graph = graph_of(KEYS, -1e9, behind=behind)
    found = GivenMasks.of(graph, [X, THERE])
    assert not any(isinstance(n, Multiply) for n in found.graph.nodes.values())
    np.testing.assert_allclose(found.graph.run(X, THERE), graph.run(X, THERE), atol=1e-9)


def test_numbers_that_leave_nothing_out_stay_a_choice():
    graph = graph_of(KEYS, -3.0)
    assert without_choices(graph, dict(zip(graph.inputs, [X, THERE], strict=True))) is graph
    network = stb.convert(graph, [X, THERE], schedule="radix", T=6)
    result, expected = stb.simulate(network, [X[:48], THERE[:48]]), graph.run(X, THERE)[:48]
    assert np.sqrt(np.mean((result.output - expected) ** 2)) < 0.1 * expected.std()


def test_numbers_above_what_is_left_stay_a_choice():
    """Of scores about -2000 those that are replaced by -1200 win."""
    graph = graph_of(KEYS, -1200.0, offset=-2000.0)
    given = dict(zip(graph.inputs, [X, THERE], strict=True))
    assert without_choices(graph, given) is graph


@pytest.mark.parametrize("shared", ["another softmax", "an output"])
def test_others_that_read_the_scores_read_what_was_chosen(shared):
    nodes, outputs = [*graph_of(KEYS, -2000.0, behind=[scale("b", "a", 3.0)]).nodes.values()], ["y", "a"]
    if shared == "another softmax":
        nodes, outputs = [*nodes, scale("c", "a", 0.7), Softmax(name="q", inputs=("c",), axis=1)], ["y", "q"]
    graph = Graph(nodes, outputs)
    summed = without_choices(graph, dict(zip(graph.inputs, [X, THERE], strict=True)))
    assert summed is not graph
    before, after = (g.values(X, THERE, keep=g.outputs) for g in (graph, summed))
    for output in graph.outputs:
        np.testing.assert_allclose(after[output], before[output], atol=1e-9)
    assert not GivenMasks.of(graph, [X, THERE]).refused


@pytest.mark.parametrize("form", FORMS)
def test_networks(form):
    truths, given = FORMS[form]
    graph, data = graph_of(truths, -1e9), [X, *given]
    network = stb.convert(graph, data, schedule="radix", T=6, layer_correction="none", readout_correction=0)
    result, expected = stb.simulate(network, [a[:48] for a in data]), graph.run(*data)[:48]
    assert np.sqrt(np.mean((result.output - expected) ** 2)) < 0.1 * expected.std()
    with pytest.raises(DataError, match="truth values"):
        stb.simulate(network, [X[:4], *[0.5 * a[:4] for a in given]])
    with pytest.raises(DataError, match="truth values"):
        stb.convert(graph, [X, *[2.0 * a for a in given]], schedule="radix", T=6)


def test_refusals():
    graph, nobody = graph_of(KEYS, -1e9), THERE.copy()
    nobody[3] = False
    with pytest.raises(UnsupportedError, match=NOTHING):
        lower(graph, Recipe(schedule="radix"), [X, nobody])
    with pytest.raises(UnsupportedError, match=UNSEEN):
        lower(graph, Recipe(schedule="radix"))
    assert GivenMasks.of(graph_of(KEYS, -1200.0), [100 * X, THERE]).refused == {"p": SMALL}
