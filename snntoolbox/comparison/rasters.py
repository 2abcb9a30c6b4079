"""Keeps the reference's rasters on disk, a few samples to a file, so that memory does not grow with the samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snntoolbox.ir.node import Array, Shape

Raster = Mapping[str, Array]
"""Population -> spikes (steps, samples, *shape): bool, or the values that they carry."""

_TYPES = (np.int8, np.int16, np.float32)
"""What values of spikes are kept in: the first that holds all of them exactly, else they stay as they are."""


class StoredRasters:
    """Rasters of consecutive samples in a folder, samples in order: a bit per cell, or the values exactly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: list[tuple[int, int, Path, dict[str, tuple[Shape, bool]]]] = []

    @property
    def samples(self) -> int:
        """The number of samples that are there."""
        return self._files[-1][1] if self._files else 0

    def add(self, raster: Raster) -> None:
        """Keep the raster of the next samples."""
        first = self.samples
        count = next(iter(raster.values())).shape[1]
        path = self.folder / f"{first}.npz"
        # Names of populations may hold anything: arrays are numbered.
        np.savez(path, allow_pickle=False, **{f"a{i}": _packed(s) for i, s in enumerate(raster.values())})
        self._files.append((first, first + count, path, {n: (s.shape, s.dtype == bool) for n, s in raster.items()}))

    def read(self, first: int, stop: int) -> dict[str, Array]:
        """The raster of samples `first` to `stop`, as many as there are; empty where there are none."""
        parts: dict[str, list[Array]] = {}
        for begin, end, path, shapes in self._files:
            if begin >= stop or end <= first:
                continue
            with np.load(path) as packed:
                for i, (name, (shape, plain)) in enumerate(shapes.items()):
                    kept = packed[f"a{i}"]
                    if plain:
                        kept = np.unpackbits(kept, count=int(np.prod(shape))).reshape(shape).astype(bool)
                    parts.setdefault(name, []).append(kept[:, max(first - begin, 0) : stop - begin])
        return {name: np.concatenate(found, axis=1) for name, found in parts.items()}


def _packed(spikes: Array) -> Array:
    """Spikes as they are stored: bits of plain ones, values in the smallest type that changes none."""
    if spikes.dtype == bool:
        return np.packbits(spikes)
    for kind in _TYPES:
        with np.errstate(invalid="ignore", over="ignore"):
            small = spikes.astype(kind)
        if spikes.dtype.itemsize > small.dtype.itemsize and np.array_equal(small, spikes):
            return small
    return spikes
