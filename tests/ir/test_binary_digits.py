"""Binary-digit input: what its spikes count together, in chunks, and beside a constant current of the same values."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.errors import ConversionError, DataError
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent, spike_trains
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Schedule
from snntoolbox.ir.neurons import IF

X = np.array([[2.0, -2.0, 0.0, 1.0, -0.3, 0.01, 1.99]])


@pytest.mark.parametrize("bits", [1, 3, 8, 16])
def test_digits_add_up_to_the_nearest_level_of_a_value(bits):
    train = spike_trains(X, bits + 3, BinaryDigits(amplitude=2.0, window=bits), 0)
    assert not train[bits:].any()
    assert set(np.unique(train)) <= {-1, 0, 1}
    levels = np.tensordot(2.0 ** np.arange(bits)[::-1], train[:bits], axes=1)
    np.testing.assert_array_equal(levels, np.sign(X) * np.floor((2**bits - 1) * np.abs(X) / 2 + 0.5))


def test_trains_are_the_same_in_chunks():
    coding = BinaryDigits(amplitude=2.0, window=5)
    parts = [spike_trains(X, n, coding, 9, first) for first, n in ((0, 2), (2, 1), (3, 4), (7, 2))]
    np.testing.assert_array_equal(np.concatenate(parts), spike_trains(X, 9, coding, 0))


def test_a_radix_layer_counts_as_for_a_constant_current_of_the_same_values():
    def network(coding):
        draft = Draft()
        draft.schedule = Schedule("radix", window=4, steps=8, counting=Counting.DIGIT)
        cells = IF(initial=0.5, window=(4, 8), counting=Counting.DIGIT)
        draft.readout(draft.dense(draft.neurons(draft.dense(draft.input(8, coding=coding), 6), cells, bias=0.0), 3))
        return draft.network()

    x = np.random.default_rng(0).integers(-15, 16, size=(5, 8)) / 15
    digits, steady = (interpret(network(e), x, steps=8) for e in (BinaryDigits(window=4), ConstantCurrent(steps=4)))
    (name,) = digits.counts
    assert digits.counts[name].any()
    np.testing.assert_array_equal(digits.counts[name], steady.counts[name])


@pytest.mark.parametrize("wrong", [{"amplitude": 0.0}, {"amplitude": np.nan}, {"window": 0}, {"window": 17}])
def test_what_has_no_digits_is_refused(wrong):
    with pytest.raises(ConversionError, match="invalid input coding"):
        BinaryDigits(**wrong)


def test_a_value_beyond_the_amplitude_is_refused():
    BinaryDigits(amplitude=2.0).check(X, "image")
    with pytest.raises(DataError, match="cannot present values up to 2"):
        BinaryDigits(amplitude=1.0).check(X, "image")
    with pytest.raises(DataError, match="without signs cannot present values down to -2"):
        BinaryDigits(amplitude=2.0, signed=False).check(X, "image")


@pytest.mark.parametrize("schedule", ["rate", "phased", "first-spike", "differential", "recurrent"])
def test_other_schedules_refuse_digits_by_name(schedule):
    with pytest.raises(ConversionError, match=f"schedule = {schedule}"):
        stb.Recipe(schedule=schedule, encoding=BinaryDigits())
