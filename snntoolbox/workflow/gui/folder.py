"""The working folder of the page: what lies in it, and that nothing outside it is read or written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from snntoolbox.errors import ConfigError
from snntoolbox.ir.foreign import shown
from snntoolbox.ir.writing import write_bytes
from snntoolbox.workflow.config.schema import MODEL_SUFFIXES

MOST_FILES = 500
"""So many of a kind are listed."""

_DEPTH = 4
"""How many folders deep files are looked for."""

_RUN_BY_MODELS = ".py"
_MODELS = (*MODEL_SUFFIXES, ".npz", ".prototxt", ".caffemodel")
_DATA = (".npz", ".npy", ".mat", ".aedat", ".aedat4", ".jpg", ".jpeg", ".png", ".ini")
UPLOADED = tuple(sorted({*_MODELS, *_DATA} - {_RUN_BY_MODELS}))
"""Endings of files that the page takes."""

REPORT = "report.html"
_NAME = re.compile(r"[\w][\w .+=-]{0,120}")


class WorkFolder:
    """One folder, which nothing leaves, by ``..``, by a link or by an absolute path."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Held by one page alone, as two would run each other's settings; ConfigError where another one has it."""
        try:
            import fcntl
        except ImportError:  # a system without such locks
            yield
            return
        place = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(place)
            told = f"another page is open in '{shown(self.path)}'"
            raise ConfigError(told, hint="use that one, end it, or start this one in another folder") from None
        except OSError:  # a disk without locks
            pass
        try:
            yield
        finally:
            os.close(place)

    def inside(self, path: str | Path) -> Path:
        """A path from the folder, resolved; ConfigError where it leads out."""
        found = Path(os.path.realpath(self.path / path))
        if "\0" in str(path) or not found.is_relative_to(self.path):
            told = f"'{shown(str(path))}' lies outside the working folder '{shown(self.path)}'"
            raise ConfigError(told, hint="start snntoolbox gui in a folder that holds it")
        return found

    def name_of(self, path: Path) -> str:
        """A path as it is told: from the folder."""
        return path.relative_to(self.path).as_posix()

    def models(self) -> list[str]:
        """Files that may be models."""
        beside = {*_MODELS, _RUN_BY_MODELS} - {".npz"}
        named = [self.name_of(p) for p in self._files() if p.suffix.lower() in beside and "log" not in p.parts]
        return sorted(named)

    def configurations(self) -> list[str]:
        """Files that may be configurations."""
        return sorted(self.name_of(p) for p in self._files() if p.suffix == ".ini")

    def reports(self) -> list[str]:
        """Pages of runs, the newest first."""
        found = [p for p in self._files(depth=_DEPTH + 2) if p.name == REPORT]
        return [self.name_of(p) for p in sorted(found, key=lambda p: p.stat().st_mtime_ns, reverse=True)]

    def data(self, folder: Path) -> list[tuple[str, int]]:
        """The arrays and folders of images in a folder of data, with their bytes."""
        there = sorted(self.inside(folder).iterdir()) if self.inside(folder).is_dir() else []
        arrays = [p for p in there if p.suffix in (".npz", ".npy") and p.is_file()]
        return [(p.name, p.stat().st_size) for p in arrays[:MOST_FILES]]

    def page(self, name: str) -> bytes:
        """A page of a run; ConfigError for anything else, links included."""
        path = self.inside(name)
        if path.name != REPORT or not path.is_file() or path != self.path / PurePosixPath(name):
            raise ConfigError(f"'{shown(name)}' is no page of a run in this folder")
        return path.read_bytes()

    def save_upload(self, folder: str, name: str, data: bytes) -> Path:
        """Write a file that was sent; ConfigError for a name or ending that is not taken, or that is there already."""
        base = PureWindowsPath(PurePosixPath(name).name).name
        if base != name or not _NAME.fullmatch(name):
            raise ConfigError(f"'{shown(name)}' is no plain name of a file")
        if Path(name).suffix.lower() == _RUN_BY_MODELS:
            raise ConfigError(f"'{name}' is code, which would be run: put it into the folder yourself")
        if Path(name).suffix.lower() not in UPLOADED:
            raise ConfigError(f"'{name}' has an ending that is not taken", hint=f"taken are {', '.join(UPLOADED)}")
        path = self.inside(Path(folder) / name)
        if os.path.lexists(path):
            raise ConfigError(f"'{self.name_of(path)}' is there already: remove it, or give the file another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
        return path

    def _files(self, depth: int = _DEPTH) -> Iterator[Path]:
        """Files that are no links, in folders that are none, without hidden ones."""
        count = 0
        for place, folders, names in os.walk(self.path):
            here = Path(place)
            deep = len(here.relative_to(self.path).parts)
            folders[:] = sorted(f for f in folders if deep < depth and not f.startswith("."))
            for name in sorted(names):
                path = here / name
                if not name.startswith(".") and path.is_file() and not path.is_symlink():
                    yield path
                    count += 1
                if count > 20 * MOST_FILES:
                    return
