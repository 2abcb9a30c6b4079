"""Delays through the whole house: converted, corrected, quantised, run, compared, diagnosed, or refused by name."""

import os
from dataclasses import replace

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.comparison.comparison import Cause
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.loops import LOOPS
from snntoolbox.backends.registry import backend_named
from snntoolbox.engine.layerwise import Layerwise
from snntoolbox.errors import ConversionError, SNNToolboxError
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.features import FEATURES
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.nodes import Add, Delay, ReLU
from snntoolbox.ir.result import Record

ALL = Record(spikes=True, potentials=True)
RANDOM = np.random.default_rng(0)
X = RANDOM.uniform(0, 1, size=(40, 6)).astype(np.float32)


def graph(*, delays=True):
    """Two rectifiers and a link around the second one, with delays in all ways."""

    def later(source, steps):
        return builder.add(Delay(name=f"after {source}", inputs=(source,), steps=steps)) if delays else source

    random, builder = np.random.default_rng(1), GraphBuilder("delayed")
    first = builder.dense("first", builder.input("x", (6,)), random.normal(size=(8, 6)), None)
    first = builder.add(ReLU(name="r1", inputs=(first,)))
    second = builder.dense("second", later(first, 2), random.normal(size=(8, 8)), random.normal(size=8))
    both = builder.add(Add(name="both", inputs=(later(second, 1), first)))
    third = builder.dense("third", builder.add(ReLU(name="r2", inputs=(both,))), random.normal(size=(3, 8)), None)
    return builder.finish([later(third, 1)], "test")


def itself(draft):
    """A population that reads its own spikes of two steps ago."""
    own = draft.ahead(8)
    current = draft.node(Add, draft.dense(draft.input(6), 8), draft.dense(draft.delay(own, 2), 8))
    draft.readout(draft.neurons(current, name=own))


def looped(name):
    draft = Draft()
    {**LOOPS, "itself": itself}[name](draft)
    network = draft.network()
    return network, [np.random.default_rng(2).integers(-16, 17, size=(3, *network.wiring.shapes["input9"])) / 16]


def test_a_spike_comes_so_many_steps_later():
    draft = Draft()
    first = draft.neurons(draft.input(1), bias=0.0)
    draft.readout(draft.neurons(draft.delay(first, 3), bias=0.0))
    found = interpret(draft.network(), np.full((1, 1), 0.5), steps=8, record=ALL)
    assert found.spikes["population0"].ravel().tolist() == [False, True] * 4
    assert found.spikes["population1"].ravel().tolist() == [False] * 4 + [True, False, True, False]


def test_in_an_analogue_graph_a_delay_is_the_identity():
    np.testing.assert_array_equal(graph().run(X), graph(delays=False).run(X))


@pytest.mark.parametrize("choices", [{}, {"weight_bits": 8}, {"layer_correction": "steps"}], ids=str)
def test_a_graph_with_delays_is_converted_and_run(choices):
    snn = stb.convert(graph(), X, duration=16, **choices)
    assert sorted(snn.circuit.delays.values()) == [1, 1, 2]
    expected = interpret(snn, X[:5], steps=16, record=ALL)
    found = snn.run(X[:5], duration=16, record=ALL)
    for name in snn.populations:
        np.testing.assert_array_equal(found.spikes[name], expected.spikes[name])


def test_in_the_long_run_rates_are_those_without_delays():
    snn = stb.convert(graph(), X, duration=1024)
    found = snn.run(X, duration=1024, record=Record(outputs_per_step=False)).output
    np.testing.assert_allclose(found, graph().run(X), atol=0.1)


def test_corrections_try_layers_out_with_their_delays():
    snn = stb.convert(graph(), X, duration=16, layer_correction="none")
    run = Layerwise(snn, graph(), [X], 16)
    counts = snn.run(X, duration=16).counts
    for name in [n for n in snn.targets if n in snn.populations]:
        (errors,) = run.errors([snn.populations[name]], counts[name] / 16)
        np.testing.assert_allclose(errors.squared, 0, atol=1e-12)
        run.keep(snn.populations[name])
    (readout,) = snn.readouts
    np.testing.assert_allclose(run.values(readout)[-1], snn.run(X, duration=16).output, atol=1e-5)


def test_layers_in_a_loop_are_not_tried_out_one_by_one():
    network, x = looped("two in a loop")
    with pytest.raises(ConversionError, match="layers in a loop"):
        Layerwise(network, graph(), x, 8)


@pytest.mark.parametrize("schedule", ["phased", "differential"])
def test_other_schedules_refuse_delays_by_name(schedule):
    with pytest.raises(SNNToolboxError, match=r"after r1 \(Delay\): a delay of its own"):
        stb.convert(graph(), X, duration=8, schedule=schedule)


def test_a_diagnosis_says_what_it_cannot_split():
    text = str(stb.diagnose(graph(), X, duration=16, seconds=0.1))
    assert "a delay brings it spikes of earlier steps" in text


def test_simulators_of_synapses_have_the_same_spikes_of_a_converted_graph():
    if not backend_named("brian2").capabilities.installed() and not os.environ.get("CI"):
        pytest.skip("brian2 is not installed")
    snn = stb.convert(graph(), X, duration=16, weight_bits=8)
    assert stb.compare(snn, X[:4], simulators=["INI", "brian2"], duration=16).equal


@pytest.mark.parametrize("name", ["two in a loop", "self-connection", "quick loop", "delays between pools"])
def test_a_summary_names_delays(name):
    network, _ = looped(name)
    assert "Delay" in stb.summary(network)


class Late:
    """A simulator that holds spikes one step longer than a delay says."""

    name = "late"
    capabilities = Capabilities(features=frozenset(FEATURES))

    def build(self, network, **options):
        name = next(iter(network.circuit.delays))
        node = network.wiring.nodes[name]
        self.network = network.replaced(wiring=network.wiring.edited([replace(node, steps=node.steps + 1)]))
        return self

    def run(self, *x, steps, record=None, first_sample=0, progress=None):
        return interpret(self.network, *x, steps=steps, record=record, first_sample=first_sample)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.mark.parametrize("name", ["itself", "two in a loop", "delays in a chain"])
def test_a_comparison_tells_who_is_late_in_a_loop(name):
    network, x = looped(name)
    comparison = stb.compare(network, x, simulators=["INI", Late()], duration=20)
    at = comparison.side("late").divergence
    assert at.departs == ("late",)
    assert at.cause is Cause.DELAY
    assert "later" in at.evidence
