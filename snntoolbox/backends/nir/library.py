"""The package nir, imported when it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from snntoolbox.errors import BackendError


def nir() -> Any:
    """The package; BackendError says how to install it."""
    try:
        return import_module("nir")
    except ImportError as error:
        raise BackendError(f"nir cannot be imported: {error}", hint="pip install 'snntoolbox[nir]'") from error
