import math

import numpy as np
import pytest

from snntoolbox.analysis.metrics import (
    PopulationStatistics,
    RegressionError,
    accuracy_per_step,
    agreement,
)
from snntoolbox.errors import DataError
from snntoolbox.ir.agreement import Pearson, confusion_matrix
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input
from snntoolbox.ir.result import Result

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("offset", [0, 1e6], ids=["centred", "far from zero"])
@pytest.mark.parametrize("batches", [(100,), (1, 99), (30, 0, 40, 30)])
def test_pearson_over_batches_is_that_of_all_values(batches, offset):
    x = RNG.normal(size=(100, 3)) + offset
    y = 0.5 * x + RNG.normal(size=x.shape)
    pearson = Pearson()
    for start, size in zip(np.cumsum([0, *batches[:-1]]), batches, strict=True):
        pearson.add(x[start : start + size], y[start : start + size])
    assert pearson.value == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1], abs=1e-9)


@pytest.mark.parametrize(("x", "y"), [([], []), ([1.0, 1.0], [0.0, 1.0]), ([0.0, 1.0], [2.0, 2.0])])
def test_pearson_of_what_does_not_vary_is_not_known(x, y):
    pearson = Pearson()
    pearson.add(np.array(x), np.array(y))
    assert math.isnan(pearson.value)


def test_pearson_refuses_shapes_that_cannot_be_paired():
    with pytest.raises(ValueError, match="paired"):
        Pearson().add(np.zeros((2, 3)), np.zeros((3, 2)))


def small_network():
    wiring = Graph(
        [
            Input(name="x", shape=(3,)),
            Dense(name="first", inputs=("x",), weight=np.eye(4, 3)),
            Input(name="z", shape=(4,)),
            Dense(name="last", inputs=("z",), weight=np.eye(2, 4)),
        ],
        ["first", "last"],
    )
    scale = np.array([1.0, 2.0, 3.0, 4.0])
    z = Population(name="z", shape=(4,), neuron=IF(), current="first", scale=scale, activation="relu")
    return SpikingNetwork(wiring, {"x": ConstantCurrent()}, [z], [Readout(name="out", current="last", shape=(2,))])


def test_population_statistics_over_batches():
    network = small_network()
    counts = RNG.integers(0, 9, (10, 4))
    activations = counts / 8 * network.populations["z"].scale + RNG.normal(0, 0.3, counts.shape)
    statistics = PopulationStatistics(network)
    for part in (slice(0, 7), slice(7, 10)):
        size = len(counts[part])
        result = Result(steps=8, samples=size, counts={"z": counts[part]}, outputs={"out": np.zeros((size, 2))})
        statistics.add(result, {"relu": activations[part]})
    expected = np.corrcoef((counts / 8 * network.populations["z"].scale).ravel(), activations.ravel())[0, 1]
    assert statistics.correlations["z"] == pytest.approx(expected)
    assert statistics.mean_rates["z"] == pytest.approx(counts.mean() / 8)
    assert statistics.spikes["z"] == pytest.approx(counts.sum() / 10)
    assert statistics.samples == 10


def test_population_statistics_without_samples_or_activations_are_not_known():
    statistics = PopulationStatistics(small_network())
    assert math.isnan(statistics.mean_rates["z"])
    assert math.isnan(statistics.spikes["z"])
    statistics.add(Result(steps=2, samples=1, counts={"z": np.ones((1, 4), int)}, outputs={"out": np.zeros((1, 2))}))
    assert math.isnan(statistics.correlations["z"])
    assert statistics.mean_rates["z"] == 0.5


def test_accuracy_per_step():
    predictions = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 2, 2]])
    np.testing.assert_array_equal(accuracy_per_step(predictions, np.array([1, 0, 2, 3])), [0.25, 0.5, 0.75])


def test_agreement():
    assert agreement(np.array([1, 2, 3, 4]), np.array([1, 2, 0, 4])) == 0.75


def test_confusion_matrix():
    matrix = confusion_matrix(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 2]), 3)
    np.testing.assert_array_equal(matrix, [[1, 1, 0], [0, 1, 0], [0, 0, 1]])
    undecided = confusion_matrix(np.array([-1, 1, -1, 2]), np.array([0, 0, 1, 2]), 3)
    np.testing.assert_array_equal(undecided, [[0, 1, 0], [0, 0, 0], [0, 0, 1]])


def test_regression_error_over_batches():
    outputs, targets = RNG.normal(size=(10, 2, 3)), RNG.normal(size=(10, 6))
    error = RegressionError()
    error.add(outputs[:4], targets[:4])
    error.add(outputs[4:], targets[4:])
    difference = outputs.reshape(10, 6) - targets
    assert error.largest == pytest.approx(np.abs(difference).max())
    assert error.rmse == pytest.approx(np.sqrt(np.mean(difference**2)))
    assert math.isnan(RegressionError().rmse)


@pytest.mark.parametrize(
    "call",
    [
        lambda: agreement(np.zeros(3), np.zeros(4)),
        lambda: accuracy_per_step(np.zeros((5, 3)), np.zeros(2, int)),
        lambda: RegressionError().add(np.zeros((4, 3)), np.zeros((2, 3))),
    ],
)
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(DataError):
        call()
