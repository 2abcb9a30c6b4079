"""One population for all steps of a sequence: the spikes of the network that is written out, window by window."""

import numpy as np
import pytest
import torch
from torch import nn

import snntoolbox as stb
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.folded_steps import folded
from snntoolbox.conversion.schedules.recurrent import counts_by_step, quantized
from snntoolbox.conversion.schedules.recurrent_windows import timing
from snntoolbox.conversion.smallest_network import smallest_network
from snntoolbox.errors import SNNToolboxError, UnsupportedError
from snntoolbox.ir.encodings import StepByStep
from snntoolbox.ir.features import features
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.operations import input_events, input_operations
from snntoolbox.ir.result import Record

STEPS, FEATURES, UNITS, WINDOW = 4, 2, 5, 8
RANDOM = np.random.default_rng(3)
X = (RANDOM.integers(0, 17, (16, STEPS, FEATURES)) / 16).astype(np.float32)
RASTERS = Record(spikes=True)


class Net(nn.Module):
    """A recurrent layer and what is made of its states, with weights of 1/32."""

    input_shape = (STEPS, FEATURES)

    def __init__(self, read, head=UNITS, **settings):
        super().__init__()
        settings = {"nonlinearity": "relu", "batch_first": True, **settings}
        self.rnn = nn.RNN(FEATURES, UNITS, **settings)
        self.hidden, self.out, self.read = nn.Linear(head, UNITS), nn.Linear(UNITS, 3), read
        self.fill()

    def fill(self):
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_((torch.randn(weight.shape, generator=generator) * 8).round() / 32)

    def forward(self, x):
        return self.read(self, x)


class Cells(Net):
    """The same step by step."""

    def __init__(self):
        super().__init__(None)
        self.rnn = nn.RNNCell(FEATURES, UNITS, nonlinearity="relu")
        self.fill()

    def forward(self, x):
        h = torch.full((len(x), UNITS), 0.25)
        for row in x.unbind(1):
            h = self.rnn(row, h)
        return self.out(h)


NETS = {
    "last": lambda: Net(lambda s, x: s.out(s.rnn(x)[0][:, -1])),
    "layers": lambda: Net(lambda s, x: s.out(s.rnn(x)[1][-1]), num_layers=2),
    "head": lambda: Net(lambda s, x: s.out(s.hidden(s.rnn(x)[0][:, -1]).relu())),
    "mean": lambda: Net(lambda s, x: s.out(s.rnn(x)[0].mean(1))),
    "all": lambda: Net(lambda s, x: s.out(s.hidden(s.rnn(x)[0].flatten(1)).relu()), head=STEPS * UNITS),
    "state": lambda: Net(lambda s, x: s.out(s.rnn(x, torch.full((1, len(x), UNITS), 0.5))[1][0])),
    "both_layers": lambda: Net(lambda s, x: s.out(s.rnn(x)[1].sum(0)), num_layers=2),
    "cells": Cells,
}


def converted(name, schedule, **settings):
    return stb.convert(NETS[name](), X, schedule=schedule, duration=WINDOW, layer_correction="none", **settings)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.one_in(3)
def test_the_spikes_are_those_of_the_network_written_out(name):
    settings = {"normalize": False, "readout_correction": 0}
    out, network = converted(name, "phased", **settings), converted(name, "recurrent", **settings)
    expected = stb.simulate(out, X)
    with backend_named("INI").build(network) as run:
        result = run.run(X, steps=network.schedule.steps, record=RASTERS)
    layers = folded(stb.convert(NETS[name](), X, layer_correction="none", **settings))
    counts = counts_by_step(layers, timing(layers, WINDOW), result)
    for layer in layers.layers.values():
        for step, population in layer.members.items():
            np.testing.assert_array_equal(counts[layer.name][step], expected.counts[population.name])
    np.testing.assert_allclose(result.output, expected.output, atol=1e-5)
    assert sum(c.any() for c in counts.values())


@pytest.mark.parametrize("name", NETS)
def test_the_interpreter_and_the_simulator_agree(name):
    network = converted(name, "recurrent")
    steps = network.schedule.steps
    told = interpret(network, X[:5], steps=steps, record=RASTERS)
    with backend_named("INI").build(network) as run:
        ran = run.run(X[:5], steps=steps, record=RASTERS)
    np.testing.assert_allclose(ran.output, told.output, atol=1e-5)
    for population, raster in told.spikes.items():
        assert np.mean(ran.spikes[population] != raster) < 1e-3


@pytest.mark.parametrize("name", ["layers", "all", "state"])
def test_the_spikes_are_the_same_in_brian2(name):
    pytest.importorskip("brian2")
    network = converted(name, "recurrent", normalize=False)
    rasters = []
    for simulator in ("INI", "brian2"):
        with backend_named(simulator).build(network) as run:
            rasters.append(run.run(X[:3], steps=network.schedule.steps, record=RASTERS))
    for population, raster in rasters[0].spikes.items():
        np.testing.assert_array_equal(rasters[1].spikes[population], raster)
    np.testing.assert_allclose(rasters[1].output, rasters[0].output, atol=1e-5)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.one_in(3)
def test_outputs_come_near_the_network_with_longer_windows(name):
    model = NETS[name]()
    network = stb.convert(model, X, schedule="recurrent", duration=128)
    with torch.no_grad():
        expected = model(torch.tensor(X)).numpy()
    assert np.abs(stb.simulate(network, X).output - expected).max() < 0.05 * np.abs(expected).max()


def test_there_are_as_many_neurons_as_units():
    network = converted("layers", "recurrent")
    assert [p.shape for p in network.populations.values()] == [(UNITS,), (UNITS,)]
    assert network.schedule.steps == (2 * (STEPS - 1) + 2 + 1) * WINDOW
    assert network.encodings["x"] == StepByStep(WINDOW, 2 * WINDOW)


def test_what_feeds_an_earlier_layer_takes_a_longer_period():
    class Back(Net):
        def forward(self, x):
            h = g = torch.zeros(len(x), UNITS)
            for row in x.unbind(1):
                h = self.first(torch.cat([row, g], 1), h)
                g = self.second(h, g)
            return self.out(g)

    model = Back(None)
    model.first = nn.RNNCell(FEATURES + UNITS, UNITS, nonlinearity="relu")
    model.second = nn.RNNCell(UNITS, UNITS, nonlinearity="relu")
    model.fill()
    network = stb.convert(model, X, schedule="recurrent", duration=64)
    assert network.encodings["x"].period == 3 * 64
    with torch.no_grad():
        expected = model(torch.tensor(X)).numpy()
    assert np.abs(stb.simulate(network, X).output - expected).max() < 0.05


def test_a_count_that_differs_is_told(monkeypatch):
    monkeypatch.setattr(
        "snntoolbox.conversion.schedules.recurrent.quantized",
        lambda *a: {n: c + 1 for n, c in quantized(*a).items()},
    )
    with pytest.raises(SNNToolboxError, match="differ from the quantised network"):
        converted("last", "recurrent")


BOTH = {"head": 2 * UNITS, "bidirectional": True}
REFUSED = {
    "both directions": (lambda: Net(lambda s, x: s.hidden(s.rnn(x)[0].mean(1)), **BOTH), "reads a later step"),
    "plain input": (lambda: Net(lambda s, x: s.out(s.hidden(x.flatten(1)).relu()), STEPS * FEATURES), "that recurs"),
    "input read out": (
        lambda: Net(lambda s, x: s.out(s.rnn(x)[1][0]) + nn.functional.pad(x[:, 0], (0, 1))),
        "reads the input itself",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case):
    make, reason = REFUSED[case]
    with pytest.raises(UnsupportedError, match=reason) as caught:
        stb.convert(make(), X, schedule="recurrent", duration=WINDOW)
    assert "phased" in caught.value.hint


UNFIT = {
    "weight_bits = 0": {"weight_bits": 8},
    "constant-current": {"encoding": stb.Poisson()},
    "corrects nothing": {"layer_correction": "bias"},
    "without a refractory period": {"neuron": stb.IF(refractory=2)},
    "without levels and signs": {"neuron": stb.IF(levels=(1, 2))},
}


@pytest.mark.parametrize("reason", UNFIT)
def test_what_does_not_go_with_it(reason):
    with pytest.raises(SNNToolboxError, match=reason):
        stb.convert(NETS["last"](), X, schedule="recurrent", duration=WINDOW, **UNFIT[reason])


@pytest.mark.parametrize("simulator", ["nest", "pynn.brian2", "verilog"])
def test_simulators_without_windows_that_recur_refuse_them_by_name(simulator):
    network = converted("last", "recurrent")
    words = [u.reason for u in backend_named(simulator).capabilities.missing(network)]
    assert "windows that recur" in words
    assert "sequences presented step by step" in words


def test_it_is_kept_in_a_file(tmp_path):
    network = converted("head", "recurrent")
    path = stb.save(network, tmp_path / "net.npz")
    again = stb.load_network(path)
    np.testing.assert_array_equal(stb.simulate(again, X).output, stb.simulate(network, X).output)


def test_a_simulator_is_asked_before_there_is_a_network():
    words = {f.feature.name for f in features(smallest_network(Recipe(schedule="recurrent")))}
    assert {"windows that recur", "sequences presented step by step"} <= words


def test_the_values_of_a_sequence_are_no_spikes_in_the_account():
    network = converted("last", "recurrent")
    assert input_events(network, [X], network.schedule.steps) == {}
    assert input_operations(network) == 2 * STEPS * FEATURES * UNITS


def test_approximated_cells_are_folded_too():
    model = Net(lambda s, x: s.out(s.rnn(x)[1][0]), nonlinearity="tanh")
    network = stb.convert(model, X, schedule="recurrent", duration=64, approximate=("tanh",))
    assert {p.shape for p in network.populations.values()} == {(UNITS,)}
    assert len(network.populations) < 30
    with torch.no_grad():
        expected = model(torch.tensor(X)).numpy()
    assert np.abs(stb.simulate(network, X).output - expected).max() < 0.1
