"""Keras itself and our own layer for it, imported when they are needed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from snntoolbox.errors import FrontendError

_MODULE = "snntoolbox.training.keras"

QCFS = "snntoolbox>QCFS"
"""The kind of our own layer in records: the name under which Keras has it registered."""

APPLICATIONS = {
    "CustomScaleLayer": "inception_resnet_v2",
    "LayerScale": "convnext",
    "StochasticDepth": "convnext",
}
"""The layers that only models of `keras.applications` have, and the module of each."""

# -- Keras ----------------------------------------------------------------------------------------------------------


def import_keras() -> ModuleType:
    """Keras 3, on a backend that is there; FrontendError that tells what to install or to set.

    Keras picks its backend when it is first imported. Where nobody has chosen one, it gets torch, which is always
    installed here; the environment is left as it was.
    """
    choose = "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ
    if choose:
        os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    except Exception as error:  # a backend that is missing, unknown or broken raises what it likes
        raise _import_failure(error) from error
    finally:
        if choose:
            del os.environ["KERAS_BACKEND"]
    if int(keras.__version__.split(".")[0]) < 3:
        raise FrontendError(f"Keras {keras.__version__} is too old", hint="pip install snntoolbox[keras]")
    return keras  # type: ignore[no-any-return]


def use_backend(name: str) -> str:
    """Let Keras run on a backend from now on, here and in processes of ours; what to say where it will not.

    The environment says so, as Keras has it: once Keras is imported it stays as it is.
    """
    running = sys.modules["keras"].backend.backend() if "keras" in sys.modules else ""
    if running:
        return "" if running == name else f"Keras runs on {running} in this process already"
    if find_spec(name) is None:
        return f"{name} is not installed: Keras runs on what it finds, which computes the same"
    os.environ["KERAS_BACKEND"] = name
    return ""


def _import_failure(error: Exception) -> FrontendError:
    if isinstance(error, ImportError) and error.name == "keras":
        return FrontendError("Keras is not installed", hint="pip install snntoolbox[keras]")
    backend = os.environ.get("KERAS_BACKEND", "its default")
    return FrontendError(
        f"Keras cannot start on the backend '{backend}': {error}",
        hint="set the environment variable KERAS_BACKEND=torch, or install what is missing",
    )


def layer_class(kind: str, keras: Any) -> Any:
    """The class of a layer that is Keras' own or ours."""
    if kind in APPLICATIONS:
        from keras.src.applications import convnext, inception_resnet_v2

        return getattr({"convnext": convnext, "inception_resnet_v2": inception_resnet_v2}[APPLICATIONS[kind]], kind)
    return own_layer() if kind == QCFS else getattr(keras.layers, kind)


def weight_name(variable: Any) -> str:
    """The name of a live layer's weight; those that have none Keras counts over the whole program."""
    return re.sub(r"^variable_\d+$", "variable", str(variable.name))


# -- our own layer --------------------------------------------------------------------------------------------------


def own_layer() -> Any:
    """The class of our layer; afterwards Keras knows it when it loads a file."""
    return import_module("snntoolbox.training.keras").QCFS


def is_own(cls: type) -> bool:
    """Whether a live layer's class is ours."""
    return cls.__module__ == _MODULE and cls.__name__ == "QCFS"


def with_own_kind(entry: dict[str, Any]) -> dict[str, Any]:
    """A saved layer, its kind as in records where it is ours; a ``.keras`` file tells that in three places."""
    names = (entry.get("class_name"), entry.get("module"), entry.get("registered_name"))
    return {**entry, "class_name": QCFS, "module": None} if names == ("QCFS", _MODULE, QCFS) else entry


def has_own_layer(config: Mapping[str, Any]) -> bool:
    """Whether a file's architecture has our layer anywhere."""
    layers = config.get("config", {}).get("layers") if isinstance(config.get("config"), Mapping) else None
    if config.get("class_name") == QCFS:
        return True
    return isinstance(layers, list) and any(has_own_layer(entry) for entry in layers if isinstance(entry, Mapping))
