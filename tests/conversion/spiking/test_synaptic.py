"""Synaptic currents: all of a spike's charge, spread over time, through one current or one for each sign."""

import numpy as np
import pytest
import torch
from dyadic import NETWORKS

import snntoolbox as stb
from snntoolbox.analysis.comparison.replay import replay_of
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.schedules.registry import SCHEDULES
from snntoolbox.conversion.spiking.synaptic import with_synaptic_currents
from snntoolbox.engine.layerwise import Layerwise
from snntoolbox.errors import ConversionError, GraphError, UnsupportedError
from snntoolbox.ir.encodings import SpikeTimes
from snntoolbox.ir.features import LASTING_CURRENTS, features
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.nodes import Add, Concat, Dense, Input, Scale

STEPS = 24
X = np.random.default_rng(0).integers(0, 17, (20, 6)).astype(np.float32) / 16


def layers():
    torch.manual_seed(1)
    chain = [torch.nn.Linear(6, 12), torch.nn.ReLU(), torch.nn.Linear(12, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3)]
    return torch.nn.Sequential(*chain).eval()


def converted(remain, **choices):
    return stb.convert(layers(), X, input_shape=(6,), neuron=stb.IF(initial=0.5, synaptic=remain), **choices)


def wired(*nodes, current, size=2, synaptic=(0.0, 0.0)):
    """Given spikes, some maps, and neurons that never fire."""
    cells = Population(
        name="cells", shape=(size,), neuron=stb.IF(threshold=1e6), current=current, scale=np.ones(1), activation="cells"
    )
    inputs = [Input(name="x", shape=(2,)), Input(name="cells", shape=(size,))]
    out = Readout(name="out", current="cells", shape=(size,))
    network = SpikingNetwork(Graph([*inputs, *nodes], [current, "cells"]), {"x": SpikeTimes()}, [cells], [out])
    return with_synaptic_currents(network, synaptic)


def potentials(network, train, steps=STEPS):
    record = stb.Record(potentials=True)
    return interpret(network, np.asarray(train, float)[None], steps=steps, record=record).potentials["cells"][:, 0]


def test_a_spike_brings_its_charge_share_by_share():
    network = wired(Dense(name="d", inputs=("x",), weight=np.array([[2.0, -4.0]])), current="d", size=1)
    both = with_synaptic_currents(network, (0.5, 0.75))
    left, right = (potentials(both, [spike]) for spike in ([1, 0], [0, 1]))
    t = np.arange(1, STEPS + 1)
    np.testing.assert_array_equal(left[:, 0], 2 * (1 - 0.5**t))
    np.testing.assert_array_equal(right[:, 0], -4 * (1 - 0.75**t))
    one = with_synaptic_currents(network, (0.5, 0.5))
    np.testing.assert_array_equal(potentials(one, [[0, 1]])[:, 0], -4 * (1 - 0.5**t))
    assert one.populations["cells"].inhibitory is None


def test_a_spike_that_takes_one_back_goes_the_same_way():
    network = wired(Dense(name="d", inputs=("x",), weight=np.array([[2.0, -4.0]])), current="d", size=1)
    both = with_synaptic_currents(network, (0.5, 0.75))
    np.testing.assert_array_equal(potentials(both, [[-1, 0]]), -potentials(both, [[1, 0]]))
    np.testing.assert_array_equal(potentials(both, [[0, -1]]), -potentials(both, [[0, 1]]))


def random(*shape):
    return np.random.default_rng(5).integers(-8, 9, shape) / 8


WAYS = {
    "one map": (Dense(name="a", inputs=("x",), weight=random(3, 2)),),
    "no negative weight": (Dense(name="a", inputs=("x",), weight=abs(random(3, 2))),),
    "no positive weight": (Dense(name="a", inputs=("x",), weight=-abs(random(3, 2))),),
    "two maps": (
        Dense(name="b", inputs=("x",), weight=random(4, 2)),
        Dense(name="a", inputs=("b",), weight=random(3, 4)),
    ),
    "a sum": (
        Dense(name="b", inputs=("x",), weight=random(3, 2)),
        Scale(name="c", inputs=("b",), gain=np.array([-0.5])),
        Add(name="a", inputs=("b", "c"), coefficients=(0.5, -1.0)),
    ),
    "a join": (
        Dense(name="b", inputs=("x",), weight=random(2, 2)),
        Concat(name="a", inputs=("x", "b"), axis=0),
    ),
}


@pytest.mark.parametrize("nodes", WAYS.values(), ids=WAYS)
def test_the_signs_of_all_ways_are_told_apart(nodes):
    """By hand: positive and negative products of the weights on each way, summed."""
    size = 4 if isinstance(nodes[-1], Concat) else 3
    network = wired(*nodes, current="a", size=size, synaptic=(0.0, 0.5))
    positive, negative = {"x": np.eye(2)}, {"x": np.zeros((2, 2))}
    for node in nodes:
        parts = [p.toarray() for p in node.synapses(*network.wiring.input_shapes(node.name))]
        pairs = list(zip(parts, node.inputs, strict=True))
        positive[node.name] = sum(np.maximum(p, 0) @ positive[i] + np.minimum(p, 0) @ negative[i] for p, i in pairs)
        negative[node.name] = sum(np.maximum(p, 0) @ negative[i] + np.minimum(p, 0) @ positive[i] for p, i in pairs)
    for k in range(2):
        first, second = potentials(network, [np.eye(2)[k]], steps=2)
        np.testing.assert_array_equal(first, positive["a"][:, k] + negative["a"][:, k] / 2)
        np.testing.assert_array_equal(second, positive["a"][:, k] + negative["a"][:, k] * 3 / 4)


@pytest.mark.parametrize("remain", [(0.5, 0.5), (0.75, 0.5), (0.0, 0.75)])
def test_rates_stay_those_of_the_network(remain):
    """In a long run, with nothing corrected, as each spike brings all of its charge."""
    plain = {"layer_correction": "none", "readout_correction": 0}
    networks = [converted(r, **plain) for r in ((0.0, 0.0), remain)]
    (before,), (after,) = (stb.simulate(n, X, duration=1500).outputs.values() for n in networks)
    assert np.abs(after - before).max() < 0.02 * np.abs(before).max()


def test_read_outs_wait_for_what_comes_late():
    plain, late = (converted(r, duration=32, layer_correction="none").readouts[0] for r in ((0.0, 0.0), (0.8, 0.8)))
    assert late.start > plain.start


@pytest.mark.parametrize("remain", [(0.75, 0.75), (0.75, 0.5)])
def test_layers_are_corrected_on_the_spikes_that_come(remain):
    expected = layers()(torch.tensor(X)).detach().numpy()
    errors = []
    for correction in ("none", "search"):
        network = converted(remain, duration=24, layer_correction=correction, readout_correction=0)
        (output,) = stb.simulate(network, X, duration=24).outputs.values()
        errors.append(np.mean((output - expected) ** 2))
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize("remain", [(0.5, 0.5), (0.5, 0.25)])
def test_layers_run_one_after_the_other_as_together(remain):
    network, graph = converted(remain), lower(stb.load(layers(), input_shape=(6,)), stb.Recipe())
    counts = stb.simulate(network, X, duration=12).counts
    run = Layerwise(network, graph, [X], 12)
    for name in (name for name in network.targets if name in network.populations):
        (errors,) = run.errors([network.populations[name]], counts[name] / 12)
        np.testing.assert_allclose(errors.squared, 0, atol=1e-12)
        run.keep(network.populations[name])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.one_in(2)
def test_engines_agree_on_layers_of_all_kinds(name):
    network, x = NETWORKS[name]()
    fading = with_synaptic_currents(network, (0.5, 0.25))
    expected = stb.simulate(fading, x, duration=6, engine="reference", record=stb.Record(spikes=True)).spikes
    for engine in ("auto", "dense"):
        found = stb.simulate(fading, x, duration=6, engine=engine, dtype="float64", record=stb.Record(spikes=True))
        for population, raster in expected.items():
            np.testing.assert_array_equal(found.spikes[population], raster)


def test_a_layer_is_replayed_on_what_came_to_it():
    network, x = converted((0.5, 0.25)), X[3]
    spikes = stb.simulate(network, x[None], duration=12, dtype="float64", record=stb.Record(spikes=True)).spikes
    raster = {name: train[:, 0] for name, train in spikes.items()}
    for name, train in raster.items():
        np.testing.assert_array_equal(replay_of(network, name, [x], raster, 0).spikes(), train)


def test_it_is_saved_with_the_network(tmp_path):
    network = converted((0.75, 0.5), duration=16)
    again = stb.load_network(stb.save(network, tmp_path / "fading"))
    np.testing.assert_array_equal(stb.simulate(again, X).output, stb.simulate(network, X).output)


def test_a_finer_step_lasts_as_long():
    one, half = (
        stb.convert(layers(), X, input_shape=(6,), neuron=stb.IF(initial=0.5, synaptic=(np.exp(-dt / 3),) * 2), dt=dt)
        for dt in (1.0, 0.25)
    )
    spikes = [sum(c.sum() for c in stb.simulate(n, X, duration=64).counts.values()) for n in (one, half)]
    assert spikes[1] == pytest.approx(spikes[0], rel=0.05)


@pytest.mark.parametrize("schedule", sorted({*SCHEDULES} - {"rate"}))
def test_schedules_that_count_on_sums_refuse_it(schedule):
    with pytest.raises(ConversionError, match="spikes that act at once, without tau_syn_E"):
        stb.Recipe(schedule=schedule, neuron=stb.IF(synaptic=(0.5, 0.5)))


@pytest.mark.parametrize("choices", [{"counting": "digit"}, {"counting": "lead", "reset": "zero"}])
def test_windows_that_count_refuse_it(choices):
    with pytest.raises(ConversionError, match="without leak, synaptic currents"):
        stb.IF(synaptic=(0.5, 0.5), window=(2, 4), **choices)


@pytest.mark.parametrize("synaptic", [(1.0, 0.5), (-0.1, 0.5), (0.5,), (0.5, float("nan"))])
def test_what_is_no_share_is_refused(synaptic):
    with pytest.raises(ConversionError, match="invalid neuron"):
        stb.IF(synaptic=synaptic)


@pytest.mark.parametrize(
    ("choices", "message"),
    [({"weight_bits": 8}, "of what fades a share"), ({"bias": "neuron"}, "biases come late")],
)
def test_choices_that_exclude_it(choices, message):
    with pytest.raises(ConversionError, match=message):
        stb.Recipe(neuron=stb.IF(synaptic=(0.5, 0.5)), **choices)


@pytest.mark.parametrize("pooling", ["wta", "gate", "relu_tree"])
@pytest.mark.parametrize("remain", [(0.5, 0.5), (0.75, 0.5)])
def test_max_pooling_of_every_kind_goes_with_it(pooling, remain):
    """Circuits and gates read spikes at once; what they send makes currents as all spikes do."""
    torch.manual_seed(0)
    chain = [torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    chain += [torch.nn.Flatten(), torch.nn.Linear(12, 4)]
    model = torch.nn.Sequential(*chain).eval()
    x = np.random.default_rng(0).random((12, 1, 6, 6)).astype(np.float32)
    network = stb.convert(model, x, duration=64, max_pool=pooling, neuron=stb.IF(initial=0.5, synaptic=remain))
    expected = model(torch.tensor(x)).detach().numpy()
    assert np.abs(stb.simulate(network, x, duration=64).output - expected).max() < 0.1 * np.abs(expected).max()


def test_two_currents_need_two_inputs():
    with pytest.raises(GraphError, match="go together"):
        converted((0.0, 0.0)).with_neurons(synaptic=(0.5, 0.25))
    with pytest.raises(GraphError, match="go together"):
        converted((0.75, 0.5)).with_neurons(synaptic=(0.5, 0.5))


@pytest.mark.parametrize("backend", ["nest", "pynn.nest", "verilog", "sanafe"])
def test_simulators_without_it_refuse_by_name(backend):
    network = converted((0.5, 0.5))
    assert LASTING_CURRENTS in {asked.feature for asked in features(network)}
    with pytest.raises(UnsupportedError, match="synaptic currents that last"):
        stb.simulate(network, X, duration=4, simulator=backend)


REFUSING = {
    "nir": "currents that last differently",
    **dict.fromkeys(("spikingjelly", "sinabs", "snntorch"), "synaptic currents that last"),
}


@pytest.mark.parametrize(("exporter", "told"), REFUSING.items())
def test_exporters_without_it_refuse_by_name(exporter, told, tmp_path):
    with pytest.raises(UnsupportedError, match=told):
        stb.export(converted((0.5, 0.25)), exporter, tmp_path / "net", X[:1])
    assert not (tmp_path / "net").exists()
