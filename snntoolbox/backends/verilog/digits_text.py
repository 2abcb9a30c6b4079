"""Writes what turns the values of a sample into binary digits on the chip: one module before the source of spikes."""

from __future__ import annotations

import numpy as np

from snntoolbox.backends.verilog.design import Design
from snntoolbox.backends.verilog.ports import coordinates
from snntoolbox.backends.verilog.widths import unsigned_bits
from snntoolbox.backends.verilog.writing import Files, connected, constant, vector
from snntoolbox.ir.node import Array


class DigitsText:
    """The instance of `snn_digits` for all inputs of a design, and the choice of who takes a word of the stream."""

    def __init__(self, design: Design, files: Files) -> None:
        self.design, self.files = design, files
        self.word = design.input_spike_bits + design.input_id_bits
        self.signed = any(i.signed for i in design.inputs)

    def text(self) -> str:
        """Behind the input currents of a sample come its values; `digit_data` is {marker, sign, input, coordinates}."""
        wires = (
            "    wire drives, source_open, load_ready, taken_ready, digit_valid, digit_marker, digit_sign;\n"
            f"    wire {vector(self.word)} digit_word;\n"
            "    // Signs and inputs are read where there are any.\n"
            "    /* verilator lint_off UNUSEDSIGNAL */\n"
            f"    wire {vector(self.word + 2)} digit_data = {{digit_marker, digit_sign, digit_word}};\n"
            "    /* verilator lint_on UNUSEDSIGNAL */\n"
            "    wire taken_valid = drives ? in_valid : digit_valid;\n"
            "    assign in_ready = drives ? taken_ready : load_ready;\n"
        )
        pairs = [
            ("clk", "clk"), ("rst", "rst"), ("steps", "steps"), ("open", "source_open"),
            ("in_valid", "in_valid & ~drives"), ("in_ready", "load_ready"),
            ("in_value", f"in_data[{self.design.digits + self.signed - 1}:0]"),
            ("out_valid", "digit_valid"), ("out_ready", "taken_ready & ~drives"), ("out_marker", "digit_marker"),
            ("out_sign", "digit_sign"), ("out_word", "digit_word"),
        ]  # fmt: skip
        values = ",\n".join(f"        .{name}({value})" for name, value in self._parameters())
        return f"{wires}    snn_digits #(\n{values}\n    ) digits (\n{connected(pairs)}\n    );\n"

    def _parameters(self) -> list[tuple[str, str]]:
        words = self._words()
        place, number = (unsigned_bits(n - 1) for n in (self.design.digits, len(words)))
        found = [
            ("STEPS", str(self.design.step_bits)), ("BITS", str(self.design.digits)), ("PLACE", str(place)),
            ("TOP", constant(self.design.digits - 1, place)), ("SIGNED", str(int(self.signed))),
            ("NUMBER", str(number)), ("VALUES", str(len(words))), ("VALUE_END", constant(len(words) - 1, number)),
            ("WORD", str(self.word)),
        ]  # fmt: skip
        if self.word != number or (words != np.arange(len(words))).any():
            about = f"{self.design.module}: {{input, coordinates}} of each value"
            name = self.files.memory(f"{self.design.module}_values.hex", words, self.word, about)
            found.append(("WORDS", f'"{name}"'))
        return found

    def _words(self) -> Array:
        """The word {input, coordinates} of each value, in the order of the stream."""
        low = self.design.input_spike_bits
        return np.concatenate([coordinates(i.shape) | n << low for n, i in enumerate(self.design.inputs)])
