"""Opens HDF5 files without reading anything outside them, or more than they really hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.errors import FrontendError
from snntoolbox.ir.node import Array

_MAX_TEXT = 64 * 2**20
_MAX_OBJECTS = 200_000
_MAX_BYTES = 8 * 2**30
# Trained weights hardly compress; what claims to be this much larger than what is stored is no weight.
_MAX_RATIO = 100
_SMALL = 2**16
_MAX_DEPTH = 100


@contextmanager
def open_h5(source: Path | BytesIO, name: str) -> Iterator[Any]:
    """An HDF5 file, checked; every error of HDF5 becomes a FrontendError that calls the file `name`."""
    try:
        import h5py
    except ImportError:
        raise FrontendError("h5py is not installed", hint="pip install snntoolbox[keras]") from None
    try:
        with h5py.File(source, "r") as file:
            _check(h5py, file, name)
            yield file
    except FrontendError:
        raise
    except Exception as error:  # HDF5 reports damage by many kinds of errors
        raise FrontendError(f"{name} is damaged or cut short: {brief(error)}") from error


def brief(error: BaseException) -> str:
    """The first line of an error's text, or of the error that it reports, at most 200 characters."""
    innermost = str(error).split("Exception encountered:")[-1]
    lines = [line.strip() for line in innermost.splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."


def _check(h5py: Any, file: Any, name: str) -> None:
    """FrontendError where an object of the file lies outside it or claims more than is stored; reads no data.

    Each object has one name: a group with a second one may hold itself, and a dataset be read any number of times.
    """
    todo, total = [(file, 0)], 0
    seen = {h5py.h5o.get_info(file.id).addr}
    while todo:
        group, depth = todo.pop()
        if depth > _MAX_DEPTH:
            raise FrontendError(f"{name} holds groups within groups, more than {_MAX_DEPTH} deep")
        for key in group:
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise FrontendError(f"{name} links '{key}' to another place, and links are not followed")
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise FrontendError(f"{name} holds '{item.name}' a second time under another name")
            seen.add(address)
            if len(seen) > _MAX_OBJECTS:
                raise FrontendError(f"{name} holds too many objects to be a model")
            if isinstance(item, h5py.Group):
                todo.append((item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                total += _bytes(item, name)
    if total > _MAX_BYTES:
        raise FrontendError(f"{name} claims to hold {total / 2**30:.0f} GiB of weights")


def _bytes(item: Any, name: str) -> int:
    """The size of a dataset in bytes, which its file really holds."""
    if item.is_virtual or item.external:
        raise FrontendError(f"{name} keeps '{item.name}' in another file, which is not followed")
    size, most = math.prod(item.shape or (0,)) * item.dtype.itemsize, _MAX_RATIO * item.id.get_storage_size()
    # HDF5 unpacks whole chunks, which may be larger than what is in them.
    chunk = math.prod(item.chunks or (0,)) * item.dtype.itemsize
    if max(size, chunk) > max(_SMALL, most):
        raise FrontendError(
            f"{name} claims {max(size, chunk) / 2**20:.0f} MiB for '{item.name}' {tuple(item.shape)}, "
            "and does not hold them"
        )
    return int(size)


def array(item: Any) -> Array:
    """A dataset as an array, floats as float32 or float64."""
    if not hasattr(item, "dtype") or item.dtype.kind not in "fiub":
        raise FrontendError(f"'{item.name}' does not hold numbers")
    value = np.asarray(item[()])
    return value if value.dtype in (np.float32, np.float64) else value.astype(np.float32)


def text(attributes: Any, name: str) -> str | None:
    """A text among the attributes; None where there is none of that name."""
    if name not in attributes:
        return None
    value = _bounded(attributes, name)
    return value.decode() if isinstance(value, bytes) else str(value)


def names(attributes: Any, name: str) -> list[str]:
    """A list of texts among the attributes, which Keras cuts into numbered parts where it is long."""
    parts = [name] if name in attributes else []
    while not parts or parts[-1] != name:
        if (part := f"{name}{len(parts)}") not in attributes:
            break
        parts.append(part)
    texts = [
        n.decode() if isinstance(n, bytes) else str(n) for part in parts for n in np.ravel(_bounded(attributes, part))
    ]
    if len(set(texts)) < len(texts):
        raise FrontendError(f"the attribute '{name}' names the same thing twice")
    return texts


def _bounded(attributes: Any, name: str) -> Any:
    """The value of an attribute that is no larger than a text may be."""
    stored = attributes.get_id(name)
    if math.prod(stored.shape or ()) * stored.dtype.itemsize > _MAX_TEXT:
        raise FrontendError(f"the attribute '{name}' is too large to be a text")
    return attributes[name]
