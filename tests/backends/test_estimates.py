"""What a simulator will need is told for all copies of a network that it builds, and how long it will take."""

import logging
import math
from dataclasses import replace

import pytest
from drawn import network

from snntoolbox.backends.checking import all_capabilities
from snntoolbox.backends.estimates import Cost, Speed, check_size, expected_time, network_size, tell_time
from snntoolbox.backends.protocol import Costly
from snntoolbox.backends.registry import backend_named
from snntoolbox.ir.features import BATCHES

COST = Cost(neuron_bytes=1, synapse_bytes=1, seconds=1.0, most_synapses=10**6)


@pytest.mark.parametrize(
    ("together", "told"),
    [(0, " s to build"), (1, " s to build"), (7, " for each sample of a batch, at most 7 at a time"),
     (math.inf, " for each sample of a batch")],
)  # fmt: skip
def test_copies_are_told(together, told, caplog):
    drawn = network()
    cost = replace(COST, together=together * network_size(drawn).synapses if together else 0)
    with caplog.at_level(logging.INFO, "snntoolbox"):
        check_size("any", drawn, cost)
    assert caplog.messages[-1].endswith(told)


def test_those_that_build_copies_say_so():
    """Whoever holds each synapse and runs samples side by side holds it once for each of them."""
    costly = {name: backend for name in all_capabilities() if isinstance(backend := backend_named(name), Costly)}
    assert {"brian2", "nest", "lava", "pynn.spiNNaker", "pynn.nest", "pynn.neuron"} <= {*costly}
    for name, backend in costly.items():
        assert (backend.cost.together > 0) == (BATCHES in backend.capabilities.features), name


SPEED = Speed(neuron=2e6, step=5.0, sample=3e6, update=1e6, event=0.0)
"""Seconds for one neuron each, and for a step of a population."""


def expected(samples, steps, batch, together=0.0):
    drawn = network()
    cost = replace(COST, seconds=0.0, speed=SPEED, together=together)
    return expected_time(drawn, cost, samples=samples, steps=steps, batch=batch), network_size(drawn), drawn


def test_time_is_that_of_building_of_samples_and_of_steps():
    time, size, drawn = expected(samples=7, steps=4, batch=100)
    cells, layers = size.neurons + size.sources, len(drawn.populations)
    assert time.build == pytest.approx(2 * cells)
    assert time.run == pytest.approx(7 * 4 * layers * 5 + 7 * cells * 3 + 7 * 4 * cells)


def test_samples_side_by_side_share_the_steps_of_populations():
    alone, *_ = expected(samples=7, steps=4, batch=3)
    together, _, drawn = expected(samples=7, steps=4, batch=3, together=math.inf)
    assert alone.run - together.run == pytest.approx((7 - 3) * 4 * len(drawn.populations) * 5)


@pytest.mark.parametrize(("update", "level"), [(1.0, logging.INFO), (1e6, logging.WARNING)])
def test_a_long_run_is_told_as_a_warning(update, level, caplog):
    cost = replace(COST, speed=replace(SPEED, neuron=0, step=0.0, sample=0, update=update))
    with caplog.at_level(logging.INFO, "snntoolbox"):
        tell_time("any", network(), cost, samples=1000, steps=10, batch=1)
    assert "for 1,000 samples of 10 steps" in caplog.messages[-1]
    assert caplog.records[-1].levelno == level


def test_nothing_is_said_where_nobody_measured(caplog):
    with caplog.at_level(logging.INFO, "snntoolbox"):
        tell_time("any", network(), COST, samples=1000, steps=10, batch=1)
    assert not caplog.messages
