"""Reads the options given to a backend's `build` into its own dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from snntoolbox.errors import BackendError
from snntoolbox.ir.arguments import misfits_of

T = TypeVar("T")


def chosen_options(backend: str, kind: type[T], options: Mapping[str, Any]) -> T:
    """The options as a `kind`, a dataclass; BackendError names those that the backend does not have."""
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    if unknown := sorted(set(options) - set(known)):
        raise BackendError(f"backend '{backend}' has no option {', '.join(unknown)}", hint=f"it has {', '.join(known)}")
    # Before the options check their values against one another, which takes their types for granted.
    if wrong := misfits_of(kind, options):
        raise BackendError(f"backend '{backend}': {'; '.join(wrong)}", hint=f"by default {kind()}")
    return kind(**options)
