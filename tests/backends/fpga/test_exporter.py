"""FPGA projects as an exporter: the same files as a deployment, and the network that they were written from."""

import numpy as np
import pytest
from drawn import network, samples

import snntoolbox as stb
from snntoolbox.analysis.conformance.equality import differences
from snntoolbox.backends.fpga.exporter import FpgaExporter
from snntoolbox.errors import DataError, UnsupportedError

UNCHECKED = {"sim_seconds": 0, "synth_seconds": 0, "target": "generic", "duration": 8}


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_deployment_is_an_export_file_by_file(tmp_path):
    net = network()
    deployment = stb.deploy(net, samples(net), tmp_path / "deployed", samples=1, **UNCHECKED)
    exported = stb.export(net, "fpga", tmp_path / "exported", samples(net), bench_samples=1, **UNCHECKED)
    assert contents(deployment.folder) == contents(exported.folder)
    assert deployment.report == exported.report
    assert exported.files == deployment.files
    assert [c.goal for c in exported.checks][:2] == [
        "verilator --lint-only -Wall",
        "Icarus: every spike and output equal to the integer reference",
    ]
    assert {c.outcome for c in exported.checks} == {"not checked"}


def test_the_network_is_read_back(tmp_path):
    net = network("residual")
    exported = stb.export(net, "fpga", tmp_path / "out", samples(net), **UNCHECKED)
    assert list(differences(FpgaExporter().read(exported.folder), net)) == []


def test_the_report_has_the_accuracy_that_is_given(tmp_path):
    net = network()
    accuracies = {"samples": 2, "snn": 0.5}
    stb.export(net, FpgaExporter(lambda built, wide: accuracies), tmp_path / "out", samples(net), **UNCHECKED)
    assert "| spiking network, as deployed | 50.00% |" in (tmp_path / "out" / "report.md").read_text()


def test_samples_are_needed(tmp_path):
    net = network()
    for x in (None, [a[:0] for a in samples(net)]):
        with pytest.raises(DataError, match="no samples for the test bench"):
            stb.export(net, "fpga", tmp_path / "out", x, **UNCHECKED)
    assert not any(tmp_path.iterdir())


def test_it_refuses_by_itself_too(tmp_path):
    net = network(bits=0)
    with pytest.raises(UnsupportedError, match="backend 'fpga' cannot take"):
        FpgaExporter().export(net, tmp_path, tuple(np.asarray(a) for a in samples(net)), **UNCHECKED)
