"""Which layers have windows of their own: what names and patterns say, for each rectifier of a lowered graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from snntoolbox.conversion.named_layers import Pairs, Said
from snntoolbox.errors import ConversionError
from snntoolbox.ir.counting import MOST_BITS
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Tabulated

BITS = Said(
    name="bits",
    numbers="numbers of binary digits",
    most=MOST_BITS,
    so="bits={'conv1': 6}, or patterns such as {'conv*': 5}; "
    "the digits of all layers are duration, in Python duration=4",
)


def as_pairs(bits: Mapping[str, int] | Iterable[tuple[str, int]]) -> Pairs:
    """The same as pairs; ConversionError where a name is no text, or a number none of binary digits."""
    return BITS.pairs(bits)


def own_windows(lowered: Graph, bits: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The steps of the windows of rectifiers, by name, of which `bits` say something: see `Said.of`.

    ConversionError for names of nothing, and for tables.
    """
    found = BITS.of(lowered, bits)
    if tables := [lowered.nodes[n].label for n in found if isinstance(lowered.nodes[n], Tabulated)]:
        told = "tables of smooth functions are made for the steps of [simulation] duration"
        raise ConversionError(f"{told}: no other bits", layer=", ".join(tables), hint="name other layers in bits")
    return found
