"""The names under which parts of neurons are saved, and the classes that they stand for."""

from __future__ import annotations

import sys

from snntoolbox.errors import DataError
from snntoolbox.ir import parts
from snntoolbox.ir.part import Part


class UnknownPartError(DataError):
    """A file names a part of neurons that is not known here."""


def part_name(kind: type[Part]) -> str:
    """The name of a part: 'Leak' of `snntoolbox.ir.parts`, else 'package.module:Name'.

    DataError for a class inside of a function or another class, which no name leads to.
    """
    own, module = kind.__qualname__, kind.__module__
    if _loaded(module, own) is not kind:
        raise DataError(f"the part {module}:{own} cannot be saved", hint="define its class at the top of a module")
    return own if module == parts.__name__ else f"{module}:{own}"


def part_named(name: str) -> type[Part]:
    """The class of a name. Nothing is imported for it, and what is no part is none, whatever a file says."""
    module, _, own = name.rpartition(":")
    kind = _loaded(module or parts.__name__, own)
    if kind is None:
        hint = f"import {module} first, which must have it" if module else "it may be from a newer snntoolbox"
        raise UnknownPartError(f"a part of neurons that is not known here: {name}", hint=hint)
    return kind


def _loaded(module: str, name: str) -> type[Part] | None:
    """The part of this name in a module that is loaded, if there is one."""
    found = vars(sys.modules[module]).get(name) if module in sys.modules else None
    return found if isinstance(found, type) and issubclass(found, Part) else None
