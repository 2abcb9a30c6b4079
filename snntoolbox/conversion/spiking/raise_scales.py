"""Lets one spike of some channels stand for more, so that their incoming weights shrink."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from snntoolbox.conversion.spiking.populations import simplified_wiring, with_channels
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Scale


def raise_scales(
    network: SpikingNetwork, gains: Mapping[str, Array], coarser: Mapping[str, Array] | None = None
) -> SpikingNetwork:
    """The network with the scale of each population in `gains` multiplied by its gain (above 0, per channel).

    In units of the threshold, ``W' = W / gain`` and ``b' = b / gain`` into the population and ``W' = W gain`` out of
    it: the same function of rates below 1. A neuron fires less often for the same current, so what it says is coarser
    at few steps, and saturates later. A gate hands on spikes in the units of those that it lets through. Populations in
    `coarser` get tables whose entries lie farther apart by these gains, and send what they sent.
    """
    smaller = {**gains, **(coarser or {})}
    wiring, gains = network.wiring, _through_gates(network, gains)
    outward = {
        name: Scale(name=wiring.fresh(f"{name}*"), inputs=(name,), gain=gain)
        for name, gain in gains.items()
        if name in wiring.inputs
    }
    redirect = {name: node.name for name, node in outward.items()}
    inward: list[Scale] = []
    currents: list[str] = []
    for name, population in network.populations.items():
        if isinstance(population.neuron, MaxGate):
            currents.append(population.current)  # the spikes themselves
            continue
        own = [redirect.get(current, current) for current in population.currents]
        if name in smaller:
            factor = with_channels(population.neuron)
            inward.append(Scale(name=wiring.fresh(f"{name}/"), inputs=(own[factor],), gain=1 / smaller[name]))
            own[factor] = inward[-1].name
        currents += own
    currents += [redirect.get(r.current, r.current) for r in network.readouts]
    # Readers are pointed to the outward scales, which alone read the spikes; gates name the spikes by hand.
    ends_too = [*wiring.outputs, *(node.name for node in inward)]
    edited = wiring.edited([*outward.values(), *inward], redirect=redirect, outputs=ends_too)
    edited = simplified_wiring(type(wiring)(edited.nodes.values(), currents, name=wiring.name))
    ends = iter(edited.outputs)
    populations = [_raised(p, smaller.get(name), ends) for name, p in network.populations.items()]
    readouts = [replace(r, current=next(ends)) for r in network.readouts]
    return network.replaced(wiring=edited, populations=populations, readouts=readouts)


def _raised(population: Population, gain: Array | None, ends: Iterator[str]) -> Population:
    population = replace(population, current=next(ends))
    if population.latched is not None:
        population = replace(population, latched=next(ends))
    if gain is None:
        return population
    bias, neuron = None if population.bias is None else population.bias / gain, population.neuron
    if isinstance(neuron, IF) and neuron.table is not None:
        return replace(population, neuron=replace(neuron, table=neuron.table.coarser(gain)), bias=bias)
    return replace(population, scale=population.scale * gain, bias=bias)


def _through_gates(network: SpikingNetwork, gains: Mapping[str, Array]) -> dict[str, Array]:
    """The gains, and the same for every gate that reads a population with one."""
    through = dict(gains)
    for name in network.order:
        population = network.populations.get(name)
        if population is not None and isinstance(population.neuron, MaxGate) and population.current in through:
            through[name] = through[population.current]
    return through
