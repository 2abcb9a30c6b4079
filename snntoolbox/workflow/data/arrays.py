"""Arrays from .npz and .npy files, without ever unpickling."""

from __future__ import annotations

import errno
import logging
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.backends.estimates import readable
from snntoolbox.errors import DataError
from snntoolbox.ir.large_arrays import LARGE, array_file, check_unchanged
from snntoolbox.ir.regular_files import check_regular

log = logging.getLogger(__name__)

SUFFIXES = (".npz", ".npy")
"""Endings of array files, in the order in which they are looked for."""

IN_MEMORY = LARGE
"""Files of more bytes are mapped into memory, and read part by part."""

_DAMAGE = (  # what numpy and zipfile raise on bytes that are not theirs
    *(ValueError, OSError, EOFError, KeyError, SyntaxError, MemoryError, OverflowError, RuntimeError),
    *(TypeError, AttributeError, zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError),
)


def find_array(folder: Path, name: str) -> Path | None:
    """Return the file `name` with the first of `SUFFIXES` that exists in `folder`, or None; others are told."""
    paths = [path for path in (folder / (name + end) for end in SUFFIXES) if path.exists()]
    others = [path for path in sorted(folder.glob(f"{name}.*")) if path not in paths[:1]]
    if others:
        read = f"{paths[0]} is" if paths else f"{' and '.join(SUFFIXES)} files are"
        log.warning("%s read, not %s", read, ", ".join(path.name for path in others))
    return paths[0] if paths else None


def read_array(path: Path, *, whole: bool = False) -> np.ndarray:
    """Return the array in the file at `path`; that of a large .npy file is mapped, not loaded, unless it is `whole`.

    Of an .npz file it is the array ``arr_0``, or the only one. DataError if the file is damaged or is something else.
    """
    check_regular(path)
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty", hint="save the file again")
        loaded = np.load(path, allow_pickle=False) if whole else array_file(path, IN_MEMORY)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return _the_array(loaded, path)
    except _DAMAGE as error:
        raise _unreadable(path, error) from error


def taken(array: np.ndarray, chosen: slice | np.ndarray) -> np.ndarray:
    """Some samples of an array; in memory, unless they are many of a mapped file."""
    check_unchanged(array)
    part = array[chosen]
    return part if part.nbytes > IN_MEMORY else np.array(part)


def _the_array(archive: Any, path: Path) -> np.ndarray:
    names = archive.files
    if "arr_0" in names:
        name = "arr_0"
        if len(names) > 1:
            log.warning("%s: arr_0 is read, not %s", path, ", ".join(sorted({*names} - {name})))
    elif len(names) == 1:
        name = names[0]
    else:
        held = f"the arrays {', '.join(names)}" if names else "no array"
        raise DataError(f"{path} holds {held}", hint=f"save one array: np.savez_compressed('{path.name}', array)")
    array = archive[name]
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: {name} is no array", hint=f"save it with np.savez_compressed('{path.name}', array)")
    return array


def _unreadable(path: Path, error: BaseException) -> DataError:
    if "pickle" in str(error).lower() or "object array" in str(error).lower():
        return DataError(
            f"{path} holds Python objects, which are not loaded because they can run code",
            hint="save a plain array of numbers: np.asarray(x, dtype=np.float32)",
        )
    if isinstance(error, PermissionError):
        return DataError(f"{path} cannot be read: {error.strerror}", hint="change the permissions of the file")
    if isinstance(error, IsADirectoryError):
        return DataError(f"{path} is a folder, not a file", hint="save the array with np.savez_compressed")
    if isinstance(error, MemoryError) or getattr(error, "errno", 0) == errno.ENOMEM:
        return DataError(
            f"{path} does not fit into memory: it has {readable(path.stat().st_size)}",
            hint="save it as .npy, which is mapped as far as a process may address, or use fewer samples",
        )
    return DataError(f"{path} is damaged or is no NumPy file ({error})", hint="copy or save the file again")
