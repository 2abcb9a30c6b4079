"""Reads the options given to a backend or an exporter into its own dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

from snntoolbox.errors import BackendError
from snntoolbox.ir.arguments import misfits_of, nearest

T = TypeVar("T")

VALUES = "values"
"""Key of a field's metadata: the names that may be given for an option without a default."""


def chosen_options(backend: str, kind: type[T], options: Mapping[str, Any]) -> T:
    """The options as a `kind`, a dataclass; BackendError names those that it does not have, and those that it lacks."""
    known: tuple[Field[Any], ...] = fields(kind)  # type: ignore[arg-type]
    if unknown := sorted(set(options) - {f.name for f in known}):
        steps = "" if nearest(unknown[0], ["T"]) is None else "; T is the number of steps"
        hint = f"it has {_usage(known)}{steps}"
        raise BackendError(f"backend '{backend}' has no option {', '.join(unknown)}", hint=hint)
    # Before the options check their values against one another, which takes their types for granted.
    if wrong := misfits_of(kind, options):
        raise BackendError(f"backend '{backend}': {'; '.join(wrong)}", hint=f"it has {_usage(known)}")
    if absent := [f.name for f in known if _required(f) and f.name not in options]:
        raise BackendError(f"backend '{backend}' needs the option {', '.join(absent)}", hint=f"it has {_usage(known)}")
    return kind(**options)


def _required(option: Field[Any]) -> bool:
    return option.default is MISSING and option.default_factory is MISSING


def _usage(options: tuple[Field[Any], ...]) -> str:
    """Each option with its default, if it has one, else with what it may be, as far as its field says so."""
    return ", ".join(f.name + _values(f) if f.default is MISSING else f"{f.name} = {f.default!r}" for f in options)


def _values(option: Field[Any]) -> str:
    values = option.metadata.get(VALUES, ())
    return f" ({' or '.join(values)})" if values else ""
