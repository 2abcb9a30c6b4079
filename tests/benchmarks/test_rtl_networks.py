"""The benchmark of small networks as hardware: its smallest one, from the model to what it takes."""

import sys
from pathlib import Path

import pytest

from snntoolbox.backends.fpga.checks import Check

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def rtl_networks(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    import rtl_networks

    return rtl_networks


def test_what_failed_is_told_in_place_of_numbers(rtl_networks):
    checks = [Check(goal="lint", outcome="passed"), Check(goal="synth", outcome="skipped", why="there is no yosys")]
    said = rtl_networks.found({"resources": None, "clocks": [3, 5]}, checks)
    assert said["LUTs"] == said["DSPs"] == "unknown"
    assert said["clocks"] == 4
    assert said["checks passed"] == "1 of 2; synth skipped: there is no yosys"
    assert rtl_networks.found({"resources": None, "clocks": None}, checks)["clocks"] == "unknown"


@pytest.mark.long
def test_smooth_layers_are_equal_and_take_no_multiplier(rtl_networks, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rtl_networks.py", "sigmoid and GELU"])
    rtl_networks.main()
    (line,) = capsys.readouterr().out.splitlines()
    assert "cells that differ 0," in line
    assert "DSPs 0," in line
    assert line.endswith("checks passed 6 of 6")
