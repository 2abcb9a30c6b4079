"""Hard swish by rectifiers and a product."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.diagnosis.observer import Observer
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.hard_swish_products import HardSwishProducts
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Elementwise, Input, Multiply

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 1, (200, 6))


@pytest.fixture
def graph():
    first = Dense(name="first", inputs=("x",), weight=RNG.normal(size=(8, 6)), bias=RNG.normal(size=8))
    swish = Elementwise(name="swish", inputs=("first",), function="hard_swish")
    last = Dense(name="last", inputs=("swish",), weight=RNG.normal(size=(3, 8)))
    return Graph([Input(name="x", shape=(6,)), first, swish, last], ["last"])


def test_the_same_function(graph):
    written = HardSwishProducts()(graph)
    x = RNG.normal(size=(50, 6)) * 3
    np.testing.assert_allclose(written.run(x), graph.run(x), atol=1e-12)
    assert [n.kind for n in written.nodes.values()].count("Multiply") == 1
    assert not any(isinstance(n, Elementwise) for n in written.nodes.values())
    assert HardSwishProducts()(written) is written


def test_windows_make_products_of_it_and_nothing_else_does(graph):
    assert any(isinstance(n, Multiply) for n in lower(graph, Recipe(schedule="radix")).nodes.values())
    approximated = lower(graph, Recipe(schedule="radix", approximate=frozenset({"hard_swish"})))
    assert not any(isinstance(n, Multiply) for n in approximated.nodes.values())
    with pytest.raises(UnsupportedError, match=r"approximate = hard_swish .* schedule = phased or radix"):
        lower(graph, Recipe())


def test_errors_fall_with_digits_and_are_split(graph):
    expected = graph.run(X)
    errors = []
    for steps in (4, 6, 8):
        network = stb.convert(graph, X, schedule="radix", T=steps)
        result = stb.simulate(network, X, T=steps)
        errors.append(np.sqrt(np.mean((result.outputs["last"] - expected) ** 2) / np.mean(expected**2)))
        observer = Observer(network, network.original)  # which checks that the terms of each layer make its error
        observer.add([X], result)
        layers = {layer.name: layer for layer in observer.diagnosis().layers}
        assert not any(layer.undefined for layer in layers.values())
        assert network.circuit.latched.keys() < layers.keys()
    assert errors[0] < 0.1
    assert errors[1] < errors[0] / 2
    assert errors[2] < errors[1] / 2
