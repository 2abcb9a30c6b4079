"""Graphs that all passes are tested on, each with what the exact passes should leave of it."""

import math

import numpy as np
import pytest

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import (
    Add,
    AveragePool,
    Concat,
    Conv,
    Dense,
    Input,
    MaxPool,
    Mean,
    Pad,
    Permute,
    ReLU,
    Reshape,
    Scale,
    Softmax,
    Take,
)


class Net:
    """A graph under construction with seeded random weights; every method returns the new node's name."""

    def __init__(self, *shape, seed=0):
        self.random = np.random.default_rng(seed)
        self.nodes, self.shapes = [], {}
        if shape:
            self.input(*shape, name="x")

    def add(self, kind, *sources, name=None, **fields):
        name = name or f"{kind.__name__.lower()}{len(self.nodes)}"
        node = kind(name=name, inputs=sources, **fields)
        self.shapes[name] = node.output_shape(*(self.shapes[s] for s in sources))
        self.nodes.append(node)
        return name

    def input(self, *shape, name=None):
        return self.add(Input, name=name, shape=shape)

    def weights(self, *shape):
        return self.random.normal(size=shape) / math.sqrt(math.prod(shape[1:]))

    def conv(self, source, filters, kernel=3, stride=1, pad=1, groups=1, bias=True):
        channels, *space = self.shapes[source]
        rank = len(space)
        return self.add(
            Conv,
            source,
            weight=self.weights(filters, channels // groups, *[kernel] * rank),
            bias=self.random.normal(size=(filters, *[1] * rank)) * 0.1 if bias else None,
            stride=(stride,) * rank,
            padding=((pad, pad),) * rank,
            dilation=(1,) * rank,
            groups=groups,
        )

    def dense(self, source, units, axis=-1, bias=True):
        shape = self.shapes[source]
        along = [units if a == axis % len(shape) else 1 for a in range(len(shape))]
        shift = self.random.normal(size=along) * 0.1 if bias else None
        return self.add(Dense, source, weight=self.weights(units, shape[axis]), axis=axis, bias=shift)

    def norm(self, source, axis=0, low=0.5):
        """A batch normalisation: a gain (from `low` to 2) and a shift for each channel."""
        along = [n if a == axis % len(self.shapes[source]) else 1 for a, n in enumerate(self.shapes[source])]
        gain, bias = self.random.uniform(low, 2, size=along), self.random.normal(size=along) * 0.2
        if low < 0:
            gain.ravel()[0] = low
        return self.add(Scale, source, gain=gain, bias=bias)

    def relu(self, source, **fields):
        return self.add(ReLU, source, **fields)

    def sum(self, *sources, **fields):
        return self.add(Add, *sources, **fields)

    def concat(self, *sources, axis=0):
        return self.add(Concat, *sources, axis=axis)

    def permute(self, source, *axes):
        return self.add(Permute, source, axes=axes)

    def first(self, source):
        """Channels last to channels first."""
        rank = len(self.shapes[source])
        return self.permute(source, rank - 1, *range(rank - 1))

    def last(self, source):
        """Channels first to channels last."""
        return self.permute(source, *range(1, len(self.shapes[source])), 0)

    def reshape(self, source, *shape):
        return self.add(Reshape, source, shape=shape)

    def flat(self, source):
        return self.reshape(source, math.prod(self.shapes[source]))

    def pool(self, source, kind=MaxPool, kernel=2, stride=2, pad=0, **fields):
        rank = len(self.shapes[source]) - 1
        more = {"dilation": (1,) * rank} if kind is MaxPool else {}
        geometry = {"kernel": (kernel,) * rank, "stride": (stride,) * rank, "padding": ((pad, pad),) * rank}
        return self.add(kind, source, **{**geometry, **more, **fields})

    def average(self, source, **fields):
        return self.pool(source, AveragePool, **fields)

    def mean(self, source, *axes, **fields):
        axes = axes or tuple(range(1, len(self.shapes[source])))
        return self.add(Mean, source, axes=axes, **fields)

    def softmax(self, source, **fields):
        return self.add(Softmax, source, **fields)

    def take(self, source, axis, *indices):
        return self.add(Take, source, axis=axis, indices=indices)

    def pad(self, source, *pads, **fields):
        return self.add(Pad, source, pads=pads, **fields)

    def graph(self, *outputs):
        return Graph(self.nodes, outputs or [self.nodes[-1].name])


def channels_last():
    net = Net(6, 6, 3)
    a = net.relu(net.norm(net.last(net.conv(net.first("x"), 4)), axis=-1))
    b = net.relu(net.last(net.conv(net.first(a), 4)))
    pooled = net.last(net.pool(net.first(net.sum(a, b))))
    net.dense(net.reshape(pooled, 36), 5)
    return net.graph()


def channels_last_concat():
    """Joins on the last axis, padding and a mean over space, all in the user's layout."""
    net = Net(5, 4, 3)
    a = net.relu(net.last(net.conv(net.first("x"), 4)))
    b = net.pad(net.last(net.conv(net.first(a), 2, pad=0)), (1, 1), (1, 1), (0, 0))
    joined = net.norm(net.concat(a, b, axis=2), axis=2)
    net.dense(net.mean(net.last(net.conv(net.first(joined), 6)), 0, 1), 4)
    return net.graph()


def norm_everywhere():
    """Before, behind, twice in a row, and at the input with zero padding behind it."""
    net = Net(3, 6, 5)
    a = net.relu(net.norm(net.norm(net.conv(net.norm("x"), 4))))
    b = net.relu(net.norm(net.conv(net.norm(a), 4, stride=2), low=-1))
    net.dense(net.norm(net.flat(b)), 5)
    return net.graph()


def densenet():
    """BN and ReLU behind a concatenation that grows: the normalisation of rectified parts cannot fold upwards."""
    net = Net(3, 5, 5)
    features = net.conv("x", 4)
    for _ in range(2):
        new = net.conv(net.relu(net.norm(features)), 3)
        features = net.concat(features, new)
    net.dense(net.mean(net.relu(net.norm(features))), 4)
    return net.graph()


def norm_behind_concat():
    net = Net(3, 5, 5)
    parts = [net.conv("x", 4), net.conv("x", 2, kernel=1, pad=0)]
    net.conv(net.relu(net.norm(net.concat(*parts))), 3)
    return net.graph()


def norm_behind_rectifier():
    """Between ReLU and a convolution with zero padding: the new bias differs at the rim."""
    net = Net(2, 6, 6)
    net.conv(net.norm(net.relu(net.conv("x", 4)), low=-1), 3)
    return net.graph()


def max_pool_norm(low):
    net = Net(2, 6, 6)
    net.conv(net.relu(net.norm(net.pool(net.conv("x", 4)), low=low)), 3)
    return net.graph()


def residual():
    """Three branches that share nodes; one ends twice in the same sum."""
    net = Net(3, 6, 6)
    a = net.relu(net.norm(net.conv("x", 4)))
    b = net.norm(net.conv(net.relu(net.norm(net.conv(a, 4))), 4))
    c = net.relu(net.sum(a, b))
    d = net.relu(net.norm(net.sum(net.norm(net.conv(c, 4)), net.conv(a, 4), c)))
    net.dense(net.mean(d), 5)
    return net.graph()


def doubled():
    net = Net(3, 4, 4)
    a = net.norm(net.conv("x", 4))
    net.dense(net.flat(net.relu(net.norm(net.sum(a, a, coefficients=(1.0, -0.25))))), 3)
    return net.graph()


def two_outputs():
    """The second output stands in front of a normalisation, which must not reach it."""
    net = Net(5)
    a = net.dense("x", 6)
    b = net.relu(net.norm(a))
    return net.graph(net.dense(b, 3), a, b)


def shared_layer():
    """One weight in three places, one value read by several."""
    net = Net(5)
    weight = net.weights(5, 5)
    a = net.relu(net.norm(net.add(Dense, "x", weight=weight)))
    b = net.relu(net.norm(net.add(Dense, a, weight=weight)))
    c = net.norm(net.add(Dense, b, weight=weight))
    net.concat(c, net.relu(c), a)
    return net.graph()


def permuted_dense():
    """Flattening behind a permutation, an elementwise chain, and a dense layer that undoes the order."""
    net = Net(3, 4, 5)
    a = net.flat(net.permute(net.conv("x", 2), 2, 0, 1))
    net.dense(net.relu(net.norm(a)), 6)
    return net.graph()


def permuted_output():
    """The order must be restored where the user sees it."""
    net = Net(3, 4, 5)
    a = net.permute(net.relu(net.conv("x", 2)), 1, 2, 0)
    b = net.flat(a)
    return net.graph(net.softmax(a, axis=2), net.relu(b), net.permute(a, 1, 0, 2))


def nested_reshapes():
    net = Net(24)
    a = net.reshape(net.reshape(net.reshape("x", 6, 4), 2, 3, 4), 2, 12)
    b = net.reshape(net.reshape(net.norm(a), 4, 6), 2, 12)
    net.dense(net.flat(net.reshape(net.sum(a, b), 24)), 3)
    return net.graph()


def one_dimension():
    """Channels-last signals with steps, causal padding and a reversal."""
    net = Net(12, 2)
    a = net.relu(net.last(net.conv(net.first(net.pad("x", (2, 0), (0, 0))), 4, stride=2, pad=0)))
    b = net.take(net.norm(a, axis=-1), 0, *reversed(range(net.shapes[a][0])))
    net.dense(net.flat(net.sum(a, b)), 3)
    return net.graph()


def idle():
    """Nodes that do nothing, everywhere."""
    net = Net(4, 4)
    a = net.add(Scale, net.permute("x", 0, 1), gain=np.ones((1, 1)))
    b = net.take(net.concat(net.sum(net.reshape(a, 4, 4))), 1, 0, 1, 2, 3)
    net.relu(net.relu(net.reshape(b, 4, 4), max_value=2.0), max_value=1.0)
    return net.graph()


# name: (graph, the number of nodes of these kinds that the exact passes leave)
CATALOGUE = {
    "channels last": (channels_last, {"Permute": 1, "Scale": 0, "Take": 0}),
    "channels last, joined": (channels_last_concat, {"Permute": 1, "Scale": 0, "Pad": 1}),
    "norm everywhere": (norm_everywhere, {"Scale": 0}),
    "DenseNet": (densenet, {"Scale": 3}),
    "norm behind concat": (norm_behind_concat, {"Scale": 0}),
    "norm behind rectifier": (norm_behind_rectifier, {"Scale": 0}),
    "max, positive gains": (lambda: max_pool_norm(0.5), {"Scale": 0}),
    "max, gains of both signs": (lambda: max_pool_norm(-1.0), {"Scale": 1}),
    "residual": (residual, {"Scale": 1}),
    "doubled": (doubled, {"Scale": 1}),
    "two outputs": (two_outputs, {"Scale": 1}),
    "shared layer": (shared_layer, {"Scale": 0}),
    "permuted dense": (permuted_dense, {"Permute": 0, "Take": 0, "Scale": 1}),
    "permuted output": (permuted_output, {}),
    "nested reshapes": (nested_reshapes, {"Reshape": 2, "Scale": 1}),
    "one dimension": (one_dimension, {"Permute": 1}),
    "idle": (idle, {"Scale": 0, "Permute": 0, "Reshape": 0, "Add": 0, "Concat": 0, "Take": 0, "ReLU": 1}),
}


def pytest_generate_tests(metafunc):
    if "catalogued" in metafunc.fixturenames:
        metafunc.parametrize("catalogued", list(CATALOGUE.values()), ids=list(CATALOGUE))


@pytest.fixture(scope="session")
def new_net():
    """The class that builds test graphs."""
    return Net


@pytest.fixture(scope="session")
def assert_same_function():
    """A function that compares two graphs on random input, in float64, to 1e-9 of each output's scale."""

    def compare(new, old, samples=3):
        random = np.random.default_rng(7)
        x = [random.normal(size=(samples, *old.shapes[i])) for i in old.inputs]
        assert new.inputs == old.inputs
        assert len(new.outputs) == len(old.outputs)
        found, wanted = new.values(*x), old.values(*x)
        for a, b in zip(new.outputs, old.outputs, strict=True):
            scale = np.abs(wanted[b]).max()
            np.testing.assert_allclose(found[a], wanted[b], rtol=0, atol=1e-9 * scale)

    return compare
