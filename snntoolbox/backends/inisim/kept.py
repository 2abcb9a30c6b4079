"""What a run keeps for its result: arrays for all samples, of which each part of them fills its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from snntoolbox.ir.large_arrays import LARGE, room
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.result import Record, Result

ON_DISK = LARGE
"""Recordings of more bytes than this lie in a temporary file instead of memory."""


def recording(shape: Shape, dtype: Any) -> Array:
    """An array to be filled, of constant memory however large."""
    return room(shape, dtype, ON_DISK)


@dataclass(frozen=True, eq=False)
class Part:
    """Views of the recordings of some samples, and lists that take what is known at the end."""

    steps: int
    spikes: Mapping[str, Array]
    potentials: Mapping[str, Array]
    per_step: Mapping[str, Array]
    counts: Mapping[str, list[Array]]
    fired: Mapping[str, list[Array]]
    outputs: Mapping[str, list[Array]]


Unfold: TypeAlias = Callable[[Mapping[str, Array]], tuple[Mapping[str, Array], Mapping[str, Array]]]


class Kept:
    """The recordings of a run, (steps, samples, *shape): spikes and potentials as asked, outputs with `per_step`."""

    def __init__(self, network: SpikingNetwork, steps: int, samples: int, record: Record, *, per_step: bool) -> None:
        self.steps, self.samples, self.record = steps, samples, record
        shapes = {p.name: p.shape for p in network.populations.values()}
        read = {r.name: r.shape for r in network.readouts}
        self.window, self.heads = network.window, network.heads
        graded = {n for n, p in network.populations.items() if isinstance(p.neuron, IF) and p.neuron.graded}
        valued = {n for n, p in network.populations.items() if isinstance(p.neuron, IF) and p.neuron.valued}
        types = {n: np.float64 if n in graded else bool for n in shapes}
        self.spikes = {n: self._array(s, types[n]) for n, s in shapes.items() if record.wants_spikes(n)}
        self.potentials = {n: self._array(s, np.float32) for n, s in shapes.items() if record.wants_potentials(n)}
        self.per_step = {n: self._array(s, np.float64) for n, s in read.items() if per_step}
        self.counts: dict[str, list[Array]] = {n: [] for n in shapes}
        self.fired: dict[str, list[Array]] = {n: [] for n in valued}
        self.outputs: dict[str, list[Array]] = {n: [] for n in read}

    def _array(self, shape: Shape, dtype: type) -> Array:
        return recording((self.steps, self.samples, *shape), dtype)

    def part(self, samples: slice) -> Part:
        """Where the results of these samples go."""
        recordings = (self.spikes, self.potentials, self.per_step)
        spikes, potentials, per_step = ({n: a[:, samples] for n, a in arrays.items()} for arrays in recordings)
        return Part(self.steps, spikes, potentials, per_step, self.counts, self.fired, self.outputs)

    def result(self, paths: Mapping[str, frozenset[str]], unfold: Unfold | None = None) -> Result:
        """What the run gives back; `unfold` makes counts and numbers of spikes of what was kept as counts."""
        counts: Mapping[str, Array] = {n: _joined(parts) for n, parts in self.counts.items()}
        fired: Mapping[str, Array] = {n: _joined(parts) for n, parts in self.fired.items() if parts}
        if unfold is not None:
            counts, fired = unfold(counts)
        return Result(
            steps=self.steps,
            samples=self.samples,
            window=self.window,
            heads=self.heads,
            counts=counts,
            fired=fired,
            outputs={n: _joined(parts) for n, parts in self.outputs.items()},
            outputs_per_step=self.per_step if self.record.outputs_per_step else {},
            spikes=self.spikes,
            potentials=self.potentials,
            engine_paths=paths,
        )


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
