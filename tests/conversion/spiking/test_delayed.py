"""Delays of all projections: spikes come later, by as many steps for each layer on their way."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from dyadic import NETWORKS, dyadic

import snntoolbox as stb
from snntoolbox.conversion.schedules.registry import SCHEDULES
from snntoolbox.conversion.spiking.delayed import delayed
from snntoolbox.errors import ConversionError, UnsupportedError
from snntoolbox.ir.encodings import SpikeTimes
from snntoolbox.ir.features import DELAYS, features

STEPS = 20


def layers():
    torch.manual_seed(1)
    chain = [torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)]
    return torch.nn.Sequential(*chain).eval()


X = np.random.default_rng(0).integers(0, 17, (3, 6)) / 16


def converted(**choices):
    return dyadic(stb.convert(layers(), X.astype(np.float32), input_shape=(6,), **choices))


def rasters(network, simulator="INI", x=X):
    record = stb.Record(spikes=True, potentials=False)
    return stb.simulate(network, x, duration=STEPS, simulator=simulator, record=record).spikes


def test_a_spike_takes_so_many_steps_more_for_each_layer():
    network = stb.convert(layers(), input_shape=(6,), normalize=False, encoding=SpikeTimes())
    quiet = network.replaced(
        populations=[
            replace(p, bias=None, neuron=stb.IF(initial=0.999)) for p in network.populations.values()
        ]
    )
    train = np.zeros((1, 1, 6))
    train[0, 0] = 1
    before, after = rasters(quiet, x=train), rasters(delayed(quiet, 2), x=train)
    for depth, name in enumerate(quiet.populations, 1):
        assert before[name].any()
        np.testing.assert_array_equal(after[name][2 * depth :], before[name][: -2 * depth])
        assert not after[name][: 2 * depth].any()


def test_constant_currents_come_as_ever():
    network = converted()
    first, second = network.populations
    before, after = rasters(network), rasters(delayed(network, 3))
    np.testing.assert_array_equal(before[first], after[first])
    assert (before[second] != after[second]).any()


def test_no_steps_are_no_change():
    network = converted()
    assert delayed(network, 0) is network


@pytest.mark.parametrize("simulator", ["brian2", "nest", "pynn.brian2", "pynn.nest", "pynn.neuron", "sanafe"])
@pytest.mark.parametrize("steps", [3])
@pytest.mark.one_in(2)
def test_every_simulator_has_the_same_spikes(simulator, steps):
    pytest.importorskip({"pynn.neuron": "neuron", "pynn.brian2": "pyNN", "pynn.nest": "nest"}.get(simulator, simulator))
    network = stb.convert(layers(), X.astype(np.float32), input_shape=(6,), weight_bits=8, delay=steps)
    reference = rasters(network)
    found = rasters(network, simulator)
    assert any(raster.any() for raster in reference.values())
    for name, raster in reference.items():
        np.testing.assert_array_equal(found[name], raster)


@pytest.mark.parametrize("name", NETWORKS)
def test_engines_agree_on_layers_of_all_kinds(name):
    network, x = NETWORKS[name]()
    late = delayed(network, 2)
    for engine in ("reference", "event"):
        others = stb.simulate(late, x, duration=16, engine=engine, record=stb.Record(spikes=True)).spikes
        for population, raster in stb.simulate(late, x, duration=16, record=stb.Record(spikes=True)).spikes.items():
            np.testing.assert_array_equal(others[population], raster)


def test_the_grid_keeps_its_proof():
    network = stb.convert(layers(), X.astype(np.float32), input_shape=(6,), weight_bits=8, delay=2, duration=16)
    plain = stb.convert(layers(), X.astype(np.float32), input_shape=(6,), weight_bits=8, duration=16)
    assert network.grid.growth >= 1
    assert DELAYS in {asked.feature for asked in features(network)}
    assert DELAYS not in {asked.feature for asked in features(plain)}


@pytest.mark.parametrize("schedule", sorted({*SCHEDULES} - {"rate"}))
def test_schedules_that_say_when_spikes_count_refuse_it(schedule):
    with pytest.raises(ConversionError, match="a delay of its own needs schedule = rate"):
        stb.Recipe(schedule=schedule, delay=2)


def test_verilog_refuses_it_by_name():
    network = stb.convert(layers(), X.astype(np.float32), input_shape=(6,), weight_bits=8, delay=2)
    with pytest.raises(UnsupportedError, match="a delay of its own"):
        stb.simulate(network, X, duration=4, simulator="verilog")
