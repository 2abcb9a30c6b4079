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
    assert any(isinstance(n, Softmax) for n in written.nodes.values()) == (graph.shapes["s"][axis] == 1)


def test_what_stays():
    for graph in (between(0, log=True), between(1)):
        kept = SoftmaxTables(frozenset({"s"}))(graph)
        assert kept is graph
    assert SoftmaxTables()(between(0, log=True)).nodes["s"].log


def test_without_windows_and_with_a_mask_it_is_refused():
    with pytest.raises(UnsupportedError, match=f"softmax between layers .* {WINDOWS} makes tables"):
        lower(between(1), Recipe())
    mask = np.where(np.tri(3, 4), 0.0, -1e9)
    nodes = dict(between(1).nodes)
    nodes["m"] = Scale(name="m", inputs=("x",), gain=np.ones((1, 1)), bias=mask)
    nodes["s"] = nodes["s"].with_inputs("m")
    with pytest.raises(UnsupportedError, match="reads values that a mask leaves out"):
        lower(Graph(nodes.values(), ["y"]), Recipe(schedule="phased"))


@pytest.mark.parametrize(("low", "refused", "warned"), [(-10, 0, 0), (-100, 0, 1), (-1000, 1, 0), (-9999, 1, 0)])
def test_a_mask_is_refused_or_told_by_how_far_its_constants_are_apart(low, refused, warned, caplog):
    for mask, is_mask in ((np.where(np.tri(3, 4), 0.0, low), True), (np.full((1, 1), low * 1.0), False)):
        caplog.clear()
        nodes = dict(between(1).nodes)
        nodes["m"] = Scale(name="m", inputs=("x",), gain=np.ones((1, 1)), bias=mask)
        nodes["s"] = nodes["s"].with_inputs("m")
        assert masked(Graph(nodes.values(), ["y"])).keys() == ({"s"} if refused and is_mask else set())
        assert ("that takes levels of the other values" in caplog.text) == bool(warned and is_mask)


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
