"""The parts of neurons: what each does in a step, which a neuron is made of, and which cannot be."""

from dataclasses import dataclass

import numpy as np
import pytest

from snntoolbox.errors import ConversionError
from snntoolbox.ir import parts
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.features import FEATURES
from snntoolbox.ir.neurons import IF, Negative, Reset
from snntoolbox.ir.part import ROLES, Part, Synapse, Threshold, features_of, role_of

BEFORE = np.array([[-3.0, 0.5, 1.0, 2.5]])
SPIKES = np.array([[0.0, 0.0, 1.0, 1.0]])


@pytest.mark.parametrize("steps", [-1, 1.5, 2**31, 10**300])
def test_a_pause_is_a_number_of_steps(steps):
    assert list(parts.RefractoryPeriod(steps).misfits())
    assert not list(parts.RefractoryPeriod(2**31 - 1).misfits())


def kinds(neuron):
    return [type(part).__name__ for part in neuron.parts]


EQUATIONS = {
    "delta": (parts.Delta().current(BEFORE, {}), [[-3.0, 0.5, 1.0, 2.5]]),
    "perfect integrator": (parts.PerfectIntegrator().integrated(BEFORE, SPIKES, {}), [[-3.0, 0.5, 2.0, 3.5]]),
    "leak": (parts.Leak(0.5).integrated(BEFORE, SPIKES, {}), [[-1.5, 0.25, 1.5, 2.25]]),
    "binary": (parts.BinarySpikes().fire(BEFORE, 1.0, SPIKES), [[False, False, True, True]]),
    "graded": (parts.GradedSpikes((1.0, 2.0), False).fire(BEFORE, 1.0, SPIKES), [[0.0, 0.0, 1.0, 2.0]]),
    "signed": (
        parts.GradedSpikes((1.0, 2.0), True).fire(BEFORE, 1.0, np.array([[1.0, 0, 0, 0]])),
        [[-1.0, 0.0, 1.0, 2.0]],
    ),
    "subtract": (parts.Subtract().after(BEFORE, SPIKES, 1.0), [[-3.0, 0.5, 0.0, 1.5]]),
    "to a potential": (parts.ToPotential(-0.25).after(BEFORE, SPIKES, 1.0), [[-3.0, 0.5, -0.25, -0.25]]),
    "modulo": (parts.Modulo().after(BEFORE, SPIKES, 1.0), [[-3.0, 0.5, 0.0, 0.5]]),
    "saturation": (parts.Saturation(-1.0, 0.75).kept(BEFORE), [[-1.0, 0.5, 0.75, 0.75]]),
}


@pytest.mark.parametrize(("found", "expected"), EQUATIONS.values(), ids=EQUATIONS)
def test_each_part_does_what_its_equation_says(found, expected):
    assert np.array_equal(found, expected)


def test_a_refractory_period_waits_for_its_steps():
    part = parts.RefractoryPeriod(2)
    memory = part.start((1, 2))
    awake = []
    for spikes in ([[True, False]], [[False, True]], [[False, False]], [[False, False]]):
        awake.append(part.awake(memory)[0].tolist())
        part.fired(np.array(spikes), memory)
    assert awake == [[True, True], [False, True], [False, False], [True, False]]


def test_a_window_is_open_from_its_first_step_to_before_its_last():
    window = parts.FiringWindow(1, 3)
    assert [window.open(step) for step in range(4)] == [False, True, True, False]


def test_a_threshold_asks_for_values_of_their_own_where_they_differ():
    assert parts.ConstantThreshold(np.full(3, 2.0)).asks() == ()
    (feature,) = parts.ConstantThreshold(np.array([1.0, 2.0])).asks()
    assert feature.name == "thresholds per neuron"


def test_the_fields_choose_the_parts_in_the_order_of_their_roles():
    plain = ["Delta", "PerfectIntegrator", "ConstantThreshold", "BinarySpikes", "Subtract"]
    assert kinds(IF()) == plain
    full = IF(leak=0.5, reset=Reset.ZERO, saturation=(-1.0, 1.0), refractory=2, window=(1, 2))
    assert kinds(full) == [
        *("Delta", "Leak", "ConstantThreshold", "BinarySpikes", "ToPotential"),
        *("Saturation", "RefractoryPeriod", "FiringWindow"),
    ]
    assert kinds(IF(levels=(1.0, 2.0)))[3] == kinds(IF(negative=Negative.MEMORY))[3] == "GradedSpikes"
    assert kinds(IF(reset=Reset.MODULO))[4] == "Modulo"


def test_every_part_has_one_role_and_says_its_features():
    assert {"Delta", "Leak", "FiringWindow"} < {kind.__name__ for kind in parts.PARTS}
    for kind in parts.PARTS:
        assert issubclass(kind, Part)
        assert set(kind.features) <= set(FEATURES)
        assert sum(issubclass(kind, role) for role in ROLES.values()) == 1
        assert all(isinstance(feature, Feature) for feature in kind.features)
    assert {f.words for f in features_of([parts.Leak, parts.GradedSpikes])} == {
        *("leak", "spikes that carry values", "signed spikes"),
    }


# -- special parts --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class High(Threshold):
    features = (Feature("high thresholds"),)

    value: float = 2.0

    def height(self, step, memory):
        return self.value

    def misfits(self):
        if self.value < 2:
            yield f"{self.value} is not high"


@dataclass(frozen=True, eq=False)
class Silent(High):
    features = ()


@dataclass(frozen=True, eq=False)
class Both(High, Synapse):
    def current(self, arriving, memory):
        return arriving


class Bare(Threshold):
    features = High.features

    def height(self, step, memory):
        return 1.0


def test_a_special_part_stands_in_the_place_of_the_usual_one():
    neuron = IF(special=(High(),), leak=0.5)
    assert kinds(neuron) == ["Delta", "Leak", "High", "BinarySpikes", "Subtract"]
    assert neuron.special_words == ("high thresholds",)
    assert role_of(neuron.parts.threshold) == "threshold"


WRONG = {
    "no part": ({"special": (1.0,)}, "float is no part"),
    "two roles": ({"special": (Both(),)}, "Both is no part: .* exactly one role"),
    "no dataclass": ({"special": (Bare(),)}, "Bare is no part"),
    "no features": ({"special": (Silent(),)}, "Silent has no features"),
    "one role twice": ({"special": (High(), High(3.0))}, "two special parts have one role"),
    "chosen twice": ({"special": (High(),), "threshold": 3.0}, "High stands in the place of threshold"),
    "its own check": ({"special": (High(1.0),)}, "1.0 is not high"),
    "one alone": ({"special": High()}, "special = .* is no row of Parts"),
    "window of three": ({"window": (1, 2, 3)}, "window .* is no pair"),
    "saturation of one": ({"saturation": (1.0,)}, "saturation .* is no pair"),
    "graded, with a pause": ({"levels": (1.0, 2.0), "refractory": 1}, "need reset = subtract and no refractory"),
}


@pytest.mark.parametrize(("fields", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_a_neuron_is_refused(fields, message):
    with pytest.raises(ConversionError, match=message):
        IF(**fields)


def test_a_window_that_recurs():
    part = parts.RecurringWindow(4, 2, 6, 0.25)
    assert [step for step in range(20) if part.open(step)] == [4, 5, 10, 11, 16, 17]
    assert [step for step in range(20) if part.restart(step) is not None] == [8, 14]
    assert part.restart(8) == 0.25


@pytest.mark.parametrize(
    ("first", "steps", "period", "potential"),
    [(1, 2, 4, 0.0), (2, 0, 4, 0.0), (2, 2, 3, 0.0), (2, 2, 4, np.nan), (2, 2, 4, 1e300)],
)
def test_windows_that_cannot_recur(first, steps, period, potential):
    with pytest.raises(ConversionError, match="invalid neuron"):
        IF(special=(parts.RecurringWindow(first, steps, period, potential),))
