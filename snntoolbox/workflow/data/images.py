"""Image files to arrays of samples."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from snntoolbox.errors import DataError

_AS_ARRAYS = "prepare the images as the model needs them and save x_test.npz, y_test.npz and x_norm.npz"
COLOR_MODES = {"rgb": "RGB", "grayscale": "L", "rgba": "RGBA"}
INTERPOLATIONS = {"nearest": "NEAREST", "bilinear": "BILINEAR", "bicubic": "BICUBIC"}


@dataclass(frozen=True, kw_only=True)
class ImageFormat:
    """How an image file becomes an array.

    `size` is (height, width), None keeps that of the file; `rescale` multiplies pixel values of 0..255; `classes` are
    the class folders in order, empty for all in sorted order.
    """

    size: tuple[int, int] | None = None
    color_mode: str = "rgb"
    interpolation: str = "nearest"
    rescale: float = 1.0
    channels_first: bool = False
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Option:
    expected: str
    holds: Callable[[Any], bool]
    field: str = ""  # of ImageFormat; empty for an option that changes nothing when it holds
    convert: Callable[[Any], Any] = lambda value: value


def _one_of(names: Mapping[str, object], field: str) -> _Option:
    return _Option("one of " + ", ".join(names), lambda value: isinstance(value, str) and value in names, field)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_size(value: object) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and all(type(n) is int and n > 0 for n in value)


def _is_names(value: object) -> bool:
    return isinstance(value, (tuple, list)) and len(value) > 0 and all(isinstance(name, str) for name in value)


_LAYOUTS = ("channels_last", "channels_first")
_OPTIONS: Mapping[str, Mapping[str, _Option]] = {
    "datagen_kwargs": {
        "rescale": _Option("a number", _is_number, "rescale", float),
        "data_format": _Option(
            "one of " + ", ".join(_LAYOUTS), _LAYOUTS.__contains__, "channels_first", _LAYOUTS[1].__eq__
        ),
    },
    "dataflow_kwargs": {
        "target_size": _Option("(height, width)", _is_size, "size", tuple),
        "color_mode": _one_of(COLOR_MODES, "color_mode"),
        "interpolation": _one_of(INTERPOLATIONS, "interpolation"),
        "classes": _Option("a list of folder names", _is_names, "classes", tuple),
        "class_mode": _Option("categorical, sparse or binary", ("categorical", "sparse", "binary").__contains__),
        "shuffle": _Option("False, because samples are numbered in order of their names", lambda value: value is False),
    },
}


def image_format(
    datagen: Mapping[str, object], dataflow: Mapping[str, object], size: tuple[int, int] | None = None
) -> ImageFormat:
    """Return the format that the options ask for; `size` (height, width) counts where they give no target_size.

    DataError names every option that is not supported or has a wrong value.
    """
    values: dict[str, Any] = {"size": size}
    wrong = []
    for title, options in (("datagen_kwargs", datagen), ("dataflow_kwargs", dataflow)):
        for name, value in options.items():
            option = _OPTIONS[title].get(name)
            if option is None:
                wrong.append(f"{name} in {title} is not supported (it knows {', '.join(_OPTIONS[title])})")
            elif not option.holds(value):
                wrong.append(f"{name} = {value!r} in {title} must be {option.expected}")
            elif option.field:
                values[option.field] = option.convert(value)
    if wrong:
        raise DataError("; ".join(wrong), hint=_AS_ARRAYS)
    return ImageFormat(**values)


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
