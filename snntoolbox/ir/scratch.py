"""Folders for work that is not ready: each belongs to a process, and goes at the latest when the next one looks."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from snntoolbox.ir.interrupts import held_back
from snntoolbox.ir.writing import HIDDEN

PREFIX = f"{HIDDEN}partial-"
"""How their names begin; one of fixed length, as that of a run may be as long as the file system allows."""

OLD_SECONDS = 24 * 3600.0
"""Without any change for so long a folder counts as left behind, where its owner cannot be asked."""

_OWNER = "owner"


class Scratch:
    """A new folder in `where`, by default that for temporary files; a context manager, at whose end it is gone.

    While it is there its owner holds a lock, which the system lets go when the process ends, however it ends.
    """

    def __init__(self, where: Path | None = None, *, prefix: str = PREFIX) -> None:
        where = Path(tempfile.gettempdir()) if where is None else where
        clear(where, prefix)
        made: list[Path] = []
        try:
            with held_back():
                made.append(Path(tempfile.mkdtemp(prefix=prefix, dir=where)))
                self.path, self._lock = made[0], _held(made[0])
        except BaseException:
            for path in made:
                remove(path)
            raise

    def close(self) -> None:
        """Remove it with all that is in it."""
        with held_back():
            remove(self.path)
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def clear(where: Path, prefix: str = PREFIX) -> None:
    """Remove what processes of this user that have ended, killed for instance, left in a folder."""
    with suppress(OSError):
        for path in left_behind(where, prefix):
            remove(path)


def remove(folder: Path) -> None:
    """Remove a folder with all that can be removed of what is in it, folders without permissions too."""
    for at, folders, files in os.walk(folder, onerror=None):
        for name in folders:
            with suppress(OSError):
                if not Path(at, name).is_symlink():
                    Path(at, name).chmod(stat.S_IRWXU)
        for name in files:
            with suppress(OSError):
                Path(at, name).unlink()
    for at, folders, _ in os.walk(folder, topdown=False):
        for name in folders:
            with suppress(OSError):
                (Path.unlink if Path(at, name).is_symlink() else Path.rmdir)(Path(at, name))
    with suppress(OSError):
        folder.rmdir()


def left_behind(where: Path, prefix: str = PREFIX) -> list[Path]:
    """Scratch folders of this user whose owners have ended."""
    found = [path for path in where.iterdir() if path.name.startswith(prefix) and path.is_dir()]
    return [path for path in found if _of_this_user(path) and _abandoned(path)]


def _held(folder: Path) -> IO[bytes]:
    """The owner's file, locked before it has its name: nobody sees it without."""
    beginning = folder / f"{_OWNER}-new"
    file = beginning.open("xb")
    file.write(socket.gethostname().encode("utf-8", "replace"))
    file.flush()
    _lock(file)
    beginning.rename(folder / _OWNER)
    return file


def _of_this_user(path: Path) -> bool:
    return not path.is_symlink() and (not hasattr(os, "geteuid") or path.stat().st_uid == os.geteuid())


def _abandoned(folder: Path) -> bool:
    """Whether its owner has ended; by age where it is, or may be, on another machine."""
    try:
        with (folder / _OWNER).open("rb+") as file:
            if file.read() == socket.gethostname().encode("utf-8", "replace"):
                return _lock(file)
    except OSError:
        pass
    changes = (path.stat().st_mtime for path in (folder, *folder.iterdir()))
    return time.time() - max(changes) > OLD_SECONDS


def _lock(file: IO[bytes]) -> bool:
    """Take the lock of an owner; whether nobody has it. False too where the system has none."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True
