"""Gates of max pooling as flat arrays: for each window one cell for each of its inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from snntoolbox.ir.gating import Estimate
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import MaxGate
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes.windows import extract_windows


@dataclass(frozen=True, eq=False, kw_only=True)
class GateCells:
    """A population of gates, in C order of `shape`, sample after sample: `windows` in all.

    `window` is the gate that each cell belongs to, ascending; the cells of one window stand in its C order, without
    those on padding. `inputs` is the value of the current that each reads.
    """

    name: str
    label: str
    shape: Shape
    estimate: Estimate
    onset: int
    windows: int
    window: Array
    inputs: Array

    @property
    def size(self) -> int:
        """The number of cells."""
        return len(self.window)

    @property
    def pairs(self) -> tuple[Array, Array]:
        """All pairs of different cells of one window."""
        starts = np.searchsorted(self.window, np.arange(self.windows + 1))
        parts = [np.arange(a, b) for a, b in pairwise(starts)]
        grids = [np.meshgrid(part, part, indexing="ij") for part in parts]
        one = np.concatenate([grid[0].ravel() for grid in grids])
        other = np.concatenate([grid[1].ravel() for grid in grids])
        return one[one != other], other[one != other]

    def replicated(self, samples: int) -> GateCells:
        """The gates of so many samples side by side."""
        window = (np.arange(samples)[:, None] * self.windows + self.window).ravel()
        return replace(self, window=window, windows=samples * self.windows, inputs=np.tile(self.inputs, samples))

    def reading(self, matrix: sp.csr_array) -> sp.csr_array:
        """Synapses (current, sources) as those of the cells."""
        return sp.csr_array(sp.csr_array(matrix)[self.inputs])


def gate_cells(population: Population, shape: Shape, onset: int) -> GateCells:
    """The cells of a population of gates on a current of this shape."""
    gate = population.neuron
    assert isinstance(gate, MaxGate)
    numbers = np.arange(1, math.prod(shape) + 1, dtype=float).reshape(1, *shape)
    geometry = (gate.kernel, gate.stride, gate.padding, gate.dilation)
    taken = extract_windows(numbers, *geometry).reshape(population.size, -1).astype(np.int64)
    window, tap = np.nonzero(taken)  # numbers begin with 1: 0 is padding
    return GateCells(
        name=population.name,
        label=population.label,
        shape=population.shape,
        estimate=gate.estimate,
        onset=onset,
        windows=population.size,
        window=window,
        inputs=taken[window, tap] - 1,
    )
