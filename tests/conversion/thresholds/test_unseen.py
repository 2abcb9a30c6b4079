"""Room above the scales that samples ask for: whom it helps, and that few levels and like samples get none."""

import numpy as np
import pytest

from snntoolbox.conversion.thresholds.mmse import MMSEThresholds
from snntoolbox.conversion.thresholds.unseen import Room
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Input, ReLU


def scales(x, steps, **choices):
    graph = Graph([Input(name="x", shape=x.shape[1:]), ReLU(name="r", inputs=("x",))], ["r"])
    return MMSEThresholds(steps, alike=True, **choices)(graph, [x])["r"].ravel()


def error(x, scales, steps):
    levels = np.clip(np.floor(steps * x / scales + 0.5), 0, steps)
    return float(np.mean((np.clip(x, 0, None) - scales / steps * levels) ** 2))


def rare(samples, seed, channels=24):
    """Values of ordinary size, and in one sample of twenty some that are much larger, of a channel of its own."""
    random = np.random.default_rng(seed)
    x = random.exponential(0.05, size=(samples, channels))
    loud = random.random((samples, channels)) < 0.05
    return np.where(loud, random.exponential(2.0, size=x.shape), x).astype(np.float32)


@pytest.mark.parametrize("steps", [127, 255])
def test_what_samples_did_not_show_is_less_wrong(steps, monkeypatch):
    x, other = rare(40, 0), rare(4000, 1)
    found = scales(x, steps)
    monkeypatch.setattr("snntoolbox.conversion.thresholds.mmse.FROM_LEVELS", 10**9)
    plain = scales(x, steps)
    assert np.all(found >= plain)
    assert error(other, found, steps) < 0.6 * error(other, plain, steps)


def test_samples_that_are_all_alike_need_none():
    x = np.tile(np.linspace(0.01, 1, 50, dtype=np.float32)[None, None], (64, 3, 1))
    assert scales(x, 255) == pytest.approx([1.0] * 3, rel=0.01)


def test_few_levels_and_few_samples_get_none(monkeypatch):
    x = rare(40, 0)
    few, of_few = scales(x, 63), scales(x[:7], 255)
    monkeypatch.setattr("snntoolbox.conversion.thresholds.mmse.FROM_LEVELS", 10**9)
    np.testing.assert_array_equal(few, scales(x, 63))
    np.testing.assert_array_equal(of_few, scales(x[:7], 255))


def test_only_layers_of_many_levels_of_their_own_get_it(monkeypatch):
    x = rare(40, 0)
    many, few = scales(x, 15, own={"r": 255}), scales(x, 255, own={"r": 15})
    np.testing.assert_array_equal(many, scales(x, 255))
    np.testing.assert_allclose(few, scales(x, 15), rtol=1e-12)


def test_room_is_of_channels_and_of_their_layer():
    room = Room(times=2.0, share=0.5, layer=3.0)
    np.testing.assert_array_equal(room.of(np.array([0.0, 0.1, 1.0])), [0.0, 1.5, 2.0])
