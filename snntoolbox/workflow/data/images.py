"""Image files to arrays of samples."""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.float32 import held
from snntoolbox.ir.large_arrays import LARGE, room
from snntoolbox.ir.regular_files import check_regular
from snntoolbox.workflow.data.folders import WHOLE, Share
from snntoolbox.workflow.data.pixels import COLOR_MODES, INTERPOLATIONS, RESIZED, Pixels, pixels_of
from snntoolbox.workflow.data.standardising import NOTHING, Fitted, Standards, by_itself

log = logging.getLogger(__name__)
_AS_ARRAYS = "prepare the images as the model needs them and save x_test.npz, y_test.npz and x_norm.npz"


@dataclass(frozen=True, kw_only=True)
class ImageFormat:
    """How an image file becomes an array.

    `size` is (height, width), None keeps that of the file, and `size_asked` says that the user has named it; where an
    image `keeps_aspect` what is too long of it is cut off at both ends before. `rescale` multiplies pixel values of
    0..255; then an image is standardised by `standards`. `classes` are the class folders in order, empty for all in
    sorted order; of the files of each the first share `split` is the `subset` 'validation', the others are 'training'.
    Classes count where it is `labelled`; where it is `shuffled` samples are in the order that Keras has with `seed`.
    """

    size: tuple[int, int] | None = None
    size_asked: bool = False
    color_mode: str = "rgb"
    interpolation: str = "nearest"
    rescale: float = 1.0
    channels_first: bool = False
    standards: Standards = Standards()  # noqa: RUF009 - frozen
    keeps_aspect: bool = False
    split: float = 0.0
    subset: str = ""
    follows_links: bool = False
    labelled: bool = True
    shuffled: bool = False
    seed: int = 0
    classes: tuple[str, ...] = ()

    def order(self, samples: int) -> np.ndarray:
        """The numbers of so many samples by name, in the order in which they are taken."""
        return np.random.RandomState(self.seed).permutation(samples) if self.shuffled else np.arange(samples)

    @property
    def part(self) -> Share:
        """Which of the files of a class are taken."""
        return {"validation": (0.0, self.split), "training": (self.split, 1.0)}.get(self.subset, WHOLE)


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


def _is_share(value: object) -> bool:
    return _is_number(value) and isinstance(value, (int, float)) and 0 <= value < 1


def _is_mode(value: object) -> bool:
    return value in ("categorical", "sparse", "binary", None)


def _is_seed(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value < 2**32)


def _is_subset(value: object) -> bool:
    return value in (None, "", "training", "validation")


def _only(*values: object) -> _Option:
    """An option of Keras that is accepted where it changes nothing here."""
    text = " or ".join(map(repr, values))
    return _Option(text, lambda value: any(type(value) is type(v) and value == v for v in values))


_LAYOUTS = ("channels_last", "channels_first")
_OF_TRAINING = (
    *("rotation_range", "width_shift_range", "height_shift_range", "shear_range", "zoom_range", "channel_shift_range"),
    *("brightness_range", "horizontal_flip", "vertical_flip"),
)
"""Options that change images at random, as training does: accepted where they are off."""
_OF_RANDOM = {
    "fill_mode": _one_of(dict.fromkeys(("nearest", "constant", "reflect", "wrap")), ""),
    "cval": _Option("a number", _is_number),
    "interpolation_order": _Option("a whole number", lambda value: type(value) is int),
}
"""What these do at the rim of an image: without effect."""
_OF_OUTPUT = ("save_to_dir", "save_prefix")
_TRUTH = "True or False"
_OPTIONS: Mapping[str, Mapping[str, _Option]] = {
    "datagen_kwargs": {
        "rescale": _Option("a number that float32 holds", _is_number, "rescale", float),
        "data_format": _Option(
            "one of " + ", ".join(_LAYOUTS), _LAYOUTS.__contains__, "channels_first", _LAYOUTS[1].__eq__
        ),
        "samplewise_center": _Option(_TRUTH, _is_truth, "centered"),
        "samplewise_std_normalization": _Option(_TRUTH, _is_truth, "unit"),
        "featurewise_center": _Option(_TRUTH, _is_truth, "feature_centered"),
        "featurewise_std_normalization": _Option(_TRUTH, _is_truth, "feature_unit"),
        "zca_whitening": _Option(_TRUTH, _is_truth, "whitened"),
        "zca_epsilon": _Option("a number above 0", lambda value: _is_number(value) and value > 0, "zca_epsilon", float),
        "validation_split": _Option("a number from 0 to below 1", _is_share, "split", float),
        "dtype": _only(None, "float32"),
        "preprocessing_function": _only(None),
        **dict.fromkeys(_OF_TRAINING, _only(0, 0.0, False, None)),
        **_OF_RANDOM,
    },
    "dataflow_kwargs": {
        "target_size": _Option("(height, width)", _is_size, "size", tuple),
        "color_mode": _one_of(COLOR_MODES, "color_mode"),
        "interpolation": _one_of(INTERPOLATIONS, "interpolation"),
        "classes": _Option("a list of folder names", _is_names, "classes", tuple),
        "class_mode": _Option("categorical, sparse, binary or None", _is_mode, "labelled", lambda m: m is not None),
        "seed": _Option("None or an integer from 0 on", _is_seed, "seed", lambda value: value or 0),
        "batch_size": _Option("an integer above 0", lambda value: type(value) is int and value > 0),
        "subset": _Option("None, training or validation", _is_subset, "subset", lambda value: value or ""),
        "follow_links": _Option(_TRUTH, _is_truth, "follows_links"),
        "keep_aspect_ratio": _Option(_TRUTH, _is_truth, "keeps_aspect"),
        "save_format": _Option("a text", lambda value: isinstance(value, str)),
        **dict.fromkeys(_OF_OUTPUT, _only(None, False, "")),
        "shuffle": _Option(_TRUTH, _is_truth, "shuffled"),
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
                known = ", ".join(n for n in _OPTIONS[title] if n not in (*_OF_TRAINING, *_OF_RANDOM, *_OF_OUTPUT))
                wrong.append(f"{name} in {title} is not supported (it knows {known})")
            elif not option.holds(value):
                wrong.append(f"{name} = {value!r} in {title} must be {option.expected}")
            elif option.field:
                values[option.field] = option.convert(value)
    if values.get("subset") and not values.get("split"):
        wrong.append(f"subset = {values['subset']!r} in dataflow_kwargs needs validation_split in datagen_kwargs")
    if wrong:
        raise DataError("; ".join(wrong), hint=_AS_ARRAYS)
    standards = Standards(**{field.name: values.pop(field.name) for field in fields(Standards) if field.name in values})
    return ImageFormat(**values, standards=standards.with_implied(), size_asked="target_size" in dataflow)


FORMATS = ("JPEG", "PNG")
"""All that is read: of others Pillow changes values without a word (PPM with 10 bits) or runs programs (EPS)."""
_REPAIR = "remove or repair the file"
_SAVE_AS = "save it as PNG, or save arrays"

IN_MEMORY = LARGE
"""Images that need more bytes are kept in a temporary file."""


def read_images(paths: Sequence[Path], form: ImageFormat, fit: Fitted = NOTHING) -> np.ndarray:
    """Return the images at `paths` as float32 of shape (images, height, width, channels), or channels first if asked.

    They are standardised as `form` says, by what `fit` says that images are like.
    What is lost on the way is told once for all of them. DataError names a file that cannot be read, or one whose shape
    differs from the first.
    """
    pillow = _pillow()
    remarks: dict[str, list[Path]] = {}
    x = np.empty(0, np.float32)
    for i, path in enumerate(paths):
        image = _read_image(path, form, pillow)
        values = fit(image.values)
        values = np.moveaxis(values, -1, 0) if form.channels_first else values
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
            how = (form.color_mode, form.size, form.interpolation, pillow)
            image = pixels_of(opened, *how, keeps_aspect=form.keeps_aspect)
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
    return Pixels(by_itself(image.values * np.float32(form.rescale), form.standards), remarks)


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
