"""Corrections of layers: exact answers on single neurons, and what must hold for any network."""

from dataclasses import replace

import numpy as np
import pytest

from snntoolbox.conversion.corrections.correct import Correct
from snntoolbox.conversion.corrections.correct_layers import (
    CORRECTIONS,
    correct_bias,
    correct_potential,
    correct_steps,
    search_start,
)
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.stages import convert
from snntoolbox.engine import layerwise
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.fast import jit
from snntoolbox.engine.layerwise import Layerwise, frontier_bytes
from snntoolbox.ir.encodings import Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.result import Record


def neuron(current, **fields):
    """One rectifier with a scale of 1 on a constant input of `current`, and its network."""
    graph = Graph([Input(name="x", shape=(1,)), Dense(name="d", inputs=("x",), weight=np.eye(1)),
                   ReLU(name="r", inputs=("d",))], ["r"])  # fmt: skip
    network = Convert()(graph, {"r": np.ones(1)}).with_neurons(**fields)
    return graph, network, [np.full((4, 1), current, np.float32)]


def run_of(graph, network, x, steps):
    run = Layerwise(network, graph, x, steps)
    population = network.populations["r"]
    return run, population, run.activation(population, "r")


def test_a_bias_takes_the_rounding_of_one_neuron_off():
    """0.3 a step from V0 = 0 fires twice in 8 steps, 0.25: the first shift is 0.05; then 8 (0.35) = 2.8 is two too."""
    graph, network, x = neuron(0.3, initial=0.0)
    run, population, wanted = run_of(graph, network, x, 8)
    np.testing.assert_allclose(wanted, 0.3)
    corrected = correct_bias(run, population, wanted)
    np.testing.assert_allclose(corrected.bias, 0.1, atol=1e-6)


def test_a_bias_looks_at_the_late_steps():
    """In steps 5 to 8 the neuron fires once, 0.25."""
    graph, network, x = neuron(0.3, initial=0.0)
    run, population, wanted = run_of(graph, network, x, 8)
    spikes = interpret(network, x[0], steps=8, record=Record(spikes=True)).spikes["r"][:, 0, 0]
    assert spikes.tolist() == [False, False, False, True, False, False, True, False]
    np.testing.assert_allclose(correct_bias(run, population, wanted, 4).bias, 0.1, atol=1e-6)


def test_a_potential_is_the_missing_charge():
    """8 (0.3 - 0.25) = 0.4 thresholds."""
    graph, network, x = neuron(0.3, initial=0.0)
    run, population, wanted = run_of(graph, network, x, 8)
    corrected = correct_potential(run, population, wanted)
    np.testing.assert_allclose(corrected.neuron.initial, 0.4, atol=1e-6)


def test_the_search_takes_the_least_squared_error():
    """0.45 a step in 2 steps is 0.9 of a spike: one spike (V0 from 0.1) errs by 0.05, none by 0.45."""
    graph, network, x = neuron(0.45, initial=0.0)
    run, population, wanted = run_of(graph, network, x, 2)
    found = search_start(run, population, wanted)
    rate = interpret(network.replaced(populations=[found]), x[0], steps=2).counts["r"] / 2
    np.testing.assert_allclose(rate, 0.5)


def test_each_step_gets_its_own_bias():
    """beta[t] = mean(a) - mean(z[t]) by hand: four neurons of one channel, two samples."""
    random = np.random.default_rng(1)
    weight = random.random((4, 4)) / 4
    graph = Graph([Input(name="x", shape=(1, 4)), Dense(name="d", inputs=("x",), weight=weight),
                   ReLU(name="r", inputs=("d",))], ["r"])  # fmt: skip
    network = Convert()(graph, {"r": np.ones((1, 1))})
    x = random.random((2, 1, 4)).astype(np.float32)
    run, population, wanted = run_of(graph, network, [x], 6)
    corrected = correct_steps(run, population, wanted)
    current, potential = x @ weight.T, np.full((2, 1, 4), 0.5)
    for step in range(6):
        beta = current.mean() - ((potential + current) >= 1).mean()
        np.testing.assert_allclose(corrected.pulses[step], beta, atol=1e-6)
        potential = potential + current + beta
        potential = potential - (potential >= 1)
    counts = interpret(network.replaced(populations=[corrected]), x, steps=6, record=Record(potentials=True))
    np.testing.assert_allclose(counts.potentials["r"][-1], potential, atol=1e-5)


# -- any network -----------------------------------------------------------------------------------------------


@pytest.fixture
def graph(new_net):
    """Convolutions, a branch, a pool, a gateable max pool."""
    net = new_net(2, 6, 6)
    a = net.relu(net.conv("x", 4))
    b = net.relu(net.conv(a, 4))
    c = net.relu(net.conv(net.sum(a, b), 6))
    net.dense(net.flat(net.average(c)), 3)
    return net.graph()


def samples(n=40, seed=0):
    return np.random.default_rng(seed).random((n, 2, 6, 6))


def plainly_converted(graph, **choices):
    return convert(graph, samples(), **choices)


CHOICES = [{}, {"weight_bits": 8}, {"max_pool": "gate"}, {"encoding": Poisson(amplitude=1.0)}]


@pytest.mark.parametrize("choices", CHOICES)
@pytest.mark.parametrize("memory", [2**29, 2**17])
def test_layers_run_like_the_interpreter(graph, choices, memory, monkeypatch):
    """Rates layer by layer are those of a run of the whole network, in whatever batches memory asks for."""
    monkeypatch.setattr(layerwise, "MEMORY", memory)
    monkeypatch.setattr(layerwise, "_BATCH_BYTES", 2**14)
    network, x = plainly_converted(graph, **choices), samples(12, 1)
    run = Layerwise(network, lower(graph, Recipe(max_pool=choices.get("max_pool", "relu_tree"))), [x], 10)
    assert run.samples == min(12, memory // frontier_bytes(network, 10))
    whole = interpret(network, x[: run.samples], steps=10, record=Record(spikes=True))
    for name in [n for n in network.order if n in network.populations]:
        population = network.populations[name]
        run.activation(population, population.activation)
        spikes = whole.spikes[name]
        (errors,) = run.errors([population], spikes.mean(axis=0), 4)
        assert errors.samples == run.samples
        np.testing.assert_allclose(errors.squared, 0, atol=1e-12)
        np.testing.assert_allclose(errors.whole, 0, atol=1e-6)
        np.testing.assert_allclose(errors.late, (spikes.mean(axis=0) - spikes[4:].mean(axis=0)).mean(axis=0), atol=1e-6)
        run.keep(population)
    readout = network.readouts[0]
    run.activation(readout, graph.outputs[0])
    np.testing.assert_allclose(run.values(readout), whole.outputs_per_step[readout.name], atol=1e-5)
    assert not run._trains
    assert not run.analogue.kept


def test_activations_are_those_of_the_graph(graph):
    network, x = plainly_converted(graph), samples(12, 1)
    run = Layerwise(network, graph, [x], 4)
    values = graph.values(x, keep=graph.nodes)
    for population in network.populations.values():
        np.testing.assert_allclose(run.activation(population, population.activation), values[population.activation],
                                   rtol=1e-4, atol=1e-5)  # fmt: skip
        run.keep(population)


@pytest.mark.parametrize("layers", CORRECTIONS)
@pytest.mark.parametrize("bits", [0, 8])
def test_rates_come_closer_to_activations(graph, layers, bits):
    x, steps = samples(64), 8
    plain = plainly_converted(graph, weight_bits=bits)
    network = Correct(steps=steps, layers=layers)(plain, graph, [x])
    assert list(network.populations) == list(plain.populations)
    values = Executor(graph).values(x, keep=[p.activation for p in network.populations.values()])

    def error(net):
        counts = interpret(net, x, steps=steps).counts
        scaled = {n: values[p.activation] / p.scale for n, p in net.populations.items()}
        return sum(float(((counts[n] / steps - a) ** 2).mean()) for n, a in scaled.items())

    assert error(network) < error(plain)
    if bits:
        assert all(np.array_equal(p.bias, np.rint(p.bias)) for p in network.populations.values())
        trace = interpret(network, x, steps=steps, record=Record(potentials=True)).potentials
        assert max(float(np.abs(v).max()) for v in trace.values()) <= network.grid.bound(steps, 0) + 127 * steps


@pytest.mark.skipif(not jit.installed(), reason="needs numba")
@pytest.mark.parametrize("layers", ["search", "both"])
@pytest.mark.parametrize("bits", [0, 8])
def test_compiled_neurons_change_nothing(graph, layers, bits, monkeypatch):
    x = samples(40)
    plain = plainly_converted(graph, weight_bits=bits)
    found = []
    for patience in (0.0, float("inf")):
        monkeypatch.setattr(jit, "PATIENCE", patience)
        assert Layerwise(plain, graph, [x], 9).fused == (patience == 0)
        found.append(Correct(steps=9, layers=layers)(plain, graph, [x]))
    ours, theirs = found
    for name, population in ours.populations.items():
        other = theirs.populations[name]
        # Sums over samples are added in another order.
        np.testing.assert_allclose(population.neuron.initial, other.neuron.initial, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(population.bias, other.bias, rtol=1e-9, atol=1e-12)
        before = plain.populations[name]
        assert not (np.array_equal(population.neuron.initial, before.neuron.initial) and population.bias is before.bias)
    for one, two in zip(ours.readouts, theirs.readouts, strict=True):
        assert one.start == two.start
        np.testing.assert_allclose(one.bias, two.bias, rtol=1e-9, atol=1e-12)


@pytest.mark.skipif(not jit.installed(), reason="needs numba")
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("first", [0, 4, 9])
def test_trials_at_once_are_those_in_turn(graph, reset, first, monkeypatch):
    """Of all layers, the first with a constant input alone; for 21 steps, which are no whole number of blocks."""
    network, x = plainly_converted(graph, neuron=IF(reset=reset, initial=0.5)), samples(20)
    found = []
    for patience in (0.0, float("inf")):
        monkeypatch.setattr(jit, "PATIENCE", patience)
        run = Layerwise(network, graph, [x], 21)
        for name in [n for n in network.order if n in network.populations]:
            population = network.populations[name]
            wanted = run.activation(population, population.activation) / np.asarray(population.scale, np.float32)
            starts = [replace(population.neuron, initial=start) for start in (-0.5, 0.25, 0.9)]
            tried = [replace(population, neuron=n, bias=np.full((1, 1, 1), 0.1 * k) if k else None)
                     for k, n in enumerate(starts)]  # fmt: skip
            found.append(run.errors(tried, wanted, first, 7))
            run.keep(population)
    for at_once, in_turn in zip(found[: len(found) // 2], found[len(found) // 2 :], strict=True):
        for one, other in zip(at_once, in_turn, strict=True):
            assert one.samples == other.samples
            for ours, theirs in ((one.late, other.late), (one.whole, other.whole), (one.squared, other.squared)):
                np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_mean_rates_are_right_after_a_bias_correction(graph):
    """Where nothing saturates the second round leaves little of the mean error."""
    x, steps = samples(64), 64
    plain = plainly_converted(graph, percentile=100.0, threshold_rule="max")
    errors = []
    for net in (plain, Correct(steps=steps, layers="bias")(plain, graph, [x])):
        counts = interpret(net, x, steps=steps, record=Record(spikes=True)).spikes
        late = {n: s[steps // 2 :].mean(axis=(0, 1)) for n, s in counts.items()}
        values = Executor(graph).values(x, keep=list(net.populations))
        wanted = {n: (values[n] / p.scale).mean(axis=0) for n, p in net.populations.items()}
        errors.append(sum(float(np.abs((late[n] - wanted[n]).mean(axis=(1, 2))).sum()) for n in late))
    assert errors[1] < 0.35 * errors[0]


def test_what_cannot_be_corrected_stays(graph):
    x = samples(8)
    plain = plainly_converted(graph)
    few = Correct(steps=8, layers="both")(plain, graph, [x])  # too few samples for layers, not for the read-out
    assert all(few.populations[n].bias is p.bias for n, p in plain.populations.items())
    assert few.readouts[0].bias is not None
    assert Correct(steps=8)(plain, graph, [x[:0]]) is plain


def test_quantised_rectifiers_stay():
    graph, network, _ = neuron(0.3)
    nodes = [replace(n, max_value=1.0, levels=4) if isinstance(n, ReLU) else n for n in graph.nodes.values()]
    quantised = Graph(nodes, graph.outputs)
    x = [np.random.default_rng(0).random((40, 1), np.float32)]
    corrected = Correct(steps=4, layers="search")(network, quantised, x)
    assert corrected.populations["r"].bias is network.populations["r"].bias


@pytest.mark.parametrize("correct", [correct_potential, search_start])
def test_potentials_that_saturate_start_within_their_limits(correct):
    graph, network, x = neuron(0.3, initial=0.0, saturation=(-0.1, 0.2))
    run, population, wanted = run_of(graph, network, x, 8)
    start = correct(run, population, wanted).neuron.initial
    assert -0.1 <= np.min(start) <= np.max(start) <= 0.2
