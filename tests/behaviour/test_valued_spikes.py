"""Spikes with signs and values: the same ones on every simulator that has them, and refused by name by the others."""

import numpy as np
import pytest
import torch
from dyadic import dyadic

import snntoolbox as stb
from snntoolbox.errors import UnsupportedError

X = np.random.default_rng(0).integers(0, 17, (4, 1, 5, 5)).astype(np.float32) / 16
DRAWN = {"encoding": stb.Poisson(amplitude=4.0)}
KINDS = {
    "bursts": {"neuron": stb.IF(initial=0.5, levels=(1.0, 2.0, 3.0))},
    "signed": {"neuron": stb.IF(initial=0.5, negative="memory"), **DRAWN},
    "several thresholds": {"neuron": stb.IF(initial=0.125, levels=(1.0, 0.5, 0.25), negative="memory")},
    "signed, late": {"neuron": stb.IF(initial=0.5, negative="memory"), "delay": 3, **DRAWN},
    "differential": {"schedule": "differential"},
}


class Residual(torch.nn.Module):
    """An arm that waits for a longer one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.first, self.second = (torch.nn.Conv2d(n, 3, 3, padding=1) for n in (1, 3))
        self.last = torch.nn.Linear(75, 4)

    def forward(self, x):
        first = torch.relu(self.first(x))
        return self.last(torch.relu(first + self.second(first)).flatten(1))


def converted(**choices):
    """Scales are powers of two, so that all weights and sums are exact."""
    plain = {"normalize": False, "layer_correction": "none", "readout_correction": 0}
    network = stb.convert(Residual().eval(), X, **plain, **choices)
    return dyadic(network)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.one_in(3)
def test_brian2_has_them_spike_by_spike(kind):
    pytest.importorskip("brian2")
    network, record = converted(**KINDS[kind]), stb.Record(spikes=True, outputs_per_step=True)
    expected = stb.simulate(network, X, duration=12, record=record)
    found = stb.simulate(network, X, duration=12, simulator="brian2", record=record)
    values = np.concatenate([np.unique(raster) for raster in expected.spikes.values()])
    assert set(values.tolist()) - {0.0, 1.0}
    for name, raster in expected.spikes.items():
        np.testing.assert_array_equal(found.spikes[name], raster)
        np.testing.assert_array_equal(found.counts[name], expected.counts[name])
        np.testing.assert_array_equal(found.events[name], expected.events[name])
    np.testing.assert_allclose(found.output, expected.output, atol=1e-6)


@pytest.mark.parametrize("simulator", ["nest", "pynn.nest", "pynn.neuron", "verilog", "sanafe"])
@pytest.mark.parametrize(("kind", "words"), [("bursts", "spikes that carry values"), ("signed", "signed spikes")])
def test_others_refuse_them_by_name(simulator, kind, words):
    with pytest.raises(UnsupportedError, match=rf"{words}(.|\n)*simulator = INI or brian2 or pynn\.brian2"):
        stb.simulate(converted(**KINDS[kind]), X, duration=4, simulator=simulator)
