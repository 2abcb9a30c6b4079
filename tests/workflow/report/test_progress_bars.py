"""Bars on a terminal, and nothing anywhere else."""

import io
import sys

import pytest
from rich.console import Console

from snntoolbox.workflow.report.progress_bars import _LIVE, progress_bar


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.mark.parametrize("terminal", [False, True])
def test_a_bar_is_drawn_on_a_terminal_only(monkeypatch, terminal):
    stream = Stream(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("simulating [a]", 3) as advance:
        for _ in range(3):
            advance(1)
        if terminal:
            _LIVE.bars.refresh()
    assert ("simulating [a]" in stream.getvalue()) == terminal
    assert ("3/3" in stream.getvalue()) == terminal
    assert ("0:00:00 left" in stream.getvalue()) == terminal


def drawn(*work):
    """The last lines that stand on a terminal of 80 columns with all of these begun, and half done."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, legacy_windows=False, color_system=None)

    def within(rest):
        if not rest:
            _LIVE.bars.refresh()
            return stream.getvalue()
        name, total = rest[0]
        with progress_bar(name, total, console) as advance:
            advance(total / 2)
            return within(rest[1:])

    text = within(work)
    assert _LIVE.bars is None
    return text.split("\x1b[2K")[-1].splitlines()[-len(work) :]


def test_work_within_work_stands_below_it_and_fits_80_columns():
    work = [("Tuning (seconds, at most)", 3600), ("x" * 99, 8_000_000), ("Building on pynn-neuron", 0)]
    lines = drawn(*work)
    assert [line.split()[0] for line in lines] == ["Tuning", "x" * 11 + "…" + "x" * 22, "Building"]
    assert max(map(len, lines)) <= 80
    assert "1800/3600" in lines[0]
    assert "50 %" in lines[1]
    assert all("0:00:00 left" in line for line in lines[:2])
    assert "left" not in lines[2]
