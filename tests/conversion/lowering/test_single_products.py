"""Products of matrices as single products: the same values, a neuron for each term."""

import numpy as np
import pytest

from snntoolbox.conversion.lowering.single_products import SingleProducts
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Input, MatrixProduct, Multiply, Reshape
from snntoolbox.ir.nodes.multiplying import MOST_THRESHOLDS


def product(sums):
    """Both factors are maps of one input."""
    random, nodes = np.random.default_rng(3), [Input(name="x", shape=(5,))]
    for name, shape in zip("ab", sums.factors, strict=True):
        weight = random.normal(size=(int(np.prod(shape)), 5))
        nodes.append(Dense(name=f"{name}0", inputs=("x",), weight=weight))
        nodes.append(Reshape(name=name, inputs=(f"{name}0",), shape=shape))
    nodes.append(MatrixProduct(name="p", inputs=("a", "b"), contraction=sums))
    return Graph(nodes, ["p"])


@pytest.mark.parametrize(
    "sums",
    [
        Contraction(stack=2, rows=3, columns=2, terms=4),
        Contraction(stack=2, rows=3, columns=2, terms=4, first=True),
        Contraction(stack=3, rows=MOST_THRESHOLDS // 8, columns=2, terms=4),
    ],
)
def test_the_same_sums(sums):
    graph = product(sums)
    written = SingleProducts()(graph)
    assert not any(isinstance(n, MatrixProduct) for n in written.nodes.values())
    (single,) = (written.shapes[n.name] for n in written.nodes.values() if isinstance(n, Multiply))
    count = sums.stack * sums.rows * sums.terms
    few = count <= MOST_THRESHOLDS
    lines = sums.stack * sums.terms
    assert single == ((count, sums.columns) if few else (lines, sums.rows * sums.columns))
    x = np.random.default_rng(4).normal(size=(3, 5))
    np.testing.assert_allclose(written.run(x), graph.run(x), rtol=1e-5, atol=1e-5)


def test_nothing_to_do():
    graph = Graph([Input(name="x", shape=(2,))], ["x"])
    assert SingleProducts()(graph).nodes.keys() == graph.nodes.keys()
