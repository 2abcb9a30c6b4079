"""Writes the wrapper that gives a network AXI-Stream ports."""

from __future__ import annotations

from snntoolbox.backends.verilog.design import Design
from snntoolbox.backends.verilog.writing import connected, header, ports_text, signed


def axi_module(design: Design) -> str:
    """The name of the wrapper."""
    return f"{design.module}_axis"


def axi_bits(design: Design) -> tuple[int, int]:
    """The widths of TDATA of the input and of the output, whole bytes."""
    given, taken = (8 * -(-bits // 8) for bits in (design.input_bits, design.output_bits))
    return given, taken


def axi_text(design: Design) -> str:
    """The wrapper's text (AMBA AXI-Stream: TVALID, TREADY, TDATA, TLAST, TUSER; widths in whole bytes).

    TUSER of the output marks the index of a class. TLAST of the input is not needed: a sample's length is known.
    """
    given, taken = axi_bits(design)
    ports = [
        ("input", 0, "aclk"),
        ("input", 0, "aresetn"),
        ("input", design.step_bits, "steps"),
        ("input", 0, "s_axis_tvalid"),
        ("output", 0, "s_axis_tready"),
        ("input", given, "s_axis_tdata"),
        ("output", 0, "m_axis_tvalid"),
        ("input", 0, "m_axis_tready"),
        ("output", taken, "m_axis_tdata"),
        ("output", 0, "m_axis_tuser"),
        ("output", 0, "m_axis_tlast"),
    ]
    pairs = [
        ("clk", "aclk"),
        ("rst", "~aresetn"),
        ("steps", "steps"),
        ("in_valid", "s_axis_tvalid"),
        ("in_ready", "s_axis_tready"),
        ("in_data", f"s_axis_tdata[{design.input_bits - 1}:0]"),
        ("out_valid", "m_axis_tvalid"),
        ("out_ready", "m_axis_tready"),
        ("out_data", "word"),
        ("out_class", "m_axis_tuser"),
        ("out_last", "m_axis_tlast"),
    ]
    comment = [
        f"{design.name} with AXI-Stream ports. The streams are those of {design.module}, in the low bits;",
        "outputs have their sign in front. tuser marks the index of a class, tlast the end of a sample.",
    ]
    return (
        header(comment)
        + "// Bits above a word's width are not read.\n/* verilator lint_off UNUSEDSIGNAL */\n"
        + f"module {axi_module(design)} (\n{ports_text(ports)}\n);\n/* verilator lint_on UNUSEDSIGNAL */\n"
        + f"    wire [{design.output_bits - 1}:0] word;\n"
        + f"    assign m_axis_tdata = {signed('word', design.output_bits, taken)};\n"
        + f"    {design.module} network (\n{connected(pairs)}\n    );\n"
        + "endmodule\n"
    )
