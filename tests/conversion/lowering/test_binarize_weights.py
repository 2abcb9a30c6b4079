"""Weights of one size: signs and their mean in each channel, and networks of them on every way in."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.binarize_weights import BinarizeWeights, binarized
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.ir.nodes import Conv, Dense, Scale


def test_signs_and_one_size_in_each_channel():
    weight = np.array([[0.5, -1.5, 0.0], [2.0, 2.0, -2.0], [0.0, 0.0, 0.0]])
    assert binarized(weight).tolist() == [[1.0, -1.0, 0.0], [2.0, 2.0, -2.0], [0.0, 0.0, 0.0]]


def test_no_number_is_nearer():
    weight = np.random.default_rng(0).normal(size=(3, 2, 3, 3))
    signs, sizes = np.sign(weight), np.linspace(0, 2, 201)
    errors = [((weight - size * signs) ** 2).sum(axis=(1, 2, 3)) for size in sizes]
    nearest = sizes[np.argmin(errors, axis=0)]
    np.testing.assert_allclose(np.abs(binarized(weight)).max(axis=(1, 2, 3)), nearest, atol=0.01)


@pytest.fixture
def graph(new_net):
    net = new_net(2, 6, 6, seed=4)
    normed = net.add(Scale, net.conv("x", 4), gain=np.full((4, 1, 1), 2.0), bias=np.full((4, 1, 1), 0.25))
    net.dense(net.flat(net.relu(normed)), 3)
    return net.graph()


def test_every_layer_of_weights_and_nothing_else(graph):
    changed = BinarizeWeights()(graph)
    for name, node in graph.nodes.items():
        if isinstance(node, (Conv, Dense)):
            rows = np.abs(changed.nodes[name].weight.reshape(len(node.weight), -1))
            np.testing.assert_allclose(rows, np.broadcast_to(rows[:, :1], rows.shape), rtol=1e-6)
            assert changed.nodes[name].bias is node.bias
        else:
            assert changed.nodes[name] is node


def test_only_where_it_is_asked(graph):
    names = lower(graph, Recipe()).nodes.keys()
    assert names == lower(graph, Recipe(binarize_weights=True)).nodes.keys()
    x = np.random.default_rng(1).random((40, 2, 6, 6), np.float32)
    plain, binary = (stb.convert(graph, x, T=256, binarize_weights=b) for b in (False, True))
    original, other = graph.run(x[:8]), BinarizeWeights()(graph).run(x[:8])
    for network, meant, strange in ((plain, original, other), (binary, other, original)):
        output = network.run(x[:8]).output
        assert np.abs(output - meant).mean() < 0.1 * np.abs(output - strange).mean()


def test_two_bits_hold_them_with_one_threshold_per_layer(graph):
    """Layers of one scale: the grid of -1, 0 and 1 loses nothing of the signs."""
    x = np.random.default_rng(1).random((40, 2, 6, 6), np.float32)
    network = stb.convert(graph, x, T=16, binarize_weights=True, weight_bits=2, per_channel=False)
    weights = [n.weights for n in network.wiring.nodes.values() if isinstance(n, Dense)]
    assert weights
    assert {float(w) for weight in weights for w in np.unique(weight)} <= {-1.0, 0.0, 1.0}
    signs = [np.sign(n.weight) for n in graph.nodes.values() if isinstance(n, Dense)]
    assert all(np.array_equal(a, b) for a, b in zip(weights, signs, strict=True))
