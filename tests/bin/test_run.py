"""The way in that scripts of the SNN Toolbox know."""

import runpy
import signal
import sys
from pathlib import Path

import pytest

from snntoolbox.bin.run import main
from snntoolbox.ir.interrupts import ENDING
from snntoolbox.workflow import demo


def test_a_script_names_the_configuration_or_its_command_line_does(monkeypatch):
    calls = []
    monkeypatch.setattr("snntoolbox.workflow.main.carried_out", lambda *a, **k: calls.append((a, k)) or [])
    assert main("net.ini") == main(filepath="net.ini") == []
    monkeypatch.setattr(sys, "argv", ["script.py", "net.ini", "-t", "--set", "cell.leak=True", "--force"])
    assert main() == []
    assert calls[:2] == [(("net.ini", ()), {"force": False})] * 2
    assert calls[2] == ((Path("net.ini"), ["cell.leak=True"]), {"force": True})


def test_a_command_line_without_a_configuration_ends_the_script(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["script.py"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "config" in capsys.readouterr().err


@pytest.fixture
def own_signals():
    """A program ignores signals at its very end: of this process they are put back."""
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_as_a_program(own_signals, tmp_path, monkeypatch, capsys):
    config = demo.copy_to(tmp_path)
    sets = ["simulation.num_to_test=5", "simulation.duration=2", "output.diagnosis=False"]
    command = ["run.py", str(config), "-t", *(part for text in sets for part in ("--set", text))]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.delitem(sys.modules, "snntoolbox.bin.run")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("snntoolbox.bin.run", run_name="__main__")
    assert ended.value.code == 0
    assert "SNN, 2 ms on INI" in capsys.readouterr().out
