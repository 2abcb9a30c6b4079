"""Places a network on the cores of a chip within what a core holds, or refuses it by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snntoolbox.backends.sanafe.architecture import Architecture
from snntoolbox.errors import TooLargeError, Unsupported, UnsupportedError
from snntoolbox.ir.flat import FlatNetwork
from snntoolbox.ir.node import Array


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a core holds beside its neurons: synapses, and axons in each direction; None: any number."""

    synapses: int | None = None
    axons: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Placement:
    """The core of each neuron of each population, and of each source of each spiking input."""

    cores: Mapping[str, Array]

    @property
    def used(self) -> int:
        """How many cores hold something."""
        return len(set(np.concatenate([*self.cores.values(), np.zeros(0, int)]).tolist()))


def placed(flat: FlatNetwork, architecture: Architecture, limits: Limits) -> Placement:
    """Layers one behind the other, neurons in C order, each core as full as it may be.

    UnsupportedError names layers that ask for what no core has, TooLargeError those that do not fit.
    """
    _check_units(flat, architecture)
    labels = {name: cells.label for name, cells in flat.cells.items()}
    offenders: list[Unsupported] = []
    cores: dict[str, Array] = {}
    needed: dict[str, int] = {}
    first = 0
    for name, size in {**flat.inputs, **{n: c.size for n, c in flat.cells.items()}}.items():
        capacity = _capacity(architecture, name in flat.inputs)
        arrays = _incoming(flat, name)
        own, why = _filled(size, arrays, capacity, limits)
        if why:
            offenders.append(Unsupported(labels.get(name, name), why))
            continue
        cores[name], needed[labels.get(name, name)] = own + first, int(own.max(initial=-1)) + 1
        first += needed[labels.get(name, name)]
    if offenders:
        raise UnsupportedError(
            f"a core of {architecture.name}", offenders, hint="smaller layers, or another architecture"
        )
    if first > len(architecture.cores):
        shares = "; ".join(f"{label} {count:,}" for label, count in needed.items())
        raise TooLargeError(
            f"the network needs {first:,} cores, {architecture.name} has {len(architecture.cores):,}: {shares}",
            hint="smaller layers, or an architecture file with more tiles",
        )
    placement = Placement(cores=cores)
    check_axons(flat, placement, architecture, limits, labels)
    return placement


def _check_units(flat: FlatNetwork, architecture: Architecture) -> None:
    """Spiking inputs need units that play them."""
    core = architecture.cores[0]
    if offenders := [Unsupported(name, "no units that play input spikes") for name in flat.inputs if not core.inputs]:
        hint = "[input] poisson_input = False, or architecture = loihi"
        raise UnsupportedError(f"architecture {architecture.name}", offenders, hint=hint)


def _capacity(architecture: Architecture, is_input: bool) -> int:
    """Neurons, or sources, that every core takes."""
    return min(len(c.inputs) if is_input else c.neurons for c in architecture.cores)


def _incoming(flat: FlatNetwork, name: str) -> tuple[Array, Array]:
    """The targets of all synapses onto a population, sorted, and a number for the source of each."""
    parts = [c for c in flat.connections if c.target == name]
    post = np.concatenate([np.zeros(0, np.int64), *(c.post for c in parts)])
    offset, sources = 0, [np.zeros(0, np.int64)]
    for connection in parts:
        sources.append(connection.pre + offset)
        offset += int(connection.pre.max(initial=-1)) + 1
    order = np.argsort(post, kind="stable")
    return post[order], np.concatenate(sources)[order]


def _filled(size: int, incoming: tuple[Array, Array], capacity: int, limits: Limits) -> tuple[Array, str]:
    """The core of each neuron, counted from 0, and in words what a single one already has too much of."""
    post, sources = incoming
    starts = np.searchsorted(post, np.arange(size + 1))
    own, core, held, synapses = np.zeros(size, np.int64), 0, 0, 0
    axons: set[int] = set()
    for neuron in range(size):
        arriving = sources[starts[neuron] : starts[neuron + 1]].tolist()
        for count, limit, what in (
            (len(arriving), limits.synapses, "synapses"),
            (len(set(arriving)), limits.axons, "axons that lead to it"),
        ):
            if _over(limit, count):
                return own, f"a neuron with {count:,} {what}, a core has {limit:,}"
        more = axons.union(arriving) if limits.axons else axons
        if held and (
            held + 1 > capacity or _over(limits.synapses, synapses + len(arriving)) or _over(limits.axons, len(more))
        ):
            core, held, synapses, more = core + 1, 0, 0, set(arriving)
        own[neuron], held, synapses, axons = core, held + 1, synapses + len(arriving), more
    return own, ""


def _over(limit: int | None, count: int) -> bool:
    return limit is not None and count > limit


def check_axons(
    flat: FlatNetwork, placement: Placement, architecture: Architecture, limits: Limits, labels: Mapping[str, str]
) -> None:
    """A neuron needs an axon to each core that it reaches."""
    if limits.axons is None:
        return
    offenders = []
    for name, cores in placement.cores.items():
        pairs = [
            np.stack([c.pre, placement.cores[c.target][c.post]])
            for c in flat.connections
            if c.source == name and len(c.pre)
        ]
        if not pairs:
            continue
        neurons = np.unique(np.concatenate(pairs, axis=1), axis=1)[0]
        most = int(np.bincount(cores[neurons]).max())
        if most > limits.axons:
            told = f"{most:,} axons out of one core, it has {limits.axons:,}"
            offenders.append(Unsupported(labels.get(name, name), told))
    if offenders:
        raise UnsupportedError(f"a core of {architecture.name}", offenders, hint="smaller layers behind it")
