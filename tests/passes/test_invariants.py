"""Passes are seen to keep what they promise: a right one passes, a wrong one is named."""

from dataclasses import replace

import numpy as np
import pytest

from snntoolbox import conversion
from snntoolbox.conversion import Recipe, choose_scales, lower
from snntoolbox.errors import GraphError
from snntoolbox.ir.encodings import Poisson
from snntoolbox.ir.nodes import Conv, Dense
from snntoolbox.passes.convert import Convert
from snntoolbox.passes.invariants import check_same_function, check_scales, probe


@pytest.fixture
def graph(new_net):
    net = new_net(2, 6, 6)
    a = net.relu(net.conv("x", 4))
    b = net.relu(net.conv(net.pool(a, pad=1), 4))
    net.dense(net.flat(net.average(b)), 3)
    return net.graph()


def changed(graph, kind, by):
    """The graph with one weight of its last node of a kind moved."""
    node = [n for n in graph.nodes.values() if isinstance(n, kind)][-1]
    weight = node.weight.copy()
    weight.flat[np.abs(weight).argmax()] += by
    return graph.edited([replace(node, weight=weight)])


def test_the_same_function_passes_and_another_is_named(graph):
    check_same_function(graph, lower(graph, Recipe()), "lowering")
    check_same_function(graph, changed(graph, Dense, 1e-12), "nothing")
    with pytest.raises(GraphError, match="bad pass changed the function"):
        check_same_function(graph, changed(graph, Dense, 1e-3), "bad pass")


@pytest.mark.parametrize("choices", [{}, {"per_channel": False}, {"max_pool": "gate", "per_channel": False},
                                     {"encoding": Poisson(amplitude=4.0)}, {"readout": "spikes"}])  # fmt: skip
def test_scales_are_kept(graph, choices):
    recipe = Recipe(**choices)
    lowered = lower(graph, recipe)
    scales = choose_scales(lowered, [np.random.default_rng(0).random((30, 2, 6, 6))], recipe)
    network = Convert(encoding=recipe.encoding)(lowered, scales)
    check_scales(network, lowered, probe(lowered))
    for wrong, message in (
        (network.replaced(wiring=changed(network.wiring, Conv, 1e-3)), "not its input over its scale"),
        (network.replaced(readouts=[replace(r, scale=1.001) for r in network.readouts]), "reads not the output"),
        (network.replaced(populations=[replace(p, scale=1.001 * p.scale) for p in network.populations.values()]), "it"),
    ):
        with pytest.raises(GraphError, match=message):
            check_scales(wrong, lowered, probe(lowered))


def test_a_wrong_pass_stops_a_conversion(graph, monkeypatch):
    monkeypatch.setattr(conversion, "EXACT", (lambda g: changed(g, Dense, 0.1),))
    with pytest.raises(GraphError, match="changed the function of the graph"):
        conversion.simplify(graph, check=True)
