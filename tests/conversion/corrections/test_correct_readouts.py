"""A read-out that forgets its first steps, and how it is fitted to calibration data."""

from dataclasses import replace

import numpy as np
import pytest

from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.conversion.stages import convert
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.host import readout_values
from snntoolbox.ir.interpreter import constant_currents, interpret
from snntoolbox.ir.io import load_network, save
from snntoolbox.ir.nodes import Dense, Input, ReLU
from snntoolbox.ir.result import Record

RNG = np.random.default_rng(5)
STEPS = 24


@pytest.fixture(scope="module")
def graph():
    nodes = [
        Input(name="x", shape=(6,)),
        Dense(name="d1", inputs=("x",), weight=RNG.normal(size=(12, 6))),
        ReLU(name="r1", inputs=("d1",)),
        Dense(name="d2", inputs=("r1",), weight=RNG.normal(size=(10, 12)) / 3),
        ReLU(name="r2", inputs=("d2",)),
        Dense(name="out", inputs=("r2",), weight=RNG.normal(size=(4, 10)), bias=RNG.normal(size=4)),
    ]
    return Graph(nodes, ["out"])


@pytest.fixture(scope="module")
def x():
    return RNG.random((30, 6))


@pytest.fixture(scope="module")
def network(graph, x):
    return convert(graph, x, weight_bits=8)


def starting(network, start):
    return network.replaced(readouts=[replace(r, start=start) for r in network.readouts])


@pytest.mark.parametrize("start", [1, 5, 8, 12, 40])
@pytest.mark.parametrize("chunk", [0, 1, 7])
def test_it_forgets_the_first_steps_on_every_path(network, x, start, chunk):
    plain = interpret(network, x[:5], steps=STEPS).outputs_per_step["out"]
    late = starting(network, start)
    steps = np.arange(1, STEPS + 1)[:, None, None]
    expected = plain.copy()
    if 2 * start <= STEPS:
        window = (steps * plain - start * plain[start - 1]) / np.maximum(steps - start, 1)
        expected = np.where(steps >= 2 * start, window, plain)
    found = interpret(late, x[:5], steps=STEPS)
    # plain holds the bias too: a mean of sums, so the window keeps it
    np.testing.assert_allclose(found.outputs_per_step["out"], expected, atol=1e-10)
    for record in (Record(), Record(outputs_per_step=False)):
        with InisimBackend().build(late, chunk=chunk) as simulation:
            result = simulation.run(x[:5], steps=STEPS, record=record)
        np.testing.assert_array_equal(result.output, found.output)
        assert bool(result.outputs_per_step) == record.outputs_per_step


@pytest.mark.parametrize("start", [0, 6])
def test_the_host_of_other_simulators_reads_the_same(network, x, start):
    late = starting(network, start)
    found = interpret(late, x[:5], steps=STEPS, record=Record(spikes=True))
    constant = constant_currents(late, x[:5])
    for per_step in (True, False):
        values = readout_values(late, found.spikes, constant, STEPS, per_step=per_step)["out"]
        np.testing.assert_array_equal(values, found.outputs_per_step["out"][-len(values) :])


def test_correction_takes_the_mean_error_off(graph, x):
    corrected = convert(graph, x, duration=16)
    plain = convert(graph, x, duration=16, readout_correction=0)
    ann = graph.run(x)
    errors = {n: ann - interpret(net, x, steps=16).output for n, net in (("plain", plain), ("corrected", corrected))}
    np.testing.assert_allclose(errors["corrected"].mean(axis=0), 0, atol=1e-5)
    assert (errors["corrected"] ** 2).mean() < (errors["plain"] ** 2).mean()
    assert plain.readouts[0].start == 0
    assert corrected.readouts[0].start in (0, 2, 4, 8)


def test_a_start_is_saved(network, tmp_path):
    assert load_network(save(starting(network, 6), tmp_path / "late")).readouts[0].start == 6
