"""Passes that Yosys announces and those that its log names."""

import os
import shutil
import subprocess

import pytest

from snntoolbox.backends.fpga.synthesis_log import announced, executed, passes

HELP = """
    -abc2
        run two passes of 'abc'

The following commands are executed by this synthesis command:

    begin:
        read_verilog -lib +/cells.v
        hierarchy -check

    fine:    (unless -nofine)
        flatten      (with '-flatten')
        abc          (only if -abc2)
        muxpack        ('-widemux' only)
        srl          (skip if '-nosrl')
        opt -fast    (unless -noabc)

    check:
        stat
"""


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("synth", 5),
        ("synth -flatten -abc2", 7),
        ("synth -nosrl -widemux 5", 5),
        ("synth -run begin:fine", 2),
        ("synth -run fine:", 3),
    ],
)
def test_passes_that_a_help_announces(command, expected):
    assert passes(HELP, command) == expected


def test_passes_that_a_log_names():
    log = "1. Executing Verilog-2005 frontend: a.v\n2. Executing SYNTH_ICE40 pass.\n\n2.1. Executing PROC pass.\n"
    log += "2.1.1. Executing PROC_CLEAN pass.\n2.2. Executing OPT pass.\n3. Executing STAT pass.\n3.1. Executing X.\n"
    assert executed(log, "synth_ice40 -top x") == 2
    assert executed(log, "synth_ecp5") == 0
    assert executed("", "synth_ice40") == 0


@pytest.mark.skipif(not shutil.which("yosys") and not os.environ.get("CI"), reason="yosys not installed")
@pytest.mark.parametrize("command", ["synth_ice40", "synth_ecp5", "synth -flatten -run begin:fine"])
def test_they_agree_about(command, tmp_path):
    (tmp_path / "t.v").write_text("module t(input c, input a, output reg b); always @(posedge c) b <= b ^ a; endmodule")
    words = ["yosys", "-q", "-l", "log", "-p", f"read_verilog t.v; {command} -top t"]
    subprocess.run(words, cwd=tmp_path, check=True)
    share = executed((tmp_path / "log").read_text(), command) / announced(command)
    assert 0.7 < share <= 1
