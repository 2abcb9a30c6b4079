"""Writes the test bench: feeds samples under random stalls, and checks or records every spike and every output.

The network is driven through its AXI-Stream wrapper, which holds nothing but wires: so both sets of ports are tested.
"""

from __future__ import annotations

from collections.abc import Iterable

from snntoolbox.backends.templates import filled
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
    in_bits, out_bits = axi_bits(design)
    return filled(
        __package__, BENCH, design=design, module=axi_module(design), patience=PATIENCE,
        in_bits=in_bits, out_bits=out_bits, above=in_bits - design.input_bits,
        watched=[(layer.module, spike_bits(layer.shape) + 1) for layer in design.layers if layer.spikes],
        vector=vector, constant=constant,
    )  # fmt: skip


def hex_words(words: Array | Iterable[int]) -> str:
    """Words as lines of hexadecimal numbers."""
    return "".join(f"{int(word):x}\n" for word in words)
