"""Writes the Verilog of one port of a layer: its queue, its addresses and its weights."""

from __future__ import annotations

import numpy as np

from snntoolbox.backends.verilog.layer import Layer
from snntoolbox.backends.verilog.ports import Axis, ListPort, Port, SumPort, address_bits, spike_bits, spike_fields
from snntoolbox.backends.verilog.widths import unsigned_bits
from snntoolbox.backends.verilog.writing import (
    WAIVER,
    Files,
    both,
    connected,
    constant,
    either,
    header,
    packed,
    packed_columns,
    ports_text,
    signed,
    times,
    total,
    vector,
)


class PortText:
    """The module of one port; `gated`: whether it gives zeros in clocks that are not its own."""

    def __init__(self, layer: Layer, port: Port, module: str, queue: int, files: Files, *, gated: bool) -> None:
        self.layer, self.port, self.module, self.queue, self.files, self.gated = (
            layer,
            port,
            module,
            queue,
            files,
            gated,
        )
        # What is added to: potentials, or counts.
        self.store = layer.store(port)
        self.bits, self.lanes = self.store.bits, self.store.lanes
        self.spike = spike_bits(port.shape)
        self.width = self.spike + 1 + port.signed
        self.neuron = address_bits(self.store.sums)
        self.place = self.store.address
        self.lane_bits = (self.lanes - 1).bit_length()

    def text(self) -> str:
        """The module's text; its memories go to the files."""
        ports = [
            ("input", 0, "clk"), ("input", 0, "rst"),
            ("input", 0, "in_valid"), ("output", 0, "in_ready"), ("input", self.width, "in_data"),
            ("input", 0, "grant"), ("output", 0, "wanted"), ("output", 0, "at_marker"), ("output", 0, "at_last"),
            ("input", 0, "step"), ("output", 0, "beat"), ("output", self.place, "place"),
            ("output", self.store.row, "delta"),
        ]  # fmt: skip
        body = self._sum() if isinstance(self.port, SumPort) else self._list()
        return (
            header(self._comment())
            + WAIVER
            + f"module {self.module} (\n{ports_text(ports)}\n);\n"
            + self._queue()
            + "    // The lane is not read where all lanes get a weight each.\n"
            + "    /* verilator lint_off UNUSEDSIGNAL */\n"
            + f"    wire {vector(self.neuron)} neuron;\n"
            + "    /* verilator lint_on UNUSEDSIGNAL */\n"
            + body
            + self._place()
            + self._delta()
            + "endmodule\n"
        )

    def _comment(self) -> list[str]:
        port = self.port
        lines = [f"{self.layer.label}: spikes of {port.source}, shape {port.shape}" + ", counted" * port.latched]
        if isinstance(port, SumPort):
            lines.append(
                f"{port.weights.shape[0]} words of {port.weights.shape[1]} weights of {port.weight_bits} bits; "
                f"a spike reaches {port.loop} word(s) of neurons for each combination of entries of its axes"
            )
        else:
            lines.append(f"a list of {len(port.weights)} synapses, weights of {port.weight_bits} bits")
        return lines

    def _queue(self) -> str:
        sign = [("sign", 1)] if self.port.signed else []
        layout = ", ".join(["marker", *(s for s, _ in sign), "coordinates"])
        return (
            f"    // {{{layout}}}\n"
            f"    wire head_valid, pop{', load' * self._loads};\n"
            "    // Coordinates that lead to no other neuron or weight are not read.\n"
            "    /* verilator lint_off UNUSEDSIGNAL */\n"
            f"    wire {vector(self.width)} head;\n"
            "    /* verilator lint_on UNUSEDSIGNAL */\n"
            f"    snn_fifo #(.WIDTH({self.width}), .LOG2_DEPTH({(self.queue - 1).bit_length()})) queue (\n"
            "        .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data),\n"
            "        .out_valid(head_valid), .out_ready(pop), .out_data(head)\n    );\n"
            "    assign at_last = head[0];\n"
        )

    def _place(self) -> str:
        """The word of the neuron: words are numbered by the neuron's number without its lane."""
        whole = "1'b0" if self.store.words == 1 else f"neuron[{self.neuron - 1}:{self.lane_bits}]"
        return f"    assign place = {whole};\n"

    @property
    def _loads(self) -> bool:
        """Whether anything is kept of a spike when it leaves the queue."""
        port = self.port
        if isinstance(port, ListPort):
            return port.signed
        lines = any(a.rows is None and (a.neuron_gain or a.word_gain) for a in port.axes)
        return port.signed or lines or any(a.rows is not None for a in port.axes)

    # -- addresses as sums over axes ----------------------------------------------------------------------------

    def _sum(self) -> str:
        port = self.port
        assert isinstance(port, SumPort)
        bits, word = unsigned_bits(port.loop - 1), address_bits(len(port.weights))
        tables = [(i, axis) for i, axis in enumerate(port.axes) if axis.rows is not None]
        neurons, words = self._line_terms(port, word)
        text = ("    wire advance;\n" if tables else "") + (f"    wire {vector(bits)} loop;\n" if port.loop > 1 else "")
        text += self._kept_spike(port)
        advance = "advance"
        for i, axis in reversed(tables):
            table, neuron_bits, word_bits = self._taps(i, axis, advance)
            text += table
            advance = f"{advance} & last_{i}"
            neurons += times(f"neuron_{i}", neuron_bits, 1, self.neuron)
            words += times(f"word_{i}", word_bits, 1, word)
        if port.loop > 1:
            neurons += times("loop", bits, port.step, self.neuron)
            words += times("loop", bits, 1, word)
        text += self._scatter(port, [i for i, _ in tables], bits)
        text += f"    assign neuron = {total(neurons, self.neuron)};\n"
        if not port.constant:
            text += f"    wire {vector(word)} word = {total(words, word)};\n"
        return text + self._weights(word)

    def _line_terms(self, port: SumPort, word: int) -> tuple[list[str], list[str]]:
        """What the bases and the axes without a table add to the neuron and to the word of the weight."""
        neurons = [constant(port.neuron_base, self.neuron)] if port.neuron_base else []
        words = [constant(port.word_base, word)] if port.word_base else []
        for axis in port.axes:
            if axis.rows is None and axis.field.bits:
                name = self._coordinate("spike", axis)
                neurons += times(name, axis.field.bits, axis.neuron_gain, self.neuron)
                words += times(name, axis.field.bits, axis.word_gain, word)
        return neurons, words

    @staticmethod
    def _kept_spike(port: SumPort) -> str:
        """The register of the coordinates that are used as they are, if any."""
        axes = [a for a in port.axes if a.rows is None and a.field.bits and (a.neuron_gain or a.word_gain)]
        used = {bit for a in axes for bit in range(a.field.low, a.field.low + a.field.bits)}
        if not used:
            return ""
        low, high = min(used), max(used)
        gaps = len(used) <= high - low
        return (
            "    // Coordinates with a table of their own are read from that.\n" * gaps
            + "    /* verilator lint_off UNUSEDSIGNAL */\n" * gaps
            + f"    reg [{high}:{low}] spike;\n"
            + "    /* verilator lint_on UNUSEDSIGNAL */\n" * gaps
            + f"    always @(posedge clk) if (load) spike <= head[{high}:{low}];\n"
        )

    def _scatter(self, port: SumPort, tables: list[int], bits: int) -> str:
        """The counter that goes over all weights of a spike."""
        wires = ("pop", "grant", "wanted", "at_marker", "step", "load")
        pairs = [
            ("clk", "clk"), ("rst", "rst"), ("head_valid", "head_valid"), ("head_marker", f"head[{self.width - 1}]"),
            *((w, "" if w == "load" and not self._loads else w) for w in wires),
            ("advance", "advance" if tables else ""),
            ("none", either([f"none_{i}" for i in tables])), ("last", both([f"last_{i}" for i in tables])),
            ("beat", "beat"), ("loop", "loop" if port.loop > 1 else ""),
        ]  # fmt: skip
        return (
            f"    snn_scatter #(.BITS({bits}), .LOOP_END({constant(port.loop - 1, bits)})) scatter (\n"
            f"{connected(pairs)}\n    );\n"
        )

    @staticmethod
    def _coordinate(source: str, axis: Axis) -> str:
        return f"{source}[{axis.field.low + axis.field.bits - 1}:{axis.field.low}]"

    def _taps(self, number: int, axis: Axis, advance: str) -> tuple[str, int, int]:
        """The table of an axis, and the bits of its two offsets."""
        assert axis.rows is not None
        entries = [entry for row in axis.rows for entry in row]
        neuron = unsigned_bits(max((n for n, _ in entries), default=0))
        word = unsigned_bits(max((v for _, v in entries), default=0))
        slot = max(1, (max(map(len, axis.rows)) - 1).bit_length())
        words = []
        rows = (*axis.rows, ()) if len(axis.rows) == 1 else axis.rows  # a coordinate has a bit, and that two rows
        for row in rows:
            filled = [packed([(0, 1), (i == len(row) - 1, 1), (n, neuron), (v, word)]) for i, (n, v) in enumerate(row)]
            empty = packed([(1, 1), (1, 1), (0, neuron + word)])
            words += filled + [empty] * ((1 << slot) - len(filled))
        file = self.files.memory(
            f"{self.module}_axis{number}.hex", words, 2 + neuron + word,
            f"{self.module}, axis {number}: {1 << slot} entries {{none, last, neuron, weight}} for each coordinate",
        )  # fmt: skip
        coordinate = self._coordinate("head", axis) if axis.field.bits else "1'b0"
        declared = "" if self.port.constant else f"    wire {vector(word)} word_{number};\n"  # type: ignore[union-attr]
        weight = "" if self.port.constant else f"word_{number}"  # type: ignore[union-attr]
        text = (
            f"    wire none_{number}, last_{number};\n"
            f"    wire {vector(neuron)} neuron_{number};\n{declared}"
            f"    snn_taps #(\n        .COORDINATE({max(1, axis.field.bits)}), .SLOT({slot}), .NEURON({neuron}), "
            f'.WEIGHT({word}), .ROWS({len(rows)}),\n        .FILE("{file}")\n    ) axis_{number} (\n'
            f"        .clk(clk), .load(load), .coordinate({coordinate}), .advance({advance}),\n"
            f"        .none(none_{number}), .last(last_{number}), .neuron(neuron_{number}), .weight({weight})\n"
            "    );\n"
        )
        return text, neuron, word

    def _weights(self, word: int) -> str:
        port = self.port
        assert isinstance(port, SumPort)
        if port.constant:
            bits = port.weight_bits
            return f"    wire {vector(bits)} weights = {constant(int(port.weights[0, 0]), bits)};\n"
        lanes, bits = port.weights.shape[1], port.weight_bits
        width = lanes * bits
        words = packed_columns([(port.weights[:, lane], bits) for lane in reversed(range(lanes))])
        file = self.files.memory(
            f"{self.module}_weights.hex", words, width,
            f"{self.module}: {lanes} weight(s) of {bits} bits a word, the first lowest",
        )  # fmt: skip
        return (
            f"    wire {vector(width)} weights;\n"
            f"    snn_rom #(\n        .WIDTH({width}), .ADDRESS({word}), .DEPTH({len(port.weights)}),\n"
            f'        .FILE("{file}")\n    ) weight_memory (\n'
            "        .clk(clk), .read(beat), .address(word), .data(weights)\n    );\n"
        )

    # -- lists of synapses --------------------------------------------------------------------------------------

    def _list(self) -> str:
        port, bits = self.port, self.port.weight_bits
        assert isinstance(port, ListPort)
        source = len(port.starts) - 1
        index, place = address_bits(source), address_bits(max(1, len(port.weights)))
        first, behind = port.starts[:-1], port.starts[1:]
        starts = packed_columns([(first == behind, 1), (first % max(1, len(port.weights)), place)])
        last = np.zeros(len(port.weights), bool)
        last[behind[behind > first] - 1] = True
        synapses = packed_columns([(last, 1), (port.neurons, self.neuron), (port.weights, bits)]) or [0]
        heads = self.files.memory(
            f"{self.module}_starts.hex", starts, 1 + place, f"{self.module}: {{none, first synapse}} of each neuron"
        )
        second = self.files.memory(
            f"{self.module}_synapses.hex", synapses, 1 + self.neuron + bits,
            f"{self.module}: {{last, neuron, weight}} of each synapse",
        )  # fmt: skip
        terms, stride = [], source
        for field in spike_fields(port.shape):
            stride //= field.size
            if field.bits:
                terms += times(f"head[{field.low + field.bits - 1}:{field.low}]", field.bits, stride, index)
        return (
            f"    wire {vector(index)} index = {total(terms, index)};\n    wire {vector(bits)} weights;\n"
            f"    snn_list #(\n        .INDEX({index}), .SOURCES({source}), .PLACE({place}), "
            f".SYNAPSES({len(synapses)}), .NEURON({self.neuron}), .WEIGHT({bits}),\n"
            f'        .STARTS("{heads}"), .LIST("{second}")\n    ) list (\n'
            f"        .clk(clk), .rst(rst), .head_valid(head_valid), .head_marker(head[{self.width - 1}]), "
            ".index(index), .pop(pop),\n        .grant(grant), .wanted(wanted), .at_marker(at_marker), .step(step), "
            f".load({'load' * self._loads}),\n        .beat(beat), .neuron(neuron), .weight(weights)\n    );\n"
        )

    # -- what is added, a clock after the beat ------------------------------------------------------------------

    def _delta(self) -> str:
        port = self.port
        looped = isinstance(port, SumPort) and port.looped
        text, gates = "", []
        if self.gated:
            text += "    reg mine;\n    always @(posedge clk) mine <= beat;\n"
            gates.append("mine")
        if port.signed:
            text += (
                "    reg sign, negative;\n"
                f"    always @(posedge clk) begin\n        if (load) sign <= head[{self.spike}];\n"
                "        if (beat) negative <= sign;\n    end\n"
            )
        placed = self.lanes > 1 and not looped
        if placed:
            text += (
                f"    reg {vector(self.lane_bits)} lane;\n"
                f"    always @(posedge clk) if (beat) lane <= neuron[{self.lane_bits - 1}:0];\n"
            )
        bits, width = port.weight_bits, self.bits
        for i in range(self.lanes if looped else 1):
            name = f"weight_{i}"
            text += f"    wire {vector(bits)} {name} = weights[{bits * (i + 1) - 1}:{bits * i}];\n"
            text += f"    wire {vector(width)} amount_{i} = {signed(name, bits, width)};\n"
        for i in range(self.lanes):
            amount = f"amount_{i if looped else 0}"
            value = f"(negative ? {width}'d0 - {amount} : {amount})" if port.signed else amount
            own = [*gates, *([f"(lane == {constant(i, self.lane_bits)})"] if placed else [])]
            if own:
                value = f"({both(own)}) ? {value} : {width}'d0"
            text += f"    assign delta[{width * (i + 1) - 1}:{width * i}] = {value};\n"
        return text
