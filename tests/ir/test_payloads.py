"""Spikes that carry all of the potential: what they send, and what a conversion with them says."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends.registry import backend_named
from snntoolbox.errors import ConversionError, UnsupportedError
from snntoolbox.ir.dynamics import start
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.payloads import ResidueSpikes

NEURON = IF(special=(ResidueSpikes(),), initial=0.5)


def fired(neuron, currents):
    one = np.ones(1)
    neurons = start(Population(name="p", shape=(1,), neuron=neuron, current="c", scale=one, activation="p"), 1)
    return [float(neurons.step(np.full((1, 1), c), 0.0, t).item()) for t, c in enumerate(currents)]


def test_a_spike_sends_all_there_is_and_nothing_below_the_threshold():
    assert fired(NEURON, [0.25, 0.5, 0.75, 2.5, -1, 1.5]) == [0, 1.25, 0, 3.25, 0, 0]
    assert fired(IF(initial=0.5), [0.25, 0.5, 0.75, 2.5, -1, 1.5]) == [0, 1, 1, 1, 0, 1]


def test_thresholds_of_their_own_are_the_unit():
    assert fired(IF(threshold=2.0, special=(ResidueSpikes(),)), [1, 1.5, 1, 1]) == [0, 1.25, 0, 1]


def graph(bound=None):
    random = np.random.default_rng(0)
    nodes = [
        Input(name="x", shape=(6,)),
        Dense(name="first", inputs=("x",), weight=random.normal(size=(20, 6)), bias=random.normal(size=20)),
        ReLU(name="relu", inputs=("first",), max_value=bound),
        Dense(name="last", inputs=("relu",), weight=random.normal(size=(3, 20))),
    ]
    return Graph(nodes, ["last"]), random.random((100, 6))


@pytest.mark.parametrize("bound", [None, 0.75])
def test_a_conversion_with_them_does_not_saturate_and_keeps_bounds(bound):
    original, x = graph(bound)
    choices = {"threshold_rule": "percentile", "percentile": 50, "layer_correction": "none"}
    errors = []
    for neuron in (NEURON, IF(initial=0.5)):
        network = stb.convert(original, x, T=64, neuron=neuron, **choices)
        errors.append(np.abs(network.run(x).output - original.run(x)).mean() / np.abs(original.run(x)).mean())
    assert errors[0] < min(0.05, errors[1])


OTHERS = [{"reset": Reset.ZERO}, {"reset": Reset.MODULO}, {"refractory": 2}, {"levels": (1, 2)}]


@pytest.mark.parametrize("fields", OTHERS)
def test_other_resets_pauses_and_levels_are_refused(fields):
    with pytest.raises(ConversionError, match=r"reset = subtract|must not be set"):
        IF(special=(ResidueSpikes(),), **fields)


def test_the_grid_schedules_and_other_simulators_refuse_them_by_name():
    original, x = graph()
    with pytest.raises((ConversionError, UnsupportedError), match="carry all of the potential"):
        stb.convert(original, x, T=8, neuron=NEURON, weight_bits=8)
    with pytest.raises(ConversionError, match="carry all of the potential"):
        stb.convert(original, x, T=8, neuron=NEURON, schedule="phased")
    with pytest.raises(UnsupportedError, match="carry all of the potential"):
        backend_named("nest").capabilities.check("nest", stb.convert(original, x, T=8, neuron=NEURON))
