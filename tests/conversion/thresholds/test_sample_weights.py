"""Weights of calibration samples: by hand, and that one large sample among many spoils no threshold."""

from itertools import pairwise

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.thresholds.mmse import MMSEThresholds
from snntoolbox.conversion.thresholds.sample_weights import SampleWeights
from snntoolbox.engine.histograms import ChannelHistogram
from snntoolbox.engine.quantized import QuantizedRun
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Input, ReLU


def test_the_usual_sample_counts_half_and_a_large_one_by_its_squares():
    weights = SampleWeights()
    batch = np.array([[1.0, 1.0], [1.0, 1.0], [7.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(weights(batch), [1 / 2, 1 / 2, 1 / 26, 1])
    np.testing.assert_allclose(weights(np.full((1, 2), 3.0)), 1 / 10)  # the usual is that of the first batch
    assert SampleWeights()(np.zeros((2, 3))).tolist() == [1, 1]


def test_weighted_counts_are_sums_of_weights():
    values, weights = np.array([[[0.3, 0.6]], [[0.6, -1.0]]]), np.array([0.5, 0.25])
    histogram = ChannelHistogram(1, bins=4, weighted=True)
    histogram.update(values, weights)
    assert histogram.counts.tolist() == [[0, 0.5, 0.75, 0]]
    assert histogram.pooled().counts.tolist() == histogram.counts.tolist()


def test_one_large_sample_does_not_choose_the_scale():
    """Of 200 samples one is 12 times as large: plainly, 7 levels would reach far above all others."""
    x = np.random.default_rng(0).random((200, 8), dtype=np.float32)
    graph = Graph([Input(name="x", shape=(8,)), Dense(name="d", inputs=("x",), weight=np.eye(8)),
                   ReLU(name="r", inputs=("d",))], ["r"])  # fmt: skip
    scales = [float(np.mean(MMSEThresholds(7, alike=True)(graph, [x])["r"]))]
    x[100] *= 12
    scales += [float(np.mean(MMSEThresholds(7, alike=alike)(graph, [x])["r"])) for alike in (True, False)]
    assert scales[1] == pytest.approx(scales[0], rel=0.1)
    assert scales[2] > 2 * scales[0]


def digits_net():
    """Three layers of random rectifiers and a fitted read-out, with digits to calibrate it and to test it."""
    x, y = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    x, random, nodes = (x / 16).astype(np.float32), np.random.default_rng(0), [Input(name="x", shape=(64,))]
    hidden = x.astype(np.float64)
    for i in range(3):
        weight = random.normal(size=(64, hidden.shape[1])) * np.sqrt(2 / hidden.shape[1])
        bias = -np.quantile(hidden[:900] @ weight.T, 0.4, axis=0)
        nodes.append(Dense(name=f"d{i}", inputs=(nodes[-1].name,), weight=weight, bias=bias))
        nodes.append(ReLU(name=f"r{i}", inputs=(f"d{i}",)))
        hidden = np.maximum(hidden @ weight.T + bias, 0)
    known = np.c_[hidden[:900], np.ones(900)]
    fit = np.linalg.solve(known.T @ known + np.eye(65), known.T @ np.eye(10)[y[:900]])
    nodes.append(Dense(name="o", inputs=("r2",), weight=fit[:-1].T, bias=fit[-1]))
    return Graph(nodes, ["o"]), x[:200], x[1000:], y[1000:]


@pytest.mark.parametrize(("schedule", "windows", "lost"), [("radix", (2, 3, 4), 3), ("phased", (2, 4, 8), 5)])
def test_more_levels_are_no_worse_though_a_calibration_sample_is_large(schedule, windows, lost):
    graph, calibration, x, y = digits_net()
    calibration = calibration.copy()
    calibration[100] *= 12
    original = 100 * np.mean(graph.run(x).argmax(axis=1) == y)
    found = []
    for steps in windows:
        snn = stb.convert(graph, calibration, duration=steps, schedule=schedule)
        found.append(100 * np.mean(QuantizedRun(snn).outputs([x])[0].argmax(axis=1) == y))
    assert all(after > before - 1 for before, after in pairwise(found)), found
    assert found[-1] > original - lost
    assert found[0] > original - 25
