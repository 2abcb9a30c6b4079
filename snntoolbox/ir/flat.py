"""A spiking network as flat arrays on one clock: what a simulator without layers is built from.

The clock is that of a target where a spike takes one step or more. There a population's own step t is step t + onset
of the clock, with its depth (the longest path to it from an input) as its onset; a connection delays by the difference
of the depths it joins, and by the delays that the network itself has on the way. Nothing moves before a population's
onset. A run of T own steps takes T + `lead` steps, and whatever a population does, shifted back by its onset, equals
what it does where spikes take no time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.circuit import Projection
from snntoolbox.ir.encodings import Spiking
from snntoolbox.ir.flat_gates import GateCells, gate_cells
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.parts import Delta
from snntoolbox.ir.progress import counted


@dataclass(frozen=True, eq=False, kw_only=True)
class Cells:
    """A population: one value per neuron, neurons in C order of `shape`, sample after sample.

    `neuron` gives what all of them share: reset, reset potential, leak, refractory steps.
    """

    name: str
    label: str
    shape: Shape
    neuron: IF
    threshold: Array
    initial: Array
    onset: int

    @property
    def size(self) -> int:
        """The number of neurons."""
        return len(self.threshold)

    def factor_size(self, latched: bool) -> int:
        """How many values of one sample connections reach: neurons, or the values of a factor that are to be summed."""
        synapse = self.neuron.parts.synapse
        return math.prod(synapse.factor_shapes(self.shape)[latched] if isinstance(synapse, Latched) else self.shape)


@dataclass(frozen=True, eq=False, kw_only=True)
class Connection:
    """Synapses from one source to one population: a spike of neuron pre[k] adds weight[k] to V of neuron post[k].

    It does so `delay` steps of the clock after the spike; at least one. No pair of neurons occurs twice; there is a
    connection of its own for each delay that the network itself has between the two (`lag`), and where neurons tell
    them apart for negative weights (`inhibitory`), and for what is counted to multiply their current (`latched`).
    Where products are summed post[k] is a value of one of the factors: see `Contraction`.
    """

    source: str
    target: str
    pre: Array
    post: Array
    weight: Array
    delay: int
    lag: int = 0
    inhibitory: bool = False
    latched: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class FlatNetwork:
    """`samples` independent copies of a network side by side.

    inputs: spiking input -> number of its sources, twice its values: of each sample first those whose spikes count as
    +1, then those whose spikes count as -1. Other inputs are no sources: see `snntoolbox.ir.host`.
    """

    inputs: Mapping[str, int]
    cells: Mapping[str, Cells]
    connections: tuple[Connection, ...]
    samples: int = 1
    gates: Mapping[str, GateCells] = field(default_factory=dict)

    @cached_property
    def lead(self) -> int:
        """Steps of the clock beyond those of a run: the largest onset."""
        onsets = [*(c.onset for c in self.cells.values()), *(g.onset for g in self.gates.values())]
        return max(onsets, default=0)

    @cached_property
    def neurons(self) -> int:
        """The number of neurons."""
        return sum(c.size for c in self.cells.values())

    @cached_property
    def synapses(self) -> int:
        """The number of synapses."""
        return sum(len(c.weight) for c in self.connections)

    def replicated(self, samples: int) -> FlatNetwork:
        """`samples` copies of this network for one sample, without a synapse between them."""
        sizes = {**self.inputs, **{n: c.size for n, c in self.cells.items()}}
        posts = {**sizes, **{n: g.size for n, g in self.gates.items()}}
        sizes |= {n: g.windows for n, g in self.gates.items()}

        def copied(index: Array, size: int) -> Array:
            return np.asarray((np.arange(samples)[:, None] * size + index).ravel())

        def reached(connection: Connection) -> int:
            cells = self.cells.get(connection.target)
            return cells.factor_size(connection.latched) if cells else posts[connection.target]

        cells = {
            name: replace(c, threshold=np.tile(c.threshold, samples), initial=np.tile(c.initial, samples))
            for name, c in self.cells.items()
        }
        connections = tuple(
            replace(
                c,
                pre=copied(c.pre, sizes[c.source]),
                post=copied(c.post, reached(c)),
                weight=np.tile(c.weight, samples),
            )
            for c in self.connections
        )
        inputs = {name: size * samples for name, size in self.inputs.items()}
        gates = {name: g.replicated(samples) for name, g in self.gates.items()}
        return FlatNetwork(inputs=inputs, cells=cells, connections=connections, samples=samples, gates=gates)


def flattened(network: SpikingNetwork, *, with_gates: bool = False) -> FlatNetwork:
    """The network for one sample; UnsupportedError for neurons that are not integrate-and-fire, and for quick loops.

    `with_gates` allows gates of max pooling too, which read spikes alone.
    """
    gates = {n: p for n, p in network.populations.items() if isinstance(p.neuron, MaxGate)}
    if unfit := [p for p in gates.values() if not with_gates or _reads_others(network, p)]:
        why = "a gate on a current, or on spikes with values" if with_gates else "no integrate-and-fire neurons"
        offenders = [Unsupported(p.label, why) for p in unfit]
        raise UnsupportedError("a simulator without layers", offenders)
    if loop := network.circuit.quick_loop:
        offender = Unsupported(" -> ".join(loop), "fewer steps of delay than projections")
        raise UnsupportedError("a simulator where a spike takes a step", [offender])
    if wrong := [p for p in network.populations.values() if _sequence_through_synapses(network, p)]:
        offenders = [Unsupported(p.label, "the steps of a sequence, which are no spikes") for p in wrong]
        raise UnsupportedError("a simulator where spikes alone make synaptic currents", offenders)
    spiking = [n for n, e in network.encodings.items() if isinstance(e, Spiking) and not e.valued]
    inputs = {n: 2 * network.wiring.size(n) for n in spiking}
    order = [n for n in network.targets if n in network.populations and n not in gates]
    shapes = network.wiring.shapes
    flat_gates = {n: gate_cells(p, shapes[p.current], network.depths[n]) for n, p in gates.items()}
    cells = {name: _cells(network.populations[name], network.depths[name]) for name in order}
    connections = []
    for projection in counted("Listing synapses", network.projections):
        spikes = projection.source in inputs or projection.source in network.populations
        if projection.target in flat_gates and spikes:
            matrix = flat_gates[projection.target].reading(projection.synapses())
            connections.append(_connection(projection, _signed(matrix) if projection.source in inputs else matrix))
        if projection.target in cells and spikes:
            for inhibitory, matrix in _synapses(network, projection):
                if projection.source in inputs:
                    matrix = _signed(matrix)
                connections.append(_connection(projection, matrix, inhibitory=inhibitory))
    return FlatNetwork(inputs=inputs, cells=cells, connections=tuple(connections), gates=flat_gates)


def _signed(matrix: sp.csr_array) -> sp.csr_array:
    """Synapses of an input as those of its sources: for spikes that count as +1, then for those as -1."""
    return sp.csr_array(sp.hstack([matrix, -matrix]))


def _reads_others(network: SpikingNetwork, gate: Population) -> bool:
    """Whether a gate reads anything but spikes of 0 and 1, itself or through other gates."""
    sources = network.sources[gate.current]
    codings = [network.encodings.get(s) for s in sources]
    if any(c is not None and (not isinstance(c, Spiking) or c.valued) for c in codings):
        return True
    before = [network.populations[s] for s in sources if s in network.populations]
    return any(p.neuron.graded if isinstance(p.neuron, IF) else _reads_others(network, p) for p in before)


def _sequence_through_synapses(network: SpikingNetwork, population: Population) -> bool:
    codings = [network.encodings.get(s) for s in network.sources[population.current]]
    valued = any(isinstance(coding, Spiking) and coding.valued for coding in codings)
    return valued and isinstance(population.neuron, IF) and not isinstance(population.neuron.parts.synapse, Delta)


def _cells(population: Population, onset: int) -> Cells:
    neuron = population.neuron
    assert isinstance(neuron, IF)
    return Cells(
        name=population.name,
        label=population.label,
        shape=population.shape,
        neuron=neuron,
        threshold=spread(neuron.threshold, population.shape),
        initial=spread(neuron.initial, population.shape),
        onset=onset,
    )


def _synapses(network: SpikingNetwork, projection: Projection) -> Iterator[tuple[bool, sp.csr_array]]:
    """All synapses of a projection, or the excitatory and then the inhibitory ones."""
    whole, negative = projection.synapses(), network.populations[projection.target].inhibitory
    if negative is None or projection.latched:
        yield False, whole
        return
    found = network.circuit.arrivals[negative].get(projection.source, ())
    part = sp.csr_array(whole.shape)
    if projection.lag in found:
        part = replace(projection, map=network.circuit.submap(projection.source, negative, projection.lag)).synapses()
    yield False, sp.csr_array(whole - part)
    yield True, part


def _connection(projection: Projection, matrix: sp.csr_array, *, inhibitory: bool = False) -> Connection:
    # Converting to COO sums entries that occur twice in CSR only if asked to.
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    entries = matrix.tocoo()
    return Connection(
        source=projection.source,
        target=projection.target,
        pre=np.asarray(entries.col, np.int64),
        post=np.asarray(entries.row, np.int64),
        weight=np.asarray(entries.data, np.float64),
        delay=projection.delay,
        lag=projection.lag,
        inhibitory=inhibitory,
        latched=projection.latched,
    )


def spread(value: Array | float, shape: Shape) -> Array:
    """One float64 per neuron, flat, of a value that broadcasts to the population's shape."""
    return np.broadcast_to(np.asarray(value, np.float64), shape).reshape(-1).copy()
