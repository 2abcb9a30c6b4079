"""Poisson trains: signs, rates, and independence of batches and chunks; and a coding of one's own."""

from dataclasses import dataclass

import numpy as np
import pytest

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.backends.registry import backend_named
from snntoolbox.errors import ConversionError, DataError
from snntoolbox.ir.encodings import Poisson, SpikeTimes, Spiking, StepByStep, poisson_spikes, spike_trains
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.interpreter import interpret

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


@pytest.mark.parametrize("cut", [1, 7, 19])
def test_only_the_first_spikes_of_a_sample(cut):
    few, all_of_it = Poisson(seed=5, most=12), Poisson(seed=5)
    whole, plain = few.train(X, 20, 3, 0), all_of_it.train(X, 20, 3, 0)
    for sample in range(len(X)):
        spikes, before = whole[:, sample].ravel(), plain[:, sample].ravel()
        assert np.count_nonzero(spikes) == 12 < np.count_nonzero(before)
        last = np.flatnonzero(spikes)[-1]
        np.testing.assert_array_equal(spikes[: last + 1], before[: last + 1])
    parts = [few.train(X, cut, 3, 0), few.train(X, 20 - cut, 3, cut)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(few.train(X[1:], 20, 4, 0), whole[:, 1:])


def test_no_spikes_at_all_are_no_input():
    with pytest.raises(ConversionError, match="at least 1"):
        Poisson(most=0)


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
    assert SpikeTimes().sample_shape((2, 4), TRAINS) == (6, 2, 4)
    assert Poisson().sample_shape((2, 4), TRAINS) == (2, 4)


@dataclass(frozen=True)
class Bursts(Spiking):
    """All the spikes of a sample first: a coding that the table of features does not know."""

    features = (Feature("bursts of input", "inputs as bursts"),)

    amplitude: float = 1.0

    def train(self, x, steps, first_sample, first_step):
        number = np.round(np.abs(x) * steps).astype(int)
        late = np.arange(first_step, first_step + steps).reshape(-1, *[1] * x.ndim)
        return ((late < number) * np.sign(x)).astype(np.int8)


def test_a_coding_of_ones_own_runs_where_neurons_are_in_numpy_and_is_refused_elsewhere():
    draft = Draft()
    draft.readout(draft.neurons(draft.dense(draft.input(3, coding=Bursts()), 4)))
    network, x = draft.network(), np.array([[0.5, -0.25, 1.0]])
    assert "inputs as bursts" in [u.reason for u in backend_named("brian2").capabilities.missing(network)]
    (train,) = (spike_trains(x, 8, e, 0) for e in network.encodings.values())
    assert train.sum(axis=0).tolist() == [[4, -2, 8]]
    expected = interpret(network, x, steps=8)
    with backend_named("INI").build(network) as executable:
        found = executable.run(x, steps=8)
    assert all(np.array_equal(found.counts[n], expected.counts[n]) for n in network.populations)


def test_a_sequence_is_presented_step_by_step():
    coding = StepByStep(2, 3)
    trains = spike_trains(X, 10, coding, 0)
    for step, shown in enumerate([0, 0, None, 1, 1, None, 2, 2, None, None]):
        expected = np.zeros_like(X)
        if shown is not None:
            expected[:, shown] = X[:, shown]
        np.testing.assert_array_equal(trains[step], expected)
    np.testing.assert_array_equal(spike_trains(X, 4, coding, 0, 5), trains[5:9])


@pytest.mark.parametrize(("window", "period"), [(0, 2), (3, 2), (1.5, 2)])
def test_steps_of_a_sequence_that_overlap(window, period):
    with pytest.raises(ConversionError):
        StepByStep(window, period)
