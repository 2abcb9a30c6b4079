"""Lets the biases of deeper layers grow at the start of a run, while the spikes that they were trained with come."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.conversion.spiking.quantize import bounded_anew
from snntoolbox.errors import ConversionError
from snntoolbox.ir.network import Population, SpikingNetwork

_SLOWEST = 50
"""The layer whose bias begins at 0, as in the SNN Toolbox; further ones wait at 0."""


@dataclass(frozen=True)
class RelaxBiases:
    """In a run of T steps the bias of the i-th layer is ``b clip(1 - (1 - 2 t / T) i / 50, 0, 1)`` in step t = 1 ... T.

    So it grows to b up to the middle of the run, the slower the deeper the layer. Read-outs have theirs as ever.
    """

    steps: int | None

    def __call__(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network, which needs pulses of current; ConversionError without a number of steps."""
        if self.steps is None:
            raise ConversionError("bias_relaxation needs the number of steps", hint="give the duration of a run")
        populations = [self._population(p, network) for p in network.populations.values()]
        return bounded_anew(network.replaced(populations=populations))

    def _population(self, population: Population, network: SpikingNetwork) -> Population:
        if population.bias is None:
            return population
        pulses = dict(population.pulses)
        for step, share in enumerate(shares(self.steps or 1, network.depths[population.name])):
            if share < 1:
                missing = np.asarray(population.bias) * (share - 1)
                missing = np.rint(missing) if network.grid else missing
                pulses[step] = pulses.get(step, 0.0) + missing
        return replace(population, pulses=pulses)


def shares(steps: int, layer: int) -> list[float]:
    """The share of its bias that the neurons of a layer get in each step."""
    return [float(np.clip(1 - (1 - 2 * t / steps) * layer / _SLOWEST, 0, 1)) for t in range(1, steps + 1)]
