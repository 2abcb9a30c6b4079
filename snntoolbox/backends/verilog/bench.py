"""Writes the test bench: feeds samples under random stalls, and checks or records every spike and every output.

The network is driven through its AXI-Stream wrapper, which holds nothing but wires: so both sets of ports are tested.
"""

from __future__ import annotations

from collections.abc import Iterable

from snntoolbox.backends.verilog.axi_text import axi_bits, axi_module
from snntoolbox.backends.verilog.design import Design
from snntoolbox.backends.verilog.ports import spike_bits
from snntoolbox.backends.verilog.writing import constant, vector
from snntoolbox.ir.node import Array

BENCH = "tb.v"
INPUT, OUTPUT = "input.hex", "output.hex"
"""The words of the streams: in the low bits of TDATA, and {TLAST, TUSER, TDATA}. A layer's spikes are in
``<module>.spikes.hex``."""
PATIENCE = 1 << 20
"""Clocks without any handshake after which the hardware is taken to be stuck."""


def bench(design: Design) -> str:
    """The test bench of a design.

    Plus-arguments: +record writes what it sees instead of checking it, +stalls=n makes each stream wait in n of 8
    clocks, +seed=n chooses which, +samples=n ends the run after so many, +steps=n sets the steps.
    """
    spiking = [layer for layer in design.layers if layer.spikes]
    watched = [(layer.module, spike_bits(layer.shape) + 1) for layer in spiking]
    given, taken = axi_bits(design)
    above = given - design.input_bits
    text = _HEAD.format(
        steps=vector(design.step_bits), input=vector(given), word=vector(design.input_bits), output=vector(taken),
        default=constant(design.choices.steps, design.step_bits), module=axi_module(design), patience=PATIENCE,
        output_bits=taken + 2, shown=vector(taken + 2),
        # The bits above a word hold anything.
        in_data=f"{{noise[{above + 5}:6], next_word}}" if above else "next_word",
    )  # fmt: skip
    handshakes = ["(in_valid & in_ready)", "(out_valid & out_ready)"]
    for module, bits in watched:
        name = f"dut.network.{module}_spike"
        text += (
            f'    tb_monitor #(.BITS({bits}), .FILE("{module}.spikes.hex")) {module}_monitor (\n'
            f"        .clk(clk), .record(record), .valid({name}_valid & {name}_ready & ~rst),\n"
            f"        .data({name}_data), .errors({module}_errors)\n    );\n"
        )
        handshakes.append(f"({name}_valid & {name}_ready)")
    counts = [f"{module}_errors" for module, _ in watched]
    declared = "".join(f"    wire [31:0] {name};\n" for name in counts)
    totals = " + ".join([*counts, "out_errors", "unsteady"])
    return (
        declared.join(text.split("    // monitors\n"))
        + f"    wire busy = {' | '.join(handshakes)};\n    wire [31:0] errors = {totals};\n"
        + _TAIL
    )


def hex_words(words: Array | Iterable[int]) -> str:
    """Words as lines of hexadecimal numbers."""
    return "".join(f"{int(word):x}\n" for word in words)


_HEAD = """\
// Feeds `input.hex` to the network through its AXI-Stream ports and checks every output (`output.hex` holds
// {{tlast, tuser, tdata}}) and every spike of every layer against the files beside it.

module tb_monitor #(
    parameter BITS = 8,
    parameter FILE = "expected.hex"
) (
    input wire clk,
    input wire record,
    input wire valid,
    input wire [BITS-1:0] data,
    output reg [31:0] errors
);
    integer file, found;
    reg opened;
    reg [BITS-1:0] wanted;
    initial begin
        errors = 0;
        opened = 0;
    end
    always @(posedge clk) begin
        if (!opened) begin
            if (record) file = $fopen(FILE, "w");
            else file = $fopen(FILE, "r");
            opened = 1;
        end
        if (valid) begin
            if (record) $fwrite(file, "%h\\n", data);
            else begin
                found = $fscanf(file, "%h", wanted);
                if (found != 1 || wanted !== data) begin
                    if (errors < 5) $display("%s: %h instead of %h", FILE, data, wanted);
                    errors = errors + 1;
                end
            end
        end
    end
endmodule

module tb;
    reg clk = 0, rst = 1, record = 0;
    reg {steps} steps;
    reg in_valid = 0, out_ready = 0;
    reg {input} in_data;
    wire in_ready, out_valid, out_class, out_last;
    wire {output} out_data;
    reg {word} next_word;
    reg [31:0] noise = 1;
    reg [1:0] turn = 0;
    // Public, since Verilator 5.006 forgets it from one clock to the next otherwise.
    integer file /* verilator public */;
    integer stalls = 0, seed = 1, samples = 1, wanted_steps, found, done = 0, idle = 0;
    reg [63:0] clocks = 0, begun = 0;
    reg fresh = 1, opened = 0;
    // monitors
    wire [31:0] out_errors;
    wire {shown} out_word = {{out_last, out_class, out_data}};
    reg {shown} waiting_word;
    reg waiting = 0;
    reg [31:0] unsteady = 0;
    always #5 clk = ~clk;

    {module} dut (
        .aclk(clk), .aresetn(~rst), .steps(steps),
        .s_axis_tvalid(in_valid), .s_axis_tready(in_ready), .s_axis_tdata(in_data),
        .m_axis_tvalid(out_valid), .m_axis_tready(out_ready), .m_axis_tdata(out_data),
        .m_axis_tuser(out_class), .m_axis_tlast(out_last)
    );

    initial begin
        record = $test$plusargs("record") != 0;
        steps = {default};
        if ($value$plusargs("steps=%d", wanted_steps)) steps = wanted_steps{steps};
        if (!$value$plusargs("stalls=%d", stalls)) stalls = 0;
        if (!$value$plusargs("seed=%d", seed)) seed = 1;
        if (!$value$plusargs("samples=%d", samples)) samples = 1;
        noise = seed * 32'd2654435761 + 32'd1;
        repeat (4) @(posedge clk);
        #1 rst = 0;
    end

    always @(posedge clk) if (!rst) begin
        // Marsaglia's xorshift with the triple (13, 17, 5), one shift a clock.
        if (stalls != 0) case (turn)
            0: noise <= noise ^ (noise << 13);
            1: noise <= noise ^ (noise >> 17);
            default: noise <= noise ^ (noise << 5);
        endcase
        turn <= turn == 2 ? 0 : turn + 1;
        clocks <= clocks + 1;
        idle <= busy ? 0 : idle + 1;
        if (!opened) begin
            file = $fopen("input.hex", "r");
            opened = 1;
        end
        if (!in_valid || in_ready) begin
            in_valid <= 0;
            if ({{29'd0, noise[2:0]}} >= stalls) begin
                found = $fscanf(file, "%h", next_word);
                if (found == 1) begin
                    in_valid <= 1;
                    in_data <= {in_data};
                end
            end
        end
        if (in_valid && in_ready && fresh) begin
            begun <= clocks;
            fresh <= 0;
        end
        out_ready <= {{29'd0, noise[5:3]}} >= stalls;
        // A word that waits to be taken must stay as it is.
        waiting <= out_valid & ~out_ready;
        waiting_word <= out_word;
        if ((out_valid !== 1'b0 && out_valid !== 1'b1) || (waiting && (!out_valid || out_word !== waiting_word))) begin
            if (unsteady == 0) $display("the output changes before it is taken");
            unsteady <= unsteady + 1;
        end
        if (out_valid && out_ready && out_last) begin
            $display("sample %0d: %0d clocks", done, clocks - begun + 1);
            fresh <= 1;
            done <= done + 1;
        end
        // Layers that no read-out depends on may take longer: the source waits for all.
        if (done == samples && dut.network.source.state == 2'd0) begin
            if (errors == 0) $display("PASS: %0d samples, %0d clocks", samples, clocks);
            else $display("FAIL: %0d words differ", errors);
            $finish;
        end
        if (idle > {patience}) begin
            $display("FAIL: stuck after %0d samples", done);
            $finish;
        end
    end

    tb_monitor #(.BITS({output_bits}), .FILE("output.hex")) out_monitor (
        .clk(clk), .record(record), .valid(out_valid & out_ready & ~rst), .data(out_word), .errors(out_errors)
    );
"""

_TAIL = "endmodule\n"
