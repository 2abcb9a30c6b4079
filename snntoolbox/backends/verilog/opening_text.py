"""Writes the Verilog of what becomes of potentials as the window of a layer opens: products and tables of counts."""

from __future__ import annotations

from snntoolbox.backends.verilog.layer import Layer
from snntoolbox.backends.verilog.widths import unsigned_bits
from snntoolbox.backends.verilog.writing import Files, connected, constant, vector


class OpeningText:
    """The part of one layer's module, with words of `address` bits, beside its neurons; nothing where nothing opens."""

    def __init__(self, layer: Layer, address: int, files: Files) -> None:
        self.layer, self.address, self.files = layer, address, files
        self.scan_row = layer.scanned * layer.bits

    def parameters(self) -> list[tuple[str, int | str]]:
        """Those of the neurons: whether potentials become others, and the sums that are counted beside them."""
        layer = self.layer
        looks: list[tuple[str, int | str]] = [("LOOKS", int(bool(layer.opening_clocks)))]
        if layer.product is None:
            return looks
        forward = any(port.forward for port in layer.ports if port.latched)
        return [*looks, ("LATCHED", 1), ("LATCH", layer.product.bits), ("LATCH_FORWARD", int(forward))]

    def nets(self) -> tuple[str, list[tuple[str, str]]]:
        """The nets between the neurons and what finds their potentials, and how the neurons are connected to them."""
        layer, text = self.layer, ""
        opens, product = bool(layer.opening_clocks), layer.product
        if opens:
            text += "    wire opening, opened;\n"
            text += f"    wire {vector(layer.bits)} opening_potential, opened_potential;\n"
        if product is not None:
            text += f"    wire {vector(product.bits)} opening_count;\n"
        names = ("latch_beat", "latch_word", "latch_delta")
        nets = names if product is not None else ("1'b0", f"{self.address}'d0", f"{layer.lanes}'d0")
        return text, [
            *zip(names, nets, strict=True),
            *((name, name * opens) for name in ("opening", "opening_potential")),
            ("opening_count", "opening_count" * (product is not None)),
            ("opened", "opened" if opens else "1'b1"),
            ("opened_potential", "opened_potential" if opens else f"{self.scan_row}'d0"),
        ]

    def text(self) -> str:
        """What finds the potentials: the product, then the table."""
        product, table = self.layer.product, self.layer.table
        if table is None:
            return "" if product is None else self._product_text("opened", "opened_potential")
        if product is None:
            return self._table_text("opening", "opening_potential")
        between = f"    wire multiplied;\n    wire {vector(self.layer.bits)} product_potential;\n"
        return (
            between
            + self._product_text("multiplied", "product_potential")
            + self._table_text("multiplied", "product_potential")
        )

    def _product_text(self, done: str, found: str) -> str:
        layer, product = self.layer, self.layer.product
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
