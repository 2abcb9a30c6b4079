"""AEDAT of versions 1 to 3, as jAER and cAER write it: a head of lines behind ``#``, then words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.node import Array
from snntoolbox.workflow.data.events.addresses import words
from snntoolbox.workflow.data.events.recording import BROKEN, Recording, unwrapped

_MAGIC = re.compile(rb"#!AER-DAT(\d)\.(\d)")
_END = "#!END-HEADER"
_CHIPS = {
    **{"DVS128": (128, 128), "DAVIS128": (128, 128), "DAVIS208": (208, 192), "DAVIS240": (240, 180)},
    **{"DAVIS346": (346, 260), "DAVIS640": (640, 480)},
}
_PACKET = np.dtype(
    [("type", "<u2"), ("source", "<u2")]
    + [(name, "<u4") for name in ("size", "time_at", "overflow", "capacity", "number", "valid")]
)
_POLARITY = 1
_LARGEST = 2**31 - 1
_POLARITY_EVENT = np.dtype([("data", "<u4"), ("t", "<i4")])


def version_of(data: bytes) -> int:
    """The version that a file says of itself, 0 where it says none."""
    magic = _MAGIC.match(data)
    return int(magic[1]) if magic else 0


def read_aedat(path: Path) -> Recording:
    """The events of a pixel that saw more or less light; others (frames, motion, triggers) are left out."""
    data = path.read_bytes()
    version = version_of(data)
    if version not in (1, 2, 3):
        raise DataError(f"{path} is no AEDAT of version 1, 2, 3 or 4: its first line must say so", hint=BROKEN)
    lines, start = _head(path, data, version)
    chip, davis = _chip(lines)
    if version == 3:
        return _packets(path, data[start:], lines, chip)
    kind = np.dtype([("address", ">u2" if version == 1 else ">u4"), ("t", ">u4")])
    raw = words(path, data[start:], kind, "events")
    address, t = raw["address"].astype(np.int64), unwrapped(raw["t"], 32)
    if davis or (not chip and bool((address > 0xFFFF).any())):
        return _of_davis(address, t, chip)
    return _of_dvs128(address, t)


def _head(path: Path, data: bytes, version: int) -> tuple[list[str], int]:
    """The lines of the head, and where it ends."""
    lines, start = [], 0
    while data[start : start + 1] == b"#":
        end = data.find(b"\n", start)
        if end < 0:
            raise DataError(f"{path} is cut in its head", hint=BROKEN)
        lines.append(data[start:end].decode("latin-1").strip())
        start = end + 1
        if lines[-1] == _END:
            return lines, start
    if version == 3:
        raise DataError(f"{path} is cut: its head has no {_END}", hint=BROKEN)
    return lines, start


def _chip(lines: list[str]) -> tuple[tuple[int, int] | None, bool]:
    """The size of the chip that a head names, and whether it is a DAVIS."""
    text = " ".join(lines).upper()
    named = next((name for name in sorted(_CHIPS, reverse=True) if name in text), "")
    return _CHIPS.get(named), "DAVIS" in text


def _of_davis(address: Array, t: Array, chip: tuple[int, int] | None) -> Recording:
    """Bits 22 to 30 y, 12 to 21 x, 11 on; bit 31 says a frame or motion, bit 10 another signal."""
    kept = address & 0x8000_0400 == 0
    address = address[kept]
    return Recording.of(t[kept], address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1, chip)


def _of_dvs128(address: Array, t: Array) -> Recording:
    """Bits 8 to 14 y, 1 to 7 x, bit 0 less light; bit 15 says another signal."""
    kept = address & 0x8000 == 0
    address = address[kept]
    return Recording.of(t[kept], address >> 1 & 0x7F, address >> 8 & 0x7F, address & 1 == 0, _CHIPS["DVS128"])


def _packets(path: Path, data: bytes, lines: list[str], chip: tuple[int, int] | None) -> Recording:
    """Packets of one kind of event each, behind a head of 28 bytes."""
    form = next((line.partition(":")[2].strip() for line in lines if line.startswith("#Format:")), "RAW")
    if form != "RAW":
        raise DataError(f"{path} is compressed ({form}), which is not read", hint="save it as RAW or as AEDAT 4")
    at, parts, sources = 0, [], set()
    while at < len(data):
        if len(data) < at + _PACKET.itemsize:
            raise DataError(f"{path} is cut in the head of a packet", hint=BROKEN)
        head = np.frombuffer(data, _PACKET, 1, at)[0]
        at += _PACKET.itemsize
        number, size = int(head["number"]), int(head["size"])
        if len(data) < at + number * size:
            told = f"a packet should hold {number} events of {size} bytes, {len(data) - at} bytes are left"
            raise DataError(f"{path} is cut or damaged: {told}", hint=BROKEN)
        if head["type"] == _POLARITY and number:
            if size != _POLARITY_EVENT.itemsize:
                raise DataError(f"{path} has events of {size} bytes, not 8", hint=BROKEN)
            events = np.frombuffer(data, _POLARITY_EVENT, number, at)
            t = events["t"].astype(np.int64) + ((int(head["overflow"]) & _LARGEST) << 31)
            parts.append((events["data"].astype(np.int64), t))
            sources.add(int(head["source"]))
        at += number * size
    if len(sources) > 1:
        raise DataError(f"{path} holds events of {len(sources)} cameras", hint="save one file for each camera")
    word, t = (np.concatenate([part[i] for part in parts] or [np.empty(0, np.int64)]) for i in (0, 1))
    kept = word & 1 == 1
    word = word[kept]
    return Recording.of(t[kept], word >> 17 & 0x7FFF, word >> 2 & 0x7FFF, word >> 1 & 1, chip)
