"""Read-outs without corrected layers are fitted to what the reference interpreter gives."""

from dataclasses import replace

import numpy as np
import pytest

from snntoolbox.conversion.corrections import simulated_readouts as reading
from snntoolbox.conversion.corrections.correct_readouts import fitted
from snntoolbox.conversion.corrections.simulated_readouts import with_read_outs_fitted
from snntoolbox.conversion.stages import convert
from snntoolbox.ir.encodings import Poisson, SpikeTimes
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.result import Record

STEPS = 16


@pytest.fixture
def graph():
    draw = np.random.default_rng(0)
    dense = [Dense(name=n, inputs=(i,), weight=w) for n, i, w in (
        ("d", "x", draw.normal(size=(6, 5))), ("e", "r", draw.normal(size=(3, 6))))]  # fmt: skip
    return Graph([Input(name="x", shape=(5,)), dense[0], ReLU(name="r", inputs=("d",)), dense[1]], ["e"])


@pytest.fixture
def x():
    return np.random.default_rng(1).random((23, 5), np.float32)


@pytest.mark.parametrize("coding", ["constant", "poisson"])
@pytest.mark.parametrize("bits", [0, 8])
def test_it_is_the_fit_to_the_interpreters_values(graph, x, coding, bits, monkeypatch):
    monkeypatch.setattr(reading, "BATCH", 10)
    network = convert(graph, x, weight_bits=bits)
    if coding == "poisson":
        network = network.replaced(encodings={"x": Poisson(seed=3)})
    values = interpret(network, x, steps=STEPS, record=Record(outputs_per_step=True)).outputs_per_step["e"]
    wanted = fitted(network.readouts[0], values, graph.values(x)["e"], grid=bits > 0)
    forgetful = network.replaced(readouts=[replace(network.readouts[0], start=4)])
    for given in (network, forgetful):
        found = with_read_outs_fitted(given, graph, [x], STEPS, "auto").readouts[0]
        assert found.start == wanted.start
        np.testing.assert_allclose(found.bias, wanted.bias, atol=0 if bits else 1e-5)
    assert bits or np.any(wanted.bias)


def test_samples_beyond_the_amplitude_of_poisson_input_are_cut_off(graph, x):
    """The amplitude is that of the data to be run, which calibration samples may exceed."""
    network = convert(graph, x).replaced(encodings={"x": Poisson(amplitude=0.5)})
    found = with_read_outs_fitted(network, graph, [x], STEPS, "cpu").readouts[0]
    values = interpret(network, x, steps=STEPS, record=Record(outputs_per_step=True)).outputs_per_step["e"]
    np.testing.assert_allclose(found.bias, fitted(network.readouts[0], values, graph.values(x)["e"]).bias, atol=1e-5)


def test_trains_and_no_samples_teach_nothing(graph, x):
    network = convert(graph, x)
    assert with_read_outs_fitted(network, graph, [x[:0]], STEPS, "cpu") is network
    timed = network.replaced(encodings={"x": SpikeTimes()})
    assert with_read_outs_fitted(timed, graph, [x], STEPS, "cpu") is timed


def test_long_runs_are_converted_so(graph, x):
    """Beyond 64 steps layers are left alone."""
    network = convert(graph, x, duration=100)
    plain = convert(graph, x, readout_correction=0, duration=100)
    assert network.populations["r"].bias is plain.populations["r"].bias is None
    expected = with_read_outs_fitted(plain, graph, [x], 100, "cpu").readouts[0]
    np.testing.assert_array_equal(network.readouts[0].bias, expected.bias)
    assert plain.readouts[0].bias is None
