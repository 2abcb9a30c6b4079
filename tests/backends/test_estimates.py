"""What a simulator will need is told for all copies of a network that it builds."""

import logging
import math
from dataclasses import replace

import pytest
from drawn import network

from snntoolbox.backends.checking import all_capabilities
from snntoolbox.backends.estimates import Cost, check_size, network_size
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
    assert {"brian2", "nest", "lava", "pynn.nest", "pynn.neuron"} <= {*costly}
    for name, backend in costly.items():
        assert (backend.cost.together > 0) == (BATCHES in backend.capabilities.features), name
