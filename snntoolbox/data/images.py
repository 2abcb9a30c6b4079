"""Image files to arrays of samples."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from snntoolbox.data.image_options import COLOR_MODES, INTERPOLATIONS, ImageFormat
from snntoolbox.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png")

IN_MEMORY = 2**28
"""Images that need more bytes are kept in a temporary file."""


def images_in(folder: Path) -> list[Path]:
    """Return the image files in `folder` and below, in order of their names."""
    if not folder.is_dir():
        raise DataError(f"class folder {folder} does not exist", hint="correct classes in dataflow_kwargs")
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def read_images(paths: Sequence[Path], form: ImageFormat) -> np.ndarray:
    """Return the images at `paths` as float32 of shape (images, height, width, channels), or channels first if asked.

    DataError names a file that cannot be read, or one whose shape differs from the first.
    """
    pillow = _pillow()
    first = _read_image(paths[0], form, pillow)
    x = _room((len(paths), *first.shape))
    x[0] = first
    for i, path in enumerate(paths[1:], start=1):
        image = _read_image(path, form, pillow)
        if image.shape != first.shape:
            raise DataError(
                f"image {path} has shape {image.shape}, but {paths[0]} has {first.shape}",
                hint="set target_size in input.dataflow_kwargs",
            )
        x[i] = image
    return x


def _room(shape: tuple[int, ...]) -> np.ndarray:
    """An array of this shape, float32; a large one lies in a temporary file, so that it does not fill the memory."""
    if 4 * math.prod(shape) < IN_MEMORY:
        return np.empty(shape, np.float32)
    with tempfile.TemporaryFile(prefix="snntoolbox-images-") as file:  # is gone as soon as nothing maps it any more
        return np.memmap(file, np.float32, "w+", shape=shape)


def _read_image(path: Path, form: ImageFormat, pillow: ModuleType) -> np.ndarray:
    try:
        with pillow.open(path) as opened:
            image = opened.convert(COLOR_MODES[form.color_mode])
        if form.size and image.size != form.size[::-1]:
            image = image.resize(form.size[::-1], pillow.Resampling[INTERPOLATIONS[form.interpolation]])
    except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError) as error:
        raise DataError(f"image {path} cannot be read ({error})", hint="remove or repair the file") from error
    pixels = np.asarray(image, dtype=np.float32)
    pixels = pixels.reshape(*pixels.shape[:2], -1) * np.float32(form.rescale)
    return np.moveaxis(pixels, -1, 0) if form.channels_first else pixels


def _pillow() -> ModuleType:
    try:
        return import_module("PIL.Image")
    except ImportError:
        raise DataError("reading images needs Pillow", hint="pip install 'snntoolbox[images]'") from None
