"""Neurons as data: names are as good as the kinds that they name."""

import numpy as np
import pytest

from snntoolbox.errors import ConversionError
from snntoolbox.ir.neurons import IF, Negative, Reset


def test_names_are_read_as_kinds():
    """A text that was compared by identity made neurons that were neither signed nor refused."""
    neuron = IF(reset="subtract", negative="memory")
    assert neuron.reset is Reset.SUBTRACT
    assert neuron.negative is Negative.MEMORY
    assert neuron.graded
    assert not IF(negative="never").graded
    assert IF(reset="zero").reset is Reset.ZERO


@pytest.mark.parametrize("wrong", [{"reset": "half"}, {"negative": "always"}, {"negative": True}])
def test_names_of_nothing_are_refused(wrong):
    with pytest.raises(ConversionError, match=r"is none of (subtract, zero, modulo|never, memory)"):
        IF(**wrong)


BEYOND = {
    "threshold": ["HUGE", "TINY", np.array([1.0, 1e300]), np.array([1e-300, 1.0])],
    "initial": ["HUGE", "TINY", np.array([0.5, -1e39])],
    "levels": [(1e300, 1.0), (1.0, 1e-300)],
    "saturation": [(-1e300, 1.0), (-1.0, 1e300), (-1e-300, 1.0)],
    "reset_potential": ["HUGE", "TINY", -1e39],
}
NUMBERS = {"HUGE": 1e300, "TINY": 1e-300}


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, values in BEYOND.items() for v in values], ids=lambda v: str(v).replace("\n", " ")
)
def test_values_that_float32_cannot_hold_are_refused(name, value):
    value = NUMBERS[value] if isinstance(value, str) else value
    with pytest.raises(ConversionError, match=rf"{name} .* (is|are) beyond float32"):
        IF(**{"reset": "zero" if name == "reset_potential" else "subtract", name: value})


def test_levels_are_of_thresholds():
    with pytest.raises(ConversionError, match=r"levels .* times threshold 1e\+30 are beyond float32"):
        IF(threshold=1e30, levels=(1.0, 1e20))
    IF(threshold=1e-30, levels=(1.0, 1e20))


def test_bounds_may_be_open():
    assert IF(saturation=(-np.inf, np.inf), threshold=np.inf).saturation == (-np.inf, np.inf)
