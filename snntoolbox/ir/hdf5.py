"""Opens HDF5 files without reading anything outside them, or more than they really hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from snntoolbox.errors import FrontendError, SNNToolboxError

_MAX_OBJECTS = 200_000
_SMALL = 2**16
_MAX_DEPTH = 100


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a file may claim: `ratio` times what is stored of an array, `most` bytes in all; an `error` tells of more.

    extra: what installs h5py.
    """

    # Trained weights hardly compress; what claims to be this much larger than what is stored is no weight.
    ratio: int = 100
    most: int = 8 * 2**30
    error: type[SNNToolboxError] = FrontendError
    extra: str = "keras"


WEIGHTS = Bounds()


@contextmanager
def open_h5(source: Path | BytesIO, name: str, bounds: Bounds = WEIGHTS) -> Iterator[Any]:
    """An HDF5 file, checked; every error of HDF5 becomes one of the bounds' kind that calls the file `name`."""
    try:
        import h5py
    except ImportError:
        raise bounds.error("h5py is not installed", hint=f"pip install 'snntoolbox[{bounds.extra}]'") from None
    try:
        with h5py.File(source, "r") as file:
            _check(h5py, file, name, bounds)
            yield file
    except SNNToolboxError:
        raise
    except Exception as error:  # HDF5 reports damage by many kinds of errors
        raise bounds.error(f"{name} is damaged or cut short: {brief(error)}") from error


def brief(error: BaseException) -> str:
    """The first line of an error's text, or of the error that it reports, at most 200 characters."""
    innermost = str(error).split("Exception encountered:")[-1]
    lines = [line.strip() for line in innermost.splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."


def _check(h5py: Any, file: Any, name: str, bounds: Bounds) -> None:
    """An error where an object of the file lies outside it or claims more than is stored; reads no data.

    Each object has one name: a group with a second one may hold itself, and a dataset be read any number of times.
    """
    todo, total = [(file, 0)], 0
    seen = {h5py.h5o.get_info(file.id).addr}
    while todo:
        group, depth = todo.pop()
        if depth > _MAX_DEPTH:
            raise bounds.error(f"{name} holds groups within groups, more than {_MAX_DEPTH} deep")
        for key in group:
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise bounds.error(f"{name} links '{key}' to another place, and links are not followed")
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise bounds.error(f"{name} holds '{item.name}' a second time under another name")
            seen.add(address)
            if len(seen) > _MAX_OBJECTS:
                raise bounds.error(f"{name} holds too many objects to be a model")
            if isinstance(item, h5py.Group):
                todo.append((item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                total += _bytes(item, name, bounds)
    if total > bounds.most:
        raise bounds.error(f"{name} claims to hold {total / 2**30:.0f} GiB of weights")


def _bytes(item: Any, name: str, bounds: Bounds) -> int:
    """The size of a dataset in bytes, which its file really holds."""
    if item.is_virtual or item.external:
        raise bounds.error(f"{name} keeps '{item.name}' in another file, which is not followed")
    size, most = math.prod(item.shape or (0,)) * item.dtype.itemsize, bounds.ratio * item.id.get_storage_size()
    # HDF5 unpacks whole chunks, which may be larger than what is in them.
    chunk = math.prod(item.chunks or (0,)) * item.dtype.itemsize
    if max(size, chunk) > max(_SMALL, most):
        raise bounds.error(
            f"{name} claims {max(size, chunk) / 2**20:.0f} MiB for '{item.name}' {tuple(item.shape)}, "
            "and does not hold them"
        )
    return int(size)
