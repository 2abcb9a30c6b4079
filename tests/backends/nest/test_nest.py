"""What NEST does beyond the conformance suite: its parameters, threads, long runs, size limits and refusals."""

import logging
import math
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from snntoolbox.backends import estimates
from snntoolbox.backends.nest import backend as module
from snntoolbox.backends.nest.backend import NestBackend
from snntoolbox.backends.nest.kernel import time_constant
from snntoolbox.errors import BackendError, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.flat import flattened
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Add, Dense, Input
from snntoolbox.ir.result import Record

needs_nest = pytest.mark.skipif(
    find_spec("nest") is None and os.environ.get("CI") != "true", reason="NEST is not installed"
)
SIZE = 6


def network(coding=None, **neuron):
    """x -> a -> b -> c, a -> c, x -> c: the shorter arms have delays."""
    random = np.random.default_rng(0)

    def weight():
        # Never zero: an estimate counts zeros, a built network has none.
        return (random.integers(0, 6, (SIZE, SIZE)) * 2 - 3) / 16

    def population(name, current):
        shared = {"threshold": random.integers(8, 24, SIZE) / 16, "initial": random.integers(0, 8, SIZE) / 16}
        fields = {"scale": np.ones(1), "activation": name, "bias": np.full(SIZE, 1 / 8)}
        return Population(name=name, shape=(SIZE,), neuron=IF(**{**shared, **neuron}), current=current, **fields)

    nodes = [
        Input(name="x", shape=(SIZE,)),
        Dense(name="xa", inputs=("x",), weight=weight()),
        Dense(name="xc", inputs=("x",), weight=weight()),
        Input(name="a", shape=(SIZE,)),
        Dense(name="ab", inputs=("a",), weight=weight()),
        Dense(name="ac", inputs=("a",), weight=weight()),
        Input(name="b", shape=(SIZE,)),
        Dense(name="bc", inputs=("b",), weight=weight()),
        Add(name="sum", inputs=("xc", "ac", "bc")),
        Input(name="c", shape=(SIZE,)),
        Dense(name="co", inputs=("c",), weight=weight()),
    ]
    populations = [population("a", "xa"), population("b", "ab"), population("c", "sum")]
    readout = Readout(name="out", current="co", shape=(SIZE,))
    return SpikingNetwork(
        Graph(nodes, ["xa", "ab", "sum", "co"]), {"x": coding or ConstantCurrent()}, populations, [readout]
    )


X = np.random.default_rng(1).integers(-4, 17, (3, SIZE)) / 16


@needs_nest
@pytest.mark.parametrize(
    ("options", "steps", "coding"),
    [
        ({"threads": 2}, 30, ConstantCurrent()),
        ({"threads": 2}, 30, Poisson(seed=5)),
        # Beyond the 1000 ms after which these neurons would update what they learn.
        ({}, 2100, ConstantCurrent()),
    ],
    ids=["threads", "threads and Poisson", "long"],
)
def test_rasters_are_those_of_the_reference(options, steps, coding):
    net, record = network(coding), Record(spikes=True)
    expected = interpret(net, X, steps=steps, record=record)
    with NestBackend().build(net, **options) as executable:
        found = executable.run(X, steps=steps, record=record)
    for name, raster in expected.spikes.items():
        assert raster.any()
        np.testing.assert_array_equal(found.spikes[name], raster)


@pytest.mark.parametrize("leak", [0.5, 0.75, 0.875, 0.9, 0.99, 0.3, math.exp(-1 / 20), 1.0])
def test_time_constant_gives_the_leak_to_the_last_bit(leak):
    assert math.exp(-1 / time_constant(leak)) == leak


ODD = {
    "a reset potential that is not below the threshold": {
        "reset": Reset.ZERO,
        "reset_potential": 0.75,
        "threshold": 0.75,
    },
    "a leak during the refractory period, from a reset potential that is not 0": {
        "reset": Reset.ZERO,
        "reset_potential": -0.5,
        "refractory": 2,
        "leak": 0.5,
    },
    "refractory period with reset 'subtract'": {"refractory": 1},
}


@pytest.mark.parametrize(("reason", "neuron"), ODD.items(), ids=ODD)
def test_refuses_what_its_neurons_do_otherwise(reason, neuron):
    with pytest.raises(UnsupportedError) as caught:
        NestBackend().build(network(**neuron))
    assert [(o.layer, o.reason) for o in caught.value.offenders] == [(n, reason) for n in "abc"]


@pytest.mark.parametrize(
    ("options", "told"), [({"thread": 2}, "thread.*it has threads"), ({"threads": 0}, "0 threads")]
)
def test_refuses_options(options, told):
    with pytest.raises(BackendError, match=f"(?s){told}"):
        NestBackend().build(network(), **options)


def test_names_the_extra_where_nest_is_missing(monkeypatch):
    monkeypatch.setattr("snntoolbox.ir.capabilities.find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"(?s)not installed.*snntoolbox\[nest\]"):
        NestBackend().build(network())


@pytest.mark.parametrize("coding", [ConstantCurrent(), Poisson()])
def test_estimate_is_what_is_built(coding):
    size, flat = estimates.network_size(network(coding)), flattened(network(coding))
    assert (size.neurons, size.synapses) == (flat.neurons, flat.synapses)
    assert size.sources == sum(flat.inputs.values())


def test_refuses_what_is_too_large_unless_forced(monkeypatch, caplog):
    monkeypatch.setattr(module, "COST", replace(module.COST, most_synapses=100))
    monkeypatch.setattr(module, "Isolated", lambda *args, **options: "built")
    with pytest.raises(BackendError, match=r"(?s)108 synapses: about .*limit: 100 synapses.*force"):
        NestBackend().build(network())
    with caplog.at_level(logging.INFO, "snntoolbox"):
        assert NestBackend().build(network(), force=True) == "built"
    assert "18 neurons and 108 synapses" in caplog.text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (2048, "2.0 KiB"), (2**60, "1048576.0 TiB")]
)
def test_bytes_are_readable(count, text):
    assert estimates.readable(count) == text


@needs_nest
def test_kernel_is_quiet():
    code = "from snntoolbox.backends.nest.kernel import quiet_nest; quiet_nest().Create('eprop_iaf')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
