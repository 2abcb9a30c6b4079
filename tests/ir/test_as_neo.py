"""A result's recordings as Neo's objects: each spike at its time, each trace with its period."""

import sys

import numpy as np
import pytest

from snntoolbox.errors import DataError, SNNToolboxError
from snntoolbox.ir.result import Result

RNG = np.random.default_rng(0)
SPIKES, TRACES = RNG.random((7, 3, 2, 4)) < 0.4, RNG.random((7, 3, 5))


def result(**more):
    return Result(steps=7, samples=3, counts={}, outputs={"out": np.zeros((3, 2))}, **more)


def test_trains_and_traces():
    pytest.importorskip("neo")
    block = result(spikes={"conv": SPIKES}, potentials={"fc": TRACES}).to_neo()
    assert [segment.name for segment in block.segments] == ["sample 0", "sample 1", "sample 2"]
    for sample, segment in enumerate(block.segments):
        assert len(segment.spiketrains) == 8
        for neuron, train in enumerate(segment.spiketrains):
            fired = SPIKES[:, sample].reshape(7, -1)[:, neuron]
            np.testing.assert_array_equal(train.rescale("ms").magnitude, 1 + np.flatnonzero(fired))
            assert train.annotations == {"layer": "conv", "neuron": neuron}
            assert float(train.t_stop) == 7
        (signal,) = segment.analogsignals
        np.testing.assert_array_equal(signal.magnitude, TRACES[:, sample])
        np.testing.assert_allclose(signal.times.rescale("ms").magnitude, np.arange(1, 8))


def test_nothing_recorded_is_told():
    pytest.importorskip("neo")
    with pytest.raises(DataError, match="recorded"):
        result().to_neo()


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "neo", None)
    with pytest.raises(SNNToolboxError) as caught:
        result(spikes={"conv": SPIKES}).to_neo()
    assert "snntoolbox[neo]" in caught.value.hint
