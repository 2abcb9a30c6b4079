"""Names to backends."""

from __future__ import annotations

from typing import cast

from snntoolbox import plugins
from snntoolbox.backends.protocol import Backend
from snntoolbox.errors import BackendError

BACKENDS = "snntoolbox.backends"
"""The group of entry points."""


def backend_names() -> list[str]:
    """The names of all backends, sorted."""
    return plugins.names(BACKENDS)


def backend_named(name: str) -> Backend:
    """The backend of this name; BackendError lists the known ones."""
    return cast(Backend, plugins.load(BACKENDS, name, "backend", BackendError))
