"""Tells our own layer, that of QCFS training, from a user's of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

QCFS = "snntoolbox>QCFS"
"""The kind of the layer in records: the name under which Keras has it registered."""

_MODULE = "snntoolbox.training.keras"


def layer_class() -> Any:
    """The layer's class; afterwards Keras knows it when it loads a file."""
    return import_module("snntoolbox.training.keras").QCFS


def is_own(cls: type) -> bool:
    """Whether a live layer's class is ours."""
    return cls.__module__ == _MODULE and cls.__name__ == "QCFS"


def named(entry: dict[str, Any]) -> dict[str, Any]:
    """A saved layer with its kind as in records where it is ours; a ``.keras`` file tells that in three places."""
    told = (entry.get("class_name"), entry.get("module"), entry.get("registered_name"))
    return {**entry, "class_name": QCFS, "module": None} if told == ("QCFS", _MODULE, QCFS) else entry


def layer(kind: str, keras: Any) -> Any:
    """The class of a layer that is Keras' own or ours."""
    return layer_class() if kind == QCFS else getattr(keras.layers, kind)


def is_named(config: Mapping[str, Any]) -> bool:
    """Whether a file's architecture has the layer anywhere."""
    layers = config.get("config", {}).get("layers") if isinstance(config.get("config"), Mapping) else None
    if config.get("class_name") == QCFS:
        return True
    return isinstance(layers, list) and any(is_named(entry) for entry in layers if isinstance(entry, Mapping))
