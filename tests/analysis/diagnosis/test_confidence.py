"""How sure thresholds are, on rules whose answers are known."""

import numpy as np
import pytest

from snntoolbox.analysis.diagnosis.confidence import threshold_confidence
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.scales import choose_scales
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Input, ReLU


def by_mean(graph, x):
    return {"r": x[0].mean(axis=0)}


def confidence(x, rule=by_mean):
    return threshold_confidence(rule, None, [x], rule(None, [x]))["r"]


def test_equal_halves_are_sure():
    found = confidence(np.full((10, 3), 2.0))
    assert (found.spread, found.drift, found.unsure, found.channels, found.samples) == (0, 0, 0, 3, 10)
    assert not found.more_helps


def test_spread_is_the_standard_error():
    """Of a mean of n values with a standard deviation of 0.2 around 1 it is 0.2 / sqrt(n)."""
    x = 1 + 0.2 * np.random.default_rng(0).standard_normal((400, 500))
    assert confidence(x).spread == pytest.approx(0.2 / 20, rel=0.1)
    assert abs(confidence(x).drift) < 1e-3


def test_drift_is_what_the_second_half_moved():
    """The maximum of uniform values rises with their number: 1 - 1 / (n + 1) from n of them."""
    x = np.random.default_rng(0).random((8, 20_000))
    found = confidence(x, lambda graph, x: {"r": x[0].max(axis=0)})
    assert found.drift == pytest.approx(1 - (1 - 1 / 5) / (1 - 1 / 9), abs=0.02)
    assert found.more_helps


def test_unsure_channels_are_counted():
    x = np.ones((8, 2))
    x[::2, 1] = 2.0
    assert confidence(x).unsure == 1


def test_few_samples_say_nothing():
    assert threshold_confidence(by_mean, None, [np.ones((3, 1))], {}) == {}


def test_the_rule_is_that_of_the_conversion():
    nodes = [
        Input(name="x", shape=(2,)),
        Dense(name="d", inputs=("x",), weight=np.eye(2)),
        ReLU(name="r", inputs=("d",)),
    ]
    graph, x = Graph(nodes, ["r"]), np.random.default_rng(0).random((500, 2)).astype(np.float32)
    spread = {}
    for samples in (20, 500):
        data = [x[:samples]]
        scales = choose_scales(graph, data, Recipe())
        spread[samples] = threshold_confidence(lambda g, d: choose_scales(g, d, Recipe()), graph, data, scales)["r"]
    assert spread[500].spread < spread[20].spread
    assert not spread[500].more_helps
