"""What float32 can hold, against what it makes of numbers."""

import numpy as np
import pytest

from snntoolbox.ir.float32 import held

MOST, LEAST = 2.0**128 - 2.0**103, 2.0**-150
NUMBERS = [0.0, 1.0, 1e-45, 3e38, MOST, np.nextafter(MOST, 0), LEAST, np.nextafter(LEAST, 1), 1e300, 1e-300, np.inf]


@pytest.mark.parametrize("number", [*NUMBERS, *(-n for n in NUMBERS), np.nan])
def test_numbers_are_held_that_become_neither_infinite_nor_nothing(number):
    with np.errstate(over="ignore", under="ignore"):
        short = np.float32(number)
    lost = (np.isinf(short) and np.isfinite(number)) or (short == 0 and number != 0)
    assert held(number) == (not lost)
    assert held(np.array([0.5, number])) == (not lost)
    assert held(1.0, (number, 0.0)) == (not lost)


def test_nothing_at_all_is_held():
    assert held()
    assert held(np.zeros(0), 3)
