"""Settings as users write them, for what a search found and what advice says: as arguments, unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass

from snntoolbox.conversion.changes import Changes


@dataclass(frozen=True)
class Setting:
    """One setting; `section` is that of a configuration, empty in Python."""

    name: str
    value: object
    section: str = ""

    @property
    def path(self) -> str:
        """Its name with its section."""
        return f"{self.section}.{self.name}" if self.section else self.name

    def __str__(self) -> str:
        return f"[{self.section}] {self.short}" if self.section else self.short

    @property
    def short(self) -> str:
        """The setting without its section."""
        return f"{self.name} = {_text(self.value)}"


Notation = Callable[[str, object], Setting]
"""How a user writes a field of a recipe, or the `duration` (ms) and `early_exit` of a run, and its value."""


def as_argument(name: str, value: object) -> Setting:
    """As an argument of `convert` or `simulate`; ``neuron.initial`` is a field of its `neuron`."""
    return Setting(name, value)


def written(changes: Changes, notation: Notation) -> list[Setting]:
    """Every change as the user writes it."""
    return [notation(name, value) for name, value in changes.items()]


def in_one_line(changes: Changes, notation: Notation) -> str:
    """All changes, a section where it differs from that of the one before."""
    settings = written(changes, notation)
    before = ["", *(setting.section for setting in settings)]
    return ", ".join(s.short if s.section == last else str(s) for s, last in zip(settings, before, strict=False))


def _text(value: object) -> str:
    """A value in one word; of data its kind."""
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, tuple):
        return str(list(value))
    return f"{type(value).__name__}()" if is_dataclass(value) else str(value)
