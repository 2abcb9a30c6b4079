"""Sums of products over a common axis, against what einsum says, and the neurons that make them."""

import numpy as np
import pytest

from snntoolbox.errors import ConversionError, GraphError
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.features import PRODUCTS, SUMS_OF_PRODUCTS, features
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.io import load_network, save
from snntoolbox.ir.network import Population, Readout, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input, MatrixProduct, Reshape
from snntoolbox.ir.operations import fan_out
from snntoolbox.ir.turns import stepwise

STEPS, SIZE = 3, 12
SUMS = [
    Contraction(stack=2, rows=3, columns=2, terms=4),
    Contraction(stack=1, rows=1, columns=5, terms=2, first=True),
    Contraction(stack=3, rows=2, columns=1, terms=1),
]


def einsum(sums, one, other):
    """The sums written with an index for each axis."""
    own, second = (one, other) if sums.first else (other, one)
    left = own.reshape(-1, sums.stack, sums.rows, sums.terms)
    right = second.reshape(-1, sums.stack, sums.columns, sums.terms)
    return np.einsum("nsak,nsbk->nsab", left, right).reshape(len(one), *sums.shape)


@pytest.mark.parametrize("sums", SUMS)
def test_values(sums):
    random = np.random.default_rng(0)
    one, other = (random.normal(size=(5, *shape)) for shape in sums.factors)
    np.testing.assert_allclose(sums.of(one, other), einsum(sums, one, other), rtol=1e-12)
    np.testing.assert_allclose(sums.swapped.of(other, one), sums.of(one, other), rtol=1e-12)
    assert sums.swapped.factors == sums.factors[::-1]
    assert sums.channels_of(0 if sums.first else 1)
    assert not sums.channels_of(1 if sums.first else 0)
    for factor, shape in enumerate(sums.factors):
        assert (shape[0] == sums.stack * (sums.rows if sums.channels_of(factor) else sums.columns))


def test_no_values_have_no_sums():
    with pytest.raises(ValueError, match="sums of 0 products"):
        Contraction(stack=1, rows=1, columns=1, terms=0)


def test_node():
    nodes = [Input(name="x", shape=(4, 4)), Input(name="y", shape=(6, 4))]
    product = MatrixProduct(name="p", inputs=("x", "y"), contraction=SUMS[0])
    graph = Graph([*nodes, product], ["p"])
    assert graph.shapes["p"] == (6, 2)
    with pytest.raises(GraphError, match=r"takes inputs of shapes \(4, 4\) and \(6, 4\), got \(6, 4\), \(4, 4\)"):
        Graph([*nodes, product.with_inputs("y", "x")], ["p"])


def summing(sums, counting=Counting.ONE, *, seed=0, shape=None):
    """Two layers that fire in turns 1 and 2 (a, b), and sums of products of what they send in turn 3."""
    random = np.random.default_rng(seed)

    def dense(name, source, size):
        weight = random.integers(-2, 3, size=(size, SIZE)).astype(float)
        return Dense(name=name, inputs=(source,), weight=weight)

    def factor(name, source, shape):
        flat = dense(f"{name} flat", source, int(np.prod(shape)))
        return [flat, Reshape(name=name, inputs=(flat.name,), shape=shape)]

    def population(name, turn, current, shape, **fields):
        window = (STEPS * turn, STEPS * (turn + 1))
        neuron = IF(window=window, counting=counting, initial=0.5, **fields)
        return Population(
            name=name, shape=shape, neuron=neuron, current=current, scale=np.ones((1,) * len(shape)), activation="",
            latched="of a" if neuron.latched else None,
        )  # fmt: skip

    shape = sums.shape if shape is None else shape
    nodes = [Input(name=n, shape=(SIZE,)) for n in ("x", "a", "b")] + [Input(name="p", shape=shape)]
    nodes += [dense("to a", "x", SIZE), dense("to b", "a", SIZE)]
    nodes += [*factor("of b", "b", sums.factors[0]), *factor("of a", "a", sums.factors[1])]
    flat = Reshape(name="flat", inputs=("p",), shape=(int(np.prod(shape)),))
    nodes += [flat, Dense(name="out", inputs=("flat",), weight=random.integers(-2, 3, size=(2, flat.shape[0])) * 1.0)]
    populations = [
        population("a", 1, "to a", (SIZE,)),
        population("b", 2, "to b", (SIZE,), threshold=2.0),
        population("p", 3, "of b", shape, latched=True, contraction=sums, threshold=5.0),
    ]
    ends = [*(end for p in populations for end in p.currents), "out"]
    schedule = Schedule("phased", window=STEPS, steps=STEPS * 4, counting=counting)
    return SpikingNetwork(
        Graph(nodes, ends), {"x": ConstantCurrent(steps=STEPS)}, populations,
        [Readout(name="y", current="out", shape=(2,))], schedule=schedule,
    )  # fmt: skip


@pytest.mark.parametrize("counting", [Counting.ONE, Counting.DIGIT])
@pytest.mark.parametrize("sums", SUMS)
def test_a_window_adds_the_sums_of_products_of_counts(sums, counting):
    network = summing(sums, counting)
    x = np.random.default_rng(1).integers(0, 5, size=(6, SIZE)) / 4
    counts = interpret(network, x, steps=STEPS * 4).counts
    weights = {n: network.wiring.nodes[f"{n} flat"].weight for n in ("of a", "of b")}
    one, other = (
        (counts[n] @ weights[f"of {n}"].T).reshape(-1, *shape) for n, shape in zip("ba", sums.factors, strict=True)
    )
    expected = np.clip(np.floor((einsum(sums, one, other) + 0.5) / 5), 0, counting.total(STEPS))
    assert expected.any()
    np.testing.assert_array_equal(counts["p"], expected)
    assert stepwise(network) == []


def test_shapes_must_fit():
    with pytest.raises(GraphError, match=r"sums products to shape \(6, 2\), has shape \(2, 6\)"):
        summing(SUMS[0], shape=(2, 6))
    with pytest.raises(ConversionError, match="a contraction sums products of counts, and it has none"):
        IF(contraction=SUMS[0])


def test_features_and_files(tmp_path):
    network = summing(SUMS[0])
    asked = {found.feature for found in features(network)}
    assert {PRODUCTS, SUMS_OF_PRODUCTS} <= asked
    back = load_network(save(network, tmp_path / "network"))
    assert back.populations["p"].neuron.contraction == SUMS[0]


def test_a_spike_reaches_all_sums_that_its_value_is_in():
    sums = SUMS[0]
    fans = fan_out(summing(sums))
    assert fans["b"].tolist() == [np.prod(sums.shape)] * SIZE
    assert fans["a"].tolist() == [SIZE + np.prod(sums.factors[1])] * SIZE  # of b, and all counts
