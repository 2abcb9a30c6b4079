"""Latency input: what a spike stands for, on whichever neurons it falls, in chunks and in windows."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.errors import ConversionError, DataError
from snntoolbox.ir.encodings import ConstantCurrent, spike_trains
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.operations import input_events, synaptic_operations

X = np.array([[0.0, 0.1, 0.125, 0.5, 0.9, 1.0, -1.0, -0.3]]) * 2


@pytest.mark.parametrize("window", [1, 4, 7, 16])
@pytest.mark.parametrize("lasting", [True, False])
def test_the_larger_a_value_the_earlier_its_spike(window, lasting):
    coding = Latency(amplitude=2.0, window=window, lasting=lasting)
    train = spike_trains(X, 3 * window, coding, 0)[:, 0]
    for value, column in zip(X[0] / 2, train.T, strict=True):
        lead = int(np.floor(window * abs(value) + 0.5))
        first = np.zeros(window)
        first[window - lead : window if lasting else window - lead + 1] = np.sign(value)
        np.testing.assert_array_equal(column, np.tile(first, 3))


@pytest.mark.parametrize("lasting", [True, False])
def test_trains_are_the_same_in_chunks_and_end_with_their_steps(lasting):
    coding = Latency(amplitude=2.0, window=5, lasting=lasting, steps=7)
    whole = spike_trains(X, 12, coding, 0)
    parts = [spike_trains(X, n, coding, 9, first) for first, n in ((0, 3), (3, 1), (4, 8))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole[:7].any()
    assert not whole[7:].any()


def drawn(coding):
    """A layer behind an input of this coding."""
    draft = Draft()
    draft.readout(draft.dense(draft.neurons(draft.dense(draft.input(8, coding=coding), 6)), 3))
    return draft.network()


def test_over_whole_windows_it_gives_a_layer_the_mean_current_of_the_values():
    """On values that a window tells apart potential and spikes together are those of a constant current."""
    x = np.random.default_rng(0).integers(-8, 9, size=(5, 8)) / 8
    record = stb.Record(potentials=True)
    late, steady = (interpret(drawn(e), x, steps=16, record=record) for e in (Latency(window=8), ConstantCurrent()))
    (name,) = late.counts
    for got in (late, steady):
        assert got.counts[name].any()
    np.testing.assert_array_equal(
        late.potentials[name][-1] + late.counts[name], steady.potentials[name][-1] + steady.counts[name]
    )


def test_a_synapse_that_stays_on_is_counted_in_each_step_in_which_it_adds():
    x = np.array([[1.0, 0.5, -0.25, 0.0, 0.0, 0.0, 0.0, 0.0]])
    for lasting, events in ((True, [4, 2, 1, 0]), (False, [1, 1, 1, 0])):
        network = drawn(Latency(window=4, steps=4, lasting=lasting))
        (counts,) = input_events(network, [x], 8).values()
        assert counts[0, :4].tolist() == events
        assert synaptic_operations(network, input_events(network, [x], 8)) == 6 * sum(events)


@pytest.mark.parametrize(
    "wrong", [{"window": 0}, {"window": 1.5}, {"amplitude": 0.0}, {"amplitude": np.inf}, {"steps": 0}]
)
def test_windows_and_amplitudes_that_are_none(wrong):
    with pytest.raises(ConversionError, match=next(iter(wrong))):
        Latency(**wrong)


def test_values_that_would_need_a_spike_before_the_window():
    Latency(amplitude=2.0).check(X, "image")
    with pytest.raises(DataError, match=r"image: .*up to 2"):
        Latency(amplitude=1.0).check(X, "image")
