"""Lets spikes transmit changes: input once, then spikes of several sizes and both signs until all layers agree.

With input and bias given once, V is what a neuron's activation is, by the spikes that came so far, minus what it has
sent of it. It sends the largest level that fits, up or down. So the sum of what it sent follows its activation and
settles within the smallest level of it (differential coding, cf. arXiv 2503.00301).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.conversion.schedules.plain_neurons import hint_for, not_plain, presented_for
from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.network import Population, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF, Negative

LEVELS = tuple(2.0**-k for k in range(8))
"""1, 1/2, ..., 1/128 thresholds, for neurons that have the plain level alone."""


@dataclass(frozen=True)
class SendChanges:
    """The pass: input and bias in the first step alone, signed spikes of `levels`, sums that are not divided.

    A network whose neurons have levels of their own keeps those. The start potential becomes half the smallest level
    and the bias.
    """

    levels: tuple[float, ...] = LEVELS

    def __call__(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network; runs of any number of steps."""
        graded = [_plain(p) for p in network.populations.values()]
        if offenders := not_plain(network.replaced(populations=graded)) + _on_the_grid(network):
            raise UnsupportedError("schedule = differential", offenders, hint=hint_for("differential"))
        encodings = {name: presented_for(1, coding) for name, coding in network.encodings.items()}
        populations = [self._population(p) for p in network.populations.values()]
        readouts = [replace(r, start=0) for r in network.readouts]
        schedule = Schedule("differential", window=1)
        return network.replaced(populations=populations, encodings=encodings, readouts=readouts, schedule=schedule)

    def _population(self, population: Population) -> Population:
        neuron = population.neuron
        assert isinstance(neuron, IF)
        levels = self.levels if neuron.levels == (1.0,) else neuron.levels
        bias = 0.0 if population.bias is None else population.bias
        initial = np.asarray(bias) + min(levels) / 2 * np.asarray(neuron.threshold)
        changed = replace(neuron, initial=initial, levels=levels, negative=Negative.MEMORY)
        return replace(population, neuron=changed, bias=None)


def _plain(population: Population) -> Population:
    neuron = population.neuron
    if not isinstance(neuron, IF):
        return population
    return replace(population, neuron=replace(neuron, levels=(1.0,), negative=Negative.NEVER))


def _on_the_grid(network: SpikingNetwork) -> list[Unsupported]:
    whole = "an integer grid, on which spikes cannot carry fractions of a threshold"
    return [Unsupported(network.name, whole)] if network.grid else []
