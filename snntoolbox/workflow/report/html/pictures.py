"""A sample as a small picture within a page."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from snntoolbox.ir.node import Array

LARGEST = 64
"""Pixels of a side; of more every so many is taken."""


def picture(sample: Array) -> str:
    """A data URI of a sample: (height, width), channels first or three last, a map per channel else; values as grey.

    What is no picture is shown as a square of its values.
    """
    values = np.nan_to_num(np.squeeze(np.asarray(sample, float)))
    if values.ndim == 3 and values.shape[0] == 3:
        values = values.transpose(1, 2, 0)
    if values.ndim == 3 and values.shape[2] != 3:  # polarities, say: side by side
        values = np.concatenate(list(values), axis=1)
    if values.ndim not in (2, 3):
        values = _square(values.ravel())
    every = -(-max(values.shape[:2]) // LARGEST)
    values = values[::every, ::every]
    low, high = float(values.min()), float(values.max())
    grey = (255 * (values - low) / ((high - low) or 1.0)).round().astype(np.uint8)
    return f"data:image/png;base64,{base64.b64encode(_png(grey)).decode()}"


def _square(values: Array) -> Array:
    side = int(np.ceil(np.sqrt(values.size)))
    padded = np.zeros(side * side)
    padded[: values.size] = values
    return padded.reshape(side, side)


def _png(pixels: Array) -> bytes:
    """The file of pixels (height, width) or (height, width, 3), uint8; see the specification of PNG, W3C."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels))
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
