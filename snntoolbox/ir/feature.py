"""What a feature is: something that a network may ask of a backend, as one row."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, field, replace
from typing import Any, Self


def nobody(layer: Any) -> bool:
    """No network asks for it."""
    return False


@dataclass(frozen=True)
class Lowering:
    """A setting that makes a network without a feature; `more` is what a table adds to it.

    It helps only backends that have the feature named `needs`, if one is; `off_grid`: and networks that are on no grid.
    """

    setting: str
    more: str = ""
    needs: str = ""
    off_grid: bool = False

    def helps(self, held: Set[Feature], *, gridded: bool = False) -> bool:
        """Whether it helps a backend with these features, for a network that is on a grid or not."""
        there = not self.needs or any(feature.name == self.needs for feature in held)
        return there and not (gridded and self.off_grid)


@dataclass(frozen=True)
class Feature:
    """A row, known by its name, perhaps held beside another one alone.

    name: its row in the table of simulators. words: what a layer has that asks for it, for a refusal.
    asked_by: whether a layer (a population, a coded input, the whole network) asks for it.
    lowered_by: what brings networks without it; avoided_by: a setting that does without what it is for, which may
    follow from the network that asks.
    why_not: why a backend has it not, unless that says why. by_form: it follows from the form of a network, so that
    every backend has it.
    kind, value: for one of several of which a neuron has exactly one: a reset of value 'zero'.
    given: it holds in layers alone that ask for this feature too; see `beside`.
    """

    name: str
    words: str = field(default="", compare=False)
    asked_by: Callable[[Any], bool] = field(default=nobody, compare=False, repr=False)
    lowered_by: Lowering | None = field(default=None, compare=False, repr=False)
    avoided_by: str | Callable[[Any], str] = field(default="", compare=False, repr=False)
    why_not: str = field(default="", compare=False, repr=False)
    by_form: bool = field(default=False, compare=False, repr=False)
    kind: str = field(default="", compare=False, repr=False)
    value: str = field(default="", compare=False, repr=False)
    given: Feature | None = None

    def __post_init__(self) -> None:
        if not self.words:
            object.__setattr__(self, "words", f"{self.kind} '{self.value}'" if self.kind else self.name)

    def way_out(self, network: Any) -> str:
        """The setting without which this network would not ask for it; empty where none is known."""
        return self.avoided_by if isinstance(self.avoided_by, str) else self.avoided_by(network)

    def beside(self, other: Feature) -> Self:
        """This feature, held only where a layer has the other one too: a refractory period with one reset alone."""
        return replace(self, given=other)

    def among(self, held: Set[Feature], company: Set[Feature]) -> bool:
        """Whether these hold it, in a layer that asks for `company`."""
        return self.by_form or self in held or any(self.beside(other) in held for other in company)

    def conditions(self, held: Set[Feature]) -> list[Feature]:
        """The features beside which alone these hold it, by name."""
        found = (h.given for h in held if h.name == self.name and h.given is not None)
        return sorted(found, key=lambda feature: feature.value or feature.name)
