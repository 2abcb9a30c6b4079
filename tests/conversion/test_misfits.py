"""What does not go with a schedule comes with the setting to change, and no other."""

import pytest

import snntoolbox as stb
from snntoolbox.conversion.misfits import keeping
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.registry import SCHEDULES
from snntoolbox.errors import ConversionError
from snntoolbox.ir.encodings import SpikeTimes
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.payloads import ResidueSpikes

UNSIGNED, ONE_LEVEL = "spikes = unsigned", "levels = [1]"
EVENTS, POISSON = "frames of the events", "poisson_input = False"
LATENCY, BITS, RESET, PAUSE = "latency_input = False", "weight_bits = 0", "reset = subtract", "tau_refrac = 0"
SIGNED, LEVELS = {"neuron": IF(negative="memory")}, {"neuron": IF(levels=(1.0, 0.5))}
CASES = [
    *(({"schedule": name, **SIGNED}, {UNSIGNED}) for name in ("phased", "radix", "first-spike", "recurrent")),
    *(({"schedule": name, **LEVELS}, {ONE_LEVEL}) for name in ("phased", "radix", "first-spike", "recurrent")),
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
    ({"schedule": "recurrent", "weight_bits": 8, **SIGNED}, {BITS, UNSIGNED}),
    ({"schedule": "radix", "encoding": SpikeTimes(), "neuron": IF(reset="zero", refractory=1)}, {EVENTS, RESET, PAUSE}),
]


@pytest.mark.parametrize(("choices", "remedies"), CASES)
def test_the_setting_to_change(choices, remedies):
    with pytest.raises(ConversionError) as caught:
        Recipe(**choices)
    every = {UNSIGNED, ONE_LEVEL, EVENTS, POISSON, LATENCY, BITS, RESET, PAUSE}
    assert {text for text in every if text in caught.value.hint} == remedies
    assert "schedule = rate" in caught.value.hint


def test_no_remedy_for_what_is_not_the_schedules():
    with pytest.raises(ConversionError) as caught:
        Recipe(schedule="phased", percentile=0)
    assert caught.value.hint == ""


RATE = "schedule = rate"
BIAS, SYNAPSES, WTA, PAYLOADS = "bias = current", "tau_syn_E", "relu_tree", "payloads = False"
CLAMPS, LINEAR, DELAY, LIMITS = "filename_clamp_indices", "readout = linear", "delay = 0", "v_limits left empty"
FADING, CARRYING = IF(synaptic=(0.5, 0.5)), IF(special=(ResidueSpikes(),))


@pytest.mark.parametrize(
    ("choices", "remedies"),
    [
        ({"bias": "neuron", "neuron": FADING}, {BIAS, SYNAPSES}),
        ({"bias": "neuron", "schedule": "first-spike"}, {BIAS, RATE}),
        ({"weight_bits": 8, "neuron": FADING}, {BITS, SYNAPSES}),
        ({"weight_bits": 8, "neuron": IF(saturation=(-1, 2))}, {BITS, LIMITS}),
        ({"weight_bits": 8, "neuron": CARRYING}, {BITS, PAYLOADS}),
        ({"clamps": (("0", 2),), "schedule": "phased"}, {CLAMPS, RATE}),
        ({"readout": "softmax", "schedule": "phased"}, {LINEAR, RATE}),
        ({"max_pool": "wta", "neuron": CARRYING}, {WTA, PAYLOADS}),
        ({"delay": 1, "schedule": "first-spike"}, {DELAY, RATE}),
    ],
)
def test_every_way_out_is_named_and_no_other(choices, remedies):
    with pytest.raises(ConversionError) as caught:
        Recipe(**choices)
    every = {BIAS, SYNAPSES, WTA, PAYLOADS, BITS, CLAMPS, LINEAR, DELAY, LIMITS, RATE}
    assert {text for text in every if text in caught.value.hint} == remedies


def test_a_setting_that_mends_all_is_told_as_such():
    with pytest.raises(ConversionError) as caught:
        Recipe(weight_bits=8, neuron=IF(saturation=(-1, 2), synaptic=(0.5, 0.5)))
    assert caught.value.hint.endswith("; or [conversion] weight_bits = 0, which mends all of it")


@pytest.mark.parametrize("schedule", ["recurrent", "differential"])
def test_what_the_target_needs_is_no_way_out(schedule):
    with keeping("weight_bits"), pytest.raises(ConversionError) as caught:
        Recipe(schedule=schedule, weight_bits=8)
    assert caught.value.hint == "[conversion] schedule = rate"
    with pytest.raises(ConversionError, match=r"hint: .*weight_bits = 0"):
        Recipe(schedule=schedule, weight_bits=8)


@pytest.mark.parametrize("name", SCHEDULES)
def test_each_takes_the_usual_neurons_and_input(name):
    assert SCHEDULES[name].misfits(Recipe()) == []
