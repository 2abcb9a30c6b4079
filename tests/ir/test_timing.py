"""Durations are whole numbers of steps."""

import pytest

from snntoolbox.errors import ConversionError
from snntoolbox.ir.timing import steps_of


@pytest.mark.parametrize(("duration", "dt", "steps"), [(64, 1.0, 64), (1.5, 0.5, 3), (0.3, 0.1, 3), (1, 1, 1)])
def test_durations_are_whole_numbers_of_steps(duration, dt, steps):
    assert steps_of(duration, dt) == steps


@pytest.mark.parametrize(
    ("duration", "dt"),
    [(1.5, 1), (0.4, 1), (float("nan"), 1), (float("inf"), 1), (3, 0), (3, -1), (3, 1e-320),
     (1e300, 1e-300)],
)  # fmt: skip
def test_other_durations_are_refused(duration, dt):
    with pytest.raises(ConversionError, match="no whole number of steps"):
        steps_of(duration, dt)


@pytest.mark.parametrize("duration", [0, -3, -0.5])
def test_durations_are_above_0(duration):
    with pytest.raises(ConversionError, match=f"a duration of {duration} ms is not above 0"):
        steps_of(duration, 1)
