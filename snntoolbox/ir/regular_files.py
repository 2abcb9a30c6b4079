"""The check that what is read is a file on a disk: opening a pipe waits for a writer that may never come."""

from __future__ import annotations

import stat
from pathlib import Path

from snntoolbox.errors import DataError, SNNToolboxError

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def special_kind(path: str | Path) -> str:
    """What `path` leads to where that is neither a file nor a folder: a pipe, a socket, a device; else empty."""
    try:
        return _KINDS.get(stat.S_IFMT(Path(path).stat().st_mode), "")
    except (OSError, ValueError):  # not there, or no possible path: whoever opens it tells
        return ""


def check_regular(path: str | Path, error: type[SNNToolboxError] = DataError) -> None:
    """An `error` where `path` leads to a pipe, a socket or a device; what is missing or a folder is told elsewhere."""
    if kind := special_kind(path):
        raise error(f"{path} is {kind}, not a file", hint="copy what it gives into a file, and name that")
