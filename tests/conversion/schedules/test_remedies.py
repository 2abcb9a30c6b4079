"""What does not go with a schedule comes with the setting to change, and no other."""

import pytest

import snntoolbox as stb
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.registry import SCHEDULES
from snntoolbox.errors import ConversionError
from snntoolbox.ir.encodings import SpikeTimes
from snntoolbox.ir.neurons import IF

GRADED, EVENTS, POISSON = "[cell] spikes = unsigned and levels = [1]", "frames of the events", "poisson_input = False"
LATENCY, BITS, RESET, PAUSE = "latency_input = False", "weight_bits = 0", "reset = subtract", "tau_refrac = 0"
SIGNED, LEVELS = {"neuron": IF(negative="memory")}, {"neuron": IF(levels=(1.0, 0.5))}
CASES = [
    *(({"schedule": name, **SIGNED}, {GRADED}) for name in ("phased", "radix", "first-spike", "recurrent")),
    *(({"schedule": name, **LEVELS}, {GRADED}) for name in ("phased", "radix", "first-spike", "recurrent")),
    *(
        ({"schedule": name, "encoding": SpikeTimes()}, {EVENTS})
        for name in ("phased", "radix", "first-spike", "differential", "recurrent")
    ),
    *(
        ({"schedule": name, "encoding": stb.Poisson()}, {POISSON})
        for name in ("radix", "first-spike", "differential", "recurrent")
    ),
    *(({"schedule": name, "encoding": stb.Latency()}, {LATENCY}) for name in ("radix", "differential", "recurrent")),
    ({"schedule": "recurrent", "weight_bits": 8}, {BITS}),
    ({"schedule": "recurrent", "weight_bits": 8, **SIGNED}, {BITS, GRADED}),
    ({"schedule": "radix", "encoding": SpikeTimes(), "neuron": IF(reset="zero", refractory=1)}, {EVENTS, RESET, PAUSE}),
]


@pytest.mark.parametrize(("choices", "remedies"), CASES)
def test_the_setting_to_change(choices, remedies):
    with pytest.raises(ConversionError) as caught:
        Recipe(**choices)
    every = {GRADED, EVENTS, POISSON, LATENCY, BITS, RESET, PAUSE}
    assert {text for text in every if text in caught.value.hint} == remedies
    assert "schedule = rate" in caught.value.hint


def test_no_remedy_for_what_is_not_the_schedules():
    with pytest.raises(ConversionError) as caught:
        Recipe(schedule="phased", percentile=0)
    assert caught.value.hint == ""


@pytest.mark.parametrize("name", SCHEDULES)
def test_each_takes_the_usual_neurons_and_input(name):
    assert SCHEDULES[name].misfits(Recipe()) == []
