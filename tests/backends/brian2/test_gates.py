"""Gates of max pooling in Brian2, by each estimate of rates, against the interpreter."""

import numpy as np
import pytest

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.backends.registry import backend_named
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.flat import flattened
from snntoolbox.ir.flat_gates import gate_cells
from snntoolbox.ir.gating import Estimate
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, MaxGate
from snntoolbox.ir.result import Record

brian2 = pytest.importorskip("brian2")
BORDERS = ((1, 0), (1, 1))


def network(estimate):
    """Random spikes through two gates, one behind the other, and neurons behind them."""
    draft = Draft()
    spikes = draft.neurons(draft.conv(draft.poisson(2, 6, 7), 3))
    first = draft.gate(spikes, (3, 2), (2, 1), BORDERS, estimate=estimate)
    second = draft.gate(first, (1, 2), (1, 2), estimate=estimate)
    draft.readout(draft.flat(draft.neurons(draft.conv(second, 2))))
    draft.readout(draft.flat(first))
    return draft.network()


@pytest.mark.parametrize("estimate", Estimate)
def test_spikes_are_those_of_the_interpreter(estimate):
    drawn, everything = network(estimate), Record(spikes=True, potentials=True)
    x = np.random.default_rng(0).integers(0, 17, (2, 2, 6, 7)) / 8
    expected = interpret(drawn, x, steps=40, record=everything)
    with backend_named("brian2").build(drawn) as simulation:
        found = simulation.run(x, steps=40, record=everything)
    for name, spikes in expected.spikes.items():
        assert np.array_equal(found.spikes[name], spikes), name
        assert np.array_equal(found.potentials[name], expected.potentials[name]), name
    assert 0.05 < expected.spikes["population1"].mean() < 0.95


def test_cells_are_the_inputs_of_each_window_without_those_on_padding():
    gate = MaxGate(kernel=(2, 2), stride=(2, 2), padding=((1, 0), (0, 0)), dilation=(1, 1))
    one = np.ones((1, 1, 1))
    population = Population(name="p", shape=(1, 2, 1), neuron=gate, current="c", scale=one, activation="p")
    cells = gate_cells(population, (1, 3, 2), 1)
    assert cells.window.tolist() == [0, 0, 1, 1, 1, 1]
    assert cells.inputs.tolist() == [0, 1, 2, 3, 4, 5]
    assert len(cells.pairs[0]) == 2 + 12
    assert cells.replicated(2).window.tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3]


def test_a_gate_on_other_than_plain_spikes_is_refused():
    draft = Draft()
    draft.readout(draft.flat(draft.gate(draft.input(1, 4, 4))))
    with pytest.raises(UnsupportedError, match="a gate on a current"):
        flattened(draft.network(), with_gates=True)
    valued = Draft(neuron=IF(levels=(1.0, 2.0)))
    spikes = valued.neurons(valued.conv(valued.input(2, 6, 7), 3))
    valued.readout(valued.flat(valued.gate(valued.gate(spikes), (1, 1), (1, 1))))
    with pytest.raises(UnsupportedError, match="spikes with values"):
        flattened(valued.network(), with_gates=True)
    with pytest.raises(UnsupportedError, match="no integrate-and-fire neurons"):
        flattened(network(Estimate.AVERAGE))
