"""Image files to arrays of samples."""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.float32 import held
from snntoolbox.ir.large_arrays import LARGE, room
from snntoolbox.ir.regular_files import check_regular
from snntoolbox.workflow.data.pixels import COLOR_MODES, INTERPOLATIONS, RESIZED, Pixels, pixels_of

log = logging.getLogger(__name__)
_AS_ARRAYS = "prepare the images as the model needs them and save x_test.npz, y_test.npz and x_norm.npz"


@dataclass(frozen=True, kw_only=True)
class ImageFormat:
    """How an image file becomes an array.

    `size` is (height, width), None keeps that of the file, and `size_asked` says that the user has named it; `rescale`
    multiplies pixel values of 0..255; then an image loses its mean where it is `centered`, and is divided by its
    deviation where it is `unit`; `classes` are the class folders in order, empty for all in sorted order.
    """

    size: tuple[int, int] | None = None
    size_asked: bool = False
    color_mode: str = "rgb"
    interpolation: str = "nearest"
    rescale: float = 1.0
    channels_first: bool = False
    centered: bool = False
    unit: bool = False
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
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and held(value)


def _is_size(value: object) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and all(type(n) is int and n > 0 for n in value)


def _is_names(value: object) -> bool:
    return isinstance(value, (tuple, list)) and len(value) > 0 and all(isinstance(name, str) for name in value)


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _only(*values: object) -> _Option:
    """An option of Keras that is accepted where it changes nothing here."""
    text = " or ".join(map(repr, values))
    return _Option(text, lambda value: any(type(value) is type(v) and value == v for v in values))


_LAYOUTS = ("channels_last", "channels_first")
_OF_TRAINING = (
    *("rotation_range", "width_shift_range", "height_shift_range", "shear_range", "zoom_range", "channel_shift_range"),
    *("brightness_range", "horizontal_flip", "vertical_flip", "zca_whitening", "validation_split"),
    *("featurewise_center", "featurewise_std_normalization"),
)
"""Options that change images at random, or by what others are like: accepted where they are off."""
_OF_OUTPUT = ("save_to_dir", "save_prefix", "subset", "follow_links", "keep_aspect_ratio")
_OPTIONS: Mapping[str, Mapping[str, _Option]] = {
    "datagen_kwargs": {
        "rescale": _Option("a number that float32 holds", _is_number, "rescale", float),
        "data_format": _Option(
            "one of " + ", ".join(_LAYOUTS), _LAYOUTS.__contains__, "channels_first", _LAYOUTS[1].__eq__
        ),
        "samplewise_center": _Option("True or False", _is_truth, "centered"),
        "samplewise_std_normalization": _Option("True or False", _is_truth, "unit"),
        "dtype": _only(None, "float32"),
        "preprocessing_function": _only(None),
        **dict.fromkeys(_OF_TRAINING, _only(0, 0.0, False, None)),
    },
    "dataflow_kwargs": {
        "target_size": _Option("(height, width)", _is_size, "size", tuple),
        "color_mode": _one_of(COLOR_MODES, "color_mode"),
        "interpolation": _one_of(INTERPOLATIONS, "interpolation"),
        "classes": _Option("a list of folder names", _is_names, "classes", tuple),
        "class_mode": _Option("categorical, sparse or binary", ("categorical", "sparse", "binary").__contains__),
        "seed": _Option("None or an integer", lambda value: value is None or type(value) is int),
        "batch_size": _Option("an integer above 0", lambda value: type(value) is int and value > 0),
        **dict.fromkeys(_OF_OUTPUT, _only(None, False, "")),
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
                known = ", ".join(n for n in _OPTIONS[title] if n not in (*_OF_TRAINING, *_OF_OUTPUT))
                wrong.append(f"{name} in {title} is not supported (it knows {known})")
            elif not option.holds(value):
                wrong.append(f"{name} = {value!r} in {title} must be {option.expected}")
            elif option.field:
                values[option.field] = option.convert(value)
    if wrong:
        raise DataError("; ".join(wrong), hint=_AS_ARRAYS)
    return ImageFormat(**values, size_asked="target_size" in dataflow)


FORMATS = ("JPEG", "PNG")
"""All that is read: of others Pillow changes values without a word (PPM with 10 bits) or runs programs (EPS)."""
_REPAIR = "remove or repair the file"
_SAVE_AS = "save it as PNG, or save arrays"

IN_MEMORY = LARGE
"""Images that need more bytes are kept in a temporary file."""


def read_images(paths: Sequence[Path], form: ImageFormat) -> np.ndarray:
    """Return the images at `paths` as float32 of shape (images, height, width, channels), or channels first if asked.

    What is lost on the way is told once for all of them. DataError names a file that cannot be read, or one whose shape
    differs from the first.
    """
    pillow = _pillow()
    remarks: dict[str, list[Path]] = {}
    x = np.empty(0, np.float32)
    for i, path in enumerate(paths):
        image = _read_image(path, form, pillow)
        values = np.moveaxis(image.values, -1, 0) if form.channels_first else image.values
        if not i:
            x = room((len(paths), *values.shape), np.float32, IN_MEMORY)
        if values.shape != x.shape[1:]:
            raise DataError(
                f"image {path} has shape {values.shape}, but {paths[0]} has {x.shape[1:]}",
                hint="set target_size in input.dataflow_kwargs",
            )
        x[i] = values
        for remark in image.remarks:
            remarks.setdefault(remark, []).append(path)
    for remark, concerned in remarks.items():
        log.warning("%d of %d images %s (first: %s)", len(concerned), len(paths), remark, concerned[0])
    return x


def _read_image(path: Path, form: ImageFormat, pillow: ModuleType) -> Pixels:
    check_regular(path)
    try:
        with pillow.open(path, formats=FORMATS) as opened:
            resized = form.size is not None and opened.size != form.size[::-1] and not form.size_asked
            image = pixels_of(opened, form.color_mode, form.size, form.interpolation, pillow)
    except pillow.UnidentifiedImageError as error:
        kind = _kind_of(path, pillow)
        known = " or ".join(FORMATS)
        if kind and kind not in FORMATS:
            raise DataError(f"image {path} is {kind}, not {known}, whatever its name", hint=_SAVE_AS) from error
        reason = f"a damaged {kind}" if kind else f"no {known}"
        raise DataError(f"image {path} cannot be read ({reason})", hint=_REPAIR) from error
    except DataError as error:
        raise DataError(f"image {path}: {error.message}", hint=error.hint) from None
    except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError) as error:
        raise DataError(f"image {path} cannot be read ({error})", hint=_REPAIR) from error
    remarks = (*image.remarks, RESIZED) if resized else image.remarks
    return Pixels(_standardised(image.values * np.float32(form.rescale), form), remarks)


def _standardised(values: np.ndarray, form: ImageFormat) -> np.ndarray:
    """The image as Keras makes it where it is centered or has a deviation of 1."""
    if form.centered:
        values = values - values.mean(keepdims=True)
    return values / (values.std(keepdims=True) + np.float32(1e-6)) if form.unit else values


def _kind_of(path: Path, pillow: ModuleType) -> str:
    """The format that a file begins like, empty for none; nothing of it is decoded."""
    pillow.init()
    with path.open("rb") as file:
        beginning = file.read(16)
    for name in pillow.ID:
        accepts = pillow.OPEN[name][1]
        with suppress(SyntaxError, IndexError, TypeError, ValueError, struct.error):
            if accepts is not None and accepts(beginning) is True:
                return str(name)
    return ""


def _pillow() -> ModuleType:
    try:
        return import_module("PIL.Image")
    except ImportError:
        raise DataError("reading images needs Pillow", hint="pip install 'snntoolbox[images]'") from None
