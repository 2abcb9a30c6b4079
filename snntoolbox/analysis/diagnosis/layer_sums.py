"""Sums over batches from which the size of each term follows: a few numbers per layer, however many samples."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from snntoolbox.analysis.diagnosis.diagnosis import LayerDiagnosis, Size
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array

FULL = 0.05
"""A channel is full that fires at every step in more than this share of the cases where its activation is positive."""


class Sizes:
    """Mean and root mean square of each term, and the RMS of what they are compared with."""

    def __init__(self) -> None:
        self.count = 0
        self._unit = 0.0
        self._sums: dict[str, float] = defaultdict(float)
        self._squares: dict[str, float] = defaultdict(float)

    def add(self, reference: Array, terms: Mapping[str, Array]) -> None:
        """Take in a batch: the analogue values and the terms of the same shape."""
        self.count += reference.size
        self._unit += float(np.sum(np.square(reference, dtype=np.float64)))
        for name, values in terms.items():
            self._sums[name] += float(np.sum(values))
            self._squares[name] += float(np.sum(np.square(values)))

    @property
    def unit(self) -> float:
        """The root mean square of the analogue values."""
        return math.sqrt(self._unit / self.count) if self.count else 0.0

    def sizes(self, fallback: float) -> dict[str, Size]:
        """Each term as a share of `unit`, or of `fallback` where that is zero."""
        unit = (self.unit or fallback) * (1 if self.count else math.nan)
        count = max(self.count, 1)
        return {
            name: Size(rms=math.sqrt(self._squares[name] / count) / unit, mean=self._sums[name] / count / unit)
            for name in self._sums
        }


class LayerSums:
    """What one population did, over all batches so far; `total` is what counts are divided by in windows."""

    def __init__(self, population: Population, undefined: str, total: int | None = None) -> None:
        self.population = population
        self.undefined = undefined
        self.sizes = Sizes()
        channels = population.shape[0] if population.shape else 1
        self._fired = np.zeros(channels, bool)
        self._positive = np.zeros(channels, np.int64)
        self._full = np.zeros(channels, np.int64)
        neuron = population.neuron
        self._fastest = neuron.fastest_rate if isinstance(neuron, IF) else 1.0
        if isinstance(neuron, IF) and neuron.window and total:
            self._fastest *= neuron.most / total
        self._clipped = 0
        self._saturated = 0

    def add(self, activation: Array, counts: Array, steps: int, error: Array, terms: Mapping[str, Array]) -> None:
        """Take in a batch, arrays (samples, *shape) in the user's units; counts are spikes."""
        self.sizes.add(activation, {"total": error, **terms})
        # Rounding errors of the analogue network are no activation.
        positive = activation > 1e-6 * np.max(self.population.scale)
        at_most = counts >= math.ceil(steps * self._fastest - 1e-9)
        self._fired |= self._by_channel(counts > 0) > 0
        self._positive += self._by_channel(positive)
        self._full += self._by_channel(at_most & positive)
        self._clipped += int(np.sum(activation > self.population.scale * self._fastest * (1 + 1e-6)))
        self._saturated += int(np.sum(at_most))

    def _by_channel(self, events: Array) -> Array:
        over = tuple(axis for axis in range(events.ndim) if axis != 1)
        return np.asarray(events.sum(axis=over, dtype=np.int64)).reshape(len(self._fired))

    def diagnosis(self) -> LayerDiagnosis:
        """The diagnosis of this population."""
        sizes = self.sizes.sizes(float(np.max(self.population.scale)))
        total, positive = sizes.pop("total"), self._positive
        return LayerDiagnosis(
            name=self.population.name,
            label=self.population.label,
            unit=self.sizes.unit,
            total=total,
            terms=sizes,
            undefined=self.undefined,
            clipped=self._clipped / max(int(positive.sum()), 1),
            saturated=self._saturated / max(self.sizes.count, 1),
            channels=len(self._fired),
            dead=int(np.sum(~self._fired & (positive > 0))),
            silent=int(np.sum(~self._fired & (positive == 0))),
            full=int(np.sum(self._full > FULL * np.maximum(positive, 1))),
        )
