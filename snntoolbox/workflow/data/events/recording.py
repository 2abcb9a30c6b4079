"""A recording of an event camera: when which pixel saw more light, or less."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.node import Array

BROKEN = "copy the file again from where it was recorded, or remove it"


@dataclass(frozen=True, eq=False)
class Recording:
    """Events in order of time: `t` in µs (int64), pixels `x`, `y` (int32) and `on` (bool), more light.

    `x` and `y` are those of the file. `chip` is (width, height) of the sensor, None where the file does not say it.
    """

    t: Array
    x: Array
    y: Array
    on: Array
    chip: tuple[int, int] | None = None

    @classmethod
    def of(cls, t: Array, x: Array, y: Array, on: Array, chip: tuple[int, int] | None = None) -> Recording:
        """Arrays of any type of integers as a recording."""
        columns, rows = (np.asarray(a).astype(np.int32) for a in (x, y))
        return cls(np.asarray(t).astype(np.int64), columns, rows, np.asarray(on).astype(bool), chip)

    def __len__(self) -> int:
        return len(self.t)

    def part(self, start: int, stop: int) -> Recording:
        """The events from number `start` on, up to `stop`."""
        return Recording(self.t[start:stop], self.x[start:stop], self.y[start:stop], self.on[start:stop], self.chip)


def check_recording(recording: Recording, path: Path, chip: tuple[int, int] | None) -> None:
    """DataError where a recording is empty, its times run back, or it has pixels that no chip of this size has."""
    if not len(recording):
        raise DataError(f"{path} holds no events", hint=BROKEN)
    back = np.flatnonzero(np.diff(recording.t) < 0)
    if len(back):
        i = int(back[0]) + 1
        times = f"{recording.t[i - 1]} to {recording.t[i]} µs"
        raise DataError(f"{path}: time runs back at event {i}, from {times}", hint=BROKEN)
    low, high = (min(recording.x.min(), recording.y.min()), (int(recording.x.max()), int(recording.y.max())))
    width, height = chip or (np.inf, np.inf)
    if low < 0 or high[0] >= width or high[1] >= height:
        told = f"{path} has events up to pixel {high}, a chip of {width} x {height} ends at {(width - 1, height - 1)}"
        raise DataError(told, hint="input.chip_size = (width, height) says how large the chip is")


def unwrapped(t: Array, bits: int) -> Array:
    """Times of a counter of so many bits, which starts anew at 0 when it is full; others are as they are."""
    t = np.asarray(t).astype(np.int64)
    wraps = np.diff(t, prepend=t[:1]) < -(2 ** (bits - 1))
    whole: Array = t + (wraps.cumsum() << bits)
    return whole
