"""Writes the files of a run so that they are either all there or not there at all."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from snntoolbox.errors import SNNToolboxError

MARKER = ".snntoolbox"
"""A file that tells our folders from the user's: only the former are ever replaced."""

_LABEL = "choose another output folder or run label (path_wd, runlabel)"
_ELSEWHERE = "choose another output folder (path_wd)"
_REASONS = {
    errno.ENOSPC: ("no space is left on the disk", f"free some space or {_ELSEWHERE}"),
    errno.EDQUOT: ("the disk quota is used up", f"free some space or {_ELSEWHERE}"),
    errno.EROFS: ("the file system is read-only", _ELSEWHERE),
    errno.EACCES: ("there is no permission to write", f"{_ELSEWHERE} or change its permissions"),
    errno.EPERM: ("there is no permission to write", f"{_ELSEWHERE} or change its permissions"),
    errno.ENOTDIR: ("a part of the path is a file", _ELSEWHERE),
    errno.EEXIST: ("a part of the path is a file", _ELSEWHERE),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter runlabel"),
    errno.EFBIG: ("a file is too large for the file system", _ELSEWHERE),
}


class OutputError(SNNToolboxError):
    """Results cannot be written; earlier ones are untouched."""


def write_json(path: Path | str, data: Any) -> None:
    """Write `data` as JSON in one stroke: the file holds all of it or what it held before.

    Keys are sorted; numpy scalars and arrays, paths, enums, tuples and sets are written by value; what is not a
    finite number becomes null. TypeError for anything else.
    """
    path = Path(path)
    text = json.dumps(_plain(data), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


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


class RunFolder:
    """Collects the files of a run beside the final folder and puts them in its place only if the run succeeds.

    >>> with RunFolder(path) as folder:
    ...     write_json(folder / "report.json", report)

    After any error, Ctrl-C and a full disk included, what was at `path` before is there unchanged and nothing else
    is left behind. With ``overwrite=False`` an existing folder is refused on entry, before any work; a folder that
    holds files of other origin is never replaced.
    """

    def __init__(self, path: Path | str, *, overwrite: bool = True) -> None:
        self.path = Path(path).resolve()
        self.overwrite = overwrite
        self._temporary: Path | None = None

    def __enter__(self) -> Path:
        """The folder to write into; OutputError where that is not possible."""
        try:
            self._refuse_existing()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.partial-", dir=self.path.parent))
            self._temporary.chmod(0o777 & ~_umask())
            (self._temporary / MARKER).touch()
        except OSError as error:
            self._discard()
            raise _explained(error, self.path) from error
        return self._temporary

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._publish()
            elif isinstance(error, OSError) and self._ours(error):
                raise _explained(error, self.path) from error
        except OSError as failure:
            raise _explained(failure, self.path) from failure
        finally:
            self._discard()

    def _refuse_existing(self) -> None:
        if not os.path.lexists(self.path):
            return
        if not self.path.is_dir():
            raise OutputError(
                f"'{self.path}' is a file, not a folder",
                hint=_LABEL,
            )
        if not self.overwrite:
            raise OutputError(
                f"'{self.path}' exists already", hint="choose another runlabel, set overwrite = True, or remove it"
            )
        if any(self.path.iterdir()) and not (self.path / MARKER).exists():
            raise OutputError(
                f"'{self.path}' holds files that are not results of a run, and is not replaced",
                hint=_LABEL,
            )

    def _publish(self) -> None:
        """Swap the new folder in; the old one goes only when the new one stands."""
        assert self._temporary is not None
        if not os.path.lexists(self.path):
            self._temporary.rename(self.path)
            return
        self._refuse_existing()
        aside = self._temporary.with_name(self._temporary.name + "-before")
        try:
            self.path.rename(aside)
            self._temporary.rename(self.path)
        except BaseException:
            if aside.exists() and not self.path.exists():
                aside.rename(self.path)
            raise
        shutil.rmtree(aside, ignore_errors=True)

    def _ours(self, error: OSError) -> bool:
        """Whether it failed to write here, rather than to read something elsewhere."""
        if error.filename is not None:
            return str(error.filename).startswith(str(self._temporary))
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or _cut_short(error)

    def _discard(self) -> None:
        if self._temporary is not None and self._temporary.exists():
            shutil.rmtree(self._temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _cut_short(error: OSError) -> bool:
    """Whether numpy could not write a whole array, which it reports without an error number."""
    return error.errno is None and "requested and" in str(error)


def _explained(error: OSError, path: Path) -> OutputError:
    number = errno.ENOSPC if _cut_short(error) else error.errno
    reason, hint = _REASONS.get(number or 0, (error.strerror or str(error), _ELSEWHERE))
    return OutputError(f"cannot write '{path}': {reason}; earlier results are untouched", hint=hint)
