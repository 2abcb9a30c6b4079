"""Class folders of an image data set, with their numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from snntoolbox.errors import DataError


def class_numbers(folder: Path, classes: Sequence[str] = (), class_file: Path | None = None) -> dict[str, int]:
    """Return sub-folder name -> class index.

    The folders are `classes`, or all of `folder` in sorted order, and are counted in that order unless the JSON file
    `class_file` of the form ``{"0": ["name", ...], ...}`` numbers them. Hidden folders do not count.
    """
    names = tuple(classes) or _sub_folders(folder)
    if class_file is None:
        return {name: number for number, name in enumerate(names)}
    numbers = _read_numbers(class_file)
    missing = [name for name in names if name not in numbers]
    if missing:
        raise DataError(f"{class_file} has no number for the class folders {', '.join(missing)}", hint="add them to it")
    return {name: numbers[name] for name in names}


def _sub_folders(folder: Path) -> tuple[str, ...]:
    names = tuple(sorted(item.name for item in folder.iterdir() if item.is_dir() and not item.name.startswith(".")))
    if not names:
        raise DataError(
            f"{folder} has no sub-folders", hint="put the images of each class into a sub-folder of its own"
        )
    return names


def _read_numbers(path: Path) -> dict[str, int]:
    try:
        table = json.loads(path.read_text("utf-8"))
        rows = [(int(number), [names] if isinstance(names, str) else names) for number, names in table.items()]
        return {str(name): number for number, names in rows for name in names}
    except FileNotFoundError:
        raise DataError(f"{path} does not exist", hint="correct paths.class_idx_path") from None
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path} cannot be read as numbers of classes ({error})", hint='its form is {"0": ["name", ...], ...}'
        ) from error
