"""The arithmetic of SpiNNaker's cells behind the calls of sPyNNaker, so that a script can be tried without a board.

What a core does each millisecond is that of sPyNNaker 7.4 with ``IFTruncDelta`` and synapses that act at once: 16-bit
sums of what arrives, V = max(V + excitation - inhibition, V_reset), a spike where V >= V_thresh, then V = V_reset and
`tau_refrac` steps without input. All numbers are whole multiples of the last bit of S16.15.
"""

from __future__ import annotations

import math
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy.sparse as sp

from snntoolbox.backends.spinnaker.spinnaker_network import SUMS, UNIT
from snntoolbox.ir.node import Array

BITS = 15


class Chip:
    """Stands for the module ``pyNN.spiNNaker``; it has what the written scripts call, and nothing else."""

    def __init__(self) -> None:
        self.extra_models = SimpleNamespace(IFTruncDelta=lambda **parameters: parameters)
        self.populations: list[_Population] = []
        self.projections: list[_Projection] = []

    def setup(self, timestep: float) -> None:
        """Begin."""
        assert timestep == 1.0
        self.populations, self.projections = [], []

    def set_number_of_neurons_per_core(self, cells: Any, most: int) -> None:
        """Where cells are is nothing to them."""

    def Population(self, size: int, cells: Any, **given: Any) -> _Population:  # noqa: N802
        """Cells, or sources where these are lists of times."""
        self.populations.append(_Population(size, cells, **given))
        return self.populations[-1]

    def SpikeSourceArray(self, spike_times: Any) -> Any:  # noqa: N802
        """Sources."""
        return spike_times

    def FromListConnector(self, rows: Array) -> Array:  # noqa: N802
        """Synapses: pre, post, weight, delay."""
        return rows

    def StaticSynapse(self) -> None:  # noqa: N802
        """Weights that stay."""

    def Projection(self, source: _Population, target: _Population, rows: Array, kind: None, *, receptor_type: str) -> _Projection:  # noqa: N802, E501
        """Synapses of one sign."""
        self.projections.append(_Projection(source, target, rows, receptor_type == "inhibitory"))
        return self.projections[-1]

    def run(self, milliseconds: int) -> None:
        """All cells, step by step."""
        for tick in range(milliseconds):
            for population in self.populations:
                population.step(tick)
            for projection in self.projections:
                projection.send(tick)

    def end(self) -> None:
        """Nothing is held."""


class _Population:
    """Sources, or cells with what is on its way to them: step -> sums of both signs."""

    def __init__(
        self, size: int, cells: Any, label: str, initial_values: Any = None, additional_parameters: Any = None
    ) -> None:
        self.size, self.arriving = size, defaultdict[int, Any](lambda: np.zeros((2, size), np.int64))
        self.fired: dict[int, Array] = {}
        self.times: list[Any] | None = cells if isinstance(cells, list) else None
        if self.times is not None:
            for index, times in enumerate(self.times):
                for time in times:
                    self.fired.setdefault(round(time), np.zeros(size, bool))[index] = True
            return
        expected = additional_parameters["max_expected_summed_weight"]
        assert [max(0, math.ceil(math.log2(sum_))) for sum_ in expected] == [0, 0]
        assert cells["tau_m"] == cells["cm"]
        assert cells["i_offset"] == 0
        self.threshold, self.reset = (_raw(cells[key]) for key in ("v_thresh", "v_reset"))
        self.potential = _raw(initial_values["v"])
        self.pause, self.waiting = int(cells["tau_refrac"]), np.zeros(size, np.int64)

    def record(self, what: str) -> None:
        """Spikes always are."""

    def step(self, tick: int) -> None:
        """One millisecond."""
        if self.times is not None:
            return
        excitation, inhibition = np.minimum(self.arriving.pop(tick, np.zeros((2, 1), np.int64)), SUMS)
        ready = self.waiting <= 0
        moved = np.maximum(self.potential + excitation - inhibition, self.reset)
        self.potential = np.where(ready, moved, self.potential)
        self.waiting = np.where(ready, 0, self.waiting - 1)
        spikes = self.potential >= self.threshold
        self.potential = np.where(spikes, self.reset, self.potential)
        self.waiting = np.where(spikes, self.pause, self.waiting)
        if spikes.any():
            self.fired[tick] = spikes

    def get_data(self, what: str) -> Any:
        """The times of each cell's spikes, as Neo keeps them."""
        ticks = np.array(sorted(self.fired), np.int64)
        raster = np.array([self.fired[tick] for tick in ticks.tolist()], bool).reshape(len(ticks), self.size)
        trains = [ticks[raster[:, k]].astype(float) for k in range(self.size)]
        return SimpleNamespace(segments=[SimpleNamespace(spiketrains=trains)])


class _Projection:
    def __init__(self, source: _Population, target: _Population, rows: Array, inhibitory: bool) -> None:
        self.source, self.target, self.sign = source, target, int(inhibitory)
        weights = np.minimum(_raw(rows[:, 2]), SUMS)
        (self.delay,) = set(np.rint(rows[:, 3]).astype(int).tolist())
        places = (rows[:, 1].astype(int), rows[:, 0].astype(int))
        self.matrix = sp.csr_array((weights, places), shape=(target.size, source.size))

    def send(self, tick: int) -> None:
        """What the spikes of this millisecond bring, `delay` later."""
        if (spikes := self.source.fired.get(tick)) is not None:
            self.target.arriving[tick + self.delay][self.sign] += self.matrix @ spikes.astype(np.int64)


def _raw(values: Any) -> Array:
    """Numbers as the chip keeps them: in last bits."""
    return np.asarray(np.rint(np.asarray(values) / UNIT), np.int64)
