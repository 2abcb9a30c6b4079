"""The Keras-style options of an image data set to one `ImageFormat`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
