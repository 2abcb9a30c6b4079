"""Networks as modules of SpikingJelly, sinabs and snnTorch: the same spikes there, and files that stand alone."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn import network, samples
from dyadic import NETWORKS, rasters
from needed import needed

import snntoolbox as stb
from snntoolbox.analysis.conformance.equality import differences
from snntoolbox.backends.isolated import Isolated
from snntoolbox.backends.modules import checks, exporter
from snntoolbox.backends.modules.exporter import SpikingJellyExporter
from snntoolbox.backends.modules.libraries import LIBRARIES, SPIKINGJELLY
from snntoolbox.backends.modules.names import attribute_names
from snntoolbox.backends.modules.state import MODULE_ATTRIBUTES
from snntoolbox.backends.registry import exporter_named
from snntoolbox.errors import BackendError, UnsupportedError

NAMES = [library.name for library in LIBRARIES]


def replayed(exported, name, net, x, steps):
    options = {"folder": exported.folder, "neurons": exported.report["layers"]}
    with Isolated(checks.REPLAY, net, options, name=name) as replay:
        return replay.run(*x, steps=steps)


@pytest.fixture(scope="module", params=NETWORKS)
def drawn_network(request):
    net, x = NETWORKS[request.param]()
    return net, x, rasters(net, x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.one_in(4)
def test_no_cell_differs_from_ours(name, drawn_network, tmp_path):
    needed(name)
    net, x, ours = drawn_network
    exported = stb.export(net, name, tmp_path / "out", x, duration=4, check_samples=1)
    assert [c.outcome for c in exported.checks] == ["passed"]
    theirs = replayed(exported, name, net, (x,), 16)
    assert sum(int(s.sum()) for s in ours.spikes.values()) > 1000
    assert {n: int((theirs.spikes[n] != s).sum()) for n, s in ours.spikes.items()} == dict.fromkeys(ours.spikes, 0)
    assert np.allclose(theirs.output, ours.output)


STANDS_ALONE = """
import sys, torch
sys.modules["snntoolbox"] = None  # cannot be imported
sys.path.insert(0, sys.argv[1])
import network
module = network.load()
assert isinstance(module, torch.nn.Module)
for _ in range(2):  # a run begins anew
    print(*module(torch.full((2, 4, 6, 6), 0.5), steps=8)[0].tolist())
module.train()(torch.full((2, 4, 6, 6), 0.5), steps=8).sum().backward()
print(max(p.grad.abs().max().item() for p in module.parameters() if p.grad is not None) > 0)
module.float()(torch.full((2, 4, 6, 6), 0.5), steps=8)
"""


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_the_files_need_the_library_alone_and_can_be_trained(name, tmp_path):
    needed(name)
    net = network()
    x = [np.full((2, *net.wiring.shapes[n]), 0.5) for n in net.encodings]
    exported = stb.export(net, name, tmp_path / "out", x, duration=8, check_samples=0)
    assert exported.checks[0].why == "there are no samples to check it by"
    code = STANDS_ALONE.replace("(2, 4, 6, 6)", str(x[0].shape))
    done = subprocess.run(
        [sys.executable, "-c", code, exported.folder],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr
    first, second, trained = done.stdout.splitlines()
    assert first == second
    assert np.allclose([float(v) for v in first.split()], stb.simulate(net, x, duration=8).output[0])
    assert trained == "True"


def test_spikes_that_differ_are_told(monkeypatch, tmp_path):
    needed("spikingjelly")

    def to_zero(*neurons):
        return [line.replace("v_reset=None", "v_reset=0.0") for line in SPIKINGJELLY.make(*neurons)]

    monkeypatch.setattr(SpikingJellyExporter, "library", replace(SPIKINGJELLY, make=to_zero))
    net = network()
    (check,) = stb.export(net, SpikingJellyExporter(), tmp_path / "out", samples(net), duration=16).checks
    assert check.outcome == "failed"
    assert "cells differ, the first in" in check.why


@pytest.mark.parametrize("name", NAMES)
def test_without_the_library_it_is_written_and_not_checked(name, monkeypatch, tmp_path):
    monkeypatch.setattr(checks, "find_spec", lambda module: None)
    net = network()
    exported = stb.export(net, name, tmp_path / "out", samples(net), duration=4)
    assert exported.files == ("network.npz", "network.pt", "network.py")
    assert [c.outcome for c in exported.checks] == ["not checked"]
    assert "is not installed" in exported.checks[0].why
    assert list(differences(exporter_named(name).read(exported.folder), net)) == []
    assert "import snntoolbox" not in (exported.folder / "network.py").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_what_the_neurons_cannot_do_is_refused_by_layer(name, tmp_path):
    net = network(bits=0).with_neurons(reset="modulo")
    with pytest.raises(UnsupportedError) as error:
        stb.export(net, name, tmp_path / "out", samples(net))
    assert len(error.value.offenders) == len(net.populations)
    assert not any(tmp_path.iterdir())


def test_another_reset_potential_is_spikingjellys_alone(tmp_path):
    net = network(bits=0).with_neurons(reset="zero", reset_potential=0.25)
    taken = {n for n in NAMES if not exporter_named(n).capabilities.missing(net)}
    assert taken == {"spikingjelly"}


def test_options_that_cannot_be_are_refused(tmp_path):
    net = network()
    with pytest.raises(BackendError, match="check_samples = -1 is below 0"):
        stb.export(net, "sinabs", tmp_path / "out", samples(net), check_samples=-1)
    with pytest.raises(BackendError, match="has no option precision"):
        exporter.SinabsExporter().export(net, tmp_path, (), precision=16)


ODD = (
    "forward",
    "class",
    "a b",
    "a_b",
    "a_b_bias",
    "print",
    "torch",
    "7",
    "\n",
    "",
    "unit",
    "é",
    "a_b_2",
    "state_dict",
)


def test_names_are_those_that_attributes_can_have():
    names = attribute_names(ODD, MODULE_ATTRIBUTES)
    assert len(set(names.values())) == len(ODD)
    assert all(name.isidentifier() and not hasattr(torch.nn.Module(), name) for name in names.values())
    assert names["a b"] == "a_b"
    buffers = {f"{name}_bias" for name in names.values()}
    assert not buffers & set(names.values())
