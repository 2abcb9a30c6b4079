"""Local threshold balancing: its steps by hand, and that later layers see the clipped network."""

import numpy as np
import pytest

from snntoolbox.conversion.thresholds.balance import BalancedThresholds
from snntoolbox.errors import ConversionError, DataError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Input, ReLU


def chain():
    return Graph(
        [
            Input(name="x", shape=(2,)),
            Dense(name="d", inputs=("x",), weight=np.eye(2)),
            ReLU(name="r", inputs=("d",)),
            Dense(name="e", inputs=("r",), weight=np.array([[1.0, 1.0]])),
            ReLU(name="q", inputs=("e",)),
        ],
        ["q"],
    )


def by_hand(x, rate, batch):
    """s += rate / n sum_i 2 (z_i - s)+ for two channels and then for their sum, with both cut off."""
    first, second = np.zeros(2), 0.0
    for i in range(0, len(x), batch):
        part = x[i : i + batch]
        first = first + rate * 2 * np.maximum(part - first, 0).mean(axis=0)
        z = np.minimum(np.maximum(part, 0), first).sum(axis=1)
        second = second + rate * 2 * np.maximum(z - second, 0).mean()
    return first, second


@pytest.mark.parametrize("batch", [1, 3, 10])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_its_steps_are_those_of_the_equation(batch, rate):
    x = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    scales = BalancedThresholds(rate, batch_size=batch)(chain(), [x])
    first, second = by_hand(x.astype(np.float64), rate, batch)
    np.testing.assert_allclose(scales["r"], first, rtol=1e-5)
    np.testing.assert_allclose(scales["q"], [second], rtol=1e-5)


def test_constant_activations_are_the_fixed_point():
    """Excess shrinks by (1 - 2 rate) each batch: after 30 halvings the scale is the activation."""
    x = np.tile(np.float32([[2.0, 0.5]]), (30, 1))
    scales = BalancedThresholds(0.25, batch_size=1)(chain(), [x])
    np.testing.assert_allclose(scales["r"], [2.0, 0.5], rtol=1e-6)


def test_one_scale_per_layer():
    x = np.tile(np.float32([[2.0, -0.5]]), (40, 1))
    scales = BalancedThresholds(0.25, per_channel=False, batch_size=1)(chain(), [x])
    np.testing.assert_allclose(scales["r"], [2.0], rtol=1e-3)


def test_dead_channels_take_their_layers_scale_and_dead_layers_one():
    x = np.tile(np.float32([[2.0, -0.5]]), (30, 1))
    np.testing.assert_allclose(BalancedThresholds(0.25, batch_size=1)(chain(), [x])["r"], 2.0, rtol=1e-6)
    np.testing.assert_allclose(BalancedThresholds()(chain(), [-np.ones((3, 2), np.float32)])["r"], 1.0)


def test_what_cannot_be_is_refused():
    with pytest.raises(DataError, match="calibration set is empty"):
        BalancedThresholds()(chain(), [np.zeros((0, 2))])
    with pytest.raises(ConversionError, match="must be above 0"):
        BalancedThresholds(0)
    with np.errstate(over="ignore"), pytest.raises(ConversionError, match="overflow"):
        BalancedThresholds()(chain(), [np.full((3, 2), 1e39)])
