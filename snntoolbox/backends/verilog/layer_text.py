"""Writes the Verilog of one layer: its ports, the constants of its neurons, and the spikes that leave it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snntoolbox.backends.verilog.design import Design
from snntoolbox.backends.verilog.layer import Layer
from snntoolbox.backends.verilog.opening import SummedProducts
from snntoolbox.backends.verilog.opening_text import OpeningText
from snntoolbox.backends.verilog.port_text import PortText
from snntoolbox.backends.verilog.ports import Store, address_bits, spike_bits, spike_fields
from snntoolbox.backends.verilog.widths import signed_bits, unsigned_bits
from snntoolbox.backends.verilog.writing import (
    WAIVER,
    Files,
    both,
    connected,
    constant,
    counter,
    either,
    header,
    packed,
    ports_text,
    signed,
    vector,
    wide,
)
from snntoolbox.ir.node import Array

_Field = tuple[str, Array, int]
"""A constant of the neurons, its name, one value each and the bits that it is read with."""


class LayerText:
    """The modules of one layer: that of the layer itself and one for each port."""

    def __init__(self, design: Design, layer: Layer, files: Files) -> None:
        self.design, self.layer, self.files = design, layer, files
        self.address = address_bits(layer.words)
        # What is scanned at once, see `Layer.scanned`.
        self.place = address_bits(layer.places)
        self.lane_bits = (layer.scanned - 1).bit_length()
        self.scan_row = layer.scanned * layer.bits
        self.opening = OpeningText(layer, self.address, files)
        gated = len(layer.ports) > 1
        self.ports = [
            PortText(layer, port, f"{layer.module}_port{i}", design.choices.queue, files, gated=gated)
            for i, port in enumerate(layer.ports)
        ]

    def text(self) -> str:
        """The layer's own module; those of the ports are in `ports`."""
        layer = self.layer
        ports = [("input", 0, "clk"), ("input", 0, "rst")]
        for i, port in enumerate(self.ports):
            ports += [("input", 0, f"in{i}_valid"), ("output", 0, f"in{i}_ready"), ("input", port.width, f"in{i}_data")]
        if not self.ports:
            ports += [("input", 0, "tick_valid"), ("output", 0, "tick_ready"), ("input", 0, "tick_last")]
        if layer.current_bits:
            ports += [("input", 0, "load"), ("input", layer.current_bits, "load_current")]
        if layer.spikes:
            out = spike_bits(layer.shape) + 1
            ports += [("output", 0, "spike_valid"), ("input", 0, "spike_ready"), ("output", out, "spike_data")]
        else:
            ports += [("input", self.design.step_bits, "forget"), ("output", 0, "sum_valid"), ("input", 0, "sum_ready")]
            ports += [("output", layer.bits, "sum"), ("output", 0, "sum_class"), ("output", self.index_bits, "best")]
        ports.append(("output", 0, "done"))
        constants, leaving = self._constants(), self._leaving() if layer.spikes else ""
        return (
            header(self._comment())
            + WAIVER
            + f"module {layer.module} (\n{ports_text(ports)}\n);\n"
            + self._arrivals()
            + constants
            + self._core(constants + leaving)
            + (self.opening.text() if layer.spikes else "")
            + leaving
            + "endmodule\n"
        )

    @property
    def index_bits(self) -> int:
        """Bits of a class."""
        return unsigned_bits(self.layer.neurons - 1)

    def _comment(self) -> list[str]:
        layer = self.layer
        kind = f"{layer.neurons} neurons" if layer.spikes else f"read-out of {layer.neurons} sums"
        lines = [f"{layer.label}: {kind}, shape {layer.shape}, {layer.lanes} at once, {layer.bits} bits each"]
        for i, port in enumerate(layer.ports):
            lines.append(f"port {i}: {port.source}" + ", counted" * port.latched)
        if layer.limits is not None:
            lines.append("at the end of a step potentials saturate at {} and {}".format(*layer.limits))
        if layer.current_bits:
            lines.append(f"input current of {layer.current_bits} bits, bias included")
        if layer.digits:
            digits = ", ".join(map(str, layer.digits))
            lines.append(f"steps are the {digits} binary digits of a number: weights and thresholds are shifted")
        lines += self.opening.comment()
        if layer.table is not None:
            rows, length = layer.table.entries.shape
            lines.append(f"before its window opens it reads a table, {rows} row(s) of {length} entries")
        if layer.opening_clocks:
            most = "up to " * isinstance(layer.product, SummedProducts)
            lines.append(f"that takes {most}{layer.opening_clocks} clocks more for each neuron, in that step alone")
        few = " if it may fire in it, else 2" if layer.silent else ""
        scan = f"{layer.places} + {4 if layer.spikes else 3}"
        lines.append(f"a step takes {scan} clocks{few}, and those of the spikes that arrive (see the ports)")
        return lines

    # -- what arrives -------------------------------------------------------------------------------------------

    def _arrivals(self) -> str:
        count = len(self.ports)
        text = f"    wire {'open, ' if count else ''}step;\n"
        if not count:
            return text + (
                "    wire at_marker, at_last;\n"
                "    snn_fifo #(.WIDTH(1), .LOG2_DEPTH(0)) ticks (\n"
                "        .clk(clk), .rst(rst), .in_valid(tick_valid), .in_ready(tick_ready), .in_data(tick_last),\n"
                "        .out_valid(at_marker), .out_ready(step), .out_data(at_last)\n    );\n"
            ) + self._delivered("", [], self.layer.potentials)
        for i, port in enumerate(self.ports):
            last = "at_last" if i == 0 else ""
            text += f"    wire wanted{i}, marker{i}, beat{i};\n"
            text += f"    wire {vector(port.place)} place{i};\n"
            text += f"    wire {vector(port.store.row)} delta{i};\n"
            grant = "open" if count == 1 else f"open & grant[{i}]"
            text += "    wire at_last;\n" if i == 0 else ""
            pairs = [
                ("clk", "clk"), ("rst", "rst"), ("in_valid", f"in{i}_valid"), ("in_ready", f"in{i}_ready"),
                ("in_data", f"in{i}_data"), ("grant", grant), ("wanted", f"wanted{i}" if count > 1 else ""),
                ("at_marker", f"marker{i}"), ("at_last", last), ("step", "step"), ("beat", f"beat{i}"),
                ("place", f"place{i}"), ("delta", f"delta{i}"),
            ]  # fmt: skip
            text += f"    {port.module} port{i} (\n{connected(pairs)}\n    );\n"
        if count == 1:
            text = text.replace("    wire wanted0, marker0, beat0;\n", "    wire marker0, beat0;\n")
        else:
            wanted = ", ".join(f"wanted{i}" for i in reversed(range(count)))
            text += (
                f"    wire {vector(count)} grant;\n"
                f"    snn_arbiter #(.PORTS({count})) arbiter (\n"
                f"        .clk(clk), .rst(rst), .wanted({{{wanted}}}), .grant(grant)\n    );\n"
            )
        text += f"    wire at_marker = {both([f'marker{i}' for i in range(count)])};\n"
        for prefix, numbers, store in self.opening.memories():
            text += self._delivered(prefix, numbers, store)
        return text

    def _delivered(self, prefix: str, numbers: Sequence[int], store: Store) -> str:
        """What these ports bring to one memory together: one at most has its turn, the others give zeros."""
        zero, zeros = f"{store.address}'d0", f"{store.row}'d0"
        words = [f"({{{store.address}{{beat{i}}}}} & place{i})" for i in numbers]
        words = [f"place{i}" for i in numbers] if len(numbers) == 1 else words
        deltas = [f"delta{i}" for i in numbers]
        return (
            f"    wire {prefix}beat = {either([f'beat{i}' for i in numbers])};\n"
            f"    wire {vector(store.address)} {prefix or 'beat_'}word = {either(words or [zero])};\n"
            f"    wire {vector(store.row)} {prefix}delta = {either(deltas or [zeros])};\n"
        )

    # -- the constants of the neurons ---------------------------------------------------------------------------

    def _constants(self) -> str:
        """Threshold, start potential and bias: alike for all, or in a memory read with the scan."""
        layer, bits = self.layer, self.layer.bits
        fields: list[_Field] = []
        if layer.spikes:
            fields += [("threshold", layer.threshold, bits), ("start", layer.start, bits)]
        if not layer.current_bits:
            fields.append(("current", layer.bias, bits))
        fields.append(("later", layer.rest if layer.presented else np.zeros_like(layer.rest), bits))
        if layer.product is not None:
            fields.append(("added", layer.product.start, bits))
        if layer.table is not None:
            address, half = layer.table.address, 1 << layer.table.address - 1
            # In two's complement, as all are; the sum is an address, whatever comes above it.
            row = (layer.table.row + half) % (2 * half) - half
            fields += [("row", row, address), ("offset", layer.table.offset, layer.table.wide)]
        fixed = [(n, v, width) for n, v, width in fields if (v == v[0]).all()]
        varying = [(n, v, width) for n, v, width in fields if (v != v[0]).any()]
        text = "    wire scan_read;\n" if varying or layer.current_bits else ""
        for name, values, width in fixed:
            value = constant(int(values[0]), width)
            text += f"    wire {vector(layer.scanned * width)} {name} = {{{layer.scanned}{{{value}}}}};\n"
        if layer.current_bits:
            text += self._drive()
        if varying:
            text += self._memory(varying)
        return text

    def _memory(self, fields: list[_Field]) -> str:
        layer = self.layer
        inner = layer.shape[layer.layout.inner] if layer.shape else 1
        alike = all((v.reshape(-1, inner) == v[:inner]).all() for _, v, _ in fields)
        count = (inner if alike else layer.neurons) // layer.scanned
        bits = [signed_bits(min(0, int(v.min())), max(0, int(v.max()))) for _, v, _ in fields]
        word_bits = sum(bits) * layer.scanned
        words, values = [], [v for _, v, _ in fields]
        for word in range(count):
            lanes = range(word * layer.scanned, (word + 1) * layer.scanned)
            words.append(packed([(v[n], b) for n in reversed(lanes) for v, b in zip(values, bits, strict=True)]))
        what = ", ".join(name for name, _, _ in fields)
        file = self.files.memory(
            f"{layer.module}_neurons.hex", words, word_bits,
            f"{layer.module}: {{{what}}} of each {'channel' if alike else 'neuron'}",
        )  # fmt: skip
        text, place = "", "scan_word"
        if alike and count < layer.places and count > 1:
            address = address_bits(count)
            text += (
                f"    reg {vector(address)} channel;\n"
                f"    always @(posedge clk)\n        if (rst) channel <= {address}'d0;\n"
                f"        else if (scan_read) channel <= (channel == {constant(count - 1, address)}) ? "
                f"{address}'d0 : channel + 1'b1;\n"
            )
            place = "channel"
        elif count == 1:
            place = "1'b0"
        elif not layer.current_bits:
            text += f"    wire {vector(self.place)} scan_word;\n"
        text += f"    wire {vector(word_bits)} neurons_data;\n"
        text += (
            f"    snn_rom #(\n        .WIDTH({word_bits}), .ADDRESS({address_bits(count)}), .DEPTH({count}), "
            f'.FILE("{file}")\n    ) neuron_memory (\n'
            f"        .clk(clk), .read(scan_read), .address({place}), .data(neurons_data)\n    );\n"
        )
        low = 0
        parts: dict[str, list[str]] = {name: [] for name, _, _ in fields}
        for lane in range(layer.scanned):
            for (name, _, width), b in reversed(list(zip(fields, bits, strict=True))):
                text += f"    wire {vector(b)} {name}_{lane} = neurons_data[{low + b - 1}:{low}];\n"
                parts[name].insert(0, signed(f"{name}_{lane}", b, width))
                low += b
        widths = {name: width for name, _, width in fields}
        for name, lanes_ in parts.items():
            text += f"    wire {vector(layer.scanned * widths[name])} {name} = {{{', '.join(lanes_)}}};\n"
        return text

    def _drive(self) -> str:
        layer, bits = self.layer, self.layer.current_bits
        text = f"    wire {vector(self.place)} scan_word;\n    wire {vector(layer.scanned * bits)} currents;\n"
        pairs = [
            ("clk", "clk"), ("rst", "rst"), ("load", "load"), ("current", "load_current"),
            ("read", "scan_read"), ("word", "scan_word"), ("currents", "currents"),
        ]  # fmt: skip
        text += (
            f"    snn_drive #(\n        .LANES({layer.scanned}), .BITS({bits}), .ADDRESS({self.place}), "
            f".WORDS({layer.places}), .WORD_END({constant(layer.places - 1, self.place)})\n    ) drive (\n"
            f"{connected(pairs)}\n    );\n"
        )
        parts: list[str] = []
        for lane in range(layer.scanned):
            text += f"    wire {vector(bits)} current_{lane} = currents[{bits * (lane + 1) - 1}:{bits * lane}];\n"
            parts.insert(0, signed(f"current_{lane}", bits, layer.bits))
        return text + f"    wire {vector(self.scan_row)} current = {{{', '.join(parts)}}};\n"

    # -- the neurons --------------------------------------------------------------------------------------------

    def _core(self, readers: str) -> str:
        """The instance of the library's neurons or sums; `readers` is the text that may read its outputs."""
        layer = self.layer
        forward = self.opening.forward("")
        parameters: list[tuple[str, int | str]] = [
            ("LANES", layer.lanes), ("BITS", layer.bits), ("ADDRESS", self.address), ("WORDS", layer.words),
            ("FORWARD", forward), ("STEPS", self.design.step_bits),
        ]  # fmt: skip
        names = ["clk", "rst", "beat", "beat_word", "delta", "at_marker", "at_last", "step"]
        names += ["scan_read", "scan_word", "current", "later", "done"]
        if layer.spikes:
            parameters += [
                ("SCAN", layer.scanned), ("SCANNED", self.place), ("SCAN_END", constant(layer.places - 1, self.place)),
                ("TURN", (layer.lanes // layer.scanned - 1).bit_length()), ("SILENT", int(layer.silent)),
                *self.opening.parameters(), ("LANE", max(1, self.lane_bits)), *layer.parameters.items(),
            ]  # fmt: skip
            names += ["threshold", "start", "spike_next", "spike_valid", "spike_ready"]
            declared, opening = self.opening.nets()
            renamed = [
                *opening,
                ("spike_marker", "marker"),
                ("spike_last", "last"),
                ("spike_lane", "lane" * (self.lane_bits > 0)),
            ]
            text = f"    wire {'spike_next, ' * ('spike_next' in readers)}marker, last;\n"
            text += declared
            if self.lane_bits:
                text += f"    wire {vector(self.lane_bits)} lane;\n"
            kind = "snn_neurons"
        else:
            adds = bool(layer.current_bits) or bool(layer.bias.any())
            parameters += [
                ("WORD_END", constant(layer.words - 1, self.address)), ("ADDS", int(adds)), ("INDEX", self.index_bits),
                *layer.parameters.items(),
            ]  # fmt: skip
            names += ["forget", "sum_valid", "sum_ready", "sum", "sum_class", "best"]
            text, kind, renamed = "", "snn_sums", []
        unread = {n for n in ("scan_read", "scan_word", "spike_next") if n not in readers}
        awake = "awake" if self.opening.sums is not None else "open" * bool(layer.ports)
        pairs = [(n, "" if n in unread else n) for n in names] + [("open", awake), *renamed]
        return (
            text
            + f"    {kind} #(\n{connected((n, str(v)) for n, v in parameters)}\n    ) core (\n"
            + f"{connected(pairs)}\n    );\n"
        )

    def _leaving(self) -> str:
        """The coordinates of the neurons whose spikes leave, counted along with the scan."""
        layer = self.layer
        fields = spike_fields(layer.shape)
        inner = layer.layout.inner
        text, carry, names = "", "spike_next", {}
        for axis in (inner, *(a for a in reversed(range(len(layer.shape))) if a != inner)):
            field = fields[axis]
            if not field.bits:
                continue
            count, bits = field.size, field.bits
            name = f"at_{axis}"
            if axis == inner and self.lane_bits:
                count, bits = count // layer.scanned, bits - self.lane_bits
                if count == 1:
                    names[axis] = "lane"
                    continue
                names[axis] = f"{{{name}, lane}}"
            else:
                names[axis] = name
            text += counter(name, f"end_{axis}", bits, count, carry)
            carry = f"{carry} & end_{axis}"
        coordinates = [names[a] for a in range(len(layer.shape)) if a in names] or ["1'b0"]
        width = spike_bits(layer.shape)
        joined = coordinates[0] if len(coordinates) == 1 else f"{{{', '.join(coordinates)}}}"
        last = wide("last", 1, width)
        return text + f"    assign spike_data = {{marker, marker ? {last} : {joined}}};\n"
