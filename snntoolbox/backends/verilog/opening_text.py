"""Writes the Verilog of what becomes of potentials as the window of a layer opens: products and tables of counts."""

from __future__ import annotations

from dataclasses import replace

from snntoolbox.backends.verilog.layer import Layer
from snntoolbox.backends.verilog.opening import SummedProducts
from snntoolbox.backends.verilog.ports import Store
from snntoolbox.backends.verilog.widths import unsigned_bits
from snntoolbox.backends.verilog.writing import Files, connected, constant, vector

_Parameters = list[tuple[str, int | str]]
_Nets = list[tuple[str, str]]


class OpeningText:
    """The part of one layer's module, with words of `address` bits, beside its neurons; nothing where nothing opens."""

    def __init__(self, layer: Layer, address: int, files: Files) -> None:
        self.layer, self.address, self.files = layer, address, files
        self.scan_row = layer.scanned * layer.bits
        self.sums = layer.product if isinstance(layer.product, SummedProducts) else None
        self.product = None if isinstance(layer.product, SummedProducts) else layer.product

    def comment(self) -> list[str]:
        """What becomes of the sums, of products alone."""
        if self.sums is not None:
            terms, bits = self.sums.contraction.terms, f"{self.sums.own} and {self.sums.other} bits"
            return [f"before its window opens each neuron sums {terms} product(s) of counts of {bits}"]
        if self.product is None:
            return []
        return [f"before its window opens each sum is multiplied by a count of {self.product.bits} bits"]

    def memories(self) -> list[tuple[str, list[int], Store]]:
        """What the ports add to: the prefix of its nets, the numbers of the ports, and its words."""
        layer = self.layer
        came, counted = ([i for i, p in enumerate(layer.ports) if p.latched == latched] for latched in (False, True))
        if self.sums is not None:
            own, other = (counted, came) if self.sums.of_own(latched=True) else (came, counted)
            factors = [("own_", own, self.sums.store(own=True)), ("other_", other, self.sums.store(own=False))]
            return [("", [], layer.potentials), *factors]
        if self.product is None:
            return [("", came, layer.potentials)]
        return [("", came, layer.potentials), ("latch_", counted, replace(layer.potentials, bits=self.product.bits))]

    def parameters(self) -> _Parameters:
        """Those of the neurons: whether potentials become others, and the sums that are counted beside them."""
        layer = self.layer
        looks: _Parameters = [("LOOKS", int(bool(layer.opening_clocks)))]
        if self.product is None:
            return looks
        return [*looks, ("LATCHED", 1), ("LATCH", self.product.bits), ("LATCH_FORWARD", self.forward("latch_"))]

    def nets(self) -> tuple[str, _Nets]:
        """The nets between the neurons and what finds their potentials, and how the neurons are connected to them."""
        layer, product, text = self.layer, self.product, ""
        opens, sums = bool(layer.opening_clocks), self.sums is not None
        if opens:
            text += "    wire opening, opened;\n"
            text += f"    wire {vector(layer.bits)} {'' if sums else 'opening_potential, '}opened_potential;\n"
        if product is not None:
            text += f"    wire {vector(product.bits)} opening_count;\n"
        if sums:
            text += "    wire awake, ready;\n    assign open = awake & ready;\n"
            text += f"    wire {vector(int(layer.parameters.get('PLACE', 1)))} digit;\n"
        names = ("latch_beat", "latch_word", "latch_delta")
        nets = names if product is not None else ("1'b0", f"{self.address}'d0", f"{layer.lanes}'d0")
        return text, [
            *zip(names, nets, strict=True),
            ("digit", "digit" * sums),
            ("opening", "opening" * opens),
            ("opening_potential", "opening_potential" * (opens and not sums)),
            ("opening_count", "opening_count" * (product is not None)),
            ("opened", "opened" if opens else "1'b1"),
            ("opened_potential", "opened_potential" if opens else f"{self.scan_row}'d0"),
        ]

    def text(self) -> str:
        """What finds the potentials: the product, then the table."""
        table = self.layer.table
        if table is None:
            return self._multiplied("opened", "opened_potential")
        if self.layer.product is None:
            return self._table_text("opening", "opening_potential")
        between = f"    wire multiplied;\n    wire {vector(self.layer.bits)} product_potential;\n"
        return (
            between
            + self._multiplied("multiplied", "product_potential")
            + self._table_text("multiplied", "product_potential")
        )

    def _multiplied(self, done: str, found: str) -> str:
        if self.sums is not None:
            return self._sums_text(done, found)
        return "" if self.product is None else self._product_text(done, found)

    def _product_text(self, done: str, found: str) -> str:
        layer, product = self.layer, self.product
        assert product is not None
        left = unsigned_bits(product.bits - 2)
        pairs = [
            ("clk", "clk"), ("rst", "rst"), ("run", "opening"), ("potential", "opening_potential"),
            ("count", "opening_count"), ("start", "added"), ("done", done), ("take", "opened"), ("opened", found),
        ]  # fmt: skip
        return (
            f"    snn_product #(\n        .BITS({layer.bits}), .COUNT({product.bits}), .LEFT({left}), "
            f".NEXT({constant(product.bits - 2, left)})\n    ) product_of_counts (\n{connected(pairs)}\n    );\n"
        )

    def _sums_text(self, done: str, found: str) -> str:
        assert self.sums is not None
        sums = self.sums.contraction
        other, matrix = self.sums.store(own=False), sums.columns * sums.terms
        # How far it is in the memory of the other factor to the same row, to that of the next product, and back to
        # the first one's next.
        ways = {"AGAIN": 1 - sums.terms, "NEXT": matrix - sums.terms + 1, "OVER": 1 - (sums.stack - 1) * matrix}
        ends = [("TERM", sums.terms), ("ROW", sums.rows), ("STACK", sums.stack)]
        parameters: list[tuple[str, str]] = [("BITS", str(self.layer.bits))]
        for name, bits in (("OWN", self.sums.own), ("OTHER", self.sums.other)):
            store = self.sums.store(own=name == "OWN")
            parameters += [
                (name, str(bits)), (f"{name}_ADDRESS", str(store.address)), (f"{name}_WORDS", str(store.words)),
                (f"{name}_END", constant(store.words - 1, store.address)),
                (f"{name}_FORWARD", str(self.forward(f"{name.lower()}_"))),
            ]  # fmt: skip
        for name, count in ends:
            bits = unsigned_bits(count - 1)
            parameters += [(name, str(bits)), (f"{name}_END", constant(count - 1, bits))]
        parameters += [(name, constant(way, other.address)) for name, way in ways.items()]
        own = self.layer.parameters
        parameters += [(name, own[name]) for name in ("DIGITS", "PLACE") if name in own]
        pairs = [
            ("clk", "clk"), ("rst", "rst"),
            *((f"{f}_{n}", f"{f}_{n}") for f in ("own", "other") for n in ("beat", "word", "delta")),
            ("digit", "digit"), ("clear", "step & at_last"), ("ready", "ready"), ("run", "opening"),
            ("start", "added"), ("done", done), ("take", "opened"), ("opened", found),
        ]  # fmt: skip
        return (
            f"    snn_matrix_product #(\n{connected(parameters)}\n    ) products_of_counts (\n"
            f"{connected(pairs)}\n    );\n"
        )

    def forward(self, prefix: str) -> int:
        """Whether two beats in a row may meet one word of a memory."""
        ports = {name: numbers for name, numbers, _ in self.memories()}[prefix]
        return int(any(self.layer.ports[i].forward for i in ports))

    def _table_text(self, run: str, potential: str) -> str:
        layer, table = self.layer, self.layer.table
        assert table is not None
        rows, length = table.entries.shape
        file = self.files.memory(
            f"{layer.module}_table.hex", table.entries.reshape(-1), table.count_bits,
            f"{layer.module}: {rows} row(s) of {length} entries",
        )  # fmt: skip
        left = unsigned_bits(max(table.digits, table.count_bits) - 1)
        parameters = [
            ("BITS", str(layer.bits)), ("WIDE", str(table.wide)), ("DIGITS", str(table.digits)),
            ("LAST", constant(length - 1, table.digits)), ("COUNT", str(table.count_bits)), ("LEFT", str(left)),
            ("DIGITS_TOP", constant(table.digits - 1, left)), ("COUNT_TOP", constant(table.count_bits - 1, left)),
            ("ADDRESS", str(table.address)), ("DEPTH", str(table.entries.size)), ("FILE", f'"{file}"'),
        ]  # fmt: skip
        pairs = [
            ("clk", "clk"), ("rst", "rst"), ("run", run), ("potential", potential),
            ("threshold", "threshold"), ("offset", "offset"), ("row", "row"), ("done", "opened"),
            ("opened", "opened_potential"),
        ]  # fmt: skip
        return f"    snn_table #(\n{connected(parameters)}\n    ) table_of_counts (\n{connected(pairs)}\n    );\n"
