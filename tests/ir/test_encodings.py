"""Poisson trains: signs, rates, and independence of batches and chunks."""

import numpy as np
import pytest

from snntoolbox.errors import DataError
from snntoolbox.ir.encodings import Poisson, SpikeTimes, poisson_spikes, sample_shape, spike_trains

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


# -- given spikes ---------------------------------------------------------------------------------------------------

TRAINS = np.random.default_rng(1).integers(-1, 2, size=(3, 6, 2, 4))


def test_a_sample_is_its_own_train():
    found = spike_trains(TRAINS, 6, SpikeTimes(), 5)
    np.testing.assert_array_equal(found, TRAINS.transpose(1, 0, 2, 3))
    assert found.dtype == np.int8


@pytest.mark.parametrize(("first", "steps"), [(0, 9), (4, 5), (6, 2), (0, 3)])
def test_a_train_is_silent_behind_its_end(first, steps):
    found = spike_trains(TRAINS, steps, SpikeTimes(), 0, first)
    whole = np.concatenate([TRAINS, np.zeros((3, 5, 2, 4))], axis=1).transpose(1, 0, 2, 3)
    np.testing.assert_array_equal(found, whole[first : first + steps])


def test_what_is_no_spike_is_refused():
    SpikeTimes().check(TRAINS, "x")
    with pytest.raises(DataError, match=r"x: .*other values than -1, 0 and 1"):
        SpikeTimes().check(TRAINS * 0.5, "x")


def test_shapes_of_samples():
    assert sample_shape(SpikeTimes(), (2, 4), TRAINS) == (6, 2, 4)
    assert sample_shape(Poisson(), (2, 4), TRAINS) == (2, 4)
