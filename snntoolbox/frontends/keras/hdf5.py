"""Reads arrays and texts of HDF5 files as Keras writes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from snntoolbox.errors import FrontendError
from snntoolbox.ir.node import Array

_MAX_TEXT = 64 * 2**20


def array(item: Any) -> Array:
    """A dataset as an array, floats as float32 or float64."""
    if not hasattr(item, "dtype") or item.dtype.kind not in "fiub":
        raise FrontendError(f"'{item.name}' does not hold numbers")
    value = np.asarray(item[()])
    return value if value.dtype in (np.float32, np.float64) else value.astype(np.float32)


def text(attributes: Any, name: str) -> str | None:
    """A text among the attributes; None where there is none of that name."""
    if name not in attributes:
        return None
    value = _bounded(attributes, name)
    return value.decode() if isinstance(value, bytes) else str(value)


def names(attributes: Any, name: str) -> list[str]:
    """A list of texts among the attributes, which Keras cuts into numbered parts where it is long."""
    parts = [name] if name in attributes else []
    while not parts or parts[-1] != name:
        if (part := f"{name}{len(parts)}") not in attributes:
            break
        parts.append(part)
    texts = [
        n.decode() if isinstance(n, bytes) else str(n) for part in parts for n in np.ravel(_bounded(attributes, part))
    ]
    if len(set(texts)) < len(texts):
        raise FrontendError(f"the attribute '{name}' names the same thing twice")
    return texts


def _bounded(attributes: Any, name: str) -> Any:
    """The value of an attribute that is no larger than a text may be."""
    stored = attributes.get_id(name)
    if math.prod(stored.shape or ()) * stored.dtype.itemsize > _MAX_TEXT:
        raise FrontendError(f"the attribute '{name}' is too large to be a text")
    return attributes[name]
