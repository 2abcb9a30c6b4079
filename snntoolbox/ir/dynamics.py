"""What the neurons of a population do, one step after the other, in numpy and float64: the meaning of their parts."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from snntoolbox.errors import ConversionError
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, MaxGate
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes.windows import extract_windows
from snntoolbox.ir.part import role_of


class Neurons(ABC):
    """The neurons of a population for a batch, before the first step and then after each.

    potential: V after the reset. count: the sum of all values sent. fired: the number of spikes. All (batch, *shape).
    graded: whether spikes carry other values than 1. valued: whether they count other values, by these or by the step.
    """

    graded = False
    valued = False

    def __init__(self, population: Population, batch: int) -> None:
        self.population = population
        self.count = np.zeros((batch, *population.shape))
        self.fired = np.zeros(self.count.shape, np.int64)
        self.potential = np.zeros(self.count.shape)

    def step(self, arriving: Array, constant: Array | float, step: int) -> Array:
        """The values fired in this step, counted from 0, float64.

        `arriving` is what the wiring brings from spikes, twice where the synapse is paired or latches, `constant` what
        constant inputs add.
        """
        spikes = self._advanced(arriving, constant, step)
        self.count += spikes * self.weight(step)
        self.fired += spikes != 0
        return spikes

    def weight(self, step: int) -> float:
        """How often a spike of this step counts."""
        return 1.0

    @abstractmethod
    def _advanced(self, arriving: Array, constant: Array | float, step: int) -> Array:
        """The values fired; `potential` is brought to the end of the step."""


class PartNeurons(Neurons):
    """Integrate-and-fire neurons, by what each of their parts does."""

    def __init__(self, population: Population, neuron: IF, batch: int) -> None:
        super().__init__(population, batch)
        self.neuron, self.graded, self.valued = neuron, neuron.graded, neuron.valued
        self.potential = np.broadcast_to(neuron.initial, self.count.shape).astype(np.float64)
        self.parts = neuron.parts
        if self.parts.transfer and not self.parts.openings:
            raise ConversionError("its table is read when a window opens, and it has none", layer=population.label)
        self.memory = {role_of(part): part.start(self.count.shape) for part in self.parts}

    @property
    def arriving(self) -> Shape:
        """The shape of what arrives in a step."""
        synapse, (batch, *shape) = self.parts.synapse, self.potential.shape
        if isinstance(synapse, Latched) and synapse.contraction is not None:
            return (batch, sum(math.prod(factor) for factor in synapse.factor_shapes(tuple(shape))))
        return (batch, 2, *shape) if synapse.paired or synapse.latches else self.potential.shape

    def weight(self, step: int) -> float:
        """As its openings say."""
        return self.neuron.weight(step)

    def _advanced(self, arriving: Array, constant: Array | float, step: int) -> Array:
        """Synapse, membrane, threshold, spikes, reset, limits; a pause before and behind them."""
        parts, memory, weight = self.parts, self.memory, self.weight(step)
        anew = parts.openings.restart(step) if parts.openings else None
        if anew is not None:
            self.potential = np.broadcast_to(np.asarray(anew, np.float64), self.potential.shape)
        if parts.transfer and parts.openings and parts.openings.opens(step):
            self.potential = parts.transfer.opened(self.potential, parts.threshold.height(step, memory["threshold"]))
        if isinstance(parts.synapse, Latched):
            arriving = parts.synapse.weighed(arriving, weight)
        current = self._with_others(parts.synapse.current(arriving, memory["synapse"]), constant, step) * weight
        awake = parts.pause.awake(memory["pause"]) if parts.pause else np.ones(current.shape, bool)
        before = parts.membrane.integrated(self.potential, np.where(awake, current, 0.0), memory["membrane"])
        height = parts.threshold.height(step, memory["threshold"]) * weight
        spikes = parts.spikes.fire(before, height, self.count) * awake
        if parts.openings and not parts.openings.open(step):
            spikes = np.zeros_like(spikes)
        after = parts.reset.after(before, spikes, height)
        self.potential = parts.limits.kept(after) if parts.limits else after
        held = parts.openings.hold(step) if parts.openings else None
        if held is not None:
            self.potential = np.broadcast_to(np.asarray(held, np.float64), self.potential.shape)
        parts.threshold.fired(spikes, memory["threshold"])
        if parts.pause:
            parts.pause.fired(spikes, memory["pause"])
        return spikes.astype(np.float64)

    def _with_others(self, current: Array, constant: Array | float, step: int) -> Array:
        """The current of the synapse, with what does not come through it: constant inputs, bias, pulses."""
        current = current + constant
        if self.population.bias is not None:
            current = current + self.population.bias
        if step in self.population.pulses:
            current = current + self.population.pulses[step]
        return current


class GateNeurons(Neurons):
    """Max pooling on spikes: see `MaxGate`."""

    def __init__(self, population: Population, gate: MaxGate, batch: int) -> None:
        super().__init__(population, batch)
        self.gate = gate
        self.rates: Array = np.zeros(())

    def _advanced(self, arriving: Array, constant: Array | float, step: int) -> Array:
        current = arriving + constant
        self.rates = self.gate.estimate.next(self.rates, current, step)
        geometry = (self.gate.kernel, self.gate.stride, self.gate.padding, self.gate.dilation)
        rates = extract_windows(self.rates, *geometry, fill=-1)
        spikes = extract_windows(current, *geometry)
        flat = (*spikes.shape[: current.ndim], -1)
        winner = rates.reshape(flat).argmax(axis=-1)[..., None]
        return np.asarray(np.take_along_axis(spikes.reshape(flat), winner, axis=-1)[..., 0])


def start(population: Population, batch: int) -> Neurons:
    """The neurons of a population before the first step."""
    neuron = population.neuron
    if isinstance(neuron, MaxGate):
        return GateNeurons(population, neuron, batch)
    return PartNeurons(population, neuron, batch)
