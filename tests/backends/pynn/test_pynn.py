"""PyNN beyond the conformance suite: the compiled mechanism, nothing left of old networks, refusals."""

import os
import shutil
import stat
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from snntoolbox.backends.pynn import mechanism
from snntoolbox.backends.pynn.backend import PynnBrian2Backend, PynnNestBackend, PynnNeuronBackend
from snntoolbox.errors import BackendError, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Dense, Input

BACKENDS = {b.name: b for b in (PynnNestBackend, PynnNeuronBackend, PynnBrian2Backend)}
CI = os.environ.get("CI") == "true"
needs_neuron = pytest.mark.skipif(
    not CI and (find_spec("neuron") is None or find_spec("pyNN") is None), reason="NEURON or PyNN is not installed"
)


def network(**neuron):
    nodes = [
        Input(name="x", shape=(2,)),
        Dense(name="xa", inputs=("x",), weight=np.eye(2)),
        Input(name="a", shape=(2,)),
        Dense(name="ab", inputs=("a",), weight=np.eye(2)),
        Input(name="b", shape=(2,)),
        Dense(name="bo", inputs=("b",), weight=np.eye(2)),
    ]
    populations = [
        Population(name=n, shape=(2,), neuron=IF(**neuron), current=c, scale=np.ones(1), activation=n)
        for n, c in (("a", "xa"), ("b", "ab"))
    ]
    readouts = [Readout(name="out", current="bo", shape=(2,))]
    return SpikingNetwork(Graph(nodes, ["xa", "ab", "bo"]), {"x": ConstantCurrent()}, populations, readouts)


@pytest.mark.parametrize("name", BACKENDS)
def test_names_the_extra_where_pynn_is_missing(name, monkeypatch):
    monkeypatch.setattr("snntoolbox.ir.capabilities.find_spec", lambda name: None)
    with pytest.raises(BackendError, match=rf"(?s){name}.*not installed.*snntoolbox\[pynn\]"):
        BACKENDS[name]().build(network())


@pytest.mark.parametrize("name", BACKENDS)
def test_refuses_options(name):
    with pytest.raises(BackendError, match="no option threads"):
        BACKENDS[name]().build(network(), threads=2)


def test_on_nest_it_can_do_what_nest_can():
    with pytest.raises(UnsupportedError) as caught:
        PynnNestBackend().build(network(reset=Reset.ZERO, reset_potential=2.0))
    assert {o.reason for o in caught.value.offenders} == {"a reset potential that is not below the threshold"}


SIDE_BY_SIDE = """
import sys
import numpy as np
from snntoolbox.backends.pynn import engine
from snntoolbox.backends.pynn.simulation import Simulation
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.result import Record
sys.path.insert(0, sys.argv[1])
from test_pynn import network
engine.MOST_SYNAPSES = 2 * 2  # there is room for two samples
net = network(initial=0.25)
with Simulation(net, below=sys.argv[2]) as simulation:
    for samples, copies in ((1, 1), (5, 2), (3, 2), (4, 2)):
        x = np.random.default_rng(samples).integers(0, 8, (samples, 2)) / 8
        found = simulation.run(x, steps=9, record=Record(spikes=True, potentials=True))
        assert simulation.engine.copies == copies, simulation.engine.copies
        expected = interpret(net, x, steps=9, record=Record(spikes=True, potentials=True))
        for name in net.populations:
            np.testing.assert_array_equal(found.spikes[name], expected.spikes[name])
            np.testing.assert_array_equal(found.potentials[name], expected.potentials[name])
"""


@pytest.mark.long
@pytest.mark.parametrize("below", ["brian2", "nest"])
def test_samples_run_side_by_side(below):
    if not CI and (find_spec("pyNN") is None or find_spec(below) is None):
        pytest.skip(f"PyNN or {below} is not installed")
    command = [sys.executable, "-c", SIDE_BY_SIDE, os.path.dirname(__file__), below]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


LEFT_OVER = """
import numpy as np
from snntoolbox.backends.pynn.simulation import Simulation
import sys
sys.path.insert(0, sys.argv[1])
from test_pynn import network
for _ in range(3):
    with Simulation(network(), below="neuron") as simulation:
        simulation.run(np.full((2, 2), 0.5), steps=6)
from neuron import h
print(int(h.List("SNNToolboxIF").count()), int(h.List("NetCon").count()))
"""


@needs_neuron
@pytest.mark.long
def test_neuron_is_empty_after_a_network():
    folder = os.path.dirname(__file__)
    done = subprocess.run([sys.executable, "-c", LEFT_OVER, folder], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["0", "0"]


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """A stand-in for NEURON's compiler that counts its calls."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    calls = tmp_path / "calls"
    calls.write_text("")
    stand_in = program(tmp_path / "nrnivmodl", f"echo call >> {calls}\nls *.mod && mkdir $(uname -m)")
    monkeypatch.setattr(mechanism, "compiler", lambda: stand_in)
    return lambda: len(calls.read_text().splitlines())


def test_mechanism_is_compiled_once_per_version(compiled):
    first = mechanism.compiled_mechanism("9.0")
    assert (first / mechanism.SOURCE).read_bytes().startswith(b"COMMENT")
    assert mechanism.compiled_mechanism("9.0") == first
    assert compiled() == 1
    assert mechanism.compiled_mechanism("9.1") != first
    assert compiled() == 2


def test_failed_compilation_says_why_and_leaves_nothing(compiled, monkeypatch, tmp_path):
    monkeypatch.setattr(mechanism, "compiler", lambda: program(tmp_path / "bad", "echo wrong line; exit 2"))
    with pytest.raises(BackendError, match=r"(?s)does not compile.*wrong line"):
        mechanism.compiled_mechanism("9.0")
    assert not list((tmp_path / "cache" / "snntoolbox").iterdir())


def test_cache_that_cannot_be_written_is_told(compiled, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(BackendError, match=r"(?s)cannot be kept.*XDG_CACHE_HOME"):
        mechanism.compiled_mechanism("9.0")


@pytest.mark.parametrize("missing", mechanism.TOOLS)
def test_missing_compiler_is_told_before_anything_runs(missing, monkeypatch):
    monkeypatch.setattr("snntoolbox.ir.capabilities.find_spec", lambda name: True)
    found = shutil.which
    monkeypatch.setattr(mechanism.shutil, "which", lambda tool: None if tool == missing else found(tool) or tool)
    with pytest.raises(BackendError, match=rf"(?s)no {missing.replace('+', '.')}.*apt install g"):
        PynnNeuronBackend().build(network())
