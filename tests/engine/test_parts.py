"""Parts in torch do what they do in numpy; what has no code in torch runs in numpy, to the same spikes."""

from copy import copy
from types import MappingProxyType

import numpy as np
import pytest
import torch

from snntoolbox.analysis.conformance.cases import cases
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import NETWORKS, NEURONS, Rising
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.engine import neurons
from snntoolbox.engine.neurons import InNumpy, IntegrateAndFire, add_pulse, copied, start
from snntoolbox.engine.parts import RESTING, TORCH
from snntoolbox.engine.tensors import Target
from snntoolbox.ir import parts
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.part import features_of
from snntoolbox.ir.result import Record

CASES = {case.name: case for case in cases()}
TARGET = Target(torch.device("cpu"))


def population(neuron, size=3):
    return Population(name="p", shape=(size,), neuron=neuron, current="", scale=np.ones(1), activation="")


def test_every_part_of_ours_has_code_in_torch():
    assert set(TORCH) == set(parts.PARTS)
    assert set(RESTING) < set(TORCH)
    assert features_of(TORCH) <= InisimBackend.capabilities.features


def test_who_has_code_runs_in_torch_and_others_in_numpy():
    assert isinstance(start(population(IF(leak=0.5)), 2, None, TARGET), IntegrateAndFire)
    assert isinstance(start(population(IF(special=(Rising(1.0, 0.5),))), 2, None, TARGET), InNumpy)


@pytest.mark.parametrize("chunk", [1, 3, 0])
@pytest.mark.parametrize("name", [f"neuron: {name}" for name in NEURONS] + ["network: pulses", "network: phases"])
def test_in_numpy_spikes_are_the_same(name, chunk, monkeypatch):
    monkeypatch.setattr(neurons, "TORCH", MappingProxyType({}))
    network = CASES[name].build()
    x, record = CASES[name].inputs(network), Record(spikes=True, potentials=True)
    expected = interpret(network, *x, steps=CASES[name].steps, record=record)
    with InisimBackend().build(network, chunk=chunk) as simulation:
        found = simulation.run(*x, steps=CASES[name].steps, record=record)
    for kind in ("counts", "outputs", "spikes", "potentials", "fired"):
        for key, value in getattr(expected, kind).items():
            assert np.array_equal(getattr(found, kind)[key], value), (kind, key)


def test_a_gate_lets_nothing_through_where_nothing_comes():
    """Behind a layer that waits for its window, in whole chunks."""
    draft = Draft(neuron=IF(window=(4, 7), initial=0.5))
    NETWORKS["gate"](draft)
    x = np.random.default_rng(0).integers(-16, 17, size=(2, 2, 6, 7)) / 16
    record = Record(spikes=True, potentials=True)
    expected = interpret(draft.network(), x, steps=8, record=record)
    assert expected.counts["population1"].any()
    with InisimBackend().build(draft.network(), chunk=2) as simulation:
        found = simulation.run(x, steps=8, record=record)
    assert all(np.array_equal(found.spikes[n], s) for n, s in expected.spikes.items())
    assert not found.potentials["population1"].any()


CURRENT = torch.tensor([[0.75, 1.5, -0.5]]).expand(4, 3)
STATES = {
    "refractory": IF(refractory=2),
    "signed": IF(negative="memory", initial=2.0),
    "in numpy": IF(special=(Rising(0.5, 0.25),)),
}


@pytest.mark.parametrize("neuron", STATES.values(), ids=STATES)
def test_a_copy_goes_on_by_itself(neuron):
    """With all that its parts remember: a copy that shared it would change its twin."""
    state = start(population(neuron), 2, None, TARGET)
    state.advance(CURRENT, 2, None)
    twin, again = copied(state), copied(state)
    first = twin.advance(CURRENT, 2, None)
    assert torch.equal(state.advance(CURRENT, 2, None), first)
    assert torch.equal(again.advance(CURRENT, 2, None), first)
    assert copy(first).any()


@pytest.mark.parametrize("neuron", [IF(), IF(special=(Rising(1.0, 0.25),))], ids=["torch", "numpy"])
def test_a_pulse_is_added_to_its_step_alone(neuron):
    state = start(population(neuron), 1, None, TARGET)
    add_pulse(state, 1, np.array([0.5, 0.0, 0.0]))
    add_pulse(state, 1, np.array([0.5, 1.0, 0.0]))
    assert state.advance(None, 3, None).tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 0]]
