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
        """The sum of the spikes of each random input, as they were drawn; samples are numbered from `first_sample`."""
        found = {}
        for (name, coding), values in zip(self.network.encodings.items(), x, strict=True):
            if isinstance(coding, Poisson):
                chunk = max(1, CHUNK_VALUES // max(values.size, 1))
                parts = (
                    poisson_spikes(values, min(chunk, steps - first), coding, first_sample, first)
                    for first in range(0, steps, chunk)
                )
                found[name] = np.asarray(sum(part.sum(axis=0, dtype=np.int64) for part in parts))
        return found

    def expected(self, x: Sequence[Array], steps: int) -> dict[str, Array]:
        """The expected sum of the spikes of each random input."""
        given = zip(self.network.encodings.items(), x, strict=True)
        return {
            name: values * (steps / coding.amplitude) for (name, coding), values in given if isinstance(coding, Poisson)
        }

    def of(
        self, x: Sequence[Array], counts: Mapping[str, Array], trains: Mapping[str, Array], steps: int
    ) -> dict[str, Array]:
        """The mean current of each target over a run, constant current included, bias not, for the sums of spikes.

        The mean is over the steps, or over the window of the network's schedule.
        """
        network = self.network
        span = network.window or steps
        spikes = {n: values / span for n, values in {**counts, **trains}.items() if n in network.wiring.nodes}
        share = float(network.presented(steps)) / span
        constant = {
            name: np.zeros_like(values, np.float64) if network.grid else np.multiply(values, share, dtype=np.float64)
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
                found[target] = found[target] + current * share
        return found
