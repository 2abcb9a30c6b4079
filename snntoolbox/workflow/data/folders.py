"""Class folders of an image data set: which of them count, their numbers, and the images in them."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from snntoolbox.errors import DataError
from snntoolbox.ir.merging import MARKER
from snntoolbox.ir.regular_files import check_regular

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileKind:
    """What class folders hold: in words, and the endings of the files."""

    words: str
    suffixes: tuple[str, ...]


SUFFIXES = (".jpg", ".jpeg", ".png")
IMAGES = FileKind("images", SUFFIXES)
CALIBRATION = "x_norm"
"""The folder of calibration images; where it lies beside class folders it is none of them."""

_OF_SYSTEMS = frozenset(
    ("__macosx", "@eadir", "#recycle", "$recycle.bin", "lost+found", "system volume information", "__pycache__")
)
"""Folders that archives, disks and file servers make by themselves; @eaDir holds small copies of the images."""

_OF_FILE_MANAGERS = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))
NAME_CLASSES = "name the classes in their order: dataflow_kwargs = {'classes': [...]}"
"""What settles which folder has which number."""


Share = tuple[float, float]
"""From which share of some files on, and up to which."""
WHOLE: Share = (0.0, 1.0)


@dataclass(frozen=True, eq=False)
class ClassFolders:
    """The images of a data set with the numbers of their classes, and the name of each number.

    `numbered`: the numbers are the user's, and not the order of the folders' names.
    """

    files: tuple[tuple[Path, int], ...]
    names: Mapping[int, str]
    numbered: bool


def class_folders(
    root: Path,
    classes: Sequence[str] = (),
    class_file: Path | None = None,
    kind: FileKind = IMAGES,
    labels: Mapping[str, int] = MappingProxyType({}),
    part: Share = WHOLE,
    *,
    links: bool = False,
) -> ClassFolders:
    """Return the images, or files of another kind, below `root` by class; what is left out is told.

    The folders are `classes`, or all in `root` in sorted order, and are counted in that order unless `labels`, or the
    JSON file `class_file` of the form ``{"0": ["name", ...], ...}``, numbers them. Hidden folders, those of
    systems, results of runs and calibration images are no classes. Of each folder's files those of a `part` are taken,
    and with `links` those in folders that are links too. DataError where a folder without images would take a number.
    """
    known = _sub_folders(root)
    names = _checked(classes, known, root) if classes else known
    if not names:
        hint = f"put the {kind.words} of each class into a sub-folder of its own"
        raise DataError(f"{root} has no sub-folders", hint=hint)
    numbers = _from_labels(names, labels, root) if labels else _numbered(names, class_file)
    files = {name: shared(files_in(root / name, kind, links=links), part) for name in names}
    _tell_other_files(root, names, kind)
    numbered = bool(classes or labels) or class_file is not None
    if any(files.values()):
        _check_empty([name for name, held in files.items() if not held], root, kind, numbered=numbered)
    if not numbered:
        _tell_order_of_digits(names)
    texts: dict[int, str] = {}
    for name, number in numbers.items():
        texts[number] = f"{texts[number]}, {name}" if number in texts else name
    pairs = tuple((file, numbers[name]) for name, held in files.items() for file in held)
    return ClassFolders(pairs, texts, numbered)


def images_of_classes(
    root: Path, classes: Sequence[str] = (), part: Share = WHOLE, *, links: bool = False
) -> list[Path]:
    """Return the images of these class folders of `root`, or of all that count, in order; a part of each folder's."""
    names = classes or [name for name in _visible(root) if not _no_class(root / name)]
    return [path for name in names for path in shared(files_in(root / name, links=links), part)]


def shared(files: Sequence[Path], part: Share) -> list[Path]:
    """The files from a share of their number on up to another, as Keras counts them."""
    return list(files[int(part[0] * len(files)) : int(part[1] * len(files))])


def files_in(folder: Path, kind: FileKind = IMAGES, *, links: bool = False) -> list[Path]:
    """Return the files of a kind in `folder` and below, in order of their names."""
    return [path for path in _files(folder, links=links) if path.suffix.lower() in kind.suffixes]


def _files(folder: Path, *, links: bool = False) -> list[Path]:
    """The user's files in a folder and below; links to folders are among them, unless they are to be followed."""
    if not folder.is_dir():
        raise DataError(f"class folder {folder} does not exist", hint="correct classes in dataflow_kwargs")
    below = _followed(folder) if links else folder.rglob("*")
    paths = [path for path in sorted(below) if _counts(path.relative_to(folder).parts)]
    return [path for path in paths if not path.is_dir() or (path.is_symlink() and not links)]


def _followed(folder: Path) -> Iterator[Path]:
    """Everything below a folder, links included; what lies around itself comes once."""
    seen = {folder.resolve()}
    for place, folders, files in os.walk(folder, followlinks=True):
        yield from (Path(place, name) for name in files)
        new = {name: real for name in folders if (real := Path(place, name).resolve()) not in seen}
        seen |= set(new.values())
        folders[:] = new


def _visible(root: Path) -> list[str]:
    """The names of the folders in `root` that are not hidden, sorted."""
    return sorted(item.name for item in root.iterdir() if item.is_dir() and not item.name.startswith("."))


def _sub_folders(root: Path) -> tuple[str, ...]:
    """The names of the folders in `root` that can be classes, sorted."""
    names = _visible(root)
    reasons = {name: reason for name in names if (reason := _no_class(root / name))}
    for name, reason in reasons.items():
        log.warning("%s is no class: %s", root / name, reason)
    return tuple(name for name in names if name not in reasons)


def _no_class(folder: Path) -> str:
    """Why a folder is none of the user's classes; empty where it may be one."""
    if folder.name.lower() in _OF_SYSTEMS:
        return "such folders are made by archives, disks or file servers"
    if folder.name == CALIBRATION:
        return "it holds the calibration images"
    return "it holds results of runs" if next(folder.rglob(MARKER), None) is not None else ""


def _counts(parts: Iterable[str]) -> bool:
    """Whether a path below a class folder is the user's own."""
    return not any(p.startswith(".") or p.lower() in _OF_SYSTEMS or p.lower() in _OF_FILE_MANAGERS for p in parts)


def _checked(classes: Sequence[str], known: Iterable[str], root: Path) -> tuple[str, ...]:
    """The folders that the user names, each once; the others are told."""
    if twice := [name for name, often in Counter(classes).items() if often > 1]:
        raise DataError(f"classes in dataflow_kwargs names {', '.join(twice)} twice", hint="name each folder once")
    if others := [name for name in known if name not in classes]:
        log.warning("%s: folders that classes does not name are left out: %s", root, ", ".join(others))
    return tuple(classes)


def _check_empty(empty: Sequence[str], root: Path, kind: FileKind, *, numbered: bool) -> None:
    """DataError where folders without files would shift the numbers of others; told where numbers are the user's."""
    told = f"{root} has class folders without {kind.words} ({', '.join(kind.suffixes)}): {', '.join(empty)}"
    if empty and not numbered:
        raise DataError(told, hint=f"remove what is no class, or {NAME_CLASSES}")
    if empty:
        log.warning(told)


def _tell_other_files(root: Path, names: Sequence[str], kind: FileKind) -> None:
    """Tell of files beside the class folders, and of what in these is none that is read."""
    ends = kind.suffixes
    beside = [p for p in root.iterdir() if p.suffix.lower() in ends and not p.name.startswith(".") and p.is_file()]
    others = [path for name in names for path in _files(root / name) if path.suffix.lower() not in ends]
    for paths, reason in ((beside, "in no class folder"), (others, f"no {', '.join(ends)}")):
        if paths:
            log.warning("%d files are left out, as %s; first %s", len(paths), reason, min(paths))


def _tell_order_of_digits(names: Sequence[str]) -> None:
    """Folders 1, 2, 10 are counted 1, 10, 2, as Keras and torchvision do; a network may have been trained otherwise."""
    if all(name.isdecimal() for name in names) and list(names) != sorted(names, key=int):
        log.warning("class folders are counted in the order of text: %s; else %s", ", ".join(names), NAME_CLASSES)


def _from_labels(names: Sequence[str], labels: Mapping[str, int], root: Path) -> dict[str, int]:
    """Folder -> number, as the user's dictionary has it; DataError where the two do not name the same folders."""
    if odd := sorted({*names} ^ labels.keys()):
        told = f"input.label_dict and the class folders of {root} do not agree about {', '.join(odd)}"
        raise DataError(told, hint="it numbers each folder: {'name': 0, ...}")
    return dict(labels)


def _numbered(names: Sequence[str], class_file: Path | None) -> dict[str, int]:
    """Folder -> number: its place, or what the file says."""
    if class_file is None:
        return {name: number for number, name in enumerate(names)}
    numbers = _read_numbers(class_file)
    missing = [name for name in names if name not in numbers]
    if missing:
        raise DataError(f"{class_file} has no number for the class folders {', '.join(missing)}", hint="add them to it")
    return {name: numbers[name] for name in names}


def _read_numbers(path: Path) -> dict[str, int]:
    check_regular(path)
    try:
        table = json.loads(path.read_text("utf-8"), object_pairs_hook=list)
        rows = [(int(number), [names] if isinstance(names, str) else names) for number, names in table]
        pairs = [(str(name), number) for number, names in rows for name in names]
    except FileNotFoundError:
        raise DataError(f"{path} does not exist", hint="correct paths.class_idx_path") from None
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path} cannot be read as numbers of classes ({error})", hint='its form is {"0": ["name", ...], ...}'
        ) from error
    if twice := [name for name, often in Counter(name for name, _ in pairs).items() if often > 1]:
        raise DataError(f"{path} numbers {', '.join(twice)} twice", hint="name each folder once")
    if min((number for _, number in pairs), default=0) < 0:
        raise DataError(f"{path} has a number below 0", hint="count classes from 0")
    return dict(pairs)
