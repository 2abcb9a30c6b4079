"""Which layers have windows of their own: what names and patterns say, for each rectifier of a lowered graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from snntoolbox.conversion.thresholds.comparisons import Comparisons
from snntoolbox.errors import ConversionError
from snntoolbox.ir.counting import MOST_BITS
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import ReLU, Tabulated

Pairs = tuple[tuple[str, int], ...]
"""Names of layers, or patterns of them, with a number for each; the last that fits a layer counts."""


def as_pairs(bits: Mapping[str, int] | Iterable[tuple[str, int]]) -> Pairs:
    """The same as pairs; ConversionError where a name is no text, or a number none of binary digits."""
    pairs = tuple(bits.items()) if isinstance(bits, Mapping) else tuple(bits)
    wrong = [
        f"{name!r}: {number!r}"
        for name, number in pairs
        if not isinstance(name, str) or isinstance(number, bool) or number not in range(1, MOST_BITS + 1)
    ]
    if wrong:
        told = f"bits of {', '.join(wrong)} are no numbers of binary digits from 1 to {MOST_BITS} by names of layers"
        raise ConversionError(told, hint="bits={'conv1': 6}, or patterns such as {'conv*': 5}")
    return tuple((name, int(number)) for name, number in pairs)


def own_windows(lowered: Graph, bits: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The steps of the windows of rectifiers, by name, of which `bits` say something.

    A layer is meant by the name that a report has of it, by its place there, counted from 0, by that in the user's
    model, or by a pattern of a name (`*`, `?`, `[...]`). Rectifiers whose values a max pool compares send them in the
    same digits: they and those that compare have the most that is said of any of them. ConversionError for names of
    nothing, and for tables.
    """
    comparisons = Comparisons.of(lowered)
    known = {n.name: n for n in lowered.nodes.values() if isinstance(n, ReLU)}
    free = [name for name in known if name not in comparisons.sources]
    found: dict[str, int] = {}
    unknown = []
    for pattern, number in bits:
        place = pattern not in known and pattern.isdecimal() and int(pattern) < len(known)  # names may be numbers
        name = [*known][int(pattern)] if place else pattern
        meant = [name] if name in known else [n for n in free if _fits(known[n], pattern)]
        found |= dict.fromkeys(meant, number)
        unknown += [] if meant else [pattern]
    if unknown:
        layers = ", ".join(f"{n} ({_own_name(known[n])})" if _own_name(known[n]) != n else n for n in free)
        told = f"bits are set for {', '.join(unknown)}, and no layer that fires has such a name"
        raise ConversionError(told, hint=f"there are {layers}")
    if tables := [known[n].label for n in found if isinstance(known[n], Tabulated)]:
        told = "tables of smooth functions are made for the steps of [simulation] duration"
        raise ConversionError(f"{told}: no other bits", layer=", ".join(tables), hint="name other layers in bits")
    return _together(found, comparisons)


def _own_name(node: ReLU) -> str:
    return node.origin.name if node.origin is not None else node.name


def _fits(node: ReLU, pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in (node.name, _own_name(node)))


def _together(found: Mapping[str, int], comparisons: Comparisons) -> dict[str, int]:
    """With those that are compared with one another, and what compares them, alike."""
    windows, groups = dict(found), [{name, *sources} for name, sources in comparisons.sources.items()]
    changed = True
    while changed:
        changed = False
        for group in groups:
            said = [windows[name] for name in group if name in windows]
            if said and any(windows.get(name) != max(said) for name in group):
                windows |= dict.fromkeys(group, max(said))
                changed = True
    return windows
