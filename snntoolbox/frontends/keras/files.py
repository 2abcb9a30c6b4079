"""Reads what a Keras file holds, of any age, as plain data: architecture, weights, versions. No code is run."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.keras.hdf5 import array, names, text
from snntoolbox.frontends.keras.legacy import modern
from snntoolbox.frontends.other_formats import format_of_file
from snntoolbox.ir.hdf5 import brief, open_h5
from snntoolbox.ir.node import Array
from snntoolbox.ir.regular_files import check_regular

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK"
_MAX_CONFIG = 64 * 2**20
_MAX_BYTES = 8 * 2**30
_MAX_RATIO = 100
_WEIGHTS = "model.weights.h5"

ByLayer = Mapping[str, list[tuple[str, Array]]]
"""Weights of an ``.h5`` file: for each layer of the model the names and values that it lists, in its order."""

ByPath = Mapping[str, list[Array]]
"""Weights of a ``.keras`` file: for each object's path its values, in their order."""


@dataclass(frozen=True)
class Saved:
    """What is in a file. One of `by_layer` and `by_path` is there; `config` has no lists in the place of models.

    `version` is that of the Keras that wrote it, None where it is not there, as in its first years; `backend` is what
    Keras ran on. `whole` says that Keras' own ``load_model`` takes such a file.
    """

    path: Path
    config: dict[str, Any]
    version: str | None
    backend: str | None
    by_layer: ByLayer | None = None
    by_path: ByPath | None = None
    whole: bool = True

    @property
    def generation(self) -> int:
        """The first number of Keras' version: 1, 2 or 3."""
        first = (self.version or "1").split(".")[0]
        return int(first) if first.isdecimal() else 1


def read_saved(path: Path) -> Saved:
    """What a ``.keras``, ``.h5`` or ``.json`` file holds, with the weights or the architecture beside it."""
    if path.is_dir():
        raise _folder(path)
    start = _start(path)
    if start == _HDF5:
        _proper_suffix(path, (".h5", ".hdf5"))
        return _read_h5(path)
    if start.startswith(_ZIP):
        _proper_suffix(path, (".keras",))
        return _read_zip(path)
    if path.suffix == ".json" and start.lstrip()[:1] in (b"{", b"["):
        return _read_json(path)
    pickle = start[:1] == b"\x80"
    what = "a Python pickle, which may run code and is never opened" if pickle else "neither a zip nor an HDF5 file"
    raise FrontendError(f"{path.name} is not a Keras file: it is {what}", hint="save the model with model.save()")


def _start(path: Path) -> bytes:
    check_regular(path, FrontendError)
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise FrontendError(f"cannot read {path}: {error.strerror or error}") from error
    if not start:
        raise FrontendError(f"{path} is empty")
    return start


def _folder(path: Path) -> FrontendError:
    other = format_of_file(path)
    if other is not None:
        return FrontendError(other.message(str(path)), hint=other.hint(path))
    return FrontendError(f"{path} is a folder, not a Keras file", hint="save the model with model.save('NAME.keras')")


def _proper_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix not in suffixes:  # Keras goes by the suffix, capitals and all
        raise FrontendError(f"{path.name} has the content of a {suffixes[0]} file", hint=f"rename it to {suffixes[0]}")


# -- one file -------------------------------------------------------------------------------------------------------


def _read_h5(path: Path) -> Saved:
    with open_h5(path, path.name) as file:
        config = text(file.attrs, "model_config")
        version, backend = text(file.attrs, "keras_version"), text(file.attrs, "backend")
        root = file.get("model_weights", file)
        if config is not None:
            parsed = _parsed(config, path)
            weights = _by_layer(root, path.name)
            version, backend = version or text(root.attrs, "keras_version"), backend or text(root.attrs, "backend")
            return Saved(path, modern(parsed), version, backend, by_layer=weights)
    beside = path.with_name(path.stem.removesuffix("_weights") + ".json")
    if beside.is_file():
        return _joined(beside, path)
    raise FrontendError(
        f"{path.name} has no architecture: it holds weights only, or is not a Keras file",
        hint=f"save the whole model with model.save(), or put what model.to_json() returns beside it as {beside.name}",
    )


def _read_json(path: Path) -> Saved:
    candidates = [
        path.with_name(path.stem + end) for end in (".h5", "_weights.h5", ".hdf5", "_weights.hdf5", ".weights.h5")
    ]
    for file in candidates:
        if file.is_file():
            return _joined(path, file)
    looked = ", ".join(file.name for file in candidates[:2])
    raise FrontendError(
        f"{path.name} is an architecture without weights", hint=f"put them beside it (looked for {looked})"
    )


def _joined(architecture: Path, weights: Path) -> Saved:
    """An architecture in one file and the weights in another."""
    if _start(weights) != _HDF5:
        raise FrontendError(f"{weights.name} is not an HDF5 file")
    try:
        if architecture.stat().st_size > _MAX_CONFIG:
            raise FrontendError(f"the architecture in {architecture.name} is too large to be one")
        config = _parsed(architecture.read_bytes(), architecture)
    except OSError as error:
        raise FrontendError(f"cannot read {architecture}: {error.strerror or error}") from error
    version, backend = config.get("keras_version"), config.get("backend")
    with open_h5(weights, weights.name) as file:
        root = file.get("model_weights", file)
        stated = (version or text(root.attrs, "keras_version"), backend or text(root.attrs, "backend"))
        if "layer_names" in root.attrs or "layer_names0" in root.attrs:
            by_layer = _by_layer(root, weights.name)
            return Saved(architecture, modern(config), *stated, by_layer=by_layer, whole=False)
        return Saved(architecture, modern(config), stated[0] or "3", stated[1], by_path=_by_path(file), whole=False)


def _read_zip(path: Path) -> Saved:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(archive, path)
            config = _parsed(archive.read("config.json"), path)
            names = archive.namelist()
            metadata = json.loads(archive.read("metadata.json")) if "metadata.json" in names else {}
            content = archive.read(_WEIGHTS) if _WEIGHTS in names else None
    except KeyError:
        raise FrontendError(f"{path.name} is a zip file without a Keras model in it") from None
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, zlib.error, ValueError) as error:
        raise FrontendError(f"{path.name} is damaged or cut short: {brief(error)}") from error
    if content is None:
        raise FrontendError(
            f"{path.name} has no weights in one HDF5 file", hint="save it with model.save('NAME.keras')"
        )
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    with open_h5(BytesIO(content), path.name) as file:
        return Saved(path, modern(config), str(version or "3"), None, by_path=_by_path(file))


def _check_sizes(archive: zipfile.ZipFile, path: Path) -> None:
    """FrontendError where what is packed would be far larger than the file."""
    if archive.getinfo("config.json").file_size > _MAX_CONFIG:
        raise FrontendError(f"the architecture in {path.name} is too large to be one")
    total = sum(info.file_size for info in archive.infolist())
    if total > min(_MAX_BYTES, max(2**20, _MAX_RATIO * path.stat().st_size)):
        raise FrontendError(f"{path.name} claims to unpack to {total / 2**20:.0f} MiB, far more than its size allows")


def _parsed(content: str | bytes, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FrontendError(f"the architecture in {path.name} is damaged: {brief(error)}") from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict | list):
        raise FrontendError(f"{path.name} does not describe a Keras model")
    return config


# -- weights --------------------------------------------------------------------------------------------------------


def _by_layer(root: Any, name: str) -> ByLayer:
    layers = names(root.attrs, "layer_names")
    if not layers and len(root):
        raise FrontendError(f"{name} does not say which weights belong to which layer")
    weights: dict[str, list[tuple[str, Array]]] = {}
    read: set[str] = set()
    for layer in layers:
        stored = [(w, root[layer][w]) for w in names(root[layer].attrs, "weight_names")]
        places = [item.name for _, item in stored]
        if read.intersection(places) or len(set(places)) < len(places):
            raise FrontendError(f"{name} gives the same weights to '{layer}' twice, or to two layers")
        read.update(places)
        weights[layer] = [(w, array(item)) for w, item in stored]
    return weights


def _by_path(file: Any) -> ByPath:
    """The numbered datasets of each group called 'vars', by the path of the group that holds it."""
    values_by_path: dict[str, list[Array]] = {}
    todo = [file]
    while todo:
        group = todo.pop()
        for key in group:
            if not hasattr(group[key], "keys"):
                continue
            if key == "vars":
                values = group[key]
                values_by_path[group.name.strip("/")] = [array(values[str(i)]) for i in range(len(values))]
            else:
                todo.append(group[key])
    return values_by_path
