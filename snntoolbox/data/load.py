"""The data set in a folder, for testing or for calibration."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from snntoolbox.data.arrays import find_array, read_array
from snntoolbox.data.checks import check_same_length, check_samples
from snntoolbox.data.class_folders import class_numbers
from snntoolbox.data.dataset import Dataset
from snntoolbox.data.image_options import image_format
from snntoolbox.data.images import SUFFIXES, images_in, read_images
from snntoolbox.data.labels import interpret_labels
from snntoolbox.errors import DataError

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
) -> Dataset:
    """Return the test set in the folder `path`.

    With `dataset_format` npz it is ``x_test`` and, if there is one, ``y_test``, as .npz or .npy. Otherwise it is the
    images in the class folders of ``path/x_test`` if that exists, else of `path`; `image_size` (height, width) counts
    where the options give no target_size. `indices`, if any, chooses the samples. Otherwise `limit` takes so many: the
    first ones, of images spread evenly over all classes; None or -1 takes all.
    """
    folder = _folder(path)
    if dataset_format == "npz":
        return _test_arrays(folder, limit, indices)
    root = _test_root(folder)
    form = image_format(datagen_kwargs, dataflow_kwargs, image_size)
    numbers = class_numbers(root, form.classes, class_idx_path)
    files = [(file, number) for name, number in numbers.items() for file in images_in(root / name)]
    chosen = _choice(len(files), limit, indices, str(root), spread=True)
    x = read_images([files[i][0] for i in chosen], form)
    y = np.array([files[i][1] for i in chosen], np.int64)
    return Dataset(x, y, class_names={number: name for name, number in numbers.items()})


def load_calibration(
    path: str | Path,
    *,
    dataset_format: str = "npz",
    limit: int | None = None,
    datagen_kwargs: Mapping[str, object] = _NO_OPTIONS,
    dataflow_kwargs: Mapping[str, object] = _NO_OPTIONS,
    image_size: tuple[int, int] | None = None,
) -> Dataset | None:
    """Return the calibration samples in the folder `path`, or None if there are none; they have no labels.

    They are ``x_norm.npz`` or ``.npy``. For an image data set they may also be the images in the folder ``x_norm``,
    and without either the test images serve. `limit` is as for `load_test`.
    """
    folder = _folder(path)
    images = folder / "x_norm" if (folder / "x_norm").is_dir() else None
    file = find_array(folder, "x_norm")
    if dataset_format == "npz" or (images is None and file is not None):
        return None if file is None else Dataset(_samples(file, limit, None, calibration=True))
    if images is None:
        images = _test_root(folder)
        log.warning("no x_norm in %s: the test images also serve for calibration", folder)
    form = image_format(datagen_kwargs, dataflow_kwargs, image_size)
    files = images_in(images)
    chosen = _choice(len(files), limit, None, str(images), spread=True, calibration=True)
    return Dataset(read_images([files[i] for i in chosen], form))


def _folder(path: str | Path) -> Path:
    folder = Path(path)
    if not folder.exists():
        raise DataError(f"data folder {folder} does not exist", hint="correct paths.dataset_path")
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder", hint="set paths.dataset_path to the folder of x_test.npz")
    return folder


def _test_root(folder: Path) -> Path:
    return folder / "x_test" if (folder / "x_test").is_dir() else folder


def _test_arrays(folder: Path, limit: int | None, indices: Sequence[int] | None) -> Dataset:
    x_file, y_file = find_array(folder, "x_test"), find_array(folder, "y_test")
    if x_file is None:
        raise DataError(
            f"{folder} holds no x_test.npz or x_test.npy",
            hint="save the test samples there: np.savez_compressed('x_test.npz', x)",
        )
    if y_file is None:
        log.warning("no y_test in %s: accuracy cannot be measured", folder)
        return Dataset(_samples(x_file, limit, indices))
    x, y = read_array(x_file), read_array(y_file)
    check_same_length(x, str(x_file), y, str(y_file))
    chosen = _as_index(_choice(len(x) if x.ndim else 0, limit, indices, str(x_file)))
    samples = check_samples(x[chosen], str(x_file))
    labels = interpret_labels(y, str(y_file))  # of the whole file: a few rows of targets may look like classes
    return Dataset(samples, labels.values[chosen], labels.regression, span=labels.span, truths=labels.truths)


def _samples(
    file: Path, limit: int | None, indices: Sequence[int] | None, *, calibration: bool = False
) -> np.ndarray:
    x = read_array(file)
    if x.ndim:
        x = x[_as_index(_choice(len(x), limit, indices, str(file), calibration=calibration))]
    return check_samples(x, str(file))


def _choice(
    count: int,
    limit: int | None,
    indices: Sequence[int] | None,
    source: str,
    *,
    spread: bool = False,
    calibration: bool = False,
) -> Sequence[int]:
    """Return which of `count` samples to take."""
    if not count:
        what = f"no images ({', '.join(SUFFIXES)})" if spread else "no samples"
        raise DataError(f"{source} holds {what}", hint="correct paths.dataset_path or save the samples there")
    if indices is not None and len(indices):
        outside = [i for i in indices if not 0 <= i < count]
        if outside:
            raise DataError(
                f"{source} holds {count} samples, but sample {outside[0]} is asked for",
                hint=f"simulation.sample_idxs_to_test counts from 0 to {count - 1}",
            )
        if repeated := sorted(i for i, often in Counter(indices).items() if often > 1):
            names = ", ".join(map(str, repeated[:5])) + (", ..." if len(repeated) > 5 else "")
            log.warning("simulation.sample_idxs_to_test names samples more than once, each counts as often: %s", names)
        return indices
    if limit is not None and limit > count:
        key = "normalization.num_samples" if calibration else "simulation.num_to_test"
        log.warning("%s = %d, but %s holds %d samples: all of them are taken", key, limit, source, count)
    if limit is None or limit < 0 or limit >= count:
        return range(count)
    return [i * count // limit for i in range(limit)] if spread else range(limit)


def _as_index(chosen: Sequence[int]) -> slice | np.ndarray:
    """Return a slice for a range, so that a mapped file stays mapped."""
    return slice(chosen.start, chosen.stop) if isinstance(chosen, range) else np.asarray(chosen, np.intp)
