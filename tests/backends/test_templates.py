"""Templates of files: all that they name must be given."""

from importlib.resources import files

import pytest
from jinja2 import UndefinedError

from snntoolbox.backends.templates import filled

FPGA = "snntoolbox.backends.fpga"


def test_values_are_filled_in_and_lines_kept():
    text = filled(FPGA, "constraints.lpf", top="net", part="LFE5U", clock=12.5)
    assert text.splitlines()[:2] == ["# net on LFE5U.", 'FREQUENCY PORT "clk" 12.5 MHZ;']
    assert text.endswith("IO_TYPE=LVCMOS33;\n")


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError, match="'part' is undefined"):
        filled(FPGA, "constraints.lpf", top="net", clock=12.5)


def test_a_condition_leaves_no_line():
    script = {"top": "net", "synthesis": "synth", "after": ("opt", "abc"), "router": ""}
    lines = filled(FPGA, "synth.ys", **script).splitlines()
    assert lines[1:] == ["read_verilog *.v", "synth -top net", "opt", "abc", "tee -q -o ../out/cells.json stat -json"]


def test_templates_are_in_the_package():
    for package, name in ((FPGA, "Makefile"), ("snntoolbox.backends.verilog", "tb.v")):
        assert (files(package) / "templates" / f"{name}.j2").is_file()
