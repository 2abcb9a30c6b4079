"""Start potentials that make counts right: none, one of those tried first, or the mean error taken off."""

import numpy as np
import pytest

from snntoolbox.engine.shifts import best_shifts

LEVELS = 7


def squared(ready, wanted, shift):
    return np.mean((wanted - np.clip(np.floor(ready + shift), 0, LEVELS)) ** 2)


@pytest.mark.parametrize("shape", [(3,), (3, 4, 5)])
def test_each_channel_gets_what_errs_least(shape):
    generator = np.random.default_rng(0)
    ready = generator.uniform(-2, 9, (50, *shape))
    offsets = np.array([0.0, 1.5, -0.75]).reshape(-1, *[1] * (len(shape) - 1))
    wanted = np.clip(ready + offsets - 0.5, 0, LEVELS)
    first = (0.0, -0.5, 0.5)
    found = best_shifts(ready, wanted, LEVELS, first)
    assert found.shape == offsets.shape
    for channel in range(3):
        values = ready[:, channel], wanted[:, channel]
        error = squared(*values, found[channel].item())
        assert error <= min(squared(*values, shift) for shift in first) + 1e-6
    assert found[1].item() > found[0].item() > found[2].item()


def test_nothing_is_shifted_that_is_right():
    ready = np.random.default_rng(1).uniform(0, 7, (20, 2))
    np.testing.assert_array_equal(best_shifts(ready, np.floor(ready), LEVELS, (0.0, 0.25)), [0, 0])
