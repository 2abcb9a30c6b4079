"""Biases by the spikes of one neuron: the same rasters as by currents, whatever the network."""

from dataclasses import replace

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.conformance.cases import Case
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.loops import LOOPS
from snntoolbox.analysis.conformance.networks import NETWORKS
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.spiking.bias_neuron import BiasNeuron
from snntoolbox.errors import ConversionError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Conv, Dense, Input, ReLU, Reshape
from snntoolbox.ir.result import Record
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.offset_current import with_offset

ALL = Record(spikes=True, potentials=True)
NEURONS = {
    "plain": IF(),
    "leaky": IF(leak=0.5, initial=0.25),
    "refractory": IF(refractory=2, reset=Reset.ZERO),
    "modulo": IF(reset=Reset.MODULO),
}
DRAWN = ["perceptron", "residual", "concat", "spike times", "two codings", "gate", "bias only", "deep loop"]


def both(name, neuron=None):
    draft = Draft(neuron=neuron)
    {**NETWORKS, **LOOPS}[name](draft)
    network = draft.network()
    case = Case(name=name, check="identical", build=lambda: network, steps=20)
    return network, BiasNeuron()(network), case.inputs(network)


@pytest.mark.parametrize(("name", "neuron"), [*((n, "plain") for n in DRAWN), *(("residual", n) for n in NEURONS)])
def test_spikes_and_potentials_are_those_of_currents(name, neuron):
    network, freed, x = both(name, NEURONS[neuron])
    expected, found = (interpret(n, *x, steps=20, record=ALL) for n in (network, freed))
    assert all(np.array_equal(found.spikes[n], s) for n, s in expected.spikes.items())
    assert all(np.array_equal(found.potentials[n], v) for n, v in expected.potentials.items())
    assert np.array_equal(found.output, expected.output)
    (added,) = set(found.spikes) - set(expected.spikes)
    assert found.spikes[added].all()
    assert [n for n, p in freed.populations.items() if p.bias is not None] == [added]


def graph():
    random = np.random.default_rng(0)
    window = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    bias = random.normal(size=(3, 1, 1))
    nodes = [
        Input(name="x", shape=(1, 4, 4)),
        Conv(name="conv", inputs=("x",), weight=random.normal(size=(3, 1, 3, 3)), bias=bias, **window),
        ReLU(name="bias", inputs=("conv",)),
        Reshape(name="flat", inputs=("bias",), shape=(48,)),
        Dense(name="dense", inputs=("flat",), weight=random.normal(size=(5, 48)) / 7, bias=random.normal(size=5)),
    ]
    return Graph(nodes, ["dense"]), random.random((60, 1, 4, 4))


@pytest.mark.parametrize("choices", [{"weight_bits": 8}, {"weight_bits": 4, "dt": 0.5}, {"delay": 1, "weight_bits": 8}])
def test_a_conversion_gives_the_same_outputs(choices):
    original, x = graph()
    current, neuron = (stb.convert(original, x, T=16, bias=b, **choices) for b in ("current", "neuron"))
    assert np.array_equal(current.run(x).output, neuron.run(x).output)
    assert set(neuron.populations) - set(current.populations) == {"bias_2"}  # a layer has the name already
    backend_named("verilog").capabilities.check("verilog", stb.convert(original, x, T=16, bias="neuron", weight_bits=8))


def test_a_network_without_biases_is_left_alone():
    draft = Draft()
    draft.readout(draft.neurons(draft.dense(draft.input(6), 4), bias=0))
    network = draft.network()
    assert BiasNeuron()(network) is network


@pytest.mark.parametrize("schedule", ["phased", "radix", "first-spike", "differential"])
def test_layers_that_fire_in_turn_refuse_it(schedule):
    original, x = graph()
    with pytest.raises(ConversionError, match=f"bias = neuron .* not for schedule = {schedule}"):
        stb.convert(original, x, T=4, bias="neuron", schedule=schedule)


def test_an_offset_leaves_the_neuron_as_it_is():
    original, x = graph()
    network = stb.convert(original, x, T=16, bias="neuron")
    cell = replace(Settings().cell, i_offset=0.25)
    offset = with_offset(network, replace(Settings(), cell=cell))
    assert {n for n, p in offset.populations.items() if p is not network.populations[n]} == {"bias"}
