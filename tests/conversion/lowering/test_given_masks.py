"""Masks that are inputs of a model, added to what a softmax reads."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.given_masks import NOTHING, SMALL, UNCLEAR, UNSEEN, GivenMasks
from snntoolbox.conversion.lowering.softmax_tables import FADED, SoftmaxTables
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Add, Dense, Input, Permute, ReLU, Reshape, Scale, Softmax, Take

TOKENS, WIDTH = 5, 3
RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.normal(size=(TOKENS, WIDTH))
X = RANDOM.normal(size=(96, TOKENS, WIDTH))
THERE = np.arange(TOKENS) < RANDOM.integers(1, TOKENS + 1, size=(96, 1))


def scale(name, source, gain, bias=0.0, rank=2):
    shift = np.full((1,) * rank, bias) if np.any(bias) else None
    return Scale(name=name, inputs=(source,), gain=np.full((1,) * rank, gain), bias=shift)


def graph_of(mask, between=()):
    """Rows of what tokens score with one another, a mask of the keys, nodes between, softmax and a layer."""
    nodes = [
        *(Input(name="x", shape=(TOKENS, WIDTH)), Input(name="m", shape=(TOKENS,))),
        *(ReLU(name="r", inputs=("x",)), Dense(name="s", inputs=("r",), weight=3 * WEIGHT)),
        *mask,
        Reshape(name="row", inputs=(mask[-1].name,), shape=(1, TOKENS)),
        *(Take(name="rows", inputs=("row",), axis=0, indices=(0,) * TOKENS), Add(name="a", inputs=("s", "rows"))),
        *between,
        Softmax(name="p", inputs=(between[-1].name if between else "a",), axis=1),
        *(Reshape(name="f", inputs=("p",), shape=(TOKENS**2,)),),
        Dense(name="y", inputs=("f",), weight=np.random.default_rng(1).normal(size=(2, TOKENS**2))),
    ]
    return Graph(nodes, ["y"])


CAUSAL = Scale(name="c", inputs=("a",), gain=np.ones((1, 1)), bias=np.where(np.tri(TOKENS), 0.0, -1e9))
TURNED = [Permute(name="t", inputs=("a",), axes=(1, 0)), Permute(name="u", inputs=("t",), axes=(1, 0))]
FORMS = {
    "who is there, by -10000": ([scale("g", "m", -1.0, 1.0, 1), scale("h", "g", -1e4, 0.0, 1)], (), THERE),
    "who is there, by the least number": ([scale("h", "m", 3.4e38, -3.4e38, 1)], (), THERE),
    "who is not": ([scale("h", "m", -1e9, 0.0, 1)], (), ~THERE),
    "what is added": ([scale("h", "m", 1.0, 0.0, 1)], (), np.where(THERE, 0.0, -1e9)),
    "what is added, of two sizes": (
        [scale("h", "m", 1.0, 0.0, 1)], (), np.where(THERE, 0.0, -1e4 * (1 + np.arange(TOKENS)))),
    "with something for those that are there": ([scale("h", "m", 1e4, 7 - 1e4, 1)], (), THERE),
    "moved behind": ([scale("h", "m", 1e4, -1e4, 1)], TURNED, THERE),
    "scaled behind": ([scale("h", "m", 1e4, -1e4, 1)], [scale("b", "a", 0.5)], THERE),
    "under a constant one": ([scale("h", "m", 1e4, -1e4, 1)], [CAUSAL], THERE),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_mask_is_no_larger_than_it_has_to_be(form):
    mask, between, given = FORMS[form]
    graph = graph_of(mask, between)
    found = GivenMasks.of(graph, [X, given])
    np.testing.assert_allclose(found.graph.run(X, given), graph.run(X, given), atol=1e-9)
    read = found.graph.values(X, given, keep=["s", "a", "p"])
    assert (read["s"] - read["a"]).max() < 6 * (np.ptp(read["s"]) + FADED)
    assert read["p"][np.broadcast_to(~THERE[:, None], read["p"].shape)].max() < 1e-13
    assert not found.refused
    assert SoftmaxTables(lowest=found.lowest)(found.graph).run(X, given) == pytest.approx(graph.run(X, given), abs=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_networks_lose_no_more_with_it_than_without(form):
    mask, between, given = FORMS[form]
    graph = graph_of(mask, between)
    errors = []
    for data in ([X, given], [X, np.broadcast_to(given[np.all(THERE, axis=1)][:1], given.shape)]):
        network = stb.convert(graph, data, schedule="radix", T=6, layer_correction="none", readout_correction=0)
        result, expected = stb.simulate(network, [a[:48] for a in data]), graph.run(*data)[:48]
        errors.append(np.sqrt(np.mean((result.output - expected) ** 2)) / expected.std())
    assert errors[0] < 0.1
    assert errors[0] < 2 * errors[1]


@pytest.mark.parametrize("bits", [0, 8])
def test_what_is_left_out_sends_nothing(bits):
    graph = graph_of(FORMS["who is there, by -10000"][0])
    network = stb.convert(graph, [X, THERE], schedule="radix", T=5, weight_bits=bits, readout_correction=0)
    counts = stb.simulate(network, [X, THERE]).counts["p.exp"]
    there = np.broadcast_to(THERE[:, None], counts.shape)
    assert not counts[~there].any()
    assert np.all(counts.max(axis=2) > 0)


def test_a_score_that_is_given_is_no_mask():
    near = graph_of([scale("h", "m", 30.0, -15.0, 1)])
    assert GivenMasks.of(near, [X, THERE]).graph is near
    assert not GivenMasks.of(near, None).refused
    whole = Graph([Input(name="x", shape=(4,)), scale("h", "x", 1e4, 0.0, 1), Softmax(name="p", inputs=("h",))], ["p"])
    assert GivenMasks.of(whole, [np.eye(4)]).graph is whole


UNFIT = {
    "what is between": (scale("h", "m", 1e4, -1e4, 1), np.where(THERE, 1.0, np.linspace(0, 0.9, TOKENS))),
    "steps": (scale("h", "m", 1.0, 0.0, 1), np.where(THERE, 0.0, -400.0 * np.arange(TOKENS))),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_is_not_clearly_a_mask_is_refused(case):
    mask, given = UNFIT[case]
    with pytest.raises(UnsupportedError, match=UNCLEAR):
        lower(graph_of([mask]), Recipe(schedule="radix"), [X, given])


def test_without_samples_a_mask_is_refused():
    graph = graph_of(FORMS["who is there, by -10000"][0])
    with pytest.raises(UnsupportedError, match=UNSEEN):
        lower(graph, Recipe(schedule="radix"))


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_which_a_mask_leaves_nothing_are_refused(form):
    mask, between, given = FORMS[form]
    given, nobody = given.copy(), FORMS[form][2][~THERE[:, -1]][0, -1]
    given[7] = nobody
    with pytest.raises(UnsupportedError, match=NOTHING):
        lower(graph_of(mask, between), Recipe(schedule="radix"), [X, given])


def two_masks():
    """What is there by one input, and what may be looked at by another."""
    graph = graph_of([scale("h", "m", 1e4, -1e4, 1)])
    second = [Input(name="n", shape=(TOKENS,)), scale("i", "n", 1e5, -1e5, 1)]
    second += [Reshape(name="j", inputs=("i",), shape=(1, TOKENS))]
    second += [Take(name="k", inputs=("j",), axis=0, indices=(0,) * TOKENS), Add(name="b", inputs=("k", "a"))]
    nodes = [*graph.nodes.values()]
    at = next(k for k, n in enumerate(nodes) if isinstance(n, Softmax))
    return Graph([*nodes[:at], *second, nodes[at].with_inputs("b"), *nodes[at + 1 :]], ["y"])


def test_of_two_masks_neither_takes_levels_for_the_other():
    graph, first, second = two_masks(), np.ones(THERE.shape), np.ones(THERE.shape)
    first[:, 4], second[::2, 0] = THERE[:, 4], 0
    found = GivenMasks.of(graph, [X, first, second])
    assert not found.refused
    read = found.graph.values(X, first, second, keep=["s", "b"])
    assert (read["s"] - read["b"]).max() < 3 * (np.ptp(read["s"]) + FADED)
    tabled = SoftmaxTables(lowest=found.lowest)(found.graph)
    assert tabled.run(X, first, second) == pytest.approx(graph.run(X, first, second), abs=1e-9)
    first[3], second[3] = [1, 1, 0, 0, 0], [0, 0, 1, 1, 1]
    assert GivenMasks.of(graph, [X, first, second]).refused == {"p": NOTHING}


def test_a_mask_that_calibration_does_not_show_is_told(caplog):
    graph = graph_of(FORMS["what is added"][0])
    GivenMasks.of(graph, [X, FORMS["what is added"][2]])
    assert not caplog.records
    GivenMasks.of(graph, [X, np.zeros(THERE.shape)])
    assert "p (Softmax): what an input adds to what it reads is the same in all calibration samples" in caplog.text


def test_a_mask_that_scores_make_up_for_is_refused():
    """Softmax of the original would see what is below it."""
    graph = graph_of([scale("h", "m", 1200.0, -1200.0, 1)])
    assert not GivenMasks.of(graph, [X, THERE]).refused
    assert GivenMasks.of(graph, [100 * X, THERE]).refused == {"p": SMALL}


@pytest.mark.parametrize("shared", ["another softmax", "an output"])
def test_what_others_read_of_a_sum_stays(shared):
    """Each softmax has a mask as large as it needs, and whoever reads the scores themselves reads them as they were."""
    graph = graph_of([scale("h", "m", 1e4, -1e4, 1)], [scale("cold", "a", 3.0)])
    if shared == "an output":
        graph = Graph([*graph.nodes.values()], ["y", "a"])
    else:
        own = [scale("warm", "a", 0.2), Softmax(name="q", inputs=("warm",), axis=1)]
        nodes = [*graph.nodes.values(), *own, Add(name="both", inputs=("p", "q"))]
        graph = Graph([n.with_inputs("both") if n.name == "f" else n for n in nodes], ["y"])
    found = GivenMasks.of(graph, [X, THERE])
    assert not found.refused
    before, after = (g.values(X, THERE, keep=g.outputs) for g in (graph, found.graph))
    for output in graph.outputs:
        np.testing.assert_allclose(after[output], before[output], atol=1e-9)
    for node in (n for n in found.graph.nodes.values() if isinstance(n, Softmax)):
        assert np.ptp(found.graph.values(X, THERE, keep=node.inputs)[node.inputs[0]]) < 400
