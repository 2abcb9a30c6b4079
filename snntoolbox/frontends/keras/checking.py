"""Looks through a saved architecture for what is code, foreign to Keras, or known to be refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.frontends.keras.activations import BY_NAME, LAYERS, activation_name, unknown_activation
from snntoolbox.frontends.keras.files import Saved
from snntoolbox.frontends.keras.handlers import HANDLERS
from snntoolbox.frontends.keras.legacy import ACTIVATIONS, OLD_HARD_SIGMOID, operation_kind, translated
from snntoolbox.frontends.keras.records import is_quantised
from snntoolbox.frontends.keras.runtime import APPLICATIONS
from snntoolbox.frontends.keras.weights import MODELS
from snntoolbox.frontends.layer_call import QUANTISED, not_supported

_CODE = ("Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")
# The parts of Keras from which a model is made; its others (files, downloads) have no place in a model.
_MODELING = (
    *("layers", "models", "activations", "ops", "initializers", "regularizers", "constraints"),
    *("dtype_policies", "quantizers", "random", "backend"),
)
# Layers of older Keras that today's has no more, and those of tf.keras that hold an operation.
_FORMER = (
    *("Merge", "ThresholdedReLU", "LocallyConnected1D", "LocallyConnected2D", "Deconvolution2D", "MaxoutDense"),
    *("Highway", "SReLU", "ParametricSoftplus", "CuDNNLSTM", "CuDNNGRU", "ConvRecurrent2D", "TimeDistributedDense"),
    *("RandomHeight", "RandomWidth", "ConvLSTM2DCell", "DenseFeatures"),
)
_TENSORFLOW = (
    "TFOpLambda",
    "SlicingOpLambda",
    "TensorFlowOpLayer",
    "ClassMethod",
    "InstanceMethod",
    "InstanceProperty",
)


def check_config(keras: ModuleType, saved: Saved) -> list[Unsupported]:
    """UnsupportedError if anything in the file would need code from it or code of the user's.

    Returned is what else would be refused, as far as the config alone tells; parsing knows more.
    """
    foreign: dict[tuple[str, str], Unsupported] = {}
    plain: list[Unsupported] = []
    for layer, entry in _entries(saved.config, saved.path.stem):
        label = f"{layer} (keras {_kind(entry)})"
        if reason := _foreign(keras, entry, saved):
            # Once for each layer: a Lambda layer holds its function as a second object.
            foreign.setdefault((layer, reason), Unsupported(label, reason))
        elif entry["layer"] and (reason := _unsupported(entry, saved)):
            plain.append(Unsupported(label, reason))
    if foreign:
        raise UnsupportedError(
            f"the keras frontend, reading {saved.path.name},",
            [*foreign.values(), *plain],
            hint="rebuild the model from Keras' own layers, load the weights into it and save it again; or, for "
            "objects of your own that are like some of Keras', a table of them: [paths] filepath_custom_objects",
        )
    return plain


def _kind(entry: Mapping[str, Any]) -> str:
    """The kind of a saved object, as in a record."""
    name = str(entry["class_name"])
    return f"keras.ops.{name}" if "ops" in str(entry.get("module")).split(".") else name


def _foreign(keras: ModuleType, entry: Mapping[str, Any], saved: Saved) -> str | None:
    """Why a saved object is neither Keras' own nor plain data; None where it is."""
    kind, module = str(entry["class_name"]), entry.get("module")
    if kind in _CODE:
        return "holds code, and code from a file is never run"
    if module is not None and module not in ("builtins", "keras"):
        root, *rest = [part for part in str(module).split(".") if part != "src"]
        own = ["applications", APPLICATIONS.get(kind)]
        if root != "keras" or not rest or (rest[0] not in _MODELING and rest != own):
            return f"'{module}.{entry['config'] if kind == 'function' else kind}' is not part of Keras"
    if not entry["layer"] or kind in _TENSORFLOW:
        return None
    known = _translated(entry, saved)[0]
    ours = known in (*HANDLERS, *MODELS, *_FORMER) and known not in APPLICATIONS  # any class may be called like those
    if module is None and not ours and not hasattr(keras.layers, known):
        return f"'{kind}' is not part of Keras"
    for name in _activations(entry):
        if not (hasattr(keras.activations, name) or hasattr(keras.layers, name) or name in BY_NAME):
            return f"activation '{name}' is not part of Keras"
    return None


def _unsupported(entry: Mapping[str, Any], saved: Saved) -> str | None:
    """Why a layer of Keras' own would be refused, as far as its config alone tells; None where it would not."""
    kind = str(entry["class_name"])
    if kind == "TFOpLambda":
        function = entry["config"].get("function")
        return None if operation_kind(function) in HANDLERS else f"the operation '{function}' is not supported"
    if _kind(entry).startswith("keras.ops."):
        return None if _kind(entry) in HANDLERS else not_supported(_kind(entry)).reason
    known, config, reason = _translated(entry, saved)
    if is_quantised(config):
        return not_supported(known, QUANTISED).reason
    if reason:
        return reason
    if known not in (*HANDLERS, *MODELS, "InputLayer"):
        return not_supported(known).reason
    unknown = (n for n in _activations({"config": config}) if n not in (*BY_NAME, *LAYERS, OLD_HARD_SIGMOID))
    return next((unknown_activation(name).reason for name in unknown), None)


def _translated(entry: Mapping[str, Any], saved: Saved) -> tuple[str, Mapping[str, Any], str | None]:
    config = entry["config"] if isinstance(entry["config"], dict) else {}
    return translated(str(entry["class_name"]), config, saved.generation, saved.backend)


def _activations(entry: Mapping[str, Any]) -> list[str]:
    config = entry["config"] if isinstance(entry["config"], Mapping) else {}
    return [activation_name(config.get(key)) for key in ACTIVATIONS]


def _entries(value: Any, layer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every saved object within a config with the name of the layer it belongs to; layers are marked by 'layer'."""
    todo: list[tuple[Any, str, bool]] = [(value, layer, True)]
    while todo:
        value, layer, is_layer = todo.pop()
        if isinstance(value, dict):
            if "class_name" in value and "config" in value:
                inner = value["config"]
                if is_layer and isinstance(inner, dict):
                    layer = str(inner.get("name") or value.get("name") or layer)
                yield layer, {**value, "layer": is_layer}
            todo.extend(
                (v, layer, k == "layer") for k, v in reversed(value.items()) if k not in ("layers", "compile_config")
            )
            if isinstance(value.get("layers"), list):
                todo.extend((v, layer, True) for v in reversed(value["layers"]))
        elif isinstance(value, list):
            todo.extend((v, layer, False) for v in reversed(value))
