"""Bounded rectifiers as differences of two, and schedules whose neurons do not end at a rate."""

import logging

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.lowering.split_bounds import SplitBounds
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Elementwise, Input, ReLU

X = np.random.default_rng(0).normal(size=(120, 4)) * 3


def graph(node):
    """A layer, and a sum of what it gives."""
    front = [Input(name="x", shape=(4,)), Dense(name="d", inputs=("x",), weight=np.eye(4), bias=np.full(4, 0.25))]
    return Graph([*front, node, Dense(name="out", inputs=(node.name,), weight=np.ones((2, 4)))], ["out"])


BOUNDED = {
    "one bound": ReLU(name="r", inputs=("d",), max_value=1.5),
    "bounds of channels": ReLU(name="r", inputs=("d",), max_value=np.array([0.5, 1.0, 2.0, 4.0])),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_the_function_stays(name):
    before = graph(BOUNDED[name])
    after = SplitBounds()(before)
    assert not any(isinstance(n, ReLU) and n.max_value is not None for n in after.nodes.values())
    np.testing.assert_allclose(after.run(X), before.run(X), atol=1e-12)
    np.testing.assert_allclose(after.values(X, keep=["r"])["r"], before.values(X, keep=["r"])["r"], atol=1e-12)


def test_others_stay_as_they_are():
    before = graph(ReLU(name="r", inputs=("d",)))
    assert SplitBounds()(before).nodes.keys() == before.nodes.keys()


@pytest.mark.parametrize("readout", ["linear", "spikes"])
@pytest.mark.parametrize("name", BOUNDED)
def test_changes_that_are_sent_keep_within_bounds(name, readout):
    bounded = graph(BOUNDED[name])
    snn = stb.convert(bounded, X, duration=40, schedule="differential", readout=readout)
    found = stb.simulate(snn, X, duration=40).output
    np.testing.assert_allclose(found, bounded.run(X), atol=0.15)


def test_approximated_activations_of_changes():
    smooth = graph(Elementwise(name="r", inputs=("d",), function="sigmoid"))
    snn = stb.convert(smooth, X, duration=40, schedule="differential", approximate={"sigmoid"})
    assert np.abs(stb.simulate(snn, X, duration=40).output - smooth.run(X)).max() < 0.1


def test_levels_are_left_out_and_that_is_told(caplog):
    quantised = graph(ReLU(name="r", inputs=("d",), max_value=1.5, levels=4))
    with caplog.at_level(logging.WARNING):
        snn = stb.convert(quantised, X, duration=40, schedule="differential")
    assert "differential has no levels: r (ReLU) are bounded and not rounded" in caplog.text
    found = stb.simulate(snn, X, duration=40).output
    np.testing.assert_allclose(found, graph(BOUNDED["one bound"]).run(X), atol=0.15)


@pytest.mark.parametrize("schedule", ["rate", "phased"])
def test_schedules_that_end_at_a_rate_need_no_second_rectifier(schedule):
    snn = stb.convert(graph(BOUNDED["one bound"]), X, duration=16, schedule=schedule)
    assert len(snn.populations) == 1
