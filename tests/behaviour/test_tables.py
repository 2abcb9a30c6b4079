"""Tables in the terminal: whatever the command, one style and 80 columns where it is no terminal."""

import re

import pytest

from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main

pytestmark = pytest.mark.usefixtures("process_clock")

SHORT = ["--set", "simulation.duration=4", "--set", "normalization.num_samples=60", "--set", "simulation.num_to_test=4"]

CALLS = {
    "run": ["run", "demo_onnx.ini", "--set", "conversion.weight_bits=8", *SHORT],
    "sweep": [
        *("run", "demo_onnx.ini", "--set", "parameter_sweep.param_name=conversion.initial_potential"),
        *("--set", "parameter_sweep.param_values=[0.25, 0.5]", *SHORT),
    ],
    "early exit": ["run", "demo_onnx.ini", "--set", "simulation.early_exit=0.9", *SHORT],
    "compare": ["compare", "demo_onnx.ini", "--simulators", "INI,brian2,nest,pynn.neuron", *SHORT],
    "diagnose": ["diagnose", "demo_onnx.ini", "--seconds", "1", *SHORT],
    "tune": ["tune", "demo_onnx.ini", "--steps", "2", "--budget", "0.5", *SHORT],
    "deploy": [
        *("deploy", "demo_onnx.ini", "--target", "generic", "-o", "out", "--sim-seconds", "0", "--synth-seconds", "0"),
        *SHORT,
    ],
    "inspect": ["inspect", "digits_cnn.onnx"],
    "capabilities": ["capabilities"],
}

RULE = re.compile(r"-{20,}")
PATH = re.compile(r"(Report|Page|All results|Wrote|Written)\b")
"""Lines with the path of a file, which are never wrapped."""


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    """A function from a call to the lines that it prints."""
    demo.copy_to(tmp_path)
    monkeypatch.chdir(tmp_path)

    def call(arguments):
        main(arguments)
        return capsys.readouterr().out.splitlines()

    return call


@pytest.mark.long
@pytest.mark.parametrize("columns", [None, "80"])
@pytest.mark.parametrize("name", CALLS)
def test_one_style_in_80_columns(name, columns, printed, monkeypatch):
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    lines = printed(CALLS[name])
    assert [line for line in lines if len(line) > 80 and not PATH.match(line)] == []
    assert not set("".join(lines)) & set("┃│━─┏┗")
    rules = [i for i, line in enumerate(lines) if RULE.fullmatch(line)]
    assert bool(rules) == (name != "deploy")
    for i in rules:  # what stands above and below a rule is a table, without a gap
        assert lines[i - 1].strip()
        assert lines[i + 1].strip()


def test_a_wide_terminal_is_used(printed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    lines = printed(CALLS["inspect"])
    assert not [line for line in lines if line.startswith("    map into it")]
    assert max(map(len, lines)) > 90
