"""What the neurons of a run got on average: the linear maps applied to the mean spikes of their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from snntoolbox.engine.executor import Executor
from snntoolbox.engine.tensors import plain_arithmetic
from snntoolbox.ir.encodings import Poisson, poisson_spikes
from snntoolbox.ir.interpreter import constant_currents
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array

CHUNK_VALUES = 2**22
"""About how many values of a random train are drawn at once."""


class MeanCurrents:
    """Currents of populations and read-outs, averaged over the steps, in units of the network and in float64.

    A linear map of spikes averaged over the steps is the map of the spikes averaged: no trains are needed.
    """

    def __init__(self, network: SpikingNetwork) -> None:
        self.network = network
        self.random = {n: e for n, e in network.encodings.items() if isinstance(e, Poisson)}
        self._wiring = Executor.double(network.wiring)

    def trains(self, x: Sequence[Array], steps: int, first_sample: int) -> dict[str, Array]:
        """The mean spike per step of each random input, as it was drawn; samples are numbered from `first_sample`."""
        found = {}
        for (name, coding), values in zip(self.network.encodings.items(), x, strict=True):
            if isinstance(coding, Poisson):
                chunk = max(1, CHUNK_VALUES // max(values.size, 1))
                parts = (
                    poisson_spikes(values, min(chunk, steps - first), coding, first_sample, first)
                    for first in range(0, steps, chunk)
                )
                found[name] = np.asarray(sum(part.sum(axis=0, dtype=np.int64) for part in parts)) / steps
        return found

    def expected(self, x: Sequence[Array]) -> dict[str, Array]:
        """The expected mean spike per step of each random input."""
        given = zip(self.network.encodings.items(), x, strict=True)
        return {name: values / coding.amplitude for (name, coding), values in given if isinstance(coding, Poisson)}

    def of(self, x: Sequence[Array], rates: Mapping[str, Array], trains: Mapping[str, Array]) -> dict[str, Array]:
        """The mean current of each target, constant current included, bias not; for spikes per step and neuron."""
        network = self.network
        spikes = {n: values for n, values in {**rates, **trains}.items() if n in network.wiring.nodes}
        constant = {
            name: np.zeros_like(values, np.float64) if network.grid else values
            for (name, coding), values in zip(network.encodings.items(), x, strict=True)
            if not isinstance(coding, Poisson)
        }
        given = {n: self._wiring.target.tensor(values) for n, values in {**spikes, **constant}.items()}
        with plain_arithmetic():
            values = self._wiring.tensors(given, set(network.targets.values()))
        found = {target: values[current].numpy() for target, current in network.targets.items()}
        if network.grid:
            # On the grid currents of analogue inputs are rounded, once and by the one function for it.
            for target, current in constant_currents(network, *x).items():
                found[target] = found[target] + current
        return found
