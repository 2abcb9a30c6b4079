"""`snntoolbox export`: converts as a run does, writes by any exporter, and refuses before long work."""

import json

import pytest

import snntoolbox as stb
from snntoolbox.backends.registry import exporter_named
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.stories.export import exporter_options

SHORT = ["--set", "simulation.duration=2", "--set", "simulation.num_to_test=20"]
SHORT += ["--set", "conversion.layer_correction=none"]
UNCHECKED = ["--option", "sim_seconds=0", "--option", "synth_seconds=0", "--option", "bench_samples=1"]
ARTIX = ["--option", "target=artix7"]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """The demo in the current folder."""
    demo.copy_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def export(*more, to="fpga"):
    return main(["export", "demo_onnx.ini", "--to", to, "-o", "out", *SHORT, *more])


def test_the_network_is_converted_and_written(workspace, capsys):
    assert export(*UNCHECKED, *ARTIX) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "not checked Icarus: every spike and output equal to the integer reference: no time was given" in out
    files = [p for p in (workspace / "out").rglob("*") if p.is_file() and p.name != ".snntoolbox"]
    assert f"Written: {len(files)} files in out" in out
    report = json.loads((workspace / "out" / "report.json").read_text())
    # The grid that the exporter needs and the configuration does not name; the duration of the configuration.
    assert (report["weight_bits"], report["steps"], report["target"]) == (8, 2, "artix7")
    assert stb.load_network(workspace / "out" / "network.npz").grid.weight_bits == 8


def test_options_and_settings_go_before_the_usual(workspace):
    assert export(*UNCHECKED, *ARTIX, "--option", "duration=3", "--set", "conversion.weight_bits=6") == 0
    report = json.loads((workspace / "out" / "report.json").read_text())
    assert (report["weight_bits"], report["steps"]) == (6, 3)


def test_a_saved_network_is_written_for_the_duration_of_the_settings(workspace):
    grid = ["--set", "conversion.weight_bits=8"]
    assert main(["run", "demo_onnx.ini", *SHORT, *grid]) == 0
    saved = [*grid, "--set", "tools.parse=False", "--set", "tools.convert=False"]
    assert export(*UNCHECKED, *ARTIX, *saved, "--set", "simulation.duration=3") == 0
    assert json.loads((workspace / "out" / "report.json").read_text())["steps"] == 3


def test_a_check_that_failed_gives_1(workspace, monkeypatch):
    from snntoolbox.backends.fpga import write
    from snntoolbox.backends.fpga.checks import Measurements
    from snntoolbox.backends.protocol import Check

    failed = Measurements(
        checks=(Check(goal="lint", outcome="failed", why="1 warning"),), clocks=None, resources=None, routed_mhz=None
    )
    monkeypatch.setattr(write, "run_checks", lambda *arguments: failed)
    assert export(*UNCHECKED, *ARTIX) == 1


# what is asked for -> what the message must say
BAD = {
    "unknown exporter": (["--to", "loihi"], "there is no exporter named 'loihi'\n  hint: known: fpga"),
    "a simulator": (["--to", "INI"], "'INI' runs networks and cannot write them"),
    "no target": ([], "backend 'fpga' needs the option target"),
    "unknown option": ([*ARTIX, "--option", "lane=2"], "has no option lane\n  hint: it has target (artix7 or "),
    "no value": (["--option", "target"], "--option target has no value"),
    "no number": ([*ARTIX, "--option", "lanes=two"], "--option lanes = two is not an integer"),
    "no such value": ([*ARTIX, "--option", "lanes=3"], "power of two"),
    "a leak": ([*ARTIX, "--set", "cell.leak=True", "--set", "cell.tau_m=20"], "needs neurons without leak"),
    "nothing to write": (
        [*ARTIX, "--set", "tools.convert=False", "--set", "tools.simulate=False"],
        "there is no spiking network to write\n  hint: set convert = True",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(case, workspace, capsys):
    arguments, message = BAD[case]
    assert export(*UNCHECKED, *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (workspace / "out").exists()


@pytest.mark.parametrize("case", ["a leak", "no such value", "a used folder"])
def test_refusals_come_before_the_conversion(case, workspace, monkeypatch, capsys):
    from snntoolbox.workflow import preparation

    monkeypatch.setattr(preparation, "settle", lambda *arguments: pytest.fail("thresholds are chosen"))
    (workspace / "out").mkdir()
    if case == "a used folder":
        (workspace / "out" / "thesis.tex").write_text("years of work")
    arguments, message = BAD.get(case, (ARTIX, "is not empty"))
    assert export(*arguments) == 2
    assert message in capsys.readouterr().err


def test_an_earlier_export_is_replaced_if_forced(workspace, capsys):
    assert export(*UNCHECKED, *ARTIX) == 0
    assert export(*UNCHECKED, "--option", "target=generic") == 2
    assert "'out' is not empty\n  hint: choose another output folder; --force" in capsys.readouterr().err
    assert export(*UNCHECKED, "--option", "target=generic", "--force") == 0
    assert json.loads((workspace / "out" / "report.json").read_text())["target"] == "generic"


def test_foreign_files_are_not_replaced_even_if_forced(workspace, capsys):
    (workspace / "out").mkdir()
    (workspace / "out" / "thesis.tex").write_text("years of work")
    assert export(*UNCHECKED, *ARTIX, "--force") == 2
    assert "is not replaced" in capsys.readouterr().err
    assert [p.name for p in (workspace / "out").iterdir()] == ["thesis.tex"]


def test_what_is_too_large_is_written_if_forced(workspace, capsys):
    assert export(*UNCHECKED, "--option", "target=ice40") == 2
    assert "too large for ice40 hx8k" in capsys.readouterr().err
    assert export(*UNCHECKED, "--option", "target=ice40", "--force") == 0


def test_the_same_files_as_a_deployment_but_for_the_accuracy(workspace):
    assert export(*UNCHECKED, *ARTIX) == 0
    unchecked = ["--sim-seconds", "0", "--synth-seconds", "0", "--samples", "1"]
    assert main(["deploy", "demo_onnx.ini", "--target", "artix7", "-o", "deployed", *SHORT, *unchecked]) == 0
    folders = [workspace / "out", workspace / "deployed"]
    files = [{p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in folders]
    assert {str(p) for p in files[0].keys() | files[1].keys() if files[0].get(p) != files[1].get(p)} == {
        ".snntoolbox",  # lists the files with their digests
        "report.json",
        "report.html",
        "report.md",
    }
    assert "## Accuracy" in (workspace / "deployed" / "report.md").read_text()


def test_options_get_the_types_that_the_exporter_names():
    texts = ["target=ice40", "lanes = 2", "saturate=yes", "clock_mhz=33", "duration=4", "other=x=y"]
    assert exporter_options(exporter_named("fpga"), texts) == {
        "target": "ice40",
        "lanes": 2,
        "saturate": True,
        "clock_mhz": 33.0,
        "duration": 4.0,
        "other": "x=y",
    }


def test_a_network_is_held_against_the_form_that_is_written(workspace, capsys):
    """Windows become pulses on the integer grid, for who has these."""
    windows = ["--set", "conversion.schedule=phased", "--set", "conversion.weight_bits=8"]
    assert export(*windows, to="spikingjelly") == 0
    assert (workspace / "out" / "network.py").is_file()
