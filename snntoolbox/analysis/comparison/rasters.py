"""Adds up what one simulator did, piece by piece, and notes where it first differs from the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.result import Result
from snntoolbox.ir.writing import replacing

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
        with replacing(path, sync=False) as file:
            np.savez(file, allow_pickle=False, **{f"a{i}": _packed(s) for i, s in enumerate(raster.values())})
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
        return {name: np.concatenate(pieces, axis=1) for name, pieces in parts.items()}


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


@dataclass(frozen=True, eq=False)
class FirstDifference:
    """Where a raster first differs: sample and step from 0, neuron in C order; and that sample's rasters on both."""

    population: str
    sample: int
    step: int
    neuron: int
    ours: Mapping[str, Array]
    theirs: Mapping[str, Array]


class RasterTotals:
    """Counts, predictions and differences of one simulator over the samples so far.

    `order` names the populations so that each comes behind what it depends on.
    """

    def __init__(self, order: tuple[str, ...], classifies: bool) -> None:
        self.order, self.classifies = order, classifies
        self.samples = self.compared = 0
        self.spikes: Counter[str] = Counter(dict.fromkeys(order, 0))
        self.differing: Counter[str] = Counter()
        self.cells: Counter[str] = Counter()
        self.hardware: dict[str, float] = {}
        self.first: FirstDifference | None = None
        self._predictions: list[Array] = []

    @property
    def predictions(self) -> Array | None:
        """The classes of the samples so far, None where the first output says none."""
        return np.concatenate(self._predictions) if self._predictions else None

    def add(self, result: Result, expected: Raster) -> None:
        """Take in the next samples; `expected` is the reference's raster of the first of them, as far as it goes."""
        for name in self.order:
            self.spikes[name] += int(result.events[name].sum())
        for name, values in result.hardware.items():
            self.hardware[name] = self.hardware.get(name, 0.0) + float(values.sum())
        if self.classifies:
            self._predictions.append(result.predictions)
        if expected:
            self._compare(result.spikes, expected)
        self.samples += result.samples

    def _compare(self, raster: Raster, expected: Raster) -> None:
        count = expected[self.order[0]].shape[1]
        wrong = {n: raster[n][:, :count] != expected[n] for n in self.order}
        for name, cells in wrong.items():
            self.differing[name] += int(np.count_nonzero(cells))
            self.cells[name] += cells.size
        self.compared += count
        if self.first is None and any(cells.any() for cells in wrong.values()):
            self.first = self._first(wrong, raster, expected, count)

    def _first(self, wrong: Raster, raster: Raster, expected: Raster, count: int) -> FirstDifference:
        """Of the first sample that differs the earliest step, in that step the first population in order."""
        flat = {n: cells.reshape(*cells.shape[:2], -1) for n, cells in wrong.items()}
        sample = next(s for s in range(count) if any(c[:, s].any() for c in flat.values()))
        steps = {n: int(np.argmax(c[:, sample].any(axis=1))) for n, c in flat.items() if c[:, sample].any()}
        step = min(steps.values())
        name = next(n for n in self.order if steps.get(n) == step)
        neuron = int(np.argmax(flat[name][step, sample]))
        ours = {n: raster[n][:, sample] for n in self.order}
        theirs = {n: expected[n][:, sample] for n in self.order}
        return FirstDifference(name, self.samples + sample, step, neuron, ours, theirs)
