"""Weights that are integers times a step, as those of quantised models are, and what is no such grid."""

import numpy as np
import pytest

from snntoolbox.conversion.spiking.own_grids import own_steps
from snntoolbox.ir.nodes import Conv, Dense, Scale

RNG = np.random.default_rng(0)
STEPS = np.array([0.013, 0.4, 1.7])


def drawn(largest, shape=(3, 20)):
    """Integers up to that, which is among them."""
    counts = RNG.integers(-largest, largest + 1, shape)
    counts[:, 3] = largest
    counts[:, 4] = 1
    return counts


def dense(weight, axis=-1):
    return Dense(name="d", inputs=("x",), weight=weight.astype(np.float32), axis=axis)


@pytest.mark.parametrize(
    ("largest", "bits", "share"), [(127, 8, 1), (100, 8, 1), (40, 8, 3), (7, 4, 1), (127, 16, 258)]
)
def test_each_row_has_its_step(largest, bits, share):
    """The finest one that the bits allow, so that thresholds are large."""
    weight = drawn(largest) * STEPS[:, None]
    np.testing.assert_allclose(own_steps(dense(weight), 2 ** (bits - 1) - 1), STEPS / share, rtol=1e-6)


def test_convolutions_have_one_for_each_filter():
    weight = (drawn(127, (3, 18)) * STEPS[:, None]).reshape(3, 2, 3, 3)
    pads = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
    node = Conv(name="c", inputs=("x",), weight=weight, groups=1, **pads)
    np.testing.assert_allclose(own_steps(node, 127), STEPS.reshape(3, 1, 1), rtol=1e-6)


def test_what_is_no_grid_has_none():
    weight = drawn(127) * STEPS[:, None]
    weight[1] = RNG.normal(size=20)
    weight[2] = 0.0
    found = own_steps(dense(weight), 127)
    np.testing.assert_allclose(found, [STEPS[0], np.inf, 0.0], rtol=1e-6)
    weight[0, -1] += 0.5 * STEPS[0]  # also where few are beside it
    assert own_steps(dense(weight), 127)[0] == np.inf
    assert own_steps(dense(drawn(128) * 0.1), 127)[0] == np.inf  # more than the bits hold
    assert own_steps(Scale(name="s", inputs=("x",), gain=np.ones((3, 1))), 127) == np.inf


def test_another_axis_has_one_for_all():
    weight = drawn(127)
    assert own_steps(dense(weight * 0.1, axis=0), 127) == pytest.approx(0.1)
    assert own_steps(dense(weight * STEPS[:, None], axis=0), 127) == np.inf
