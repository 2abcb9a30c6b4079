"""Read-outs that draw spikes by a softmax: their law, their seeds, and the same from every engine."""

from dataclasses import replace

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import drawn
from snntoolbox.backends.registry import backend_named, exporter_named
from snntoolbox.errors import ConversionError, GraphError, UnsupportedError
from snntoolbox.ir.draws import SoftmaxDraws, uniforms
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Readout, Schedule
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.result import Record

CLASSES = Head(kind="classes")


def test_numbers_depend_on_seed_sample_and_step_alone():
    whole = uniforms(5, 3, 0, 10, 6)
    assert np.array_equal(uniforms(5, 3, 4, 6, 6), whole[4:])
    assert not np.array_equal(uniforms(6, 3, 0, 10, 6), whole)
    assert not np.array_equal(uniforms(5, 4, 0, 10, 6), whole)
    assert 0 <= whole.min() < whole.max() < 1


def test_each_class_spikes_as_often_as_its_softmax_says():
    potentials = np.broadcast_to(np.log([0.6, 0.3, 0.1]), (4000, 2, 3))
    spikes = SoftmaxDraws(1).spikes(potentials, CLASSES, 0)
    assert np.allclose(spikes.mean(axis=0), [0.6, 0.3, 0.1], atol=0.03)
    assert (spikes.sum(axis=-1) > 1).mean() > 0  # draws of their own: several may spike, or none
    assert (spikes.sum(axis=-1) == 0).mean() > 0


def test_a_softmax_runs_along_the_axis_of_the_classes():
    potentials = np.zeros((500, 1, 2, 3))
    potentials[:, :, 1] = 50  # of two classes in three places the second is sure
    spikes = SoftmaxDraws(0).spikes(potentials, Head(kind="classes", axis=0), 0)
    assert spikes[:, 0, 1].all()
    assert not spikes[:, 0, 0].any()


def test_large_potentials_are_no_overflow():
    spikes = SoftmaxDraws(0).spikes(np.full((3, 1, 2), 1e300) * [1, -1], CLASSES, 0)
    assert spikes[..., 0].all()
    assert not spikes[..., 1].any()


def test_the_potential_is_never_reset_so_the_answer_gets_sharper():
    readout = Readout(name="y", current="c", shape=(2,), draws=SoftmaxDraws(0))
    rates = readout.drawn(np.broadcast_to([0.02, 0.0], (1000, 20, 2)), 0)
    late = 1000 * rates[-1] - 500 * rates[499]
    assert np.all(late[:, 0] > 495)  # exp(0.02 * 500) : 1
    assert 0.3 < rates[19, :, 1].mean() < 0.7


def test_a_step_of_half_a_millisecond_adds_half():
    readout = Readout(name="y", current="c", shape=(2,), draws=SoftmaxDraws(0, per_step=0.5))
    values = np.broadcast_to([0.1, 0.0], (40, 1, 2))
    expected = SoftmaxDraws(0).spikes(0.5 * np.arange(1, 41)[:, None, None] * values, CLASSES, 0)
    assert np.allclose(readout.drawn(values, 0) * np.arange(1, 41)[:, None, None], expected.cumsum(0))


def network():
    draft = Draft()
    drawn(draft)
    return draft.network()


@pytest.mark.parametrize("chunk", [0, 3])
@pytest.mark.parametrize("per_step", [True, False])
def test_the_built_in_simulator_draws_the_same_whatever_it_records(chunk, per_step):
    x = np.random.default_rng(0).integers(0, 17, (5, 2, 4, 4)) / 16
    expected = interpret(network(), x, steps=20, first_sample=7)
    with backend_named("INI").build(network(), chunk=chunk) as simulation:
        found = simulation.run(x, steps=20, first_sample=7, record=Record(outputs_per_step=per_step))
        alone = simulation.run(x[3:], steps=20, first_sample=10)
    for name, output in expected.outputs.items():
        assert np.array_equal(found.outputs[name], output)
        assert np.array_equal(alone.outputs[name], output[3:])
    assert all(np.array_equal(found.outputs_per_step[n], expected.outputs_per_step[n]) for n in found.outputs_per_step)


def test_only_classes_without_a_schedule_can_be_drawn():
    drawing = network()
    with pytest.raises(GraphError, match="only classes"):
        drawing.replaced(readouts=[replace(r, head=Head()) for r in drawing.readouts])
    with pytest.raises(GraphError, match="only classes"):
        drawing.replaced(schedule=Schedule(name="s", window=4))


@pytest.mark.parametrize("name", ["verilog", "fpga", "nir"])
def test_what_cannot_draw_refuses_by_name(name):
    capabilities = (backend_named if name == "verilog" else exporter_named)(name).capabilities
    assert "read-out that draws spikes by a softmax" in {o.reason for o in capabilities.missing(network())}


def graph(outputs=3):
    random = np.random.default_rng(0)
    nodes = [
        Input(name="x", shape=(6,)),
        Dense(name="first", inputs=("x",), weight=random.normal(size=(20, 6)), bias=random.normal(size=20)),
        ReLU(name="relu", inputs=("first",)),
        Dense(name="last", inputs=("relu",), weight=random.normal(size=(outputs, 20))),
    ]
    return Graph(nodes, ["last"]), random.random((100, 6))


def test_a_conversion_that_draws_says_the_classes_of_the_original_at_last(tmp_path):
    original, x = graph()
    snn = stb.convert(original, x, T=64, readout="softmax", readout_seed=3)
    result = snn.run(x)
    assert set(np.unique(result.output * 64)) <= set(range(65))
    assert np.mean(result.predictions == original.run(x).argmax(-1)) > 0.95
    assert np.array_equal(stb.load_network(stb.save(snn, tmp_path / "net.npz")).run(x).output, result.output)
    other = stb.convert(original, x, T=64, readout="softmax", readout_seed=4)
    assert not np.array_equal(other.run(x).output, result.output)


def test_values_and_schedules_are_refused():
    original, x = graph(outputs=1)
    with pytest.raises(UnsupportedError, match="no classes to draw"):
        stb.convert(original, x, T=8, readout="softmax")
    with pytest.raises(ConversionError, match=r"softmax draws in every step.*phased"):
        stb.convert(graph()[0], x, T=8, readout="softmax", schedule="phased")
