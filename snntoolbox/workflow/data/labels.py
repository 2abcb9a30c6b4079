"""Labels as people save them (indices, one-hot rows, regression targets) to one form."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snntoolbox.errors import DataError

_CHUNK = 1 << 22  # elements looked at together, so that a mapped file is never wholly copied


def check_samples(array: np.ndarray, source: str) -> np.ndarray:
    """Return `array` as float32 samples, itself if it is that already. DataError naming `source` if it cannot be."""
    if array.dtype.kind not in "buif":
        raise DataError(f"{source} holds {array.dtype} values", hint="save an array of numbers")
    if array.ndim < 2 and array.size:
        raise DataError(
            f"{source} has shape {array.shape}, which is not (samples, ...)",
            hint="save samples of one value as an array of shape (samples, 1)",
        )
    if not array.size:
        raise DataError(f"{source} is empty: its shape is {array.shape}", hint="save at least one sample")
    with np.errstate(over="ignore"):
        samples = array.astype(np.float32, copy=False)
    check_finite(samples, source)
    return samples


def check_finite(array: np.ndarray, source: str) -> None:
    """DataError that names the first sample with a NaN or an infinite value."""
    step = max(1, _CHUNK // max(1, array[0].size))
    for start in range(0, len(array), step):
        finite = np.isfinite(array[start : start + step])
        if not finite.all():
            bad = int(np.argmin(finite.reshape(len(finite), -1).all(axis=1))) + start
            raise DataError(
                f"{source} holds NaN or infinite values, first in sample {bad}",
                hint="remove or repair these samples",
            )


def check_same_length(x: np.ndarray, source: str, y: np.ndarray, labels: str) -> None:
    """DataError if there is not one label per sample."""
    counts = [len(array) if array.ndim else 0 for array in (x, y)]
    if counts[0] != counts[1]:
        raise DataError(
            f"{source} holds {counts[0]} samples, but {labels} holds {counts[1]} labels",
            hint="save both from the same split, in the same order",
        )


log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Labels:
    """Class indices (int64, shape (samples,)), or float32 targets if `regression`.

    `span` is the lowest class that occurs and the highest that has a place: as many columns as one-hot rows have.
    `truths`: they were True and False, one for each sample.
    """

    values: np.ndarray
    regression: bool
    span: tuple[int, int] | None = None
    truths: bool = False


def interpret_labels(y: np.ndarray, source: str) -> Labels:
    """Return the labels in `y`.

    One value per sample is a class index if all of them are integers, whatever their type, else a target. Rows with
    a single 1 among zeros are one-hot, rows of probabilities (smoothed or predicted labels) mean their most likely
    class; other rows are targets if they are floats. DataError naming `source` else.
    """
    if y.dtype.kind not in "buif":
        raise DataError(f"{source} holds {y.dtype} values", hint="save class indices, counted from 0")
    if not y.size:
        raise DataError(f"{source} is empty: its shape is {y.shape}", hint="save one label per sample")
    check_finite(y, source)
    if y.ndim > 1 and y[0].size == 1:
        y = y.reshape(len(y))
    if y.ndim == 1:
        return _one_value_each(y, source)
    if y.ndim == 2 and _is_one_hot(y):
        return _rows(y)
    if y.ndim == 2 and _is_distribution(y):
        log.warning("%s holds rows of probabilities: the class of each sample is its most likely one", source)
        return _rows(y)
    if y.dtype.kind == "f":
        return Labels(y.astype(np.float32, copy=False), regression=True)
    raise DataError(
        f"{source} holds integers of shape {y.shape}, which are neither class indices nor one-hot rows",
        hint="save class indices of shape (samples,), one-hot rows, or regression targets as floats",
    )


def _one_value_each(y: np.ndarray, source: str) -> Labels:
    with np.errstate(invalid="ignore"):
        indices = y.astype(np.int64)
    if not np.array_equal(indices, y):
        return Labels(y.astype(np.float32), regression=True)
    if indices.min() < 0:
        raise DataError(
            f"{source} holds the label {indices.min()}, but classes are counted from 0",
            hint="number the classes 0, 1, 2, ...",
        )
    return Labels(
        indices, regression=False, span=(int(indices.min()), int(indices.max())), truths=y.dtype.kind == "b"
    )


def _rows(y: np.ndarray) -> Labels:
    indices = y.argmax(axis=1).astype(np.int64)
    return Labels(indices, regression=False, span=(int(indices.min()), y.shape[1] - 1))


def _is_one_hot(y: np.ndarray) -> bool:
    return bool(((y == 0) | (y == 1)).all() and (np.count_nonzero(y, axis=1) == 1).all())


def _is_distribution(y: np.ndarray) -> bool:
    """Whether every row sums to one, to the rounding of half precision, and holds nothing negative."""
    return bool(y.min() >= 0 and (np.abs(y.sum(axis=1, dtype=np.float64) - 1) < 2e-3).all())


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
