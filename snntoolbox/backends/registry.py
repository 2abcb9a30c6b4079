"""Names to backends, which run networks, and to exporters, which write them."""

from __future__ import annotations

from typing import cast

from snntoolbox import plugins
from snntoolbox.backends.protocol import Backend, Exporter, Plugin
from snntoolbox.errors import BackendError

BACKENDS = "snntoolbox.backends"
"""The group of entry points of what runs networks."""

EXPORTERS = "snntoolbox.exporters"
"""That of what writes them; a plug-in that does both stands in both. So names are known before anything is loaded."""


def backend_names() -> list[str]:
    """The names of all backends, sorted."""
    return plugins.names(BACKENDS)


def exporter_names() -> list[str]:
    """The names of all exporters, sorted."""
    return plugins.names(EXPORTERS)


def roles() -> dict[str, str]:
    """What each backend and exporter does, by name: 'runs', 'writes', or 'runs, writes'."""
    running, writing = backend_names(), exporter_names()
    names = dict.fromkeys([*running, *writing])
    return {name: ", ".join(["runs"] * (name in running) + ["writes"] * (name in writing)) for name in names}


def plugin_named(name: str) -> Plugin:
    """The backend or exporter of this name; BackendError lists the known ones."""
    return exporter_named(name) if name in exporter_names() else backend_named(name)


def backend_named(name: str) -> Backend:
    """The backend of this name; BackendError lists the known ones."""
    if name in exporter_names() and name not in backend_names():
        hint = f"snntoolbox export --to {name}; simulators are {', '.join(backend_names())}"
        raise BackendError(f"'{name}' writes networks and cannot run them", hint=hint)
    return cast(Backend, plugins.load(BACKENDS, name, "backend", BackendError))


def exporter_named(name: str) -> Exporter:
    """The exporter of this name; BackendError lists the known ones."""
    if name in backend_names() and name not in exporter_names():
        hint = f"[simulation] simulator = {name}; exporters are {', '.join(exporter_names())}"
        raise BackendError(f"'{name}' runs networks and cannot write them", hint=hint)
    return cast(Exporter, plugins.load(EXPORTERS, name, "exporter", BackendError))
