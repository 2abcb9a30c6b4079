"""Every installed exporter passes every conformance case; and the suite notices exporters that are wrong."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from waiting import PATIENCE

import snntoolbox as stb
from snntoolbox.analysis.conformance import exporters
from snntoolbox.analysis.conformance.checks import ConformanceError
from snntoolbox.analysis.conformance.exporters import INTERRUPTED, check_case, check_interrupted, written_cases
from snntoolbox.backends.fpga import checks
from snntoolbox.backends.modules.libraries import LIBRARIES
from snntoolbox.backends.protocol import Check, Exported
from snntoolbox.backends.registry import backend_named, exporter_named, exporter_names
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.features import LEAK
from snntoolbox.ir.io import load_network, save
from snntoolbox.ir.nodes import Scale

CASES = {case.name: case for case in written_cases()}
OPTIONS = {"fpga": {"target": "generic", "sim_seconds": 0, "synth_seconds": 0}}
"""What an exporter cannot do without, and no checks: these take long."""


def runs():
    """Every case on every exporter; of modules one in turn, of others every second one; the rest is long."""
    modules = [library.name for library in LIBRARIES]
    for name in exporter_names():
        for number, case in enumerate(CASES):
            turn = modules[number % len(modules)] == name if name in modules else number % 2 == 0
            yield pytest.param(name, case, marks=() if turn else pytest.mark.long)


@pytest.mark.parametrize(("name", "case"), [*runs()])
def test_exporter_conforms(name, case):
    assert check_case(exporter_named(name), CASES[case], **OPTIONS.get(name, {})) in ("passed", "refused")


@pytest.mark.parametrize("name", exporter_names())
def test_interrupted_exports_leave_nothing(name):
    assert check_interrupted(exporter_named(name), **OPTIONS.get(name, {})) == "passed"


HARDWARE = exporter_named("fpga").capabilities
BENCHED = [name for name, case in CASES.items() if "integer grid" in name and not HARDWARE.missing(case.build())]
SHORT = ("integer grid: residual", "integer grid: poisson", "integer grid: residual, reset zero")


@pytest.mark.skipif(not shutil.which("iverilog") and not os.environ.get("CI"), reason="iverilog is not installed")
@pytest.mark.parametrize("case", [c if c in SHORT else pytest.param(c, marks=pytest.mark.long) for c in BENCHED])
def test_hardware_gives_the_spikes_of_the_network_that_is_read_back(case, monkeypatch, tmp_path):
    """Verilog cannot be read back: what it does is compared with the network by its own test bench."""
    which = shutil.which
    monkeypatch.setattr(checks.shutil, "which", lambda program: None if program == "verilator" else which(program))
    seen = []
    monkeypatch.setattr(exporters, "export", lambda *a, **k: seen.append(stb.export(*a, **k)) or seen[-1])
    options = {"target": "generic", "sim_seconds": PATIENCE, "synth_seconds": 0}
    assert check_case(exporter_named("fpga"), CASES[case], **options) == "passed"
    passed = [check.goal for check in seen[0].checks if check.passed]
    assert [goal.partition(":")[0] for goal in passed] == ["Icarus", "Icarus"]


class Saver:
    """An exporter that is right, but for its faults: our own format."""

    name = "saver"
    capabilities = backend_named("INI").capabilities

    def export(self, network, folder, samples=(), **options):
        self.capabilities.check(self.name, network)
        save(self.changed(network), folder / "network.npz")
        return Exported(folder=folder)

    def read(self, folder):
        return load_network(folder / "network.npz")

    def changed(self, network):
        return network


def changing(change):
    """An exporter that writes another network."""

    class Faulty(Saver):
        def changed(self, network):
            return change(network)

    return Faulty


def neurons(**changes):
    return changing(lambda network: network.with_neurons(**changes))


def populations(**changes):
    return changing(lambda n: n.replaced(populations=[replace(p, **changes) for p in n.populations.values()]))


def readouts(**changes):
    return changing(lambda n: n.replaced(readouts=[replace(r, **changes) for r in n.readouts]))


def one_weight(network):
    nodes = [n for n in network.wiring.nodes.values() if getattr(n, "weight", None) is not None]
    weight = np.where(np.arange(nodes[0].weight.size).reshape(nodes[0].weight.shape) == 0, 5.0, nodes[0].weight)
    return network.replaced(wiring=network.wiring.edited([replace(nodes[0], weight=weight)]))


def half_of_the_weights(network):
    nodes = [n for n in network.wiring.nodes.values() if isinstance(n, Scale)]
    halved = [replace(n, gain=n.gain / 2) for n in nodes]
    return network.replaced(wiring=network.wiring.edited(halved))


class WritesBeside(Saver):
    def export(self, network, folder, samples=(), **options):
        (folder.parent.parent / "notes.txt").write_text("of this export")
        return super().export(network, folder, samples)


class RefusesNothing(Saver):
    capabilities = Saver.capabilities.without(LEAK)

    def export(self, network, folder, samples=(), **options):
        save(network, folder / "network.npz")
        return Exported(folder=folder)


class RefusesVaguely(Saver):
    capabilities = Saver.capabilities.without(LEAK)

    def export(self, network, folder, samples=(), **options):
        raise UnsupportedError("this exporter", [])


class RefusesLate(Saver):
    capabilities = Saver.capabilities.without(LEAK)

    def export(self, network, folder, samples=(), **options):
        (folder / "half.txt").write_text("so far")
        self.capabilities.check(self.name, network)


class FailsItsOwnCheck(Saver):
    def export(self, network, folder, samples=(), **options):
        check = Check(goal="test bench", outcome="failed", why="3 words differ")
        return replace(super().export(network, folder, samples), checks=(check,))


# fault -> (exporter, a case that must notice it, what it says)
FAULTS = {
    "loses a bias": (populations(bias=None), "neuron: bias", "bias of population 'population0' is"),
    "loses the start": (neurons(initial=0.0), "neuron: start", "initial of neuron of population"),
    "loses a leak": (neurons(leak=1.0), "neuron: leak", "leak of neuron of population"),
    "loses the units": (readouts(scale=3.0), "network: residual", "scale of read-out 'out9' is 3.0"),
    "sorts read-outs": (
        changing(lambda network: network.replaced(readouts=network.readouts[::-1])), "network: two codings",
        "the read-outs are in the order out6, out7, out8, out9, not out9, out8, out7, out6",
    ),
    "a weight is wrong": (changing(one_weight), "map: convolution, 2 axes", "the projection from 'population0' to"),
    "a map is wrong": (changing(half_of_the_weights), "network: poisson", "the projection from 'input9' to"),
    "writes elsewhere": (WritesBeside, "network: residual", "beside the folder"),
    "writes what it cannot": (RefusesNothing, "neuron: leak", "taken, although its capabilities lack leak"),
    "refuses without a reason": (RefusesVaguely, "neuron: leak", "without naming population0 .*: leak"),
    "refuses too late": (RefusesLate, "neuron: leak", r"refused, but \['half.txt'\] written"),
    "fails its own check": (FailsItsOwnCheck, "network: residual", "test bench: 3 words differ"),
}


@pytest.mark.parametrize(("faulty", "case", "message"), FAULTS.values(), ids=FAULTS)
def test_a_wrong_exporter_is_noticed(faulty, case, message):
    assert check_case(Saver(), CASES[case]) == "passed"
    with pytest.raises(ConformanceError, match=f"^{case}: .*{message}"):
        check_case(faulty(), CASES[case])


def test_all_cases_are_told_and_all_failures_at_once(monkeypatch):
    some = [case for case in CASES.values() if case.name in ("neuron: bias", "network: residual")]
    some += list(CASES.values())[::10]
    monkeypatch.setattr(exporters, "written_cases", lambda: some)
    outcomes = stb.check_exporter(Saver())
    assert set(outcomes) == {*(case.name for case in some), INTERRUPTED}
    assert set(outcomes.values()) == {"passed"}
    with pytest.raises(ConformanceError, match=r"cases failed:\n(.|\n)*neuron: bias: (.|\n)*network: residual"):
        stb.check_exporter(populations(bias=None)())


class WriteOnly:
    """An exporter that cannot read what it writes."""

    name, capabilities = Saver.name, Saver.capabilities

    def __init__(self, *checks):
        self.checks = checks

    def export(self, network, folder, samples=(), **options):
        return replace(Saver().export(network, folder), checks=self.checks)


def test_what_can_neither_be_read_nor_checked_is_not_said_to_pass():
    case = CASES["network: residual"]
    assert check_case(WriteOnly(), case) == "not checked"
    assert check_case(WriteOnly(Check(goal="bench", outcome="not checked")), case) == "not checked"
    assert check_case(WriteOnly(Check(goal="bench", outcome="passed")), case) == "passed"


class LeavesTraces(Saver):
    """Where it is interrupted: the second export is begun in the folder of the first."""

    def export(self, network, folder, samples=(), **options):
        (folder.parent.parent / "started.txt").write_text("yes")
        return super().export(network, folder, samples)


class ChangesTheEarlier(Saver):
    def export(self, network, folder, samples=(), **options):
        for earlier in folder.parent.parent.glob("earlier/*.npz"):
            earlier.write_bytes(b"")
        return super().export(network, folder, samples)


@pytest.mark.parametrize(
    ("faulty", "message"), [(LeavesTraces, "leaves started.txt"), (ChangesTheEarlier, "changes an earlier one")]
)
def test_what_an_interrupted_export_leaves_is_noticed(faulty, message):
    assert check_interrupted(Saver()) == "passed"
    with pytest.raises(ConformanceError, match=message):
        check_interrupted(faulty())
