"""Puts the files of a run into its folder so that they are all there or not at all, and the user's own stay."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from snntoolbox.ir.foreign import longer, shown
from snntoolbox.ir.interrupts import held_back
from snntoolbox.ir.merging import MARKER, NEW, merge, record, undo
from snntoolbox.ir.places import note
from snntoolbox.ir.scratch import PREFIX, Scratch, left_behind
from snntoolbox.ir.writing import OutputError, cut_short, explained

log = logging.getLogger(__name__)

_LABEL = "choose another output folder or run label (path_wd, runlabel)"
_NO_FILES = frozenset({"lost+found"})
"""What the root of a file system holds without anybody's doing."""


class RunFolder:
    """Collects the files of a run apart from the final folder and puts them there only if the run succeeds.

    >>> with RunFolder(path) as folder:
    ...     write_json(folder / "report.json", report)

    After any error, Ctrl-C and a full disk included, what was at `path` before is there unchanged and nothing else
    is left behind. Of the files in an existing folder only those go that an earlier run has written and nobody has
    changed since; a file of the user's where the run has one is kept under another name. A folder without results is
    refused on entry, as is, with ``overwrite=False``, any that is not empty. Where the folder cannot be used any more
    at the end, the results are put beside it and `path` says where.
    """

    def __init__(self, path: Path | str, *, overwrite: bool = True) -> None:
        self.path = Path(os.path.realpath(path))
        self.overwrite = overwrite
        self._scratch: Scratch | None = None

    def __enter__(self) -> Path:
        """The folder to write into; OutputError where that is not possible."""
        try:
            restore(self.path)
            refuse_foreign(self.path, overwrite=self.overwrite)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._scratch = _scratch_for(self.path)
            new = self._scratch.path / NEW
            new.mkdir()
        except BaseException as error:
            self._discard()
            if isinstance(error, OSError):
                raise explained(error, self.path) from error
            raise
        return new

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        cause = error.__cause__ if isinstance(error, OutputError) else error
        with held_back():
            try:
                if error is None:
                    self._publish()
                elif isinstance(cause, OSError) and self._ours(cause):
                    raise explained(cause, self.path) from cause
            except OSError as failure:
                raise explained(failure, self.path) from failure
            finally:
                self._discard()

    def _publish(self) -> None:
        """Move the files to the folder that was asked for, else to the first beside it that takes them."""
        assert self._scratch is not None
        scratch, failures = self._scratch.path, []
        for place in _places(self.path, scratch.parent):
            try:
                if not os.path.lexists(place):
                    record(scratch / NEW)
                    (scratch / NEW).rename(place)
                else:
                    refuse_foreign(place, overwrite=self.overwrite)
                    merge(scratch, place)
            except (OSError, OutputError) as failure:
                failures.append(failure)
                continue
            note(place)
            if place != self.path:
                log.warning("the results are in '%s': %s", shown(place), failures[0])
                self.path = place
            return
        raise failures[0]

    def _ours(self, error: OSError) -> bool:
        """Whether it failed to write here, rather than to read something elsewhere."""
        if error.filename is not None:
            return self._scratch is not None and str(error.filename).startswith(str(self._scratch.path))
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or cut_short(error)

    def _discard(self) -> None:
        if self._scratch is not None:
            self._scratch.close()


# -- places -------------------------------------------------------------------------------------------------------


def refuse_foreign(folder: Path, *, overwrite: bool) -> None:
    """OutputError unless a folder is missing, empty, or holds results that may be replaced."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise OutputError(f"'{shown(folder)}' is a file, not a folder", hint=_LABEL)
    if not holds_files(folder):
        return
    if not overwrite:
        raise OutputError(
            f"'{shown(folder)}' exists already", hint="choose another runlabel, set overwrite = True, or remove it"
        )
    if not (folder / MARKER).exists():
        reason = "holds files that are not results of a run, and is not replaced"
        raise OutputError(f"'{shown(folder)}' {reason}", hint=_LABEL)


def holds_files(folder: Path) -> bool:
    """Whether there is anything in a folder that somebody has put there."""
    return any(path.name not in _NO_FILES and not path.name.startswith(PREFIX) for path in folder.iterdir())


def restore(folder: Path) -> None:
    """Put back what a run moved that was killed while it put its results into a folder; what it left is removed."""
    for where in (folder.parent, folder):
        with suppress(OSError):
            for scratch in left_behind(where):
                undo(scratch)
                shutil.rmtree(scratch, ignore_errors=True)


def _scratch_for(folder: Path) -> Scratch:
    """A place to collect files from which they can be moved into `folder`: beside it, else in it (a mount point)."""
    failures = []
    for where in (folder.parent, folder):
        try:
            scratch = Scratch(where)
        except OSError as failure:
            failures.append(failure)
            continue
        try:
            _try_a_move(scratch.path, folder)
            return scratch
        except OSError as failure:
            scratch.close()
            failures.append(failure)
    raise next((f for f in failures if f.errno not in (errno.EXDEV, errno.ENOENT)), failures[0])


def _try_a_move(scratch: Path, folder: Path) -> None:
    if not folder.is_dir():
        return
    probe = scratch / "probe"
    probe.touch()
    there = folder / scratch.name
    (probe.rename(there) if scratch.parent != folder else probe).unlink()


def _places(folder: Path, sure: Path) -> Iterator[Path]:
    """Where results go: where they should, else beside that, else beside where they were collected."""
    names = [folder.name, *(longer(folder.name, f"-{number}") for number in range(2, 100))]
    yield from (folder.with_name(name) for name in names)
    if sure != folder.parent:
        yield from (sure / name for name in names)
