"""Arrays too large for the memory: laid out in temporary files, or mapped from files that must not change meanwhile.

Reading or writing a mapped page that its file does not have ends the process at once, without a word. So a temporary
file gets all its room before it is mapped, and a data file is looked at before each part of it is read.
"""

from __future__ import annotations

import math
import mmap
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.node import Array, Shape

LARGE = 2**28
"""Arrays of more bytes than this are kept in files."""

_VALUES_AT_ONCE = 2**20
_ZEROS = memoryview(bytes(2**18))


def room(shape: Shape, dtype: Any, most: int = LARGE) -> Array:
    """An array to be filled; of more than `most` bytes it is a file that vanishes with it. DataError on a full disk."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= most:
        return np.empty(shape, dtype)
    try:
        with tempfile.TemporaryFile(prefix="snntoolbox-") as file:  # is gone as soon as nothing maps it any more
            for start in range(0, size, len(_ZEROS)):
                file.write(_ZEROS[: size - start])
            file.flush()
            return np.memmap(file, dtype, "r+", shape=shape)
    except OSError as error:
        raise DataError(
            f"{size / 2**30:.1f} GiB find no room in {tempfile.gettempdir()}: {error.strerror or error}",
            hint="set TMPDIR to a folder with room, or take fewer samples or recordings at once",
        ) from error


class MappedFile(np.memmap):  # type: ignore[type-arg]
    """An array in a file, with what the file was like when it was opened; parts of it know it too."""

    stamp: tuple[int, ...] | None = None

    def __array_finalize__(self, obj: Any) -> None:
        super().__array_finalize__(obj)
        self.stamp = getattr(obj, "stamp", None)


def array_file(path: Path, most: int = LARGE) -> Any:
    """What `np.load` gives of a file: an array, mapped if it has more than `most` bytes, or the archive of an .npz."""
    stamp = _stamp(path)
    loaded = np.load(path, mmap_mode="r", allow_pickle=False)  # checks that the file holds what its head says
    if not isinstance(loaded, np.memmap):
        return loaded
    if path.stat().st_size <= most:
        return np.load(path, allow_pickle=False)
    known: MappedFile = loaded.view(MappedFile)
    known.stamp = stamp
    return known


def pieces(array: Array) -> Iterator[Array]:
    """An array in parts along its first axis, each looked at before it is read."""
    step = max(1, _VALUES_AT_ONCE // max(1, math.prod(array.shape[1:])))
    for i in range(0, len(array), step):
        yield piece(array, i, i + step)


def piece(array: Array, start: int, stop: int) -> Array:
    """``array[start:stop]`` of a file that is as it was; DataError else."""
    check_unchanged(array)
    return array[start:stop]


def check_unchanged(array: Array) -> None:
    """DataError where an array lies in a file that has been cut since, or written to as far as that is known."""
    part: Any = array
    while isinstance(part, np.ndarray):
        if isinstance(part, MappedFile) and _is_written(part):
            raise _changed(str(part.filename))
        name, part = getattr(part, "filename", None) or "a mapped file", part.base
    if isinstance(part, mmap.mmap) and _is_cut(part):
        raise _changed(str(name))


def _is_cut(mapping: mmap.mmap) -> bool:
    try:
        return mapping.size() < len(mapping)
    except (OSError, ValueError):  # of no file
        return False


def _is_written(array: MappedFile) -> bool:
    """Whether its file is another than when it was opened; one that was removed or replaced is still mapped."""
    try:
        now = _stamp(Path(str(array.filename)))
    except OSError:
        return False
    return array.stamp is not None and now[:2] == array.stamp[:2] and now != array.stamp


def _stamp(path: Path) -> tuple[int, ...]:
    """The identity of a file, its size, and the time of its last change."""
    known = path.stat()
    return known.st_dev, known.st_ino, known.st_size, known.st_mtime_ns


def _changed(name: str) -> DataError:
    return DataError(
        f"{name} was changed or cut while it was read",
        hint="files of data must stay as they are until the run has ended; start it again",
    )
