"""Gates of max pooling by each estimate of rates: by hand, in the interpreter and in the built-in simulator."""

from functools import partial

import numpy as np
import pytest
import torch

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import gate
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.engine.neurons import start
from snntoolbox.engine.tensors import Target
from snntoolbox.errors import ConversionError
from snntoolbox.ir.dynamics import start as start_in_numpy
from snntoolbox.ir.gating import Estimate
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.io import load_network, save
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import MaxGate
from snntoolbox.ir.result import Record

# The first input fires early, the second one more often and later; the third as often as the first, but later.
TRAINS = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 1], [0, 1, 0], [0, 1, 1], [1, 1, 1]], float)
WINNERS = {Estimate.AVERAGE: [0, 0, 0, 0, 0, 1, 1], Estimate.FIR: [0] * 7, Estimate.EXPONENTIAL: [0, 0, 0, 0, 0, 1, 1]}


def population(estimate, inputs=3):
    neuron = MaxGate(kernel=(inputs,), stride=(inputs,), padding=((0, 0),), dilation=(1,), estimate=estimate)
    return Population(name="p", shape=(1, 1), neuron=neuron, current="c", scale=np.ones((1, 1)), activation="p")


def passed(estimate, trains):
    neurons = start_in_numpy(population(estimate, trains.shape[1]), 1)
    return [int(neurons.step(x[None, None], 0.0, t).item()) for t, x in enumerate(trains)]


@pytest.mark.parametrize("estimate", Estimate)
def test_passes_the_spikes_of_the_input_with_the_highest_estimate(estimate):
    assert passed(estimate, TRAINS) == [int(TRAINS[t, w]) for t, w in enumerate(WINNERS[estimate])]


def test_an_older_spike_is_worth_more_to_an_exponential_estimate_alone():
    trains = np.array([[0, 1], [1, 0], [0, 1], [1, 0], [1, 1], [1, 0]], float)  # 2 : 2, the second one first
    assert passed(Estimate.EXPONENTIAL, trains)[3] == 0
    assert passed(Estimate.AVERAGE, trains)[3] == 1


def test_the_mean_of_few_spikes_ties_as_their_number_does():
    trains = np.array([[0, 1], [0, 0], [1, 0]], float)  # by (x - r) / t the means would differ in the last digit
    assert passed(Estimate.AVERAGE, trains) == [1, 0, 1]


@pytest.mark.parametrize("estimate", Estimate)
@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_torch_has_the_same_in_any_chunks_with_silence_between(estimate, chunk):
    rng = np.random.default_rng(3)
    trains = (rng.random((40, 2, 1, 3)) < 0.4).astype(float)
    trains[9:21] = 0
    state = start(population(estimate), 2, None, Target(torch.device("cpu")))
    expected = start_in_numpy(population(estimate), 2)
    for first in range(0, len(trains), chunk):
        part = trains[first : first + chunk]
        current = torch.tensor(part, dtype=torch.float32).flatten(0, 1) if part.any() else None
        spikes = state.advance(current, len(part), None).reshape(len(part), 2, 1, 1)
        for t, z in enumerate(spikes):
            assert np.array_equal(z, expected.step(part[t], 0.0, first + t)), (estimate, first + t)


@pytest.mark.parametrize("estimate", Estimate)
def test_a_network_with_such_gates_runs_and_is_saved(estimate, tmp_path):
    draft = Draft()
    partial(gate, estimate=estimate)(draft)
    network = draft.network()
    x = np.random.default_rng(0).integers(0, 17, (2, 2, 6, 7)) / 16
    everything = Record(spikes=True)
    expected = interpret(network, x, steps=30, record=everything)
    again = load_network(save(network, tmp_path / "net.npz"))
    with InisimBackend().build(again) as simulation:
        result = simulation.run(x, steps=30, record=everything)
    assert all(np.array_equal(result.spikes[n], s) for n, s in expected.spikes.items())


def test_estimates_differ_in_what_passes():
    trains = (np.random.default_rng(5).random((60, 4)) < 0.5).astype(float)
    assert len({tuple(passed(estimate, trains)) for estimate in Estimate}) == len(Estimate)


def test_an_unknown_estimate_is_refused():
    with pytest.raises(ConversionError, match=r"median.*average, fir, exponential"):
        population("median")
