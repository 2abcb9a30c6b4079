"""Inputs that take whole numbers alone, as those of quantised models do."""

from __future__ import annotations

from typing import Any

import numpy as np

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.protocol import Limits
from snntoolbox.ir.node import Array


def whole_numbers(dtype: Any) -> Limits:
    """The least and the largest number of a type of integers, or of truth values, in numpy; None for other types."""
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind not in "iu":
        return None
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def check_whole(x: Array, limits: Limits, layer: str) -> None:
    """FrontendError where an input that takes whole numbers gets others: the model would round or wrap them."""
    if limits is None or (np.all(x == np.rint(x)) and x.min(initial=0) >= limits[0] and x.max(initial=0) <= limits[1]):
        return
    raise FrontendError(
        f"the model takes whole numbers from {limits[0]} to {limits[1]}, and the data are others, "
        f"from {x.min():g} to {x.max():g}",
        layer=layer,
        hint="give 0 and 1"
        if limits == (0, 1)
        else "give the integers that the model was quantised for: x / scale + zero point, rounded",
    )
