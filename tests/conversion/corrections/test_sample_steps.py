"""How many samples correct: what goes to the simulation in all, for short and long runs, small and large networks."""

import numpy as np
import pytest

from snntoolbox.conversion import stages
from snntoolbox.conversion.corrections.sample_steps import (
    FEWEST,
    FEWEST_FOR_READOUTS,
    LEAST_SAMPLES,
    PASSES,
    PASSES_FOR_READOUTS,
    correcting,
    fitting,
)
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.engine.fast import planning
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Input, ReLU


def network(seconds, monkeypatch):
    """A small one that is said to take so long per sample and step."""
    graph = Graph([Input(name="x", shape=(3,)), Dense(name="d", inputs=("x",), weight=np.eye(3)),
                   ReLU(name="r", inputs=("d",)), Dense(name="y", inputs=("r",), weight=np.eye(3))], ["y"])  # fmt: skip
    monkeypatch.setattr(planning, "work", lambda _: seconds)
    return graph, Convert()(graph, {"r": np.ones(3)})


@pytest.mark.parametrize("samples", [20, 300, 1000, 5000])
@pytest.mark.parametrize("steps", [1, 16, 64, 128, 1000])
def test_large_networks_are_simulated_for_some_passes(samples, steps, monkeypatch):
    _, large = network(1.0, monkeypatch)
    passes = max(samples, LEAST_SAMPLES)
    layers, readouts = correcting(large, steps, samples, 128), fitting(large, steps, samples, 100)
    assert layers == min(samples, 128) or layers == FEWEST or layers * steps <= PASSES * passes < (layers + 1) * steps
    assert readouts in (min(samples, 100), FEWEST_FOR_READOUTS) or (
        readouts * steps <= PASSES_FOR_READOUTS * passes < (readouts + 1) * steps
    )


def test_small_networks_take_all_samples(monkeypatch):
    _, small = network(1e-6, monkeypatch)
    assert correcting(small, 64, 1000, 128) == 128
    assert fitting(small, 1000, 1000, 100) == 100
    assert fitting(small, 1000, 50, 100) == 50


def test_what_computes_nothing_takes_all_samples(monkeypatch):
    _, idle = network(0.0, monkeypatch)
    assert correcting(idle, 64, 1000, 128) == 128
    assert fitting(idle, 64, 1000, 100) == 100


def test_so_many_correct(monkeypatch):
    """The first ones, as the network says; with windows, whose counts take one pass, as many as are asked for."""
    graph, _ = network(1.0, monkeypatch)
    x = np.random.default_rng(0).random((1000, 3), np.float32)
    found = {}
    for steps in (16, 64, 250):
        found[steps] = stages.convert(graph, x, duration=steps).corrected
    assert found == {16: 93, 64: FEWEST, 250: 4}
    assert stages.convert(graph, x, duration=64, schedule="phased", layer_correction="none").corrected == 100
