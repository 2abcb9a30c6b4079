"""A sample as a picture, whatever its shape."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.ir.node import Array


def as_picture(sample: Array) -> Array:
    """Values (height, width), or (height, width, 3 or 4) where these are colours.

    Channels that are no colours, such as the polarities of events, stand side by side; what has no height and width
    becomes about a square. Places without a value are nan.
    """
    values = np.squeeze(np.asarray(sample, float))
    if values.ndim != 3:
        return values if values.ndim == 2 else square(values.ravel())
    if values.shape[0] in _COLOURS:
        return values.transpose(1, 2, 0)
    return values if values.shape[0] > max(_COLOURS) and values.shape[-1] in _COLOURS else _side_by_side(values)


_COLOURS = (3, 4)
"""So many channels are colours: first, as networks have them, or last."""


def square(values: Array) -> Array:
    """A vector as a picture that is about square; the rest is nan."""
    columns = math.ceil(math.sqrt(values.size))
    padded = np.full(columns * math.ceil(values.size / columns), np.nan)
    padded[: values.size] = values
    return padded.reshape(-1, columns)


def _side_by_side(channels: Array) -> Array:
    """Pictures (channels, height, width) as one, a column without values between them."""
    framed = np.pad(channels, [(0, 0), (0, 0), (0, 1)], constant_values=np.nan)
    joined: Array = np.concatenate(list(framed), axis=1)
    return joined[:, :-1]
