"""Holds the neurons of some layers at their start for the first steps of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from snntoolbox.errors import ConversionError
from snntoolbox.ir.clamping import Clamped
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF


@dataclass(frozen=True)
class Clamp:
    """The pass: `layers` has the number of steps by the name of a population, or by its place, counted from 0.

    Places count the populations that stand for something, as a report lists them. A layer with 0 steps is free.
    """

    layers: Mapping[str, int]

    def __call__(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network with these layers held; ConversionError for unknown ones, and for those without potential."""
        held = self.steps_in(network)
        if gates := [n for n in held if not isinstance(network.populations[n].neuron, IF)]:
            raise ConversionError("has no potential to be clamped: a gate passes spikes on", layer=", ".join(gates))
        populations = [_held(p, held.get(n, 0)) for n, p in network.populations.items()]
        return network.replaced(populations=populations) if held else network

    def steps_in(self, network: SpikingNetwork) -> dict[str, int]:
        """The steps of each layer of the network that is not free; ConversionError for unknown ones and for twins."""
        known = [n for n, p in network.populations.items() if p.activation]
        names = named(self.layers, known)
        if twice := [k for k, name in names.items() if [*names.values()].count(name) > 1]:
            told = f"layers are clamped twice: {', '.join(f'{k} is {names[k]}' for k in twice)}"
            raise ConversionError(told, hint="name each layer once, by place or name")
        return {names[k]: steps for k, steps in self.layers.items() if steps}


def named(layers: Iterable[str], known: Sequence[str]) -> dict[str, str]:
    """Names of layers by these names or places; ConversionError for those that are unknown."""
    names = {k: known[int(k)] if k.isdecimal() and int(k) < len(known) else k for k in layers}
    if unknown := [name for name in names.values() if name not in known]:
        told = f"no layer {', '.join(unknown)} can be clamped"
        raise ConversionError(told, hint=f"there are {', '.join(f'{i} or {n}' for i, n in enumerate(known))}")
    return names


def clamped_steps(network: SpikingNetwork) -> dict[str, int]:
    """For how many steps which layers of the network are held."""
    neurons = {n: p.neuron for n, p in network.populations.items()}
    held = ((n, part) for n, neuron in neurons.items() if isinstance(neuron, IF) for part in neuron.special)
    return {name: part.steps for name, part in held if isinstance(part, Clamped)}


def _held(population: Population, steps: int) -> Population:
    neuron = population.neuron
    if not steps or not isinstance(neuron, IF):
        return population
    return replace(population, neuron=replace(neuron, special=(*neuron.special, Clamped(steps, neuron.initial))))
