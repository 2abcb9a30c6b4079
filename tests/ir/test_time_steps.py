"""Times are whole numbers of steps, or none."""

import pytest

from snntoolbox.ir.time_steps import whole_steps


@pytest.mark.parametrize(("time", "dt", "steps"), [(64, 1.0, 64), (0.3, 0.1, 3), (0, 1, 0), (1e300, 1.0, 10**300)])
def test_whole_numbers(time, dt, steps):
    assert whole_steps(time, dt) == pytest.approx(steps)


@pytest.mark.parametrize(
    ("time", "dt"), [(1.5, 1), (-1, 1), (1, 0), (1, -1), (1, 1e-320), (float("nan"), 1), (1e300, 1e-300)]
)
def test_none(time, dt):
    assert whole_steps(time, dt) is None
