"""Files of fixed words, one for each event: N-MNIST (.bin, .bs2) and the .dat of Prophesee."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.node import Array
from snntoolbox.workflow.data.events.recording import BROKEN, Recording, unwrapped

_OVERFLOW_ROW = 240
"""The row of an N-MNIST event that is none, but says that its counter of 2^13 µs ran over."""
_OVERFLOW = 2**13


def words(path: Path, data: bytes, kind: np.dtype[np.void] | type, what: str) -> Array:
    """The words in a file; DataError where the last is cut."""
    size = np.dtype(kind).itemsize
    if len(data) % size:
        told = f"{path} is cut: {what} have {size} bytes each, and {len(data) % size} bytes are left at its end"
        raise DataError(told, hint=BROKEN)
    return np.frombuffer(data, kind)


def read_nmnist(path: Path) -> Recording:
    """N-MNIST and N-Caltech101 (G. Orchard et al. 2015): 5 bytes an event: x, y, bit 7 on, 23 bits of µs."""
    raw = words(path, path.read_bytes(), np.dtype((np.uint8, 5)), "events")  # type: ignore[arg-type]
    bytes_of = raw.reshape(-1, 5).astype(np.int64)
    t = (bytes_of[:, 2] & 127) << 16 | bytes_of[:, 3] << 8 | bytes_of[:, 4]
    overflows = bytes_of[:, 1] == _OVERFLOW_ROW
    t = (t + overflows.cumsum() * _OVERFLOW)[~overflows]
    x, y, on = (column[~overflows] for column in (bytes_of[:, 0], bytes_of[:, 1], bytes_of[:, 2] >> 7))
    return Recording.of(t, x, y, on)


def read_dat(path: Path) -> Recording:
    """Prophesee's .dat: text behind ``%``, the type and size of an event, then time and address of 32 bits each."""
    data = path.read_bytes()
    if not data.startswith(b"%"):
        raise DataError(f"{path} is no .dat of Prophesee: it does not begin with its head of text", hint=BROKEN)
    start, size = 0, {}
    while data[start : start + 1] == b"%":
        end = data.find(b"\n", start)
        if end < 0:
            raise DataError(f"{path} is cut in its head", hint=BROKEN)
        line = data[start + 1 : end].decode("ascii", "replace").split()
        if len(line) == 2 and line[0] in ("Width", "Height") and line[1].isdecimal():
            size[line[0]] = int(line[1])
        start = end + 1
    if len(data) < start + 2:
        raise DataError(f"{path} is cut behind its head", hint=BROKEN)
    if data[start + 1] != 8:
        raise DataError(f"{path} has events of {data[start + 1]} bytes, not 8", hint="save it as a .dat of CD events")
    raw = words(path, data[start + 2 :], np.dtype([("t", "<u4"), ("address", "<u4")]), "events")
    address = raw["address"]
    chip = (size["Width"], size["Height"]) if len(size) == 2 else None
    return Recording.of(unwrapped(raw["t"], 32), address & 0x3FFF, address >> 14 & 0x3FFF, address >> 28 & 1, chip)
