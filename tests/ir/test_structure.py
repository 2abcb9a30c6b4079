"""Supports of single nodes against the node itself: which outputs change when one input does."""

import numpy as np
import pytest
import scipy.sparse as sp

from snntoolbox.errors import GraphError
from snntoolbox.ir.nodes import (
    AveragePool,
    Conv,
    Dense,
    MaxPool,
    Mean,
    Pad,
    Permute,
    ReLU,
    Reshape,
    Scale,
    Sparse,
    Take,
)
from snntoolbox.ir.structure import own_support
from snntoolbox.ir.support import Support

PADS = ((1, 0), (0, 2))
ONE = (1, 1)
NODES = {
    "conv": Conv(name="n", weight=np.ones((4, 2, 3, 2)), stride=(2, 1), padding=PADS, dilation=(1, 2), groups=2),
    "dense": Dense(name="n", weight=np.ones((3, 5)), axis=1),
    "scale": Scale(name="n", gain=np.ones((4, 1, 1))),
    "average pool": AveragePool(name="n", kernel=(3, 2), stride=(1, 2), padding=PADS, overhang=(1, 0)),
    "max pool": MaxPool(name="n", kernel=(3, 2), stride=(1, 2), padding=PADS, dilation=ONE),
    "mean": Mean(name="n", axes=(0, 2)),
    "pad": Pad(name="n", pads=((0, 0), (1, 2), (0, 1))),
    "take": Take(name="n", axis=2, indices=(5, 0, 0)),
    "permute": Permute(name="n", axes=(2, 0, 1)),
    "reshape": Reshape(name="n", shape=(8, 3, 5)),
    "sparse": Sparse(name="n", matrix=sp.csr_array(np.tri(6, 120)), shape_in=(4, 5, 6), shape_out=(2, 3)),
}
SHAPE = (4, 5, 6)


def reached(node):
    """For each input the number of outputs that change when it is raised above all others."""
    base = np.arange(120.0).reshape(SHAPE)
    impulses = base + 1000 * np.eye(120).reshape(120, *SHAPE)
    changed = node.apply(impulses) != node.apply(base[None])
    return changed.reshape(120, -1).sum(axis=1).reshape(SHAPE)


@pytest.mark.parametrize("name", NODES)
def test_fan_out_is_what_an_impulse_changes(name):
    support = own_support(NODES[name], SHAPE)
    np.testing.assert_array_equal(support.fan_out(), reached(NODES[name]))
    assert support.synapses() == reached(NODES[name]).sum()
    assert support.shape == NODES[name].output_shape(SHAPE)


@pytest.mark.parametrize("shape", [(120,), (2, 2, 5, 6), (20, 6), (4, 5, 6, 1), (1, 4, 30), (5, 4, 3, 2), (6, 20)])
def test_a_reshape_keeps_every_value(shape):
    support = Support.identity(SHAPE).reshaped(shape).reshaped(SHAPE)
    assert support.shape == SHAPE
    np.testing.assert_array_equal(support.fan_out(), np.ones(SHAPE))


def test_a_union_counts_no_pair_twice():
    left, right = (own_support(Take(name="t", axis=0, indices=i), SHAPE) for i in ((0, 1), (0, 3)))
    expected = np.zeros(SHAPE)
    expected[[0, 1, 3]] = 1
    np.testing.assert_array_equal(left.union(right).fan_out(), expected)


def test_what_is_not_linear_is_refused():
    with pytest.raises(GraphError, match="not a linear map"):
        own_support(ReLU(name="relu"), SHAPE)
