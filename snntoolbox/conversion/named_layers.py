"""Which rectifiers are meant by names, places and patterns of names, and the number that is said of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from snntoolbox.conversion.thresholds.comparisons import Comparisons
from snntoolbox.errors import ConversionError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import LinearNode, Node
from snntoolbox.ir.nodes import ReLU

Pairs = tuple[tuple[str, int], ...]
"""Names of layers, or patterns of them, with a number for each; the last that fits a layer counts."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """A choice that says a number of layers: its name, what the numbers are, the largest, and an example."""

    name: str
    numbers: str
    most: int
    so: str

    def pairs(self, given: Mapping[str, int] | Iterable[tuple[str, int]]) -> Pairs:
        """The same as pairs; ConversionError where a name is no text, or a number none that may be."""
        found = [*given.items()] if isinstance(given, Mapping) else given
        if not isinstance(found, list | tuple) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in found):
            raise ConversionError(f"{self.name} are {given!r}: no {self.numbers} by names of layers", hint=self.so)
        wrong = [
            f"{name!r}: {number!r}"
            for name, number in found
            if not isinstance(name, str) or isinstance(number, bool) or number not in range(1, self.most + 1)
        ]
        if wrong:
            told = f"{self.name} of {', '.join(wrong)} are no {self.numbers} from 1 to {self.most} by names of layers"
            so = self.so.partition(";")[0]
            raise ConversionError(told, hint=f"{so}; places in a report are text too: {{'0': 6}}")
        return tuple((name, int(number)) for name, number in found)

    def of(self, lowered: Graph, pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
        """The numbers of the rectifiers, by name, of which the pairs say something.

        A layer is meant by the name that a report has of it, by its place there, counted from 0, by that in the user's
        model, by the name of the weighted layer whose sums it alone takes, or by a pattern of a name (`*`, `?`,
        `[...]`). Rectifiers whose values a max pool compares send them alike: they and those that compare have the
        most that is said of any of them. ConversionError for names of nothing.
        """
        comparisons = Comparisons.of(lowered)
        known = {n.name: n for n in lowered.nodes.values() if isinstance(n, ReLU)}
        free = {name: _names(lowered, node) for name, node in known.items() if name not in comparisons.sources}
        found: dict[str, int] = {}
        unknown = []
        for pattern, number in pairs:
            place = pattern not in known and pattern.isdecimal() and int(pattern) < len(known)  # names may be numbers
            name = [*known][int(pattern)] if place else pattern
            fitting = [n for n, names in free.items() if any(fnmatchcase(m, pattern) for m in names)]
            meant = [name] if name in known else fitting
            found |= dict.fromkeys(meant, number)
            unknown += [] if meant else [pattern]
        if unknown:
            layers = ", ".join(f"{n} ({', '.join(names[1:])})" if names[1:] else n for n, names in free.items())
            told = f"{self.name} are set for {', '.join(map(repr, unknown))}, and no layer that fires has such a name"
            raise ConversionError(told, hint=f"there are {layers or 'none that fire'}")
        return _together(found, comparisons)


def _names(lowered: Graph, node: ReLU) -> list[str]:
    """What it is called: here, in the user's model, and there the layer whose sums it takes, if nobody else does."""
    names = dict.fromkeys([node.name, _own_name(node)])
    above: Node = node
    while len(above.inputs) == 1 and len(lowered.consumers[above.inputs[0]]) == 1:
        above = lowered.nodes[above.inputs[0]]
        if not isinstance(above, LinearNode) or above.name in lowered.outputs:
            break
        names |= dict.fromkeys([above.name, _own_name(above)])
        if above.weights is not None:
            break
    return [*names]


def _own_name(node: Node) -> str:
    return node.origin.name if node.origin is not None else node.name


def _together(found: Mapping[str, int], comparisons: Comparisons) -> dict[str, int]:
    """With those that are compared with one another, and what compares them, alike."""
    numbers, groups = dict(found), [{name, *sources} for name, sources in comparisons.sources.items()]
    changed = True
    while changed:
        changed = False
        for group in groups:
            said = [numbers[name] for name in group if name in numbers]
            if said and any(numbers.get(name) != max(said) for name in group):
                numbers |= dict.fromkeys(group, max(said))
                changed = True
    return numbers
