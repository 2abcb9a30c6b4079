"""The benchmark of small networks as hardware: its smallest one, from the model to what it takes."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.long
def test_smooth_layers_are_equal_and_take_no_multiplier(monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    import rtl_networks

    monkeypatch.setattr(sys, "argv", ["rtl_networks.py", "sigmoid and GELU"])
    rtl_networks.main()
    (line,) = capsys.readouterr().out.splitlines()
    assert "cells that differ 0," in line
    assert "DSPs 0," in line
    assert line.endswith("checks passed 6 of 6")
