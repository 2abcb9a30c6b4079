"""Writes what turns the values of a sample into binary digits on the chip: one module before the source of spikes."""

from __future__ import annotations

from snntoolbox.backends.verilog.design import Design
from snntoolbox.backends.verilog.ports import spike_bits, spike_fields
from snntoolbox.backends.verilog.widths import unsigned_bits
from snntoolbox.backends.verilog.writing import both, connected, constant, counter, either, vector, wide


class DigitsText:
    """The instance of `snn_digits` for all inputs of a design, and the choice of who takes a word of the stream."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.word = design.input_spike_bits + design.input_id_bits
        self.signed = any(i.signed for i in design.inputs)

    def text(self) -> str:
        """Behind the input currents of a sample come its values; `digit_data` is {marker, sign, input, coordinates}."""
        names, word, last = self._names()
        # A single value has no coordinates to count.
        counted = bool(names)
        wires = (
            f"    wire {'digit_load, ' * counted}drives, source_open, load_ready, taken_ready;\n"
            "    wire digit_valid, digit_marker, digit_sign;\n"
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
            ("in_value", f"in_data[{self.design.digits + self.signed - 1}:0]"), ("in_word", word), ("in_last", last),
            ("load", "digit_load" * counted), ("out_valid", "digit_valid"), ("out_ready", "taken_ready & ~drives"),
            ("out_marker", "digit_marker"), ("out_sign", "digit_sign"), ("out_word", "digit_word"),
        ]  # fmt: skip
        parameters = ", ".join(f".{name}({value})" for name, value in self._parameters())
        return f"{wires}{names}    snn_digits #(\n        {parameters}\n    ) digits (\n{connected(pairs)}\n    );\n"

    def _parameters(self) -> list[tuple[str, str]]:
        digits, values = self.design.digits, sum(i.values for i in self.design.inputs)
        place, number = unsigned_bits(digits - 1), unsigned_bits(values - 1)
        return [
            ("STEPS", str(self.design.step_bits)), ("BITS", str(digits)), ("PLACE", str(place)),
            ("TOP", constant(digits - 1, place)), ("SIGNED", str(int(self.signed))), ("NUMBER", str(number)),
            ("VALUES", str(values)), ("WORD", str(self.word)),
        ]  # fmt: skip

    def _names(self) -> tuple[str, str, str]:
        """Counters of the coordinates of a value, in C order; its word {input, coordinates}; whether it is the last."""
        inputs, ids = self.design.inputs, self.design.input_id_bits
        text, words, lasts = "", [], []
        for n, given in enumerate(inputs):
            here = f"(digit_input == {constant(n, ids)})" if ids else ""
            step = both(["digit_load", *[here] * bool(ids)])
            ends: list[str] = []
            names: list[str] = []
            for axis, field in reversed(list(enumerate(spike_fields(given.shape)))):
                if field.bits:
                    name, end = f"digit_{n}_{axis}", f"digit_{n}_{axis}_end"
                    text += counter(name, end, field.bits, field.size, both([step, *ends]))
                    ends, names = [*ends, end], [name, *names]
            joined = f"{{{', '.join(names)}}}" if len(names) > 1 else names[0] if names else "1'b0"
            joined = wide(joined, spike_bits(given.shape), self.design.input_spike_bits)
            words.append(f"({{{self.design.input_spike_bits}{{{here}}}}} & {joined})" if ids else joined)
            lasts.append(both([*[here] * bool(ids), *ends]))
        if not ids:
            return text, words[0], lasts[0]
        ended = "digit_input_end"
        chosen = counter("digit_input", ended, ids, len(inputs), f"digit_load & ({either(lasts)})")
        word = f"{{digit_input, {either(words)}}}"
        return chosen + text, word, f"{ended} & ({lasts[-1]})"
