"""The command line itself: its commands, how it prints, how fast it starts."""

import ctypes
import json
import logging
import os
import re
import resource
import signal
import subprocess
import sys
import time

import pytest
from waiting import PATIENCE

from snntoolbox import __version__
from snntoolbox.errors import DataError
from snntoolbox.ir.files import RunFolder
from snntoolbox.ir.writing import write_text
from snntoolbox.workflow import cli, demo
from snntoolbox.workflow.cli import main

SHORT = [
    part
    for item in ("simulation.num_to_test=20", "simulation.batch_size=8", "conversion.layer_correction=none")
    for part in ("--set", item)
]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """The demo in the current folder."""
    demo.copy_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(*arguments):
    """Run as a user does; returns the exit code, standard output and standard error."""
    call = [sys.executable, "-m", "snntoolbox.workflow.cli", *arguments]
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}  # importing readline sets them
    done = subprocess.run(call, capture_output=True, encoding="utf-8", timeout=PATIENCE, env=environment)
    return done.returncode, done.stdout, done.stderr


def read_report(folder):
    return json.loads((folder / "log" / "demo_onnx" / "report.json").read_text())


CALLS = {
    "config": ["demo_onnx.ini", *SHORT],
    "run": ["run", "demo_onnx.ini", *SHORT],
    "-t behind": ["demo_onnx.ini", "-t", *SHORT],
    "-t before": ["-t", "demo_onnx.ini", *SHORT],
    "keys before": [*SHORT, "--terminal", "demo_onnx.ini"],
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.one_in(2)
def test_ways_to_run(call, workspace):
    assert main(call) == 0
    assert read_report(workspace)["samples"] == 20


def test_the_last_override_counts(workspace):
    assert main(["demo_onnx.ini", *SHORT, "--set", "simulation.num_to_test=3"]) == 0
    assert read_report(workspace)["samples"] == 3


@pytest.mark.long
def test_as_a_program(workspace):
    code, out, err = called("demo_onnx.ini", *SHORT)
    assert (code, err) == (0, "")
    found = read_report(workspace)
    lines = out.splitlines()
    assert any(re.search(rf"ANN .*{found['ann_accuracy']:.2%} .* 20$", line) for line in lines)
    assert any(re.search(rf"SNN, 64 ms on INI .*{found['snn_accuracy']:.2%} ", line) for line in lines)
    assert any(re.search(r"max_pool\.larger_2 +16x4x4 +256 +0\.\d{4} +0\.9\d{3} +Add$", line) for line in lines)
    assert f"Report: {workspace / 'log' / 'demo_onnx' / 'report.json'}" in lines
    assert f"Page:   {workspace / 'log' / 'demo_onnx' / 'report.html'}" in lines


def test_version_and_help(capsys):
    for option, text in {"--version": __version__, "--help": "short for `snntoolbox run config.ini`"}.items():
        with pytest.raises(SystemExit) as stopped:
            main([option])
        assert stopped.value.code == 0
        assert text in capsys.readouterr().out


HEAVY = "torch", "numpy", "scipy", "networkx", "onnx", "keras", "rich", "matplotlib"


@pytest.mark.parametrize("code", ["import snntoolbox", "import sys; sys.argv[1:] = ['--help']; main()"])
def test_starting_loads_nothing_heavy(code):
    """What keeps `import snntoolbox` and `--help` below half a second, whatever else the machine does."""
    script = f"import sys\nfrom snntoolbox.workflow.cli import main\ntry:\n    {code}\nexcept SystemExit: pass\n"
    script += f"print('LOADED', [m for m in {HEAVY} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "LOADED []"


def test_help_is_fast():
    """In time of the processor, whatever else the machine does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert called("--help")[0] == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


# -- what is printed ------------------------------------------------------------------------------------------------


def test_only_results(workspace, capsys):
    assert main(["demo_onnx.ini", *SHORT, "--set", "output.verbose=0", "--set", "simulation.duration=1"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "SNN, 1 ms on INI" in captured.out
    assert read_report(workspace)["warnings"] != []


def test_warnings(workspace, capsys):
    assert main(["demo_onnx.ini", *SHORT, "--set", "simulation.duration=1"]) == 0
    assert re.search(r"^WARNING: .*agrees .* only", capsys.readouterr().err)


def test_details(workspace, capsys):
    assert main(["demo_onnx.ini", *SHORT, "--set", "output.verbose=2"]) == 0
    err = capsys.readouterr().err
    for stage in ("parse", "evaluate", "convert", "simulate"):
        assert re.search(rf"^INFO: {stage} took \d+\.\d+ s$", err, re.MULTILINE)
    assert logging.getLogger().level == logging.WARNING  # other packages' details are not ours


# -- init -----------------------------------------------------------------------------------------------------------


def test_init_writes_a_configuration_that_runs(workspace, capsys):
    assert main(["init", "digits_cnn.onnx"]) == 0
    assert "config.ini" in capsys.readouterr().out
    text = (workspace / "config.ini").read_text()
    assert text.startswith("# digits_cnn.onnx takes samples of shape (8, 8):")
    assert "filename_ann = digits_cnn.onnx" in text
    assert "model_lib = onnx" in text
    assert main(["config.ini", *SHORT]) == 0
    report = json.loads((workspace / "log" / "test" / "report.json").read_text())
    assert report["snn_accuracy"] > 0.9


def test_init_elsewhere(workspace, capsys):
    (workspace / "other").mkdir()
    assert main(["init", "digits_cnn", "-o", "other/mine.ini"]) == 0  # the only model of this name here
    assert f"path_wd = {workspace}" in (workspace / "other" / "mine.ini").read_text()
    assert main(["other/mine.ini", *SHORT]) == 0


def test_init_replaces_when_told(workspace):
    (workspace / "config.ini").write_text("mine")
    assert main(["init", "digits_cnn.onnx"]) == 2
    assert (workspace / "config.ini").read_text() == "mine"
    assert main(["init", "digits_cnn.onnx", "--force"]) == 0
    assert "filename_ann = digits_cnn.onnx" in (workspace / "config.ini").read_text()


# -- inspect --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "pools"), [("relu_tree", "max_pool.larger"), ("gate", "max_pool")])
def test_inspect_lists_layers(option, pools, workspace, capsys):
    before = sorted(workspace.rglob("*"))
    assert main(["inspect", "digits_cnn.onnx", "--maxpool-type", option]) == 0
    out = capsys.readouterr().out
    for text in ("digits_cnn.onnx (onnx)", "relu1", "relu4", "16x8x8", "Equal to the original", pools):
        assert text in out
    assert ("max_pool.larger" in out) == (option == "relu_tree")
    assert sorted(workspace.rglob("*")) == before


SET = {
    "gate": ("conversion.maxpool_type=gate", 0, "max_pool  "),
    "phased": ("conversion.schedule=phased", 0, "runs:    phased"),
    "windows by pulses": (["conversion.schedule=phased", "conversion.weight_bits=8"], 0, "INI, brian2, nest"),
    "bits": ("conversion.weight_bits=8", 0, "8-bit"),
    "simulator": ("simulation.simulator=nest", 0, "Simulator 'nest' can run it"),
    "refused": ("cell.levels=[1, 0.5]", 2, "'nest' cannot take"),
    "unknown": ("conversion.schedul=phased", 2, "--set has a problem"),
}


@pytest.mark.parametrize("case", SET)
def test_inspect_takes_what_a_configuration_says(case, workspace, capsys):
    change, code, words = SET[case]
    simulator = ["--simulator", "nest"] if case == "refused" else []
    changes = [word for one in ([change] if isinstance(change, str) else change) for word in ("--set", one)]
    assert main(["inspect", "digits_cnn.onnx", *changes, *simulator]) == code
    told = capsys.readouterr()
    assert words in (told.err if code else told.out)
    if not code:
        assert "Parameters are counted as they are after folding" in " ".join(told.out.split())


# -- demo -----------------------------------------------------------------------------------------------------------


def test_demo_twice_keeps_a_changed_configuration(workspace, capsys):
    config = workspace / "d" / "demo_onnx.ini"
    config.parent.mkdir()
    shorter = demo.config("onnx").replace("num_to_test = -1", "num_to_test = 5")
    config.write_text(shorter)
    for _ in range(2):
        assert main(["demo", "--folder", "d"]) == 0
    assert config.read_text() == shorter
    assert read_report(workspace / "d")["samples"] == 5


def test_capabilities_of_every_simulator(capsys):
    assert main(["capabilities"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    names = {"INI", "brian2", "nest", "pynn.brian2", "pynn.nest", "pynn.neuron", "verilog"}
    assert names <= {line.split()[1] for line in lines if len(line.split()) > 2 and line.split()[2] == "runs"}
    assert main(["capabilities", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["nest"]["reset by modulo"] is False
    assert data["INI"]["installed here"] is True


@pytest.mark.parametrize(("sent", "code"), [("SIGTERM", 128 + signal.SIGTERM), ("SIGINT", 2)])
def test_a_signal_that_a_callback_drops_is_sent_again(sent, code, monkeypatch, capsys):
    """Compiled libraries call back into Python, and what is raised there goes nowhere."""
    number = getattr(signal, sent)
    before = signal.signal(number, signal.default_int_handler if sent == "SIGINT" else signal.SIG_DFL)

    @ctypes.CFUNCTYPE(None)
    def callback():
        os.kill(os.getpid(), number)
        for _ in range(1000):
            pass

    def busy(options):
        callback()
        time.sleep(3600)

    monkeypatch.setattr("snntoolbox.workflow.commands.capabilities.execute", busy)
    hook = sys.unraisablehook
    try:
        assert cli.main(["capabilities"]) == code
    finally:
        signal.signal(number, before)
    assert sys.unraisablehook is hook
    assert capsys.readouterr().err.count("results of earlier runs are as they were") == 1


def ended(monkeypatch, capsys, work):
    """What a command that does this work ends with, and what it says."""
    monkeypatch.setattr("snntoolbox.workflow.commands.capabilities.execute", work)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return main(["capabilities"]), capsys.readouterr().err
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_after_a_signal_it_says_what_has_been_written(number, tmp_path, monkeypatch, capsys):
    def work(options):
        write_text(tmp_path / "done", "x")
        with RunFolder(tmp_path / "run") as folder:
            write_text(folder / "report.json", "x")
        signal.raise_signal(number)

    code, told = ended(monkeypatch, capsys, work)
    assert code == (2 if number == signal.SIGINT else 143)
    assert f"written before that, and whole: '{tmp_path / 'done'}', '{tmp_path / 'run'}'" in told
    assert "earlier" not in told
    assert "partial" not in told


def test_a_second_signal_does_not_stop_what_the_first_has_begun(tmp_path, monkeypatch, capsys):
    def work(options):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            write_text(tmp_path / "cleaned", "x")

    code, told = ended(monkeypatch, capsys, work)
    assert code == 2
    assert told.startswith("snntoolbox: interrupted; ")
    assert (tmp_path / "cleaned").exists()


PROGRAM = """
import atexit, os, signal, sys
from snntoolbox.workflow import cli
from snntoolbox.workflow.commands import capabilities

def send():
    os.kill(os.getpid(), signal.{name})

def work(options):
    print("all of it")
    {when}

capabilities.execute = work
sys.argv[1:] = ["capabilities"]
cli.program()
"""

ENDINGS = {
    "as the interpreter ends": ("atexit.register(send)", 0),
    "dropped and sent again too late": ("signals = cli._Ended(signal.{name}); sys.unraisablehook(type('U', (), "
    "dict(exc_value=signals))()); atexit.register(lambda: __import__('time').sleep(0.2))", 0),
    "within exec": ("exec('send()', globals())", None),
    "twice": ("atexit.register(send); send()", None),
}  # fmt: skip


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_signal_at_the_very_end_changes_nothing(ending, name):
    when, code = ENDINGS[ending]
    script = PROGRAM.format(name=name, when=when.format(name=name))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE)
    expected = {"SIGINT": 2, "SIGTERM": 143, "SIGHUP": 129}[name] if code is None else code
    messages = 1 if code is None else 0
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (expected, "all of it\n", messages), done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_a_signal_while_a_failure_is_told(number, monkeypatch, capsys):
    """There is one message, whenever it comes."""

    def work(options):
        raise DataError("no data")

    real = cli._fail

    def fail(message):
        signal.raise_signal(number)
        return real(message)

    monkeypatch.setattr(cli, "_fail", fail)
    assert ended(monkeypatch, capsys, work) == (2, "snntoolbox: no data\n")


def test_a_command_that_is_mistyped_is_named(capsys):
    assert main(["compar", "config.ini"]) == 2
    assert "no command or file 'compar'\n  hint: did you mean compare?" in capsys.readouterr().err
