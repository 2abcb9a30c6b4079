"""Data sets by name, in the layout that a model takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.frontends.keras.datasets import keras_dataset
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.samples import matches
from snntoolbox.workflow.data.choosing import chosen_samples
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.data.images import image_format
from snntoolbox.workflow.data.standardising import by_itself, fitted

CALIBRATION_SAMPLES = 1000
"""So many training images are used where the settings name no number: all of them would take long."""


def named_test(
    name: str, options: Mapping[str, object], shape: Shape, limit: int, indices: Sequence[int] | None
) -> Dataset:
    """Test images for samples of this shape, with their classes; `options` are those of images (datagen_kwargs)."""
    calibration, x, y = _loaded(name)
    chosen = np.asarray(chosen_samples(len(x), limit, indices, name), np.intp)
    samples = _placed(name, x[chosen], options, shape, calibration)
    return Dataset(samples, y[chosen].astype(np.int64), span=(int(y.min()), int(y.max())))


def named_calibration(name: str, options: Mapping[str, object], shape: Shape, limit: int) -> Dataset:
    """The first training images."""
    x = _loaded(name)[0]
    count = min(len(x), CALIBRATION_SAMPLES if limit < 0 else limit)
    return Dataset(_placed(name, x[:count], options, shape, x))


@lru_cache(maxsize=1)
def _loaded(name: str) -> tuple[Array, Array, Array]:
    return keras_dataset(name)


def _placed(name: str, x: Array, options: Mapping[str, object], shape: Shape, calibration: Array) -> Array:
    """The images in the layout of the samples, prepared as asked; DataError where they do not fit."""
    form = image_format(options, {})
    rescale = np.float32(form.rescale)
    fit = fitted(form.standards, lambda most: calibration[:most].astype(np.float32) * rescale)
    x = np.stack([fit(by_itself(image.astype(np.float32) * rescale, form.standards)) for image in x])
    layouts = {"channels_last": x, "channels_first": np.moveaxis(x, -1, 1)}
    asked = options.get("data_format")
    held = [layouts[str(asked)]] if asked else [*layouts.values()]
    held += [x.reshape(len(x), -1)] + ([x[..., 0]] if x.shape[-1] == 1 else [])
    fitting = next((part for part in held if matches(part.shape[1:], shape)), None)
    if fitting is None:
        told = f"images of {name} have shape {x.shape[1:]}, the model takes {shape}"
        raise DataError(told, hint="prepare them as for the training, and save x_test.npz")
    return fitting
