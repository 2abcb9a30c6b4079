"""Replays one population by the semantics, alone, on the spikes that a simulator brought to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from snntoolbox.ir.encodings import Encoding, SpikeTimes, Spiking, spike_trains
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, Neuron
from snntoolbox.ir.node import Array, LinearNode, Node
from snntoolbox.ir.nodes import Add, Input, Scale
from snntoolbox.ir.result import Record

MOST_VALUES = 64
"""So many values of spikes are told apart, the absent one included."""
NEVER = 1e38
"""A threshold that is not reached, and that float32 holds."""


@dataclass(frozen=True, eq=False)
class Replay:
    """One population with all that reaches it in one sample, as a network of its own.

    `arriving`: source -> its train (steps, *shape); `constant`: input -> the sample's values. `parts`: source whose
    spikes carry fractions -> the inputs of the network that stand for it, and the value of each.
    """

    network: SpikingNetwork
    population: Population
    arriving: Mapping[str, Array]
    constant: Mapping[str, Array]
    steps: int
    parts: Mapping[str, Mapping[str, float]]

    def spikes(self, neuron: Neuron | None = None, arriving: Mapping[str, Array] | None = None) -> Array:
        """The raster (steps, *shape), bool or values, perhaps with another neuron or other trains."""
        return self._run(neuron, {**self.arriving, **(arriving or {})})

    @cached_property
    def currents(self) -> Array:
        """Everything that each neuron gets in each step, bias included, (steps, *shape)."""
        neuron = self.population.neuron
        assert isinstance(neuron, IF)
        silent = replace(neuron, threshold=NEVER, initial=0.0, leak=1.0, refractory=0, saturation=None)
        # With nothing taken away a potential is the sum of the currents so far.
        return np.diff(self._run(silent, self.arriving, potentials=True), axis=0, prepend=0.0)

    def _run(self, neuron: Neuron | None, arriving: Mapping[str, Array], *, potentials: bool = False) -> Array:
        network, name = self.network, self.population.name
        if neuron is not None:
            network = network.replaced(populations=[replace(self.population, neuron=neuron)])
        inputs = {**arriving, **self.constant}
        for source, values in self.parts.items():
            train = inputs.pop(source)
            inputs |= {name: np.sign(train) * (np.abs(train) == value) for name, value in values.items()}
        x = [inputs[n][None] for n in network.encodings]
        record = Record(spikes=not potentials, potentials=potentials, outputs_per_step=False)
        result = interpret(network, *x, steps=self.steps, record=record)
        return np.asarray((result.potentials if potentials else result.spikes)[name][:, 0])


def replay_of(
    network: SpikingNetwork, name: str, x: Sequence[Array], raster: Mapping[str, Array], sample: int
) -> Replay:
    """One population on the spikes of a raster (population -> (steps, *shape)) and on the coded inputs of a sample.

    `x` holds one sample of each input, without batch.
    """
    network, raster = _unlooped(network, name, raster)
    population, steps = network.populations[name], len(raster[name])
    sources = network.fed_by(name)
    samples = dict(zip(network.encodings, x, strict=True))
    coded = {n: e for n, e in network.encodings.items() if n in sources}
    spiking = {n: e for n, e in coded.items() if isinstance(e, Spiking)}
    arriving = {n: _compact(s) for n, s in raster.items() if n in sources}
    arriving |= {n: spike_trains(samples[n][None], steps, e, sample)[:, 0] for n, e in spiking.items()}
    constant = {n: np.asarray(samples[n]) for n in coded if n not in spiking}
    wiring = Graph(_upstream(network, population.currents), list(population.currents), name=network.name)
    parts = {n: _values(n, train) for n, train in arriving.items() if train.dtype != np.int8}
    wiring = wiring.edited([node for n, p in parts.items() for node in _in_parts(wiring, n, p)])
    ordered: dict[str, Encoding] = {n: coded[n] if n in constant else SpikeTimes() for n in wiring.inputs}
    dt, grid, schedule = network.dt, network.grid, network.schedule
    alone = SpikingNetwork(wiring, ordered, [population], [], dt=dt, grid=grid, schedule=schedule)
    return Replay(alone, population, arriving, constant, steps, parts)


def _unlooped(
    network: SpikingNetwork, name: str, raster: Mapping[str, Array]
) -> tuple[SpikingNetwork, Mapping[str, Array]]:
    """The network where the spikes that a population sends to itself come under another name, as those of others do."""
    if name not in network.fed_by(name):
        return network, raster
    wiring = network.wiring
    again = wiring.fresh(f"{name} itself")

    def new(node: str) -> str:
        return again if node == name else node

    nodes = [n.renamed(new(n.name)).with_inputs(*map(new, n.inputs)) for n in wiring.nodes.values()]
    renamed = Graph(nodes, [new(end) for end in wiring.outputs], name=wiring.name)
    populations = [replace(p, current=new(p.current)) for p in network.populations.values()]
    itself = replace(network.populations[name], name=again)
    readouts = [replace(r, current=new(r.current)) for r in network.readouts]
    unlooped = network.replaced(wiring=renamed, populations=[*populations, itself], readouts=readouts)
    return unlooped, {**raster, again: raster[name]}


def replayable(train: Array) -> bool:
    """Whether a train can be brought to a population: neurons send few values, what is no such spike may be any."""
    if train.dtype == bool:
        return True
    return bool(np.isfinite(train).all()) and len(np.unique(np.abs(train))) <= MOST_VALUES


def _compact(train: Array) -> Array:
    """A train of whole numbers as int8, another as it is."""
    small = np.asarray(train).astype(np.int8)
    return small if np.array_equal(small, train) else np.asarray(train, np.float64)


def _values(source: str, train: Array) -> dict[str, float]:
    """The values that spikes carry up to their sign, by the name of an input for each.

    A train that is given has -1, 0 and 1: so one of fractions is the sum of one train for each value, times that.
    """
    return {f"{source} x {value!r}": float(value) for value in np.unique(np.abs(train[train != 0])).tolist()}


def _in_parts(wiring: Graph, source: str, values: Mapping[str, float]) -> list[Node]:
    """The input `source` as the sum of the inputs of its values; of these one alone is not 0, so nothing is rounded."""
    shape = wiring.shapes[source]
    nodes: list[Node] = []
    for name, value in values.items():
        gain = np.full((1,) * len(shape), value)
        nodes += [Input(name=name, shape=shape), Scale(name=f"{name} =", inputs=(name,), gain=gain)]
    return [*nodes, Add(name=source, inputs=tuple(f"{name} =" for name in values))]


def _upstream(network: SpikingNetwork, currents: Sequence[str]) -> list[Node]:
    upstream = {*currents}
    for name, node in reversed(list(network.wiring.nodes.items())):
        if name in upstream and isinstance(node, LinearNode):
            upstream.update(node.inputs)
    return [node for name, node in network.wiring.nodes.items() if name in upstream]
