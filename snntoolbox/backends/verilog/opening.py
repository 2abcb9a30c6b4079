"""What becomes of potentials as the window of a layer opens, in numbers: its product of counts, its table of counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.backends.verilog.ports import Layout, Store, address_bits
from snntoolbox.backends.verilog.widths import signed_bits, unsigned_bits
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.flat import spread
from snntoolbox.ir.node import Array
from snntoolbox.ir.tabulating import Table


@dataclass(frozen=True, eq=False, kw_only=True)
class TableMemory:
    """The entries of a table, row behind row, and for each neuron in the order of its layer where its row begins.

    offset: what stands for the first entry, first * threshold, of each neuron. wide: bits of all that an index is found
    with. The module is `snn_table`.
    """

    entries: Array
    row: Array
    offset: Array
    wide: int

    @property
    def length(self) -> int:
        """Entries of a row."""
        return int(self.entries.shape[1])

    @property
    def digits(self) -> int:
        """Binary digits of an index."""
        return max(2, (self.length - 1).bit_length())

    @property
    def count_bits(self) -> int:
        """Bits of an entry."""
        return unsigned_bits(int(self.entries.max()))

    @property
    def address(self) -> int:
        """Bits of the address of an entry."""
        return address_bits(self.entries.size)

    @property
    def clocks(self) -> int:
        """Those that a neuron takes."""
        return self.digits + self.count_bits + 3


@dataclass(frozen=True, eq=False, kw_only=True)
class Product:
    """The other factor of each neuron, a count of `bits` bits, and what is added to the product, in the layer's order.

    The module is `snn_product`.
    """

    bits: int
    start: Array

    @property
    def clocks(self) -> int:
        """Those that a neuron takes."""
        return self.bits + 1


@dataclass(frozen=True, eq=False, kw_only=True)
class SummedProducts:
    """What sums the products of a layer, counts of two factors, and what is added to each sum, in the layer's order.

    own, other: bits of a count of the factor whose rows are the layer's channels, and of the other one, which has a
    row for each of its columns. The module is `snn_matrix_product`.
    """

    contraction: Contraction
    own: int
    other: int
    start: Array

    @property
    def clocks(self) -> int:
        """The most that a neuron takes: one for each binary digit of the narrower count of each term."""
        return self.contraction.terms * min(self.own, self.other) + 3

    def store(self, own: bool) -> Store:
        """The memory of one factor, a row behind the other."""
        sums = self.contraction
        rows = sums.rows if own else sums.columns
        return Store(sums=sums.stack * rows * sums.terms, lanes=1, bits=self.own if own else self.other)

    def of_own(self, latched: bool) -> bool:
        """Whether what comes, or else what is latched, is the factor whose rows are the channels."""
        return self.contraction.channels_of(int(latched))


def table_memory(table: Table, threshold: Array, layout: Layout, bits: int) -> TableMemory:
    """The memory of a table, for thresholds in the order of a layout and potentials of so many bits."""
    rows = table.rows(layout.shape) if len(table.counts) > 1 else 0.0
    # Rows that are alike are there once.
    entries, known = np.unique(np.asarray(table.counts).astype(np.int64), axis=0, return_inverse=True)
    row = known.reshape(-1)[spread(rows, layout.shape)[layout.c_order].astype(np.int64)]
    offset, half = table.first * threshold, 1 << bits - 1
    memory = TableMemory(entries=entries, row=row * entries.shape[1], offset=offset, wide=0)
    highest = int(threshold.max()) << memory.digits - 1
    low = -half - max(0, int(offset.max())) - highest
    wide = signed_bits(low, max(half - min(0, int(offset.min())), highest))
    return TableMemory(entries=memory.entries, row=memory.row, offset=offset, wide=wide)
