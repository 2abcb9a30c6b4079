"""A network as modules whose neurons fire at an event of a clock alone, so that the order of other events is no matter.

MegaSim has no steps: a neuron is updated by each event, and may fire at any of them. Here U = 2 (V - L) + 1 is kept in
place of a potential V that no sum can lift to L, so nothing fires while spikes and biases arrive. Then an event of the
layer's clock adds 2 L, at which a neuron fires if V >= theta, and another one takes 2 L away again. What is left above
a threshold of 2 theta is that of the network: V - theta. U is odd and 2 theta even, so they never meet, and whether a
simulator compares by > or by >= is no matter either. Where a spike sets U to 0, U is kept even and the threshold is
2 theta - 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.flat import Cells, FlatNetwork
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import Reset
from snntoolbox.ir.node import Array

LARGEST = 2147483646
"""The largest size of a number there, as the SNN Toolbox writes it."""

START, BIAS, FIRE, RELEASE = range(4)
"""The addresses of a layer's clock: what each of its events is for."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Module:
    """Neurons of a layer that have one threshold, as MegaSim's ``module_fully_connected``.

    ports: node -> weights (addresses of its events, neurons). `neurons` are indices of the layer.
    """

    node: str
    layer: str
    onset: int
    neurons: Array
    threshold: int
    subtracts: bool
    ports: Mapping[str, Array]


@dataclass(frozen=True, eq=False, kw_only=True)
class Clocked:
    """All modules, the nodes of inputs and of clocks (onset -> node), and what of time a step takes."""

    modules: tuple[Module, ...]
    inputs: Mapping[str, str]
    clocks: Mapping[int, str]

    @property
    def period(self) -> int:
        """Units of time for a step: inputs, a layer after the other, and the release of the last."""
        return max(self.clocks, default=0) + 3

    def begin(self, step: int) -> int:
        """When the spikes of inputs and the biases of a step (from 0) come."""
        return 1 + step * self.period

    def fires(self, step: int, onset: int) -> int:
        """When a layer may fire."""
        return self.begin(step) + 1 + onset


def clocked(network: SpikingNetwork, flat: FlatNetwork, drive: Mapping[str, Array], bound: int) -> Clocked:
    """The network as modules; UnsupportedError where numbers grow beyond those of MegaSim, by layer.

    drive: population -> what each neuron gets in each step. bound: what no potential nor any sum towards it exceeds.
    """
    lift = 2 * (bound + 1)
    if offenders := [Unsupported(c.label, why) for c in flat.cells.values() if (why := _wrong(c, lift))]:
        raise UnsupportedError("MegaSim", offenders, hint="fewer weight_bits, or a shorter duration")
    inputs = {name: f"{number:02d}{_plain(name)}" for number, name in enumerate(flat.inputs)}
    onsets = sorted({cells.onset for cells in flat.cells.values()})
    clocks = {onset: f"clock_{onset}" for onset in onsets}
    nodes: dict[str, list[tuple[str, Array]]] = {n: [(node, np.arange(flat.inputs[n]))] for n, node in inputs.items()}
    for number, (name, cells) in enumerate(flat.cells.items(), len(inputs)):
        label = f"{number:02d}{_plain(name)}"
        nodes[name] = [(f"{label}_{k}", own) for k, own in enumerate(_of_one_threshold(cells))]
    modules = []
    for name, cells in flat.cells.items():
        arriving = list(_arriving(flat, cells, nodes))
        clock = _clock(cells, drive[name], lift)
        for node, own in nodes[name]:
            ports = {source: np.asarray(2 * weights[:, own]) for source, weights in arriving}
            subtracts = cells.neuron.reset is Reset.SUBTRACT
            threshold = 2 * int(cells.threshold[own[0]]) - (0 if subtracts else 1)
            ports[clocks[cells.onset]] = clock[:, own]
            modules.append(
                Module(
                    node=node,
                    layer=name,
                    onset=cells.onset,
                    neurons=own,
                    threshold=threshold,
                    subtracts=subtracts,
                    ports=ports,
                )
            )
    return Clocked(modules=tuple(modules), inputs=inputs, clocks=clocks)


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", name, flags=re.ASCII)[:40]


def _of_one_threshold(cells: Cells) -> list[Array]:
    """The neurons of each threshold: a module has one."""
    return [np.flatnonzero(cells.threshold == value) for value in np.unique(cells.threshold)]


def _arriving(
    flat: FlatNetwork, cells: Cells, nodes: Mapping[str, list[tuple[str, Array]]]
) -> Iterator[tuple[str, Array]]:
    """Node -> weights (addresses, neurons), for all that a layer reads."""
    sizes = {**flat.inputs, **{name: c.size for name, c in flat.cells.items()}}
    for connection in flat.connections:
        if connection.target != cells.name:
            continue
        places = (connection.pre, connection.post)
        shape = (sizes[connection.source], cells.size)
        whole = sp.csr_array((np.rint(connection.weight).astype(np.int64), places), shape=shape)
        for node, own in nodes[connection.source]:
            if (part := whole[own]).nnz:
                yield node, part.toarray()


def _clock(cells: Cells, drive: Array, lift: int) -> Array:
    """What the events of the clock add to each neuron (events, neurons)."""
    odd = int(cells.neuron.reset is Reset.SUBTRACT)
    lifts = np.full(cells.size, lift)
    start = 2 * np.rint(cells.initial).astype(np.int64) + odd - lifts
    return np.stack([start, 2 * np.rint(drive).astype(np.int64), lifts, -lifts])


def _wrong(cells: Cells, lift: int) -> str:
    """What it has no numbers for, if anything."""
    if cells.neuron.reset is Reset.ZERO and cells.neuron.reset_potential != 0:
        return "a reset to a potential other than 0, from which it may begin"
    largest = 2 * lift + 2 * int(cells.threshold.max(initial=0))
    return "" if largest <= LARGEST else f"potentials of up to {largest:,}, and MegaSim's numbers end at {LARGEST:,}"
