"""Neurons as data: names are as good as the kinds that they name."""

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
