"""The data set in a folder, for testing or for calibration."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.head import Head
from snntoolbox.ir.node import Shape
from snntoolbox.ir.samples import matches, shape_hint
from snntoolbox.workflow.data.arrays import find_array, read_array, taken
from snntoolbox.workflow.data.choosing import chosen_samples
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.data.events.event_sets import EventOptions, load_events, with_value
from snntoolbox.workflow.data.folders import (
    CALIBRATION,
    NAME_CLASSES,
    class_folders,
    files_in,
    images_of_classes,
)
from snntoolbox.workflow.data.images import ImageFormat, image_format, read_images
from snntoolbox.workflow.data.labels import check_same_length, check_samples, interpret_labels
from snntoolbox.workflow.data.standardising import Fitted, Standards, fitted

log = logging.getLogger(__name__)
_NO_OPTIONS: Mapping[str, object] = {}


def load_test(
    path: str | Path,
    *,
    dataset_format: str = "npz",
    limit: int | None = None,
    indices: Sequence[int] | None = None,
    datagen_kwargs: Mapping[str, object] = _NO_OPTIONS,
    dataflow_kwargs: Mapping[str, object] = _NO_OPTIONS,
    class_idx_path: Path | None = None,
    image_size: tuple[int, int] | None = None,
    head: Head | None = None,
    output_shape: Shape = (),
    sample_shape: Sequence[int | None] = (),
    events: EventOptions | None = None,
) -> Dataset:
    """Return the test set in the folder `path`.

    With `dataset_format` npz it is ``x_test`` and, if there is one, ``y_test``, as .npz or .npy. Otherwise it is the
    images in the class folders of ``path/x_test`` if that exists, else of `path`; `image_size` (height, width) counts
    where the options give no target_size. `indices`, if any, chooses the samples. Otherwise `limit` takes so many: the
    first ones, of images spread evenly over all classes; None or -1 takes all. `head` and `output_shape` are those of
    the output that the labels are held against. An array of the `sample_shape` is a single sample. With `events` the
    class folders hold recordings, of which frames of the `sample_shape` and spikes are made.
    """
    folder = _folder(path)
    if dataset_format == "npz":
        return _test_arrays(folder, limit, indices, head, output_shape, sample_shape)
    root = _test_root(folder)
    if events is not None:
        return load_events(root, events, tuple(n or 1 for n in sample_shape), limit=limit, indices=indices)
    form = image_format(datagen_kwargs, dataflow_kwargs, image_size)
    folders = class_folders(root, form.classes, class_idx_path, part=form.part, links=form.follows_links)
    files = [folders.files[i] for i in form.order(len(folders.files))]
    chosen = chosen_samples(len(files), limit, indices, str(root), spread=not form.shuffled)
    x = read_images([files[i][0] for i in chosen], form, _fitted(folder, form))
    if not form.labelled:
        return Dataset(x)
    y = np.array([files[i][1] for i in chosen], np.int64)
    span = (min(folders.names), max(folders.names))
    return Dataset(x, y, class_names=folders.names, numbered=folders.numbered, span=span)


def load_calibration(
    path: str | Path,
    *,
    dataset_format: str = "npz",
    limit: int | None = None,
    datagen_kwargs: Mapping[str, object] = _NO_OPTIONS,
    dataflow_kwargs: Mapping[str, object] = _NO_OPTIONS,
    image_size: tuple[int, int] | None = None,
    sample_shape: Sequence[int | None] = (),
    events: EventOptions | None = None,
) -> Dataset | None:
    """Return the calibration samples in the folder `path`, or None if there are none; they have no labels.

    They are ``x_norm.npz`` or ``.npy``. For an image data set they may also be the images in the folder ``x_norm``,
    and without either the test images serve. `limit` and `sample_shape` are as for `load_test`.
    """
    folder = _folder(path)
    images, file = folder / CALIBRATION, find_array(folder, CALIBRATION)
    if dataset_format == "npz" or (file is not None and not images.is_dir()):
        if file is None:
            return None
        return Dataset(_samples(_with_axis(read_array(file), sample_shape), file, limit, None, calibration=True))
    if events is not None:
        return _event_calibration(folder, events, tuple(n or 1 for n in sample_shape), limit)
    form = image_format(datagen_kwargs, dataflow_kwargs, image_size)
    if not images.is_dir():
        log.warning("no x_norm in %s: the test images also serve for calibration", folder)
    elif file is not None:
        log.warning("%s is not read: the images in %s serve for calibration", file, images)
    files = _calibration_files(folder, form)
    chosen = chosen_samples(len(files), limit, None, str(images), spread=True, calibration=True)
    return Dataset(read_images([files[i] for i in chosen], form, _fitted(folder, form)))


def _calibration_files(folder: Path, form: ImageFormat) -> list[Path]:
    """The images in the folder x_norm, or the test images where there is none."""
    images = folder / CALIBRATION
    if images.is_dir():
        return files_in(images, links=form.follows_links)
    return images_of_classes(_test_root(folder), form.classes, form.part, links=form.follows_links)


def _fitted(folder: Path, form: ImageFormat) -> Fitted:
    """What the calibration images are like, as far as `form` asks for it."""

    def images(most: int) -> np.ndarray:
        files = _calibration_files(folder, form)
        if not (folder / CALIBRATION).is_dir():
            log.warning("no folder x_norm in %s: the test images tell what images are like", folder)
        few = min(most, len(files))
        chosen = chosen_samples(len(files), few, None, str(folder), spread=True, calibration=True)
        plain = replace(form, standards=Standards(), channels_first=False)
        return read_images([files[i] for i in chosen], plain)

    return fitted(form.standards, images)


def _event_calibration(folder: Path, events: EventOptions, shape: Shape, limit: int | None) -> Dataset:
    own = folder / CALIBRATION
    if not own.is_dir():
        log.warning("no x_norm in %s: the test recordings also serve for calibration", folder)
    root = own if own.is_dir() else _test_root(folder)
    return load_events(root, events, shape, limit=limit, labelled=False)


def value_of_events(path: str | Path, events: EventOptions, shape: Shape) -> EventOptions:
    """The options with what an event adds to a frame, of the calibration recordings where there are any."""
    folder = _folder(path)
    return with_value(events, folder / CALIBRATION if (folder / CALIBRATION).is_dir() else _test_root(folder), shape)


def _folder(path: str | Path) -> Path:
    folder = Path(path)
    if not folder.exists():
        raise DataError(f"data folder {folder} does not exist", hint="correct paths.dataset_path")
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder", hint="set paths.dataset_path to the folder of x_test.npz")
    return folder


def _test_root(folder: Path) -> Path:
    return folder / "x_test" if (folder / "x_test").is_dir() else folder


def _test_arrays(
    folder: Path,
    limit: int | None,
    indices: Sequence[int] | None,
    head: Head | None,
    shape: Shape,
    sample_shape: Sequence[int | None],
) -> Dataset:
    x_file, y_file = find_array(folder, "x_test"), find_array(folder, "y_test")
    if x_file is None:
        raise DataError(
            f"{folder} holds no x_test.npz or x_test.npy",
            hint="save the test samples there: np.savez_compressed('x_test.npz', x)",
        )
    if y_file is None:
        log.warning("no y_test in %s: accuracy cannot be measured", folder)
        return Dataset(_samples(_with_axis(read_array(x_file), sample_shape), x_file, limit, indices))
    x, y = _with_axis(read_array(x_file), sample_shape), read_array(y_file, whole=True)
    if x.ndim and len(x) == 1 and y.shape in ((), shape):
        y = y[None]  # the label of a single sample
    check_same_length(x, str(x_file), y, str(y_file))
    chosen = _as_index(chosen_samples(len(x) if x.ndim else 0, limit, indices, str(x_file)))
    samples = check_samples(taken(x, chosen), str(x_file))
    # Of the whole file: a few rows of targets may look like classes.
    labels = interpret_labels(y, str(y_file), head, shape)
    return Dataset(samples, labels.values[chosen], labels.regression, span=labels.span, truths=labels.truths)


def _with_axis(x: np.ndarray, sample_shape: Sequence[int | None]) -> np.ndarray:
    """The samples with an axis of samples: a single one may lack it."""
    return x[None] if sample_shape and matches(x.shape, sample_shape) else x


def _samples(
    x: np.ndarray, file: Path, limit: int | None, indices: Sequence[int] | None, *, calibration: bool = False
) -> np.ndarray:
    if x.ndim:
        x = taken(x, _as_index(chosen_samples(len(x), limit, indices, str(file), calibration=calibration)))
    return check_samples(x, str(file))


def _as_index(chosen: Sequence[int]) -> slice | np.ndarray:
    """Return a slice for a range, so that a mapped file stays mapped."""
    return slice(chosen.start, chosen.stop) if isinstance(chosen, range) else np.asarray(chosen, np.intp)


def check_fits(
    dataset: Dataset,
    input_shape: Sequence[int | None],
    n_classes: int | None = None,
    *,
    outputs: int | None = None,
    source: str = "x_test",
) -> None:
    """DataError if samples or labels of `dataset` cannot belong to a model.

    `input_shape` is that of one sample, with None where any size will do. Labels must lie in 0..n_classes-1, unless
    `n_classes` is None; regression targets must be `outputs` values a sample (by default as many). `source` names the
    samples in the message.
    """
    shape, expected = dataset.x.shape[1:], tuple(input_shape)
    if not matches(shape, expected):
        shown = "(" + ", ".join("any" if size is None else str(size) for size in expected) + ")"
        raise DataError(
            f"samples of {source} have shape {shape}, the model takes {shown}", hint=shape_hint(shape, expected)
        )
    if dataset.y is not None and n_classes is not None:
        if dataset.regression:
            _check_targets(dataset.y, n_classes if outputs is None else outputs)
        else:
            if dataset.truths and n_classes > 2:
                raise DataError(
                    f"the labels are True and False, but the model has {n_classes} classes",
                    hint="save class indices, or one-hot rows of shape (samples, classes)",
                )
            _check_labels(dataset, n_classes)


def _check_labels(dataset: Dataset, n_classes: int) -> None:
    """All labels of the file count, not only those of the samples that are run: off by one shows in the last class."""
    assert dataset.y is not None
    low, high = dataset.span or (int(dataset.y.min()), int(dataset.y.max()))
    names = ", ".join(f"{number} {name}" for number, name in sorted(dataset.class_names.items()))
    if high < max(n_classes, 2):  # one output tells two classes apart
        if names and not dataset.numbered and high + 1 < n_classes:
            told = "there are %d class folders, the model has %d classes: they are numbered %s; %s"
            log.warning(told, high + 1, n_classes, names, NAME_CLASSES)
        return
    if names:
        hint = f"the class folders are numbered {names}; {NAME_CLASSES}"
    elif low == 1 and high == n_classes:
        hint = "subtract 1 from the labels"
    else:
        hint = "check that labels and model belong together"
    raise DataError(f"labels reach {high}, but the model has {n_classes} classes, counted from 0", hint=hint)


def _check_targets(y: np.ndarray, outputs: int) -> None:
    if prod(y.shape[1:]) != outputs:
        raise DataError(
            f"the targets in y_test have {prod(y.shape[1:])} values per sample, the model has {outputs} outputs",
            hint="if y_test holds classes, save their indices as integers",
        )
