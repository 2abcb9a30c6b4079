"""Writes the Verilog that joins the layers: the input stream, forks to every reader, and the output stream."""

from __future__ import annotations

from snntoolbox.backends.verilog.design import Design
from snntoolbox.backends.verilog.digits_text import DigitsText
from snntoolbox.backends.verilog.layer import Layer
from snntoolbox.backends.verilog.ports import spike_bits
from snntoolbox.backends.verilog.widths import unsigned_bits
from snntoolbox.backends.verilog.writing import (
    WAIVER,
    both,
    connected,
    constant,
    either,
    header,
    ports_text,
    signed,
    vector,
    wide,
)


class TopText:
    """The module of the whole network."""

    def __init__(self, design: Design, comment: list[str]) -> None:
        self.design, self.comment = design, comment
        # Where spikes of inputs come from: {marker, sign, input, coordinates}.
        self.spikes = "digit_data" if design.digits else "in_data"

    def text(self) -> str:
        """The module's text."""
        design = self.design
        ports = [
            ("input", 0, "clk"), ("input", 0, "rst"), ("input", design.step_bits, "steps"),
            ("input", 0, "in_valid"), ("output", 0, "in_ready"), ("input", design.input_bits, "in_data"),
            ("output", 0, "out_valid"), ("input", 0, "out_ready"), ("output", design.output_bits, "out_data"),
            ("output", 0, "out_class"), ("output", 0, "out_last"),
        ]  # fmt: skip
        return (
            header(self.comment)
            + WAIVER
            + "// A layer reads as many bits of the input stream as it needs.\n/* verilator lint_off UNUSEDSIGNAL */\n"
            + f"module {design.module} (\n{ports_text(ports)}\n);\n/* verilator lint_on UNUSEDSIGNAL */\n"
            + self._nets()
            + self._source()
            + "".join(self._layer(layer) for layer in design.layers)
            + "".join(self._fork(layer) for layer in design.layers if layer.spikes)
            + self._output()
            + "endmodule\n"
        )

    def _nets(self) -> str:
        """What joins the layers, declared before it is used."""
        text = ""
        for layer in self.design.layers:
            name = layer.module
            for i in range(len(layer.ports)):
                text += f"    wire {name}_in{i}_valid, {name}_in{i}_ready;\n"
            if not layer.ports:
                text += f"    wire {name}_tick_valid, {name}_tick_ready;\n"
            if layer.spikes:
                text += f"    wire {name}_done, {name}_spike_valid, {name}_spike_ready;\n"
                text += f"    wire {vector(spike_bits(layer.shape) + 1)} {name}_spike_data;\n"
            else:
                text += f"    wire {name}_done, {name}_sum_valid, {name}_sum_ready, {name}_sum_class;\n"
                text += f"    wire {vector(layer.bits)} {name}_sum;\n"
                text += f"    wire {vector(unsigned_bits(layer.neurons - 1))} {name}_best;\n"
        return text

    # -- the input stream ---------------------------------------------------------------------------------------

    def _source(self) -> str:
        design = self.design
        words = sum(layer.neurons for layer in design.driven)
        bits = unsigned_bits(max(words - 1, 0))
        spiking = bool(design.inputs)
        marker = f"{self.spikes}[{design.input_spike_bits + design.input_id_bits + 1}]" if spiking else "1'b0"
        count = len(design.layers)
        done = ", ".join(f"{layer.module}_done" for layer in reversed(design.layers))
        driven = bool(design.driven)
        valid, ready = ("taken_valid", "taken_ready") if design.digits else ("in_valid", "in_ready")
        pairs = [
            ("clk", "clk"), ("rst", "rst"), ("steps", "steps"), ("in_valid", valid), ("in_ready", ready),
            ("in_marker", marker), ("drives", "drives" if design.digits else ""),
            ("open", "source_open" if design.digits else ""), ("drive_valid", "drive_valid" if driven else ""),
            ("drive_index", "drive_index" if len(design.driven) > 1 else ""), ("out_valid", "source_valid"),
            ("out_ready", "source_ready"), ("out_marker", "source_marker" if spiking else ""),
            ("out_last", "source_last"), ("done", f"{{{done}}}"),
        ]  # fmt: skip
        text = "    wire source_valid, source_ready, source_last;\n"
        if spiking:
            text += "    wire source_marker;\n"
        if driven:
            text += "    wire drive_valid;\n"
        if len(design.driven) > 1:
            text += f"    wire {vector(bits)} drive_index;\n"
        if design.digits:
            text += DigitsText(design).text()
        text += (
            f"    snn_source #(\n        .STEPS({design.step_bits}), .SPIKING({int(spiking)}), .DRIVEN({int(driven)}), "
            f".DRIVE({bits}), .DRIVE_END({constant(max(words - 1, 0), bits)}), .PARTS({count})\n    ) source (\n"
            f"{connected(pairs)}\n    );\n"
        )
        return text + self._source_fork()

    def _source_fork(self) -> str:
        """Markers go to every reader of an input and to every layer without a port, spikes to their own readers."""
        design = self.design
        text, ready_all = "", [f"{layer.module}_tick_ready" for layer in design.ticked]
        own: list[tuple[int, list[str]]] = []
        for number, spikes in enumerate(design.inputs):
            nets = [self._net(layer, port) for layer, port in design.readers(spikes.name)]
            own.append((number, [f"{n}_ready" for n in nets]))
            ready_all += own[-1][1]
        names = [f"{layer.module}_tick" for layer in design.ticked]
        text += f"    wire all_ready = {both(ready_all)};\n"
        if not design.inputs:
            text += "    assign source_ready = all_ready;\n"
            return text + "".join(f"    assign {n}_valid = source_valid & all_ready;\n" for n in names)
        low, id_bits = design.input_spike_bits, design.input_id_bits
        ways = []
        for number, ready in own:
            chosen = f"({self.spikes}[{low + id_bits - 1}:{low}] == {constant(number, id_bits)})" if id_bits else "1'b1"
            text += f"    wire source_{number} = ~source_marker & {chosen};\n"
            text += f"    wire ready_{number} = {both(ready)};\n"
            ways.append(f"(source_{number} & ready_{number})")
        text += f"    assign source_ready = {either(['(source_marker & all_ready)', *ways])};\n"
        for name in names:
            text += f"    assign {name}_valid = source_valid & source_marker & all_ready;\n"
        for number, spikes in enumerate(design.inputs):
            bits = spike_bits(spikes.shape)
            sign = f"{self.spikes}[{low + id_bits}], " if spikes.signed else ""
            text += (
                f"    wire {vector(bits + 1 + spikes.signed)} {spikes.port}_data = {{source_marker, {sign}\n"
                f"        source_marker ? {wide('source_last', 1, bits)} : {self.spikes}[{bits - 1}:0]}};\n"
            )
            for layer, port in design.readers(spikes.name):
                name = self._net(layer, port)
                text += (
                    f"    assign {name}_valid = source_valid & (source_marker ? all_ready : "
                    f"source_{number} & ready_{number});\n"
                )
        return text

    # -- the layers ---------------------------------------------------------------------------------------------

    @staticmethod
    def _net(layer: Layer, port: object) -> str:
        return f"{layer.module}_in{[p is port for p in layer.ports].index(True)}"

    def _layer(self, layer: Layer) -> str:
        name = layer.module
        sources = {i.name: i.port for i in self.design.inputs}
        pairs = [("clk", "clk"), ("rst", "rst")]
        for i, port in enumerate(layer.ports):
            net = f"{name}_in{i}"
            spikes = sources.get(port.source) or f"{self._module(port.source)}_spike"
            pairs += [
                (f"in{i}_valid", f"{net}_valid"),
                (f"in{i}_ready", f"{net}_ready"),
                (f"in{i}_data", f"{spikes}_data"),
            ]
        if not layer.ports:
            pairs += [
                ("tick_valid", f"{name}_tick_valid"),
                ("tick_ready", f"{name}_tick_ready"),
                ("tick_last", "source_last"),
            ]
        if layer.current_bits:
            pairs += [("load", self._load(layer)), ("load_current", f"in_data[{layer.current_bits - 1}:0]")]
        if layer.spikes:
            nets = ["spike_valid", "spike_ready", "spike_data"]
        else:
            forget = constant(layer.forget, self.design.step_bits)
            forget_bits = self.design.step_bits
            # Only a run of at least twice as many steps forgets any.
            double = 2 * layer.forget
            fits = 0 < double <= self.design.choices.steps
            value = (
                f"(steps >= {constant(double, forget_bits)}) ? {forget} : {forget_bits}'d0"
                if fits
                else f"{forget_bits}'d0"
            )
            pairs.append(("forget", value))
            nets = ["sum_valid", "sum_ready", "sum", "sum_class", "best"]
        pairs += [(n, f"{name}_{n}") for n in (*nets, "done")]
        return f"    {name} {name}_layer (\n{connected(pairs)}\n    );\n"

    def _module(self, name: str) -> str:
        return next(layer.module for layer in self.design.layers if layer.name == name)

    def _load(self, layer: Layer) -> str:
        """When a word of the input stream is this layer's current."""
        driven = self.design.driven
        if len(driven) == 1:
            return "drive_valid"
        place = driven.index(layer)
        first = sum(d.neurons for d in driven[:place])
        bits = unsigned_bits(sum(d.neurons for d in driven) - 1)
        conditions = ["drive_valid"]
        if place:
            conditions.append(f"(drive_index >= {constant(first, bits)})")
        if place < len(driven) - 1:
            conditions.append(f"(drive_index < {constant(first + layer.neurons, bits)})")
        return both(conditions)

    def _fork(self, layer: Layer) -> str:
        """A spike leaves a layer when every reader takes it."""
        nets = [self._net(*reader) for reader in self.design.readers(layer.name)]
        name = layer.module
        text = f"    assign {name}_spike_ready = {both([f'{n}_ready' for n in nets])};\n"
        return text + "".join(f"    assign {n}_valid = {name}_spike_valid & {name}_spike_ready;\n" for n in nets)

    # -- the output stream --------------------------------------------------------------------------------------

    def _output(self) -> str:
        """One read-out after the other: its sums, then the index of the largest."""
        readouts, width = self.design.readouts, self.design.output_bits
        count, text = len(readouts), ""
        bits = unsigned_bits(count - 1)
        if count > 1:
            last = constant(count - 1, bits)
            text += (
                f"    reg {vector(bits)} turn;\n    always @(posedge clk)\n        if (rst) turn <= {bits}'d0;\n"
                f"        else if (out_valid & out_ready & out_class)\n"
                f"            turn <= (turn == {last}) ? {bits}'d0 : turn + 1'b1;\n"
            )
        values: dict[str, list[str]] = {"valid": [], "class": [], "data": []}
        for i, layer in enumerate(readouts):
            turn = [f"(turn == {constant(i, bits)})"] if count > 1 else []
            name, index = layer.module, unsigned_bits(layer.neurons - 1)
            text += f"    assign {name}_sum_ready = {both([*turn, 'out_ready'])};\n"
            text += (
                f"    wire {vector(width)} {name}_word = {name}_sum_class ? {wide(f'{name}_best', index, width)} : "
                f"{signed(f'{name}_sum', layer.bits, width)};\n"
            )
            values["valid"].append(both([*turn, f"{name}_sum_valid"]))
            values["class"].append(both([*turn, f"{name}_sum_class"]))
            values["data"].append(
                f"({{{width}{{turn == {constant(i, bits)}}}}} & {name}_word)" if turn else f"{name}_word"
            )
        for what, terms in values.items():
            text += f"    assign out_{what} = {either([f'({t})' if len(terms) > 1 else t for t in terms])};\n"
        end = f" & (turn == {constant(count - 1, bits)})" if count > 1 else ""
        return text + f"    assign out_last = out_class{end};\n"
