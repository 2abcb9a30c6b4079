"""Whether a data set fits a model."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from snntoolbox.data.dataset import Dataset
from snntoolbox.errors import DataError


def check_fits(
    dataset: Dataset, input_shape: Sequence[int | None], n_classes: int | None = None, *, source: str = "x_test"
) -> None:
    """DataError if samples or labels of `dataset` cannot belong to a model.

    `input_shape` is that of one sample, with None where any size will do. Labels must lie in 0..n_classes-1, unless
    `n_classes` is None; regression targets must be so many values a sample. `source` names the samples in the message.
    """
    found, wanted = dataset.x.shape[1:], tuple(input_shape)
    if not _matches(found, wanted):
        shown = "(" + ", ".join("any" if size is None else str(size) for size in wanted) + ")"
        raise DataError(
            f"samples of {source} have shape {found}, the model takes {shown}", hint=_shape_hint(found, wanted)
        )
    if dataset.y is not None and n_classes is not None:
        if dataset.regression:
            _check_targets(dataset.y, n_classes)
        else:
            if dataset.truths and n_classes > 2:
                raise DataError(
                    f"the labels are True and False, but the model has {n_classes} classes",
                    hint="save class indices, or one-hot rows of shape (samples, classes)",
                )
            _check_labels(dataset.span or (int(dataset.y.min()), int(dataset.y.max())), n_classes)


def _matches(found: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(found) == len(wanted) and all(w is None or f == w for f, w in zip(found, wanted, strict=True))


def _shape_hint(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> str:
    if len(found) > 1 and _matches((found[-1], *found[:-1]), wanted):
        return "only the channel order differs: save np.moveaxis(x, -1, 1), channels first"
    if len(found) > 1 and _matches((*found[1:], found[0]), wanted):
        return "only the channel order differs: save np.moveaxis(x, 1, -1), channels last"
    if None not in wanted and prod(found) == prod(size or 0 for size in wanted):
        return f"the number of values is right: save x.reshape(len(x), {', '.join(map(str, wanted))})"
    return "prepare the samples as they were when the model was trained"


def _check_labels(span: tuple[int, int], n_classes: int) -> None:
    """All labels of the file count, not only those of the samples that are run: off by one shows in the last class."""
    low, high = span
    if high < max(n_classes, 2):  # one output tells two classes apart
        return
    hint = (
        "subtract 1 from the labels"
        if low == 1 and high == n_classes
        else "check that labels and model belong together"
    )
    raise DataError(f"labels reach {high}, but the model has {n_classes} classes, counted from 0", hint=hint)


def _check_targets(y: np.ndarray, outputs: int) -> None:
    if prod(y.shape[1:]) != outputs:
        raise DataError(
            f"the targets in y_test have {prod(y.shape[1:])} values per sample, the model has {outputs} outputs",
            hint="if y_test holds classes, save their indices as integers",
        )
