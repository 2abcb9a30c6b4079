"""Exports to any exporter: the folder is all there or not at all, and what cannot be is refused before anything."""

from dataclasses import dataclass

import numpy as np
import pytest
from drawn import network, samples

import snntoolbox as stb
from snntoolbox.backends import registry
from snntoolbox.backends.export import checked_options, option_names
from snntoolbox.backends.fpga.exporter import FpgaExporter
from snntoolbox.backends.protocol import Check, Exported
from snntoolbox.backends.registry import backend_named
from snntoolbox.errors import BackendError, DataError, UnsupportedError
from snntoolbox.ir.features import WINDOWS
from snntoolbox.ir.files import MARKER, OutputError


class Writer:
    """An exporter of one file, without options."""

    name = "writer"
    capabilities = backend_named("INI").capabilities

    def export(self, network, folder, samples=(), **options):
        self.capabilities.check(self.name, network)
        (folder / "network.txt").write_text(f"{network.name}: {[a.shape for a in samples]} {options}")
        return Exported(folder=folder, checks=(Check(goal="spelling", outcome="passed"),), report={"lines": 1})


@dataclass(frozen=True, kw_only=True)
class Options:
    level: int = 1
    force: bool = False

    def __post_init__(self):
        if self.level > 9:
            raise BackendError(f"a level of {self.level} is above 9")


class WriterWithOptions(Writer):
    options = Options


class Stopping(Writer):
    """It writes a half and ends."""

    def export(self, network, folder, samples=(), **options):
        super().export(network, folder, samples)
        raise KeyboardInterrupt


def text(folder):
    return (folder / "network.txt").read_text()


def test_what_was_written_is_told_with_its_files(tmp_path):
    net = network()
    exported = stb.export(net, Writer(), tmp_path / "out", samples(net))
    assert exported.folder == tmp_path / "out"
    assert exported.files == ("network.txt",)
    assert (exported.checks[0].passed, exported.report) == (True, {"lines": 1})
    assert text(exported.folder).endswith(f"{[a.shape for a in samples(net)]} {{}}")


def test_samples_are_not_needed(tmp_path):
    assert text(stb.export(network(), Writer(), tmp_path / "out").folder).endswith("[] {}")


def test_windows_become_pulses_where_an_exporter_takes_those_alone(tmp_path):
    class Pulsed(Writer):
        capabilities = Writer.capabilities.without(WINDOWS)

        def export(self, network, folder, samples=(), **options):
            seen.append(network)
            return super().export(network, folder, samples)

    seen, net = [], network("phases")
    stb.export(net, Pulsed(), tmp_path / "out", samples(net))
    windows = [[p.neuron.window for p in n.populations.values()] for n in (net, seen[0])]
    assert (any(windows[0]), any(windows[1])) == (True, False)


def test_samples_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(DataError, match="samples have shape"):
        stb.export(network(), Writer(), tmp_path / "out", np.zeros((2, 1)))
    assert not any(tmp_path.iterdir())


def test_options_reach_the_exporter_and_force_too(tmp_path):
    net = network()
    stb.export(net, WriterWithOptions(), tmp_path / "out", level=3)
    assert text(tmp_path / "out").endswith("{'force': False, 'level': 3}")
    stb.export(net, WriterWithOptions(), tmp_path / "out", force=True)
    assert text(tmp_path / "out").endswith("{'force': True}")


# exporter, options -> what is said
BAD_OPTIONS = {
    "of an exporter without any": (Writer(), {"level": 3}, "backend 'writer' has no option level\n.*it has none"),
    "of another name": (WriterWithOptions(), {"depth": 3}, "has no option depth\n.*it has level = 1"),
    "of another type": (WriterWithOptions(), {"level": "3"}, "level = '3' is no whole number"),
    "of no such value": (WriterWithOptions(), {"level": 10}, "a level of 10 is above 9"),
    "missing": (FpgaExporter(), {}, "backend 'fpga' needs .* target\n.*\\(artix7 or .* generic\\), device = ''"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_options_are_refused(case, tmp_path):
    exporter, options, message = BAD_OPTIONS[case]
    with pytest.raises(BackendError, match=message):
        stb.export(network(), exporter, tmp_path / "out", **options)
    assert not any(tmp_path.iterdir())


def test_option_names_are_those_of_the_dataclass():
    assert option_names(WriterWithOptions()) == {"level", "force"}
    assert option_names(Writer()) == frozenset()
    assert checked_options(Writer(), {}, force=True) == {}, "it does not know force"


def test_an_interrupted_export_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        stb.export(network(), Stopping(), tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_an_earlier_export_is_replaced_if_forced_and_whole(tmp_path):
    net = network()
    stb.export(net, Writer(), tmp_path / "out")
    with pytest.raises(OutputError, match=r"is not empty\n.*--force"):
        stb.export(net, Writer(), tmp_path / "out", samples(net))
    with pytest.raises(KeyboardInterrupt):
        stb.export(net, Stopping(), tmp_path / "out", samples(net), force=True)
    assert text(tmp_path / "out").endswith("[] {}"), "as it was"
    stb.export(net, Writer(), tmp_path / "out", samples(net), force=True)
    assert not text(tmp_path / "out").endswith("[] {}")
    assert (tmp_path / "out" / MARKER).exists()


def test_a_folder_of_others_and_a_file_are_never_replaced(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="did not write, and is not replaced"):
        stb.export(network(), Writer(), tmp_path / "thesis", force=True)
    with pytest.raises(OutputError, match="is a file, not a folder"):
        stb.export(network(), Writer(), tmp_path / "thesis" / "thesis.tex", force=True)
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["thesis.tex"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    stb.export(network(), Writer(), tmp_path / "out")
    assert text(tmp_path / "out")


def test_what_cannot_be_written_is_refused_by_name_with_who_can(tmp_path, monkeypatch):
    monkeypatch.setattr(registry.plugins, "names", lambda group: ["fpga", "writer"])
    known = {"fpga": FpgaExporter(), "writer": Writer()}
    monkeypatch.setattr(registry.plugins, "load", lambda group, name, *rest: known[name])
    net = network(bits=0)
    with pytest.raises(UnsupportedError, match=r"(?s)backend 'fpga' cannot take.*hint: export --to writer") as refused:
        stb.export(net, "fpga", tmp_path / "out", samples(net), target="generic")
    assert refused.value.offenders == tuple(FpgaExporter.capabilities.missing(net))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("to", [5, backend_named("INI")], ids=["a number", "a backend"])
def test_what_is_no_exporter_is_refused(to, tmp_path):
    with pytest.raises(BackendError, match=r"is no exporter\n.*fpga"):
        stb.export(network(), to, tmp_path / "out")
