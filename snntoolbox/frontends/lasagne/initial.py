"""Stand-ins for ``lasagne.init``: parameters are read from a file, so what they were before matters to nobody."""

from __future__ import annotations

from typing import Any


class Initializer:
    """Any of Lasagne's initialisers, with whatever arguments; it makes no values."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self.arguments = arguments
        self.settings = settings


NAMES: dict[str, type[Initializer]] = {
    name: type(name, (Initializer,), {})
    for name in (
        *("Initializer", "Normal", "Uniform", "Glorot", "GlorotNormal", "GlorotUniform", "He", "HeNormal", "HeUniform"),
        *("Constant", "Sparse", "Orthogonal"),
    )
}
"""What ``lasagne.init`` has."""
