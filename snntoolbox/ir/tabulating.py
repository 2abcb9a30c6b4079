"""Neurons whose count is a table's: any function of the integer that came in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from snntoolbox.ir.feature import Feature
from snntoolbox.ir.node import Array
from snntoolbox.ir.part import Transfer


@dataclass(frozen=True, eq=False)
class Table(Transfer):
    """V = theta n[c, k] when the window opens, k = min(max(floor(V / theta) - first, 0), entries - 1).

    So a neuron whose input is all there by then sends n[c, k] spikes, or what counts as many. `counts` (rows, entries)
    are whole numbers from 0 to `levels`, the most that a window tells; c is the place of the neuron along the first
    axis of its population, or 0 where there is one row. `step` (rows) is what one threshold is of what the function
    reads, in the user's units.
    """

    features = (
        Feature(
            "tables of counts",
            "a table of counts",
            avoided_by="[conversion] schedule = rate, with approximate",
            why_not="its neurons know thresholds alone",
        ),
    )

    counts: Array
    first: int
    levels: int
    step: Array

    def opened(self, potential: Array, height: Array | float) -> Array:
        """As many thresholds as the table says."""
        return np.asarray(height * self.read(np.floor(potential / height)))

    def read(self, index: Array) -> Array:
        """What stands at whole numbers (samples, *shape), float64."""
        return self.counts[self.rows(index.shape[1:]), self.place(index)].astype(np.float64)

    def rows(self, shape: tuple[int, ...]) -> Array:
        """The row of each neuron of a population, which broadcasts to its shape."""
        rows = np.arange(len(self.counts)) if len(self.counts) > 1 else np.zeros(1, np.int64)
        return rows.reshape(-1, *[1] * (len(shape) - 1))

    def place(self, index: Array) -> Array:
        """The entry at whole numbers, the first or last for those beyond."""
        return np.clip(index - self.first, 0, self.counts.shape[1] - 1).astype(np.int64)

    def input_scale(self, rank: int) -> Array:
        """What one threshold a step is of what the function reads, with the rank of the population's shape."""
        return self.levels * self.step.reshape(-1, *[1] * (rank - 1))

    def coarser(self, gain: Array) -> Self:
        """The nearest entries, for thresholds that stand for `gain` times as much, one number or one a row."""
        gains = np.broadcast_to(gain.ravel(), (max(gain.size, len(self.counts)),))
        last = self.first + self.counts.shape[1] - 1
        begin = int(np.floor(min((self.first / gains).min(), (last / gains).min())))
        end = int(np.ceil(max((self.first / gains).max(), (last / gains).max())))
        places = self.place(np.rint(np.arange(begin, end + 1) * gains[:, None]))
        rows = np.arange(len(gains))[:, None] if len(self.counts) > 1 else np.zeros((1, 1), np.int64)
        return replace(self, counts=self.counts[rows, places], first=begin, step=self.step * gains)

    def misfits(self) -> Iterator[str]:
        """Entries that no window can send."""
        counts = np.asarray(self.counts)
        if counts.ndim != 2 or not counts.size or not _whole(counts):
            yield f"a table of shape {counts.shape} has no rows of whole numbers"
        elif self.levels < 1 or counts.min() < 0 or counts.max() > self.levels:
            yield f"a table from {counts.min()} to {counts.max()} leaves the counts from 0 to {self.levels}"
        elif np.shape(self.step) not in ((1,), (len(counts),)) or not np.all(np.asarray(self.step) > 0):
            yield f"a table of {len(counts)} rows has steps of shape {np.shape(self.step)}, or not above 0"

    def __str__(self) -> str:
        rows, entries = self.counts.shape
        return f"table of {entries}" + (f" x {rows}" if rows > 1 else "")


def _whole(counts: Array) -> bool:
    return bool(counts.dtype.kind in "iu" or np.all(counts == np.rint(counts)))
