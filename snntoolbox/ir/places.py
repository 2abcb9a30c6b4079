"""Notes which files and folders have taken their places, for whoever must say what there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_places: ContextVar[list[Path] | None] = ContextVar("places", default=None)


@contextmanager
def noted() -> Iterator[list[Path]]:
    """The files and folders that take their places within the block."""
    places: list[Path] = []
    token = _places.set(places)
    try:
        yield places
    finally:
        _places.reset(token)


def note(place: Path) -> None:
    """Note that something has taken its place."""
    places = _places.get()
    if places is not None:
        places.append(place)
