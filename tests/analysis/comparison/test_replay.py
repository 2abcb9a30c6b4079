"""One population alone, on what came to it, does what it did in its network."""

import numpy as np
import pytest

from snntoolbox.analysis.comparison.replay import replay_of
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import NETWORKS
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.result import Record

WINDOWED = ["input in the first steps", "phases", "sums of windows", "digits", "digits of values", "first spikes",
            "products of counts", "products of digits", "sums of products"]  # fmt: skip


@pytest.mark.parametrize("name", WINDOWED)
def test_populations_with_windows(name):
    draft = Draft()
    NETWORKS[name](draft)
    network = draft.network()
    random = np.random.default_rng(0)
    x = [random.integers(-16, 17, (2, *network.wiring.shapes[n])) / 16 for n in network.encodings]
    steps = network.schedule.steps if network.schedule else 10
    spikes = interpret(network, *x, steps=steps, record=Record(spikes=True)).spikes
    raster = {n: train[:, 1] for n, train in spikes.items()}
    assert any(train.any() for train in raster.values())
    for population in network.populations:
        replay = replay_of(network, population, [a[1] for a in x], raster, 1)
        np.testing.assert_array_equal(replay.spikes(), raster[population])
