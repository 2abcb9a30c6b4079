"""Bounds of potentials, on cases that can be worked out by hand and against the interpreter."""

from dataclasses import replace

import numpy as np
import pytest

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import NETWORKS
from snntoolbox.backends.verilog.widths import Growth, growths, potential_range, signed_bits, sum_range, unsigned_bits
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.ir.interpreter import constant_currents, interpret
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.result import Record
from snntoolbox.ir.tabulating import Table

SEVEN = Table(np.array([[0, 7]]), first=0, levels=7, step=np.ones(1))
CASES = {
    # Starts at 5, gets up to 3: never more than threshold - 1 + 3.
    "below the threshold": (IF(threshold=10.0, initial=5.0), (3, 0), (0, 12)),
    "starts above it": (IF(threshold=10.0, initial=50.0), (3, 0), (0, 53)),
    # 15 more than the threshold takes, 4 times, and once the whole.
    "more than the threshold": (IF(threshold=10.0), (25, 0), (0, 9 + 4 * 15 + 25)),
    "to zero": (IF(threshold=10.0, reset=Reset.ZERO), (25, 0), (0, 9 + 25)),
    # At most 30 after four steps, whatever came.
    "saturating": (IF(threshold=10.0, saturation=(-20.0, 30.0)), (25, 7), (-20 - 7, 30 + 25)),
    "saturating where it never gets": (IF(threshold=10.0, saturation=(-99.0, 99.0)), (3, 1), (-5, 9 + 3)),
    # From seven thresholds on, as the window opens; or from where it was.
    "a table": (IF(threshold=10.0, initial=5.0, window=(5, 9), table=SEVEN), (25, 7), (-5 * 7, 70 + 5 * 25)),
    "a table, saturating": (
        IF(threshold=10.0, window=(5, 9), table=SEVEN, saturation=(-20.0, 30.0)), (25, 7), (-20 - 7, 70 + 25),
    ),
    "downwards": (IF(threshold=10.0, initial=-2.0), (0, 7), (-2 - 5 * 7, 10)),
}


@pytest.mark.parametrize(("neuron", "growth", "wanted"), CASES.values(), ids=CASES)
def test_range_of_a_potential_in_five_steps(neuron, growth, wanted):
    up, down = (np.array([float(g)]) for g in growth)
    assert potential_range(neuron, (1,), Growth(up, down), 5) == wanted


def test_range_of_a_product_and_of_the_sum_before_it():
    """Of -10 to 15, times -5 to 20, and 7; with few of the other factor the sum itself, or a threshold, is more."""
    neuron = IF(threshold=10.0, initial=7.0, window=(5, 9), latched=True)
    growth, few = Growth(np.array([3.0]), np.array([2.0])), Growth(np.array([0.0]), np.array([0.0]))
    assert potential_range(neuron, (1,), growth, 5, Growth(np.array([4.0]), np.array([1.0]))) == (7 - 200, 7 + 300)
    assert potential_range(neuron, (1,), growth, 5, few) == (-10, 15)
    assert potential_range(replace(neuron, table=SEVEN), (1,), growth, 5, few) == (-10, 70)


def test_range_of_a_sum():
    assert sum_range(Growth(np.array([3.0, 1.0]), np.array([0.0, 2.0])), 4) == (-8, 12)


@pytest.mark.parametrize(
    ("low", "high", "bits"), [(0, 0, 1), (0, 1, 2), (-1, 0, 1), (-2, 1, 2), (-128, 127, 8), (-129, 0, 9), (0, 128, 9)]
)
def test_bits_of_a_range(low, high, bits):
    assert signed_bits(low, high) == bits


def test_bits_of_a_count():
    assert [unsigned_bits(n) for n in (0, 1, 2, 255, 256)] == [1, 1, 2, 8, 9]


@pytest.mark.parametrize("name", ["residual", "concat", "odd pools", "poisson"])
@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.ZERO])
def test_no_potential_leaves_its_range(name, reset):
    draft = Draft(neuron=IF(reset=reset))
    NETWORKS[name](draft)
    net = Quantize(4)(draft.network())
    x = tuple(np.random.default_rng(0).integers(-16, 17, (4, *net.wiring.shapes[n])) / 16 for n in net.encodings)
    currents, grown = constant_currents(net, *x), growths(net)
    result = interpret(net, *x, steps=15, record=Record(potentials=True))
    for population in net.populations.values():
        growth = grown[population.name]
        if population.name in currents:
            growth = growth.with_current(int(np.abs(currents[population.name]).max()))
        low, high = potential_range(population.neuron, population.shape, growth, 15)
        assert low <= result.potentials[population.name].min()
        assert result.potentials[population.name].max() <= high
