"""Opens a Keras file after looking at what is in it: no code from a file is ever run."""

from __future__ import annotations

import json
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from snntoolbox.errors import FrontendError, Unsupported, UnsupportedError
from snntoolbox.frontends.keras.activations import BY_NAME, activation_name
from snntoolbox.frontends.keras.handlers import HANDLERS
from snntoolbox.frontends.keras.lowering import NOT_SUPPORTED
from snntoolbox.frontends.keras.runtime import import_keras

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK"
_MAX_CONFIG = 64 * 2**20
_MODELS = ("Functional", "Sequential", "Model")
_CODE = ("Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")
# The parts of Keras from which a model is made; its others (files, downloads) have no place in a model.
_MODELING = (
    *("layers", "models", "activations", "ops", "initializers", "regularizers", "constraints"),
    *("dtype_policies", "quantizers", "random", "backend"),
)
_SAVE_AGAIN = "open it with the Keras that made it and save it again with model.save('NAME.keras')"


def read_model(path: Path) -> Any:
    """The model in a ``.keras`` or ``.h5`` file; FrontendError or UnsupportedError where it cannot be had."""
    config = read_config(path)
    keras = import_keras()
    offenders = _check_config(keras, path, config)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras' advice to whoever wrote the model's code
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged or old file makes Keras and HDF5 raise almost anything
        if offenders:
            raise UnsupportedError(
                f"the keras frontend, reading {path.name},", offenders, hint="replace these layers and train again"
            ) from error
        raise FrontendError(
            f"Keras {keras.__version__} cannot rebuild the model in {path.name}: {_brief(error)}", hint=_SAVE_AGAIN
        ) from error


def read_config(path: Path) -> dict[str, Any]:
    """The architecture in a file, as it was saved: ``{'class_name': ..., 'config': ...}``."""
    try:
        if path.is_dir():
            raise FrontendError(
                f"{path} is a folder, not a Keras file", hint="save the model with model.save('NAME.keras')"
            )
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise FrontendError(f"cannot read {path}: {error.strerror or error}") from error
    if not start:
        raise FrontendError(f"{path} is empty")
    reader, suffixes = _reader(path, start)
    if path.suffix not in suffixes:  # Keras goes by the suffix, capitals and all
        raise FrontendError(f"{path.name} has the content of a {suffixes[0]} file", hint=f"rename it to {suffixes[0]}")
    try:
        config = json.loads(reader(path))
    except (ValueError, RecursionError) as error:
        raise FrontendError(f"the architecture in {path.name} is damaged: {_brief(error)}") from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise FrontendError(f"{path.name} does not describe a Keras model")
    return config


def _reader(path: Path, start: bytes) -> tuple[Any, tuple[str, ...]]:
    """The function that reads the architecture from a file that begins like this, and the file's proper suffixes."""
    if start == _HDF5:
        return _config_of_h5, (".h5", ".hdf5")
    if start.startswith(_ZIP):
        return _config_of_zip, (".keras",)
    pickle = start[:1] == b"\x80"
    what = "a Python pickle, which may run code and is never opened" if pickle else "neither a zip nor an HDF5 file"
    raise FrontendError(f"{path.name} is not a Keras file: it is {what}", hint="save the model with model.save()")


def _config_of_zip(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _MAX_CONFIG:
                raise FrontendError(f"the architecture in {path.name} is too large to be one")
            return archive.read("config.json")
    except KeyError:
        raise FrontendError(f"{path.name} is a zip file without a Keras model in it") from None
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise FrontendError(f"{path.name} is damaged or cut short: {_brief(error)}") from error


def _config_of_h5(path: Path) -> str | bytes:
    try:
        import h5py
    except ImportError:
        raise FrontendError("h5py is not installed", hint="pip install snntoolbox[keras]") from None
    try:
        with h5py.File(path, "r") as file:
            config = file.attrs.get("model_config")
    except Exception as error:  # HDF5 reports damage by many kinds of errors
        raise FrontendError(f"{path.name} is damaged or cut short: {_brief(error)}") from error
    if config is None:
        raise FrontendError(
            f"{path.name} has no architecture: it holds weights only, or is not a Keras file",
            hint="save the whole model with model.save(), not model.save_weights()",
        )
    return config if isinstance(config, bytes) else str(config)


def _check_config(keras: ModuleType, path: Path, config: Mapping[str, Any]) -> list[Unsupported]:
    """UnsupportedError if anything in the file would need code from it or code of the user's.

    Returned is what else would be refused, as far as the config tells; the lowering knows more.
    """
    foreign: list[Unsupported] = []
    plain: list[Unsupported] = []
    for layer, entry in _entries(config, path.stem):
        label = f"{layer} (keras {_kind(entry)})"
        if reason := _foreign(keras, entry):
            foreign.append(Unsupported(label, reason))
        elif entry["layer"] and (reason := _unsupported(entry)):
            plain.append(Unsupported(label, reason))
    if foreign:
        raise UnsupportedError(
            f"the keras frontend, reading {path.name},",
            [*foreign, *plain],
            hint="rebuild the model from Keras' own layers, load the weights into it and save it again",
        )
    return plain


def _kind(entry: Mapping[str, Any]) -> str:
    """The kind of a saved object, as in a record."""
    name = str(entry["class_name"])
    return f"keras.ops.{name}" if "ops" in str(entry.get("module")).split(".") else name


def _foreign(keras: ModuleType, entry: Mapping[str, Any]) -> str | None:
    """Why a saved object is neither Keras' own nor plain data; None where it is."""
    kind, module = str(entry["class_name"]), entry.get("module")
    if kind in _CODE:
        return "holds code, and code from a file is never run"
    if module is not None and module not in ("builtins", "keras"):
        root, *rest = [part for part in str(module).split(".") if part != "src"]
        if root != "keras" or not rest or rest[0] not in _MODELING:
            return f"'{module}.{entry['config'] if kind == 'function' else kind}' is not part of Keras"
    if not entry["layer"]:
        return None
    if module is None and kind not in (*HANDLERS, *_MODELS) and not hasattr(keras.layers, kind):
        return f"'{kind}' is not part of Keras"
    name = _activation(entry)
    known = hasattr(keras.activations, name) or hasattr(keras.layers, name)
    return None if known else f"activation '{name}' is not part of Keras"


def _unsupported(entry: Mapping[str, Any]) -> str | None:
    """Why a layer of Keras' own would be refused, as far as its config alone tells; None where it would not."""
    if _kind(entry) not in (*HANDLERS, *_MODELS, "InputLayer"):
        return NOT_SUPPORTED
    name = _activation(entry)
    return None if name in (*BY_NAME, "ReLU", "Softmax") else f"activation '{name}'"


def _activation(entry: Mapping[str, Any]) -> str:
    config = entry["config"]
    return activation_name(config.get("activation") if isinstance(config, Mapping) else None)


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


def _brief(error: BaseException) -> str:
    """The first line of an error's text, or of the error that it reports, at most 200 characters."""
    innermost = str(error).split("Exception encountered:")[-1]
    lines = [line.strip() for line in innermost.splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."
