"""Replaces firing windows by two pulses of current, for targets that have pulses and no windows.

A pulse of -K at the start of a sample holds a neuron below its threshold whatever it integrates; +K at the first step
of its window gives back what is its own, and -K at the end silences it again. With K at or above any |V| that can be
reached the spikes are the same, exactly on the integer grid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.errors import ConversionError
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.network import Grid, Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.turns import bound


@dataclass(frozen=True)
class WindowPulses:
    """The pass, for a network on the integer grid with a fixed number of steps and inputs of at most `largest`.

    Inputs beyond that are refused when the network runs. Potentials outside the windows are lower by K.
    """

    largest: float

    def __call__(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network without windows; ConversionError off the grid, where K would cost the digits of V."""
        schedule, grid = network.schedule, network.grid
        if grid is None:
            raise ConversionError("windows become pulses on the integer grid alone", hint="weight_bits = 8")
        if schedule is None or schedule.steps is None:
            raise ConversionError("windows become pulses in runs of a fixed length alone", hint="schedule = phased")
        hold = float(bound(network, schedule.steps, self._current(network)))
        populations = [_held(p, hold, schedule.steps) for p in network.populations.values()]
        encodings = {
            n: replace(e, largest=self.largest) if isinstance(e, ConstantCurrent) else e
            for n, e in network.encodings.items()
        }
        held = Grid(weight_bits=grid.weight_bits, start=grid.start + round(3 * hold), growth=grid.growth)
        return network.replaced(populations=populations, encodings=encodings, grid=held)

    def _current(self, network: SpikingNetwork) -> float:
        """The largest current that constant inputs can make: every |weight| times the largest |x|, and rounding."""
        most: dict[str, Array] = {}
        for projection in network.projections:
            if isinstance(network.encodings.get(projection.source), ConstantCurrent):
                reached = np.asarray(abs(projection.synapses()).sum(axis=1)) * self.largest
                most[projection.target] = most.get(projection.target, 0.0) + reached
        return max((float(np.max(reached)) for reached in most.values()), default=0.0) + 1


def _held(population: Population, hold: float, steps: int) -> Population:
    neuron = population.neuron
    if not isinstance(neuron, IF) or neuron.window is None:
        return population
    if neuron.saturation is not None:
        raise ConversionError("a pulse would drive its potential to where it saturates", layer=population.label)
    if neuron.special:
        raise ConversionError(f"a pulse may act otherwise on {neuron.special_words[0]}", layer=population.label)
    first, last = neuron.window
    changes = {0: -hold, first: hold, last: -hold} if first else {last: -hold}
    pulses: dict[int, Array] = dict(population.pulses)
    for step, current in changes.items():
        if step < steps:
            pulses[step] = pulses.get(step, 0.0) + np.full((1,) * len(population.shape), current)
    return replace(population, neuron=replace(neuron, window=None), pulses=dict(sorted(pulses.items())))
