"""Moves new files into a folder that holds others: ours of before go, what is the user's stays."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from snntoolbox.ir.foreign import longer, shown
from snntoolbox.ir.writing import write_json

log = logging.getLogger(__name__)

MARKER = ".snntoolbox"
"""A file that tells our folders from the user's, and in them our files, by content, from the user's."""

KEPT = ".kept"
"""Behind the name of a file of the user's where a run has one of the same name."""

NEW, _BEFORE, _MOVES = "new", "before", "moves.json"


@dataclass(frozen=True, kw_only=True)
class Moves:
    """What is to be done in `place`, names relative to it: files that come, those that go, those that are renamed."""

    place: str
    come: tuple[str, ...]
    go: tuple[str, ...]
    kept: Mapping[str, str]


def record(folder: Path) -> None:
    """Write down which files are ours, and their content."""
    write_json(folder / MARKER, {name: digest(folder / name) for name in files_in(folder)})


def recorded(folder: Path) -> dict[str, str]:
    """The files that were ours when a run ended, and their content; none where that is not known."""
    try:
        known = json.loads((folder / MARKER).read_text("utf-8"))
        return {str(name): str(content) for name, content in known.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def files_in(folder: Path) -> list[str]:
    """All files below a folder but our marker, links not followed, as names relative to it."""
    found = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
    links = (Path(at, name) for at, folders, _ in os.walk(folder) for name in folders if Path(at, name).is_symlink())
    names = (path.relative_to(folder).as_posix() for path in itertools.chain(found, links))
    return sorted(name for name in names if name != MARKER)


def digest(path: Path) -> str:
    """What a file holds, or where a link leads, in a few letters; empty for anything else, which is not read."""
    if path.is_symlink():
        return f"link {os.readlink(path)}"
    if not stat.S_ISREG(path.stat().st_mode):
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def merge(scratch: Path, place: Path) -> None:
    """Move the files of ``scratch/new`` into `place`, all of them or, after an error, none."""
    record(scratch / NEW)
    moves = _planned(scratch / NEW, place)
    write_json(scratch / _MOVES, asdict(moves))
    try:
        _move(scratch, moves)
    except BaseException:
        undo(scratch)
        raise
    for name, free in moves.kept.items():
        where, mine, ours = shown(place), shown(free), shown(name)
        log.warning("a file of yours in '%s' is kept as %s: the results have a %s", where, mine, ours)


def _planned(new: Path, place: Path) -> Moves:
    ours, come = recorded(place), [*files_in(new), MARKER]
    go, kept = [], {}
    for name in come:
        obstacle = _obstacle(place, name)
        if obstacle is None or obstacle in kept:
            continue
        if name == MARKER or (obstacle == name and digest(place / name) in (ours.get(name), digest(new / name))):
            go.append(name)
        else:
            kept[obstacle] = _free(place, obstacle)
    stale = [n for n in ours.keys() - set(come) if _obstacle(place, n) == n and digest(place / n) == ours[n]]
    return Moves(place=str(place), come=tuple(come), go=(*go, *sorted(stale)), kept=kept)


def _obstacle(place: Path, name: str) -> str | None:
    """What stands where a file is to be: something of its name, or on the way there what is no folder."""
    for upper in reversed(Path(name).parents[:-1]):
        path = place / upper
        if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
            return upper.as_posix()
    return name if os.path.lexists(place / name) else None


def _free(place: Path, name: str) -> str:
    """A name like this one that nothing has."""
    path = place / name
    for number in itertools.count(1):
        end = KEPT if number == 1 else f"{KEPT}-{number}"
        free = path.with_name(longer(path.name, end))
        if not os.path.lexists(free):
            break
    return free.relative_to(place).as_posix()


def _move(scratch: Path, moves: Moves) -> None:
    place = Path(moves.place)
    for name in moves.go:
        _moved(place / name, scratch / _BEFORE / name)
    for name, free in moves.kept.items():
        (place / name).rename(place / free)
    for name in moves.come:
        _moved(scratch / NEW / name, place / name)
    _drop_empty(place, moves.go)


def undo(scratch: Path) -> None:
    """Put everything back that `merge` has moved, also where it has been stopped in the middle."""
    try:
        moves = Moves(**json.loads((scratch / _MOVES).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return
    place = Path(moves.place)
    if not os.path.lexists(scratch / NEW / MARKER):
        return  # it was through: the marker is the last to come
    for name in moves.come:
        if not os.path.lexists(scratch / NEW / name) and os.path.lexists(place / name):
            _moved(place / name, scratch / NEW / name)
    for name, free in moves.kept.items():
        if os.path.lexists(place / free) and not os.path.lexists(place / name):
            (place / free).rename(place / name)
    for name in moves.go:
        if os.path.lexists(scratch / _BEFORE / name):
            _moved(scratch / _BEFORE / name, place / name)
    _drop_empty(place, moves.come)


def _drop_empty(place: Path, names: Iterable[str]) -> None:
    """Remove the folders of these files in which nothing is left, the lowest first."""
    for upper in sorted({upper for name in names for upper in Path(name).parents[:-1]}, reverse=True):
        with suppress(OSError):
            (place / upper).rmdir()


def _moved(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
