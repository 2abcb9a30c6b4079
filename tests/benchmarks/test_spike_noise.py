"""The benchmark of noise in spikes: none changes nothing, without spikes the bias decides, late ones count half."""

import sys
from pathlib import Path

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Input, ReLU

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def spike_noise():
    """The benchmark."""
    sys.path.insert(0, str(BENCHMARKS))
    import spike_noise

    sys.path.remove(str(BENCHMARKS))
    return spike_noise


@pytest.fixture(scope="module")
def network():
    """Two classes: the larger of two inputs, where there are spikes; else the second, by its bias."""
    nodes = [Input(name="x", shape=(2,)), Dense(name="d", inputs=("x",), weight=np.eye(2))]
    graph = Graph(
        [
            *nodes,
            ReLU(name="r", inputs=("d",)),
            Dense(name="y", inputs=("r",), weight=np.eye(2), bias=np.array([0, 0.3])),
        ],
        ["y"],
    )
    data = np.random.default_rng(0).random((40, 2), dtype=np.float32)
    return stb.convert(graph, data, duration=4, schedule="radix", readout_correction=0, layer_correction="none")


def test_no_noise_changes_nothing_and_without_spikes_the_bias_decides(spike_noise, network):
    x = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert spike_noise.noisy_class(network, x, "lost", 0.0).tolist() == [0, 1]
    assert spike_noise.noisy_class(network, x, "late", 0.0).tolist() == [0, 1]
    assert spike_noise.noisy_class(network, x, "lost", 1.0).tolist() == [1, 1]


def test_a_digit_that_comes_late_counts_half(spike_noise, network):
    """One spike, the most significant of 4: 8 of 15 levels, above the bias of 4.5; or 4 of them, below it."""
    x = np.array([[0.55, 0.0]])
    found = [spike_noise.noisy_class(network, x, "late", share).tolist() for share in (0.0, 1.0)]
    assert found == [[0], [1]]
