"""Softmax between layers by tables and products, and attention made of it."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.softmax_tables import SoftmaxTables, masked
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.nodes import Dense, Input, Mean, Multiply, Permute, Reshape, Scale, Softmax, Take
from snntoolbox.ir.nodes.nonlinear import LEFT_OUT
from snntoolbox.ir.result import Record
from snntoolbox.ir.ways_out import WINDOWS

RNG = np.random.default_rng(0)


def between(axis, shape=(3, 4), **more):
    nodes = [Input(name="x", shape=shape), Softmax(name="s", inputs=("x",), axis=axis, **more)]
    size = int(np.prod(shape))
    nodes += [Reshape(name="f", inputs=("s",), shape=(size,)),
              Dense(name="y", inputs=("f",), weight=RNG.normal(size=(2, size)))]  # fmt: skip
    return Graph(nodes, ["y"])


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize("shape", [(3, 4), (2, 1, 5)])
def test_the_same_function(axis, shape):
    graph = between(axis, shape)
    written = SoftmaxTables()(graph)
    x = RNG.normal(size=(30, *shape)) * 5
    np.testing.assert_allclose(written.run(x), graph.run(x), atol=1e-12)
    assert not any(isinstance(n, Softmax) for n in written.nodes.values())


def test_what_stays():
    for graph in (between(0, log=True), between(1)):
        kept = SoftmaxTables(frozenset({"s"}))(graph)
        assert kept is graph
    assert SoftmaxTables()(between(0, log=True)).nodes["s"].log


def under(mask, axis=1, shape=(3, 4)):
    """A softmax between layers that reads the input plus a mask, which was moved on its way."""
    nodes = dict(between(axis, shape).nodes)
    nodes["t"] = Permute(name="t", inputs=("x",), axes=(1, 0))
    nodes["m"] = Scale(name="m", inputs=("t",), gain=np.full((1, 1), 0.5), bias=np.asarray(mask, float).T)
    nodes["b"] = Permute(name="b", inputs=("m",), axes=(1, 0))
    nodes["s"] = nodes["s"].with_inputs("b")
    return Graph([nodes[n] for n in ("x", "t", "m", "b", "s", "f", "y")], ["y"])


SEEN = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [1, 1, 1, 1]], bool)


def test_without_windows_it_is_refused():
    with pytest.raises(UnsupportedError, match=f"softmax between layers .* {WINDOWS} makes tables"):
        lower(between(1), Recipe())


@pytest.mark.parametrize("schedule", ["rate", "radix"])
def test_its_logarithm_is_refused_without_schedules_that_refuse_it_too(schedule):
    with pytest.raises(UnsupportedError, match=r"the logarithm of softmax .* or from softmax itself") as caught:
        lower(between(1, log=True), Recipe(schedule=schedule))
    assert WINDOWS not in str(caught.value)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("low", [-1e30, -1e9, -1000])
def test_what_a_mask_leaves_out_has_no_neurons(low, axis):
    graph, x = under(np.where(SEEN, 0.3, low), axis), RNG.normal(size=(30, 3, 4)) * 5
    written = SoftmaxTables()(graph)
    np.testing.assert_allclose(written.run(x), graph.run(x), atol=1e-12)
    whole = "s.whole" if axis else "s.back"
    values = written.values(x, keep=[whole, "s.candidates"])
    assert np.all(values[whole][:, ~SEEN] == 0)
    assert [written.shapes[n.name] for n in written.nodes.values() if isinstance(n, Multiply)] == [(7, 1)]
    assert np.abs(values["s.candidates"]).max() < 100


@pytest.mark.parametrize(("low", "warned"), [(-10, 0), (-100, 1), (-1000, 0), (-9999, 0)])
def test_masks_that_take_levels_are_told(low, warned, caplog):
    for mask, is_mask in ((np.where(np.tri(3, 4), 0.0, low), True), (np.full((1, 1), low * 1.0), False)):
        caplog.clear()
        assert masked(under(mask)) == {}
        assert ("that takes levels of the other values" in caplog.text) == bool(warned and is_mask)


def test_a_row_of_which_nothing_is_seen_is_refused():
    mask = np.where(SEEN & [[1], [0], [1]], 0, LEFT_OUT)
    with pytest.raises(UnsupportedError, match="a mask leaves nothing of a row"):
        lower(under(mask), Recipe(schedule="phased"))
    assert masked(under(mask)).keys() == {"s"}


def test_an_offset_that_samples_bear_themselves_is_no_mask():
    """Constants leave a value out that samples lift to the others again: the lowered graph would do without it."""
    graph = under(np.where(SEEN, 0.0, -2000.0))
    x = RNG.normal(size=(30, 3, 4))
    lifted = x + np.where(SEEN, 0.0, 4000.0)
    assert masked(graph, [x]) == {}
    with pytest.raises(UnsupportedError, match=r"samples make up for them: give the model samples without that offset"):
        stb.convert(graph, lifted, schedule="radix", T=4)


def attention(tokens=3, depth=4, seed=0):
    """One head: queries, keys and values are maps of the input; the products of matrices are sums of products."""
    random = np.random.default_rng(seed)

    def mapped(name):
        weight = random.normal(size=(depth, depth)) / np.sqrt(depth)
        return Dense(name=name, inputs=("x",), weight=weight, bias=random.normal(size=(1, depth)))

    def spread(name, source, shape, axis, times):
        wide = Reshape(name=f"{name}0", inputs=(source,), shape=shape)
        return [wide, Take(name=name, inputs=(wide.name,), axis=axis, indices=(0,) * times)]

    nodes = [Input(name="x", shape=(tokens, depth)), *(mapped(n) for n in "qkv")]
    nodes += spread("Q", "q", (tokens, 1, depth), 1, tokens) + spread("K", "k", (1, tokens, depth), 0, tokens)
    nodes += [Multiply(name="qk", inputs=("Q", "K")), Mean(name="a", inputs=("qk",), axes=(2,))]
    nodes += [Softmax(name="p", inputs=("a",)), Permute(name="vt", inputs=("v",), axes=(1, 0))]
    nodes += spread("P", "p", (tokens, 1, tokens), 1, depth) + spread("V", "vt", (1, depth, tokens), 0, tokens)
    nodes += [Multiply(name="pv", inputs=("P", "V")), Mean(name="o", inputs=("pv",), axes=(2,), summed=True)]
    nodes += [Reshape(name="f", inputs=("o",), shape=(tokens * depth,))]
    nodes += [Dense(name="y", inputs=("f",), weight=random.normal(size=(3, tokens * depth)))]
    return Graph(nodes, ["y"]), random.normal(size=(80, tokens, depth))


@pytest.mark.parametrize(("schedule", "steps", "bits"), [("radix", 4, 8), ("phased", 7, 6)])
def test_attention_has_the_same_spikes_by_every_engine(schedule, steps, bits):
    graph, x = attention()
    network = stb.convert(graph, x, schedule=schedule, T=steps, weight_bits=bits)
    expected = interpret(network, x[:2], steps=network.schedule.steps, record=Record(spikes=True))
    assert network.circuit.latched
    for engine in ("counts", "dense"):
        result = stb.simulate(network, x[:2], T=steps, record=Record(spikes=True), engine=engine)
        for name, spikes in expected.spikes.items():
            np.testing.assert_array_equal(result.spikes[name], spikes, err_msg=f"{engine}: {name}")


def test_attention_over_one_token_is_its_value():
    graph, x = attention(tokens=1)
    result = stb.simulate(stb.convert(graph, x, schedule="radix", T=8, readout_correction=0), x[:20], T=8)
    expected = graph.run(x[:20])
    assert np.sqrt(np.mean((result.output - expected) ** 2)) < 0.05 * expected.std()


def test_errors_of_attention_fall_with_digits():
    graph, x = attention()
    expected, errors = graph.run(x[:40]), []
    for steps in (4, 6, 8):
        network = stb.convert(graph, x, schedule="radix", T=steps, readout_correction=0)
        output = stb.simulate(network, x[:40], T=steps).outputs["y"]
        errors.append(np.sqrt(np.mean((output - expected) ** 2)) / expected.std())
    assert errors[0] < 0.2
    assert errors[1] < errors[0] * 0.7
    assert errors[2] < errors[1] * 0.7
