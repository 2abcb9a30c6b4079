"""Writes files: each beside its place first, then moved there, so that it is whole or as it was before."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.foreign import shown
from snntoolbox.ir.places import note

HIDDEN = ".snntoolbox-"
"""How the names of files and folders begin that are not ready yet."""

_ELSEWHERE = "choose another output folder (path_wd)"
_REASONS = {
    errno.ENOSPC: ("no space is left on the disk", f"free some space or {_ELSEWHERE}"),
    errno.EDQUOT: ("the disk quota is used up", f"free some space or {_ELSEWHERE}"),
    errno.EROFS: ("the file system is read-only", _ELSEWHERE),
    errno.EACCES: ("there is no permission to write", f"{_ELSEWHERE} or change its permissions"),
    errno.EPERM: ("there is no permission to write", f"{_ELSEWHERE} or change its permissions"),
    errno.ENOENT: ("its folder does not exist", "create the folder, or choose another one"),
    errno.EISDIR: ("it is a folder", "choose another name"),
    errno.ENOTDIR: ("a part of the path is a file", _ELSEWHERE),
    errno.EEXIST: ("a part of the path is a file", _ELSEWHERE),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name (runlabel)"),
    errno.EFBIG: ("a file is too large for the file system", _ELSEWHERE),
    errno.EBUSY: ("it is a mount point", _ELSEWHERE),
}


class OutputError(DataError):
    """Results cannot be written; earlier ones are untouched."""


def explained(error: OSError, path: Path) -> OutputError:
    """What keeps us from writing there, and what to do."""
    number = errno.ENOSPC if cut_short(error) else error.errno
    reason, hint = _REASONS.get(number or 0, (error.strerror or str(error), _ELSEWHERE))
    return OutputError(f"cannot write '{shown(path)}': {reason}; earlier results are untouched", hint=hint)


def cut_short(error: OSError) -> bool:
    """Whether numpy could not write a whole array, which it reports without an error number."""
    return error.errno is None and "requested and" in str(error)


# -- one file -----------------------------------------------------------------------------------------------------


@contextmanager
def replacing(path: Path | str, *, sync: bool = True) -> Iterator[BinaryIO]:
    """A file that takes its place at `path` when the block ends well, on the disk too with `sync`; OutputError.

    After any error what was there before is there unchanged. A link stays one and leads to the new content; the
    permissions of an earlier file stay.
    """
    path = Path(path)
    place = Path(os.path.realpath(path)) if os.path.islink(path) else path
    partial = place.with_name(f"{HIDDEN}{uuid4().hex}.partial")
    try:
        if os.path.lexists(place) and not place.is_file():
            raise OutputError(f"cannot write '{shown(path)}': it is no file", hint="choose another name")
        with partial.open("xb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        _like(place, partial)
        partial.replace(place)
        note(place)
    except OSError as error:
        raise explained(error, path) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def check_writable(path: Path) -> None:
    """OutputError where a file could not take its place at `path`: to be known before long work."""
    with suppress(_TriedError), replacing(path, sync=False):
        raise _TriedError


class _TriedError(Exception):
    """Ends a try."""


def _like(place: Path, partial: Path) -> None:
    """Give a file the permissions and the owner of that whose place it takes."""
    with suppress(OSError):
        before = place.stat()
        shutil.copymode(place, partial)
        if hasattr(os, "chown"):
            os.chown(partial, before.st_uid, before.st_gid)


def write_bytes(path: Path | str, content: bytes, *, sync: bool = True) -> None:
    """Write bytes, see `replacing`."""
    with replacing(path, sync=sync) as file:
        file.write(content)


def write_text(path: Path | str, text: str, *, sync: bool = True) -> None:
    """Write a text in UTF-8, see `replacing`; what came from a name that is no UTF-8 goes back to its bytes."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"), sync=sync)


def write_json(path: Path | str, data: Any) -> None:
    """Write `data` as JSON, see `replacing`.

    Keys are sorted; numpy scalars and arrays, paths, enums, tuples and sets are written by value; what is not a
    finite number becomes null. TypeError for anything else.
    """
    write_bytes(path, json_text(data).encode("utf-8", "backslashreplace"))  # half of a pair is \udc.. in JSON, too


def json_text(data: Any) -> str:
    """The same as a text."""
    return json.dumps(_plain(data), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """`value` in the types that JSON has."""
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
