"""Smooth activations become line segments only when asked, with the error that is reported."""

import numpy as np
import pytest

from snntoolbox.backends.simulate import simulate
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.approximate import ApproximateActivations, piecewise
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.stages import convert
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Elementwise, Input
from snntoolbox.ir.nodes.elementwise import FUNCTIONS


def net(function: str) -> Graph:
    rng = np.random.default_rng(3)
    nodes = [
        Input(name="x", shape=(6,)),
        Dense(name="hidden", inputs=("x",), weight=rng.normal(size=(8, 6))),
        Elementwise(name="smooth", inputs=("hidden",), function=function),
        Dense(name="out", inputs=("smooth",), weight=rng.normal(size=(4, 8))),
    ]
    return Graph(nodes, ["out"])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_error_is_what_is_reported_and_falls_with_the_square_of_the_segments(function):
    x = np.linspace(-20, 20, 40001)
    exact = FUNCTIONS[function](x)
    coarse, fine = (np.abs(piecewise(function, n, x) - exact).max() for n in (16, 32))
    assert coarse < 0.01
    assert fine < 0.5 * coarse
    assert ApproximateActivations({function}, 16).errors(net(function)) == {"smooth": pytest.approx(coarse)}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_graph_keeps_its_output_within_the_reported_error(function):
    graph = net(function)
    rewrite = ApproximateActivations({function})
    x = np.random.default_rng(1).normal(scale=3, size=(50, 6))
    replaced = rewrite(graph)
    assert not any(isinstance(n, Elementwise) for n in replaced.nodes.values())
    weights = np.abs(graph.nodes["out"].weight).sum(axis=1)
    assert np.all(np.abs(replaced.run(x) - graph.run(x)) <= weights * rewrite.errors(graph)["smooth"] * 1.001)


def test_other_functions_stay_and_are_refused_with_the_way_out():
    graph = ApproximateActivations({"tanh"})(net("sigmoid"))
    with pytest.raises(UnsupportedError, match=r"smooth.*sigmoid.*approximate = sigmoid"):
        lower(graph, Recipe())


def test_converted_network_approaches_the_original():
    graph = net("sigmoid")
    x = np.random.default_rng(2).normal(size=(40, 6))
    network = convert(graph, x, approximate=frozenset({"sigmoid"}), percentile=100)
    result = simulate(network, x, duration=256)
    scale = np.abs(graph.run(x)).max()
    assert np.abs(result.output - graph.run(x)).max() < 0.05 * scale


def test_functions_one_behind_the_other_are_all_replaced():
    """One that reads another one reads what stands for it."""
    nodes = [Input(name="x", shape=(6,))]
    reads = ("x", "f0", "f1")
    nodes += [Elementwise(name=f"f{i}", inputs=(read,), function="tanh") for i, read in enumerate(reads)]
    graph, x = Graph(nodes, ["f2"]), np.linspace(-3, 3, 60).reshape(10, 6)
    found = ApproximateActivations(("tanh",), segments=64)(graph)
    assert not any(isinstance(n, Elementwise) for n in found.nodes.values())
    np.testing.assert_allclose(found.run(x), graph.run(x), atol=0.01)
