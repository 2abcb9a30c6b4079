"""The way in that scripts of the SNN Toolbox know."""

import runpy
import signal
import sys

import pytest

import snntoolbox
from snntoolbox.bin.run import main
from snntoolbox.ir.interrupts import ENDING
from snntoolbox.workflow import demo


def test_it_is_ours():
    assert main is snntoolbox.main


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
