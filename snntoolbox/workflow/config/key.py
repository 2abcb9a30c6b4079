"""What is said about one configuration key, kept in the metadata of a dataclass field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field
from typing import Any, Literal, TypeVar, get_args, get_origin

T = TypeVar("T")


@dataclass(frozen=True)
class Rule:
    """A condition on a value: `text` completes "must be ...", `holds` decides."""

    text: str
    holds: Callable[[Any], bool]

    def __or__(self, other: Rule) -> Rule:
        return Rule(f"{self.text} or {other.text}", lambda value: self.holds(value) or other.holds(value))


POSITIVE = Rule("greater than 0", lambda value: value > 0)


def above(low: float, high: float) -> Rule:
    """Return the rule ``low < value <= high``."""
    return Rule(f"above {low} and at most {high}", lambda value: low < value <= high)


def at_least(low: float) -> Rule:
    """Return the rule ``value >= low``."""
    return Rule(f"at least {low}", lambda value: value >= low)


def between(low: float, high: float) -> Rule:
    """Return the rule ``low <= value <= high``."""
    return Rule(f"between {low} and {high}", lambda value: low <= value <= high)


def exactly(only: float, meaning: str = "") -> Rule:
    """Return the rule ``value == only``; `meaning` says what that value stands for."""
    return Rule(f"{only} ({meaning})" if meaning else f"{only}", lambda value: value == only)


@dataclass(frozen=True, kw_only=True)
class Key:
    """One supported key of one section.

    `kind` is the annotation of its field, `aliases` maps other spellings to the value kept, `refused` maps known values
    that are not available to the reason with the way out, `plugins` is the entry point group that adds choices.
    `all_of` lists what the word "all" expands to in a set. `derived` says in words what an unset key becomes when
    that follows from other keys. `suggested` is what a new configuration sets it to. `option` names the simulator and
    the option of its `build` that the key sets, as ``INI.engine``.

    `recipe` names the field of a conversion's `Recipe` that it sets, one of its neuron as ``neuron.reset``. Where
    values are written otherwise than the field has them, `means` maps the one to the other; where they follow from
    several keys, `value` gives the field's value from all settings. Several keys may name one field: the first of them
    sets it, and the others have a part in its `value`.

    `saved`: a converted network holds it though no field of its recipe does. `also` are other names of the key. `idle`
    says why it has no effect beside other settings; empty where it has one.
    """

    section: str
    name: str
    kind: Any
    default: Any
    doc: str
    choices: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    plugins: str = ""
    all_of: tuple[str, ...] = ()
    rule: Rule | None = None
    derived: str = ""
    suggested: object = None
    option: str = ""
    recipe: str = ""
    means: Mapping[Any, Any] = field(default_factory=dict)
    value: Callable[[Any], Any] | None = None
    saved: bool = False
    also: tuple[str, ...] = ()
    idle: Callable[[Any], str] | None = None

    @property
    def path(self) -> str:
        """Return ``section.name``."""
        return f"{self.section}.{self.name}"

    def chosen_in(self, settings: Any) -> Any:
        """Return the value of the recipe's field that `settings` choose."""
        if self.value is not None:
            return self.value(settings)
        return self.means[self.value_in(settings)] if self.means else self.value_in(settings)

    def written(self, value: Any) -> Any:
        """Return how a value of the recipe's field is written."""
        return {meant: text for text, meant in self.means.items()}[value] if self.means else value

    def value_in(self, settings: Any) -> Any:
        """Return what `settings` (a `schema.Settings`) have for it."""
        return getattr(getattr(settings, self.section), self.name)


@dataclass(frozen=True)
class Refused:
    """A key that is known, is accepted at its `default`, and else refused with `reason`, which ends in the way out.

    Where only some simulators have a use for it, `only` names them and `whose` says in words who they are: with any
    other it has no effect, which is told.
    """

    section: str
    name: str
    default: Any
    reason: str
    only: tuple[str, ...] = ()
    whose: str = ""

    @property
    def path(self) -> str:
        """Return ``section.name``."""
        return f"{self.section}.{self.name}"


def key(default: T, doc: str, **about: Any) -> T:
    """Return a dataclass field with this default; `about` are fields of `Key`."""
    metadata = {"doc": doc, **about}
    declared: Any
    if isinstance(default, dict):
        declared = field(default_factory=default.copy, metadata=metadata)
    else:
        declared = field(default=default, metadata=metadata)
    return declared  # type: ignore[no-any-return]  # a field now, the value once the dataclass is made


def key_of(section: str, declared: Field[Any], kind: Any) -> Key:
    """Return the `Key` of the dataclass field `declared`, whose resolved annotation is `kind`."""
    about = dict(declared.metadata)
    if get_origin(kind) is Literal:
        about["choices"] = get_args(kind)
    default = declared.default_factory() if declared.default_factory is not MISSING else declared.default
    return Key(section=section, name=declared.name, kind=kind, default=default, **about)
