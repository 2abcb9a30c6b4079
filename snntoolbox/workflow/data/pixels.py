"""An opened image to pixels of 0 to 255, with whatever is lost on the way."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from snntoolbox.errors import DataError

COLOR_MODES = {"rgb": "RGB", "grayscale": "L", "rgba": "RGBA"}
INTERPOLATIONS = {name: name.upper() for name in ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")}

SIXTEEN_BITS = (
    "are grey with 16 bits: their values are divided by 257, so that 65535 becomes 255; for a model trained on "
    "0 to 65535 multiply rescale by 257"
)
COLOR_OF_SIXTEEN_BITS = "are in colour with 16 bits, of which Pillow reads the upper 8"
SEVERAL_FRAMES = "hold several pictures, of which the first is taken"
TRANSPARENT = "are transparent in places, which is dropped; color_mode = rgba keeps it"
TURNED = "are stored turned, with a note of it (EXIF), and are taken as stored, as Keras and torchvision do"
INKS = "are in CMYK or YCbCr, made RGB without a colour profile"
RESIZED = "have another size than the model and are resized (nearest unless interpolation says otherwise)"

_DEEP = ("I;16", "I;16L", "I;16B", "I;16N")
_PLAIN = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX")
_INKS = ("CMYK", "YCbCr")
_ORIENTATION = 0x0112  # the EXIF tag


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels as float32, (height, width, channels), from 0 to 255, and what is to be told of them."""

    values: np.ndarray
    remarks: tuple[str, ...]


def pixels_of(
    image: Any,
    color_mode: str,
    size: tuple[int, int] | None,
    interpolation: str,
    pillow: ModuleType,
    *,
    keeps_aspect: bool = False,
) -> Pixels:
    """The pixels of an image that Pillow has opened, in the size (height, width) if any.

    Where it `keeps_aspect`, what is too long of it for that is cut off at both ends.

    ValueError where its numbers have no known range, DataError where its kind is not known.
    """
    coding = _coding(image)
    deep = image.mode in _DEEP or (image.mode == "I" and coding in _DEEP)
    if deep and coding not in (*_DEEP, ""):
        raise ValueError(f"its values are coded as {coding}")
    if not deep and image.mode not in (*_PLAIN, *_INKS):
        raise DataError(
            f"an image of Pillow's mode {image.mode} has no known range of values",
            hint="read it as it was read for training, and save arrays",
        )
    remarks = _remarks(image, coding, color_mode, deep=deep)
    resample = pillow.Resampling[INTERPOLATIONS[interpolation]]
    if deep:
        image = pillow.fromarray(np.asarray(image).astype(np.float32) / np.float32(257))
    else:
        image = image.convert(COLOR_MODES[color_mode])
    if size and image.size != size[::-1]:
        image = image.resize(size[::-1], resample, box=_middle(image.size, size) if keeps_aspect else None)
    values = np.asarray(image, dtype=np.float32)
    return Pixels(_with_channels(values, color_mode) if deep else values.reshape(*values.shape[:2], -1), remarks)


def _middle(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of an image of (width, height) that has the proportions of (height, width): as Keras cuts it out."""
    width, height = size
    kept_height, kept_width = (width * target[0]) // target[1], (height * target[1]) // target[0]
    kept_height, kept_width = min(height, kept_height), min(width, kept_width)
    left, top = (width - kept_width) // 2, (height - kept_height) // 2
    return left, top, left + kept_width, top + kept_height


def _coding(image: Any) -> str:
    """How the file codes its values, as Pillow names it: before the image is loaded, for then it is forgotten."""
    for tile in image.tile:
        coding = tile[3] if isinstance(tile[3], str) else next(iter(tile[3] or ()), "")
        return coding if isinstance(coding, str) else ""
    return ""


def _remarks(image: Any, coding: str, color_mode: str, *, deep: bool) -> tuple[str, ...]:
    kinds = {
        SEVERAL_FRAMES: getattr(image, "n_frames", 1) > 1,
        TURNED: image.getexif().get(_ORIENTATION, 1) not in (0, 1),
        SIXTEEN_BITS: deep,
        COLOR_OF_SIXTEEN_BITS: not deep and ";16" in coding,
        INKS: image.mode in _INKS,
        TRANSPARENT: (deep or color_mode != "rgba") and _is_transparent(image, deep=deep),
    }
    return tuple(remark for remark, holds in kinds.items() if holds)


def _is_transparent(image: Any, *, deep: bool) -> bool:
    """Whether any pixel is not opaque; for 16 bits, whether the file says that one may be."""
    if deep or (image.mode not in ("LA", "PA", "RGBA") and "transparency" not in image.info):
        return "transparency" in image.info
    return bool(image.convert("RGBA").getchannel("A").getextrema()[0] < 255)


def _with_channels(grey: np.ndarray, color_mode: str) -> np.ndarray:
    """Grey values from 0 to 255 in the channels of the colour mode, opaque; resizing may overshoot the range."""
    grey = np.clip(grey, 0, 255)
    channels = {"grayscale": [grey], "rgb": [grey] * 3, "rgba": [grey] * 3 + [np.full_like(grey, 255)]}
    return np.stack(channels[color_mode], axis=-1)
