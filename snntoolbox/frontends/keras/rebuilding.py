"""Makes a model that was read from a file anew in Keras, to ask Keras for its output."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from snntoolbox.errors import NoReferenceError
from snntoolbox.frontends.keras.handlers import HANDLERS
from snntoolbox.frontends.keras.legacy import OLD_HARD_SIGMOID
from snntoolbox.frontends.keras.nested import INSIDE, inner, told_apart
from snntoolbox.frontends.keras.records import Layer, Net, Ref, Use
from snntoolbox.frontends.keras.runtime import layer_class, weight_name
from snntoolbox.ir.hdf5 import brief

# What only matters to training or is set from the file, and the layer's name, which may be that of another.
_LEFT_OUT = re.compile(r"name|trainable|dtype|.*_(initializer|regularizer|constraint)|quantization_config|.*lora.*")

_FUNCTIONS: Mapping[str, str] = {"LayerNorm": "layer_normalization", "RMSNorm": "rms_normalization"}
"""Functions of `keras.ops` that are not called as their classes are."""


def rebuilt(keras: ModuleType, net: Net) -> Any:
    """A functional model of Keras' own layers, with the weights of `net`; NoReferenceError where Keras refuses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _rebuilt(keras, net)
    except Exception as error:  # layers raise what they like for a config of another age
        raise NoReferenceError(f"Keras {keras.__version__} cannot run '{net.name}': {brief(error)}") from error


def _rebuilt(keras: ModuleType, net: Net) -> Any:
    tensors = {i.key: keras.Input(i.shape) for i in net.inputs}
    layers: dict[str, Any] = {}
    for use in net.uses:
        if use.layer.kind not in HANDLERS:
            raise ValueError(f"{use.layer.kind} is not supported")
        given = _called(keras, use, layers, tensors)
        results = given if isinstance(given, list | tuple) else [given]
        tensors.update(zip(use.outputs, results, strict=True))
    inputs = [tensors[i.key] for i in net.inputs]
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], [tensors[key] for key in net.outputs])


def _called(keras: ModuleType, use: Use, layers: dict[str, Any], tensors: Mapping[str, Any]) -> Any:
    layer = use.layer
    args = _with_tensors(use.args, tensors)
    kwargs = {k: _with_tensors(v, tensors) for k, v in use.kwargs.items() if v is not None}
    if layer.kind.startswith("keras.ops."):
        name = layer.kind.rpartition(".")[2]
        function = getattr(keras.ops, _FUNCTIONS.get(name) or re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower())
        known = inspect.signature(function).parameters
        return function(
            *args, **kwargs, **{k: v for k, v in (layer.config or {}).items() if k in known and k != "name"}
        )
    if layer.name not in layers:
        layers[layer.name] = anew = _constructed(keras, layer.kind, layer.config or {})
        output = anew(*args, **kwargs)
        _fill(anew, layer)
        return output
    return layers[layer.name](*args, **kwargs)


def _constructed(keras: ModuleType, kind: str, config: Mapping[str, Any]) -> Any:
    """A layer of Keras' own from the part of an old config that it knows."""
    cls = layer_class(kind, keras)
    known = inspect.signature(cls.__init__).parameters
    settings = {k: v for k, v in config.items() if k in known and not _LEFT_OUT.fullmatch(k)}
    if "activation" in settings:
        settings["activation"] = _activation(keras, settings["activation"])
    for key in INSIDE:
        if settings.get(key) is not None:
            settings[key] = _constructed(keras, *inner(settings[key]))
    if "cells" in settings:
        settings["cells"] = [_constructed(keras, *inner(cell)) for cell in settings["cells"]]
    return cls(**settings)


def _activation(keras: ModuleType, activation: Any) -> Any:
    if activation == OLD_HARD_SIGMOID:

        def old_hard_sigmoid(x: Any) -> Any:
            return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)

        return old_hard_sigmoid
    if isinstance(activation, Mapping) and activation.get("class_name") != "function":
        return _constructed(keras, str(activation["class_name"]), activation["config"])
    name = activation.get("config") if isinstance(activation, Mapping) else activation
    return keras.activations.get(None if name is None else str(name))


def _fill(anew: Any, layer: Layer) -> None:
    """The stored weights; ValueError where they are not just those that the layer has."""
    variables = told_apart((weight_name(w), w) for w in anew.weights)
    if layer.kind == "Normalization":  # its statistics may be in its config
        variables.pop("count", None)
        variables = {name: w for name, w in variables.items() if name in layer.weights}
    for name, variable in variables.items():
        variable.assign(layer.weights[name])
    if layer.kind == "Normalization":
        anew.finalize_state()


def _with_tensors(value: Any, tensors: Mapping[str, Any]) -> Any:
    if isinstance(value, Ref):
        return tensors[value.key]
    if isinstance(value, Mapping):
        return {k: _with_tensors(v, tensors) for k, v in value.items()}
    if isinstance(value, tuple):
        return [_with_tensors(v, tensors) for v in value]
    return value
