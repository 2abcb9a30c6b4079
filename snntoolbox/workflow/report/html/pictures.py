"""A sample as a small picture within a page."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from snntoolbox.ir.drawing.sample_picture import as_picture
from snntoolbox.ir.node import Array

LARGEST = 64
"""Pixels of a side; of more every so many is taken."""


def picture(sample: Array) -> str:
    """A data URI of a sample, see `as_picture`; of four colours the fourth, how opaque it is, is left out."""
    values = as_picture(sample)
    values = values[..., :3] if values.ndim == 3 else values
    every = -(-max(values.shape[:2]) // LARGEST)
    values = values[::every, ::every]
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    grey = (255 * (np.nan_to_num(np.clip(values, low, high)) - low).clip(0) / ((high - low) or 1.0)).round()
    pixels = grey.astype(np.uint8)
    return f"data:image/png;base64,{base64.b64encode(_png(pixels)).decode()}"


def _png(pixels: Array) -> bytes:
    """The file of pixels (height, width) or (height, width, 3), uint8; see the specification of PNG, W3C."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels))
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
