"""Sums of products of activations: the spikes of one network by all engines and simulators, and what they say."""

import numpy as np
import pytest
from needed import needed

import snntoolbox as stb
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.nodes import Dense, Input, MatrixProduct, Multiply, ReLU, Reshape, Tabulated
from snntoolbox.ir.result import Record

SUMS = Contraction(stack=2, rows=3, columns=2, terms=4)
RNG = np.random.default_rng(7)
X = RNG.normal(size=(40, 6)).astype("float32")


def model(sums=SUMS, *, deeper=None, signed=True, behind="", bias=True):
    """Two maps of the input, one of them behind a layer more, or none; the sums of their products; three classes.

    `signed` factors may be negative, and so may be the sums; `behind` is the function of a table that reads these.
    """
    random, nodes = np.random.default_rng(1), [Input(name="x", shape=(6,))]

    def dense(name, source, size, width):
        some = random.normal(size=size) * 0.3 if bias else None
        nodes.append(Dense(name=name, inputs=(source,), weight=random.normal(size=(size, width)) * 0.6, bias=some))
        return name

    for place, (name, shape) in enumerate(zip("ab", sums.factors, strict=True)):
        source, width = "x", 6
        if deeper == place:
            nodes.append(ReLU(name=f"{name}deep", inputs=(dense(f"{name}0", "x", 8, 6),)))
            source, width = f"{name}deep", 8
        end = dense(f"{name}1", source, int(np.prod(shape)), width)
        if not signed:
            nodes.append(ReLU(name=f"{name}2", inputs=(end,)))
            end = f"{name}2"
        nodes.append(Reshape(name=name, inputs=(end,), shape=shape))
    nodes.append(MatrixProduct(name="p", inputs=("a", "b"), contraction=sums))
    end = "p"
    if behind:
        nodes.append(Tabulated(name="t", inputs=("p",), function=behind, sign=1))
        end = "t"
    flat = int(np.prod(sums.shape))
    nodes.append(Reshape(name="flat", inputs=(end,), shape=(flat,)))
    dense("y", "flat", 3, flat)
    return Graph(nodes, ["y"])


CASES = [
    {"deeper": deeper, "signed": signed, "sums": sums, "behind": behind}
    for deeper, signed, sums, behind in (
        (0, True, SUMS, ""),
        (1, True, SUMS, ""),
        (None, True, SUMS, "sigmoid"),
        (0, False, SUMS.swapped, ""),
        (1, False, SUMS.swapped, "sigmoid"),
        (None, False, SUMS, ""),
    )
]


@pytest.mark.parametrize(("schedule", "bits"), [("radix", 0), ("radix", 8), ("phased", 8)])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_spikes(case, schedule, bits):
    graph = model(**case)
    steps = 6 if schedule == "radix" else 40
    snn = stb.convert(graph, X, schedule=schedule, duration=steps, weight_bits=bits)
    summed = [p for p in snn.populations.values() if p.neuron.contraction is not None]
    assert summed
    assert all(p.shape == SUMS.shape for p in summed)
    everything = Record(spikes=True, potentials=True)
    expected = interpret(snn, X[:3], steps=snn.schedule.steps, record=everything)
    for engine in ("counts", "dense"):
        found = stb.simulate(snn, X[:3], engine=engine, dtype="float64", record=everything)
        for name, spikes in expected.spikes.items():
            np.testing.assert_array_equal(found.spikes[name], spikes, err_msg=f"{engine} {name}")
            scale = max(np.abs(expected.potentials[name]).max(), 1.0)
            np.testing.assert_allclose(found.potentials[name] / scale, expected.potentials[name] / scale, atol=1e-5)
    wanted = graph.run(X)
    assert np.corrcoef(stb.simulate(snn, X).outputs["y"].ravel(), wanted.ravel())[0, 1] > 0.99


@pytest.mark.parametrize(("case", "bits"), [(CASES[0], 0), (CASES[1], 8), (CASES[4], 8)], ids=str)
def test_the_same_spikes_in_brian2(case, bits):
    needed("brian2")
    snn = stb.convert(model(**case), X, schedule="radix", duration=4, weight_bits=bits)
    expected = interpret(snn, X[:3], steps=snn.schedule.steps, record=Record(spikes=True))
    found = stb.simulate(snn, X[:3], simulator="brian2", record=Record(spikes=True))
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(found.spikes[name], spikes, err_msg=name)


def test_single_products_say_the_same():
    graph = model(deeper=0)
    lowered = lower(graph, Recipe(schedule="radix", products="single"))
    kinds = {type(n) for n in lowered.nodes.values()}
    assert Multiply in kinds
    assert MatrixProduct not in kinds
    both = {kind: stb.convert(graph, X, schedule="radix", duration=6, products=kind) for kind in ("summed", "single")}
    wanted = graph.run(X)
    for snn in both.values():
        assert np.corrcoef(stb.simulate(snn, X).outputs["y"].ravel(), wanted.ravel())[0, 1] > 0.99
    assert both["single"].neurons > both["summed"].neurons


def test_thresholds_by_channel_fold_into_the_factor_that_has_them():
    """Rows of one factor that differ a thousandfold are no less exact than others."""
    graph = model(deeper=0, signed=False)
    scale, node = np.logspace(-1.5, 1.5, SUMS.rows * SUMS.stack), graph.nodes["b1"]
    wide = np.repeat(scale, SUMS.terms)[:, None]
    graph = graph.edited([Dense(name="b1", inputs=node.inputs, weight=node.weight * wide, bias=node.bias * wide[:, 0])])
    for bits in (0, 8):
        snn = stb.convert(graph, X, schedule="radix", duration=6, weight_bits=bits)
        (population,) = (p for p in snn.populations.values() if p.neuron.contraction is not None)
        result = stb.simulate(snn, X)
        told = result.counts[population.name] / 63 * population.scale
        wanted = np.maximum(graph.values(X, keep=["p"])["p"], 0)
        for row in range(len(scale)):
            assert np.corrcoef(told[:, row].ravel(), wanted[:, row].ravel())[0, 1] > 0.995, row


def test_other_schedules_and_simulators_refuse_by_name():
    with pytest.raises(UnsupportedError, match="a product of two activations"):
        stb.convert(model(), X, schedule="rate", duration=8)
    snn = stb.convert(model(), X, schedule="radix", duration=4, weight_bits=8)
    with pytest.raises(UnsupportedError, match="products of counts") as error:
        stb.simulate(snn, X[:1], simulator="nest")
    assert "sum of products of counts" in str(error.value)


def test_errors_of_sums_are_split():
    found = stb.diagnose(model(deeper=0), X, duration=5, schedule="radix", seconds=5)
    assert {layer.name for layer in found.layers if layer.undefined} == set()
    assert any(layer.name.startswith("p") for layer in found.layers)
