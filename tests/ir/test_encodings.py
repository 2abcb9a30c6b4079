"""Poisson trains: signs, rates, and independence of batches and chunks."""

import numpy as np
import pytest

from snntoolbox.ir.encodings import Poisson, poisson_spikes

X = np.random.default_rng(0).uniform(-1, 1, size=(4, 3, 5))


def test_rates_and_signs():
    trains = poisson_spikes(X, 4000, Poisson(amplitude=2.0, seed=1), 0)
    assert trains.dtype == np.int8
    assert trains.shape == (4000, *X.shape)
    np.testing.assert_allclose(trains.mean(axis=0) * 2.0, X, atol=5 * 2 * 0.5 / np.sqrt(4000))
    assert set(np.unique(trains)) == {-1, 0, 1}


def test_extremes():
    x = np.array([[0.0, 1.0, -1.0, 3.0]])
    trains = poisson_spikes(x, 50, Poisson(), 0)
    assert (trains == [0, 1, -1, 1]).all()


@pytest.mark.parametrize("cut", [1, 7, 19])
def test_chunks_of_time_are_one_train(cut):
    coding = Poisson(seed=5)
    whole = poisson_spikes(X, 20, coding, 3)
    parts = [poisson_spikes(X, cut, coding, 3), poisson_spikes(X, 20 - cut, coding, 3, first_step=cut)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_batches_are_their_samples():
    coding = Poisson(seed=5)
    whole = poisson_spikes(X, 20, coding, 10)
    singles = [poisson_spikes(X[i : i + 1], 20, coding, 10 + i) for i in range(len(X))]
    np.testing.assert_array_equal(np.concatenate(singles, axis=1), whole)


def test_samples_steps_pixels_and_seeds_are_independent():
    same = np.full((2, 200), 0.5)
    a = poisson_spikes(same, 200, Poisson(seed=1), 0).astype(float)
    b = poisson_spikes(same, 200, Poisson(seed=2), 0).astype(float)
    for left, right in ((a[:, 0], a[:, 1]), (a[1:], a[:-1]), (a[..., 1:], a[..., :-1]), (a, b)):
        assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 0.03
