"""Reads the two files of a Caffe model: the net as text, and its weights by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.caffe.schema import new_message
from snntoolbox.ir.hdf5 import Bounds, open_h5
from snntoolbox.ir.node import Array
from snntoolbox.ir.regular_files import check_regular

TEXT, WEIGHTS = ".prototxt", (".caffemodel", ".caffemodel.h5")
MOST_TEXT = 2**24
MOST_BYTES = 2**31 - 1  # of one protobuf message
_HDF5, _HDF5_BEGIN = Bounds(extra="caffe"), b"\x89HDF\r\n\x1a\n"
# What protobuf raises on a damaged file: the Python part of its reader of text meets damage with plain errors.
_DAMAGE = (text_format.ParseError, DecodeError, ValueError, TypeError, KeyError, RecursionError)


@dataclass(frozen=True, eq=False)
class Blob:
    """Trained values; `old` where their four axes were written as Caffe did before it had others."""

    values: Array
    old: bool = False


@dataclass(frozen=True, eq=False)
class CaffeFiles:
    """The message of a net and its blobs by layer; `oddity` is what of the text no schema knows."""

    name: str
    net: Any
    blobs: Mapping[str, Sequence[Blob]] = field(default_factory=dict)
    oddity: str | None = None


def read_model(path: Path) -> CaffeFiles:
    """Both files that a path means: it is one of them, or their name without ending; FrontendError."""
    text, weights = _located(path)
    net, oddity = _read_text(text)
    read = _from_hdf5 if _is_hdf5(weights) else _from_message
    return CaffeFiles(text.stem, net, read(weights), oddity)


def _is_hdf5(path: Path) -> bool:
    """Whether a file begins as HDF5 does, whatever its name: Caffe looks at that too."""
    check_regular(path, FrontendError)
    try:
        with path.open("rb") as file:
            return file.read(len(_HDF5_BEGIN)) == _HDF5_BEGIN
    except OSError as error:
        raise FrontendError(f"cannot read '{path}': {error.strerror or error}") from error


def _located(path: Path) -> tuple[Path, Path]:
    """The text and the weights."""
    if path.is_dir():
        raise FrontendError(f"'{path}' is a folder", hint=f"give the {TEXT} file in it")
    check_regular(path, FrontendError)
    ending = next((e for e in (TEXT, *reversed(WEIGHTS)) if path.name.lower().endswith(e)), "")
    stem = path.name[: len(path.name) - len(ending)]
    text = path if ending == TEXT else path.with_name(stem + TEXT)
    beside = (path.with_name(stem + e) for e in WEIGHTS)
    weights = path if ending in WEIGHTS else next((file for file in beside if file.is_file()), None)
    if not text.is_file():
        hint = "the net in its form for deployment is that file; give both files one name"
        raise FrontendError(f"there is no '{text.name}' in '{path.parent}'", hint=hint)
    if weights is None or not weights.is_file():
        named = " or ".join(f"'{stem}{e}'" for e in WEIGHTS) if weights is None else f"'{weights.name}'"
        hint = "trained weights are in that file; give both files one name"
        raise FrontendError(f"there is no {named} in '{path.parent}'", hint=hint)
    return text, weights


def _content(path: Path, most: int, what: str) -> bytes:
    """The bytes of a file that has no more of them than what it should be can have."""
    check_regular(path, FrontendError)
    try:
        if path.stat().st_size > most:
            raise FrontendError(f"'{path}' has more than {most:,} bytes: {what}")
        return path.read_bytes()
    except OSError as error:
        raise FrontendError(f"cannot read '{path}': {error.strerror or error}") from error


# -- the text -------------------------------------------------------------------------------------------------------


def _read_text(path: Path) -> tuple[Any, str | None]:
    """The net, and what its text says that no message has a place for: other layers may explain it."""
    content = _content(path, MOST_TEXT, "no text of a net is that long")
    try:
        text = content.decode("utf-8-sig")
        try:
            return text_format.Parse(text, new_message("NetParameter")), None
        except text_format.ParseError as error:
            net = text_format.Parse(text, new_message("NetParameter"), allow_unknown_field=True)
            return net, f"'{path}', line {_brief(error)}"
    except _DAMAGE as error:
        raise FrontendError(f"'{path}' is no text of a Caffe net, or is damaged: {_brief(error)}") from error


# -- weights --------------------------------------------------------------------------------------------------------


def _from_message(path: Path) -> dict[str, list[Blob]]:
    """The blobs of each layer in a binary message."""
    net, content = new_message("StoredNet"), _content(path, MOST_BYTES, "no message has so many")
    try:
        net.ParseFromString(content)
        layers = [(str(layer.name), layer.blobs) for layer in (*net.layer, *net.layers) if layer.blobs]
    except _DAMAGE as error:
        raise FrontendError(f"'{path}' is no .caffemodel, or is damaged: {_brief(error)}") from error
    if not layers:
        raise FrontendError(f"'{path}' is no .caffemodel, or is damaged: it holds no layer with weights")
    return {name: [_blob(b, f"'{path}', layer '{name}'") for b in blobs] for name, blobs in layers}


def _blob(blob: Any, where: str) -> Blob:
    """The values of a blob in its shape; FrontendError where it declares another number of them."""
    old = [getattr(blob, n) for n in ("num", "channels", "height", "width")]
    is_old = any(blob.HasField(n) for n in ("num", "channels", "height", "width"))
    shape = old if is_old else list(blob.shape.dim)
    held: Any = blob.double_data or blob.data
    if len(shape) > 32 or any(n < 0 for n in shape):
        raise FrontendError(f"{where}: a blob of shape {shape[:33]}")
    if (count := _product(shape)) != len(held):
        raise FrontendError(f"{where}: declares {count:,} values for a blob and holds {len(held):,}")
    kind = np.float64 if blob.double_data else np.float32
    return Blob(np.fromiter(held, kind, len(held)).reshape(shape), is_old)


def _product(shape: Sequence[int]) -> int:
    count = 1
    for n in shape:
        count *= int(n)
    return count


def _from_hdf5(path: Path) -> dict[str, list[Blob]]:
    """The blobs of each layer in an HDF5 file: datasets of the names 0, 1, ... in ``data/LAYER``."""
    with open_h5(path, f"'{path}'", _HDF5) as file:
        data = file.get("data")
        if data is None or not hasattr(data, "keys"):
            raise FrontendError(f"'{path}' holds no weights of Caffe: it has no group 'data'")
        return {name: _datasets(layer, f"'{path}', layer '{name}'") for name, layer in _groups(data)}


def _groups(group: Any, above: str = "") -> list[tuple[str, Any]]:
    """Every group that holds datasets, by its path: a slash in the name of a layer makes groups within groups."""
    layers = []
    for key, item in group.items():
        if hasattr(item, "keys"):
            layers += _groups(item, f"{above}{key}/")
            if any(not hasattr(inner, "keys") for inner in item.values()):
                layers.append((f"{above}{key}", item))
    return layers


def _datasets(group: Any, where: str) -> list[Blob]:
    """The datasets of a layer in order; those that it shares with another layer are left out of the file."""
    stored = {key: item for key, item in group.items() if not hasattr(item, "keys")}
    if [*stored] and sorted(stored) != sorted(map(str, range(len(stored)))):
        raise FrontendError(f"{where}: its blobs are called {', '.join(sorted(stored))}, not 0, 1, ...")
    for item in stored.values():
        if item.dtype.kind != "f":
            raise FrontendError(f"{where}: a blob does not hold numbers")
    return [Blob(np.asarray(stored[str(i)][()])) for i in range(len(stored))]


def _brief(error: BaseException) -> str:
    """The first line of an error's text, cut to a length that can be read."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line if len(line) <= 200 else f"{line[:197]}..."
