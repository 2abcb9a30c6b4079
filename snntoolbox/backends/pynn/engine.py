"""A network as PyNN populations and projections; what each simulator below does differently is left open."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from snntoolbox.ir.flat import Cells, Connection, FlatNetwork
from snntoolbox.ir.host import HostInput, Timed, raster
from snntoolbox.ir.node import Array
from snntoolbox.ir.progress import counted

MOST_SYNAPSES = 4_000_000
"""Samples run side by side, as copies of the network, while all of them have no more synapses."""


class Engine(ABC):
    """A network in one of PyNN's simulators, which holds one network at a time: `copies` of it, for a sample each.

    Step c of the network's clock is at `offset` + c ms, whatever the network's dt, and a spike that arrives d steps
    later has a delay of d - `head_start` ms. `variable` is PyNN's name of the potential here; `sampled` ms after a
    step it can be read; so can `carried`, the value of a spike, where spikes have some. PyNN's own connectors make a
    Python call per neuron or synapse, and scale weights by factors that are no powers of two: hence connectors and
    cells of our own.
    """

    offset: float
    head_start: float
    variable: str
    carried: str = ""
    sampled: float
    resets: bool
    """Whether the simulator can go back to the start; otherwise it is built anew for each run."""
    replicates: bool
    """Whether copies side by side take less than one after the other."""

    def __init__(self, flat: FlatNetwork, sim: ModuleType) -> None:
        self.one, self.flat, self.copies, self.sim = flat, flat, 1, sim
        self.populations: dict[str, Any] = {}
        self.made: list[Any] = []
        self.watched: tuple[str, ...] = ()
        self.was_built = False

    @abstractmethod
    def setup(self) -> None:
        """Start PyNN with steps and delays that are exact here."""

    @abstractmethod
    def neurons(self, cells: Cells) -> Any:
        """The cell type of these neurons with its parameters."""

    @abstractmethod
    def connector(self, connection: Connection) -> Any:
        """A connector of PyNN that makes these synapses."""

    @abstractmethod
    def drive(self, cells: Cells, current: Array, timed: Timed | None, steps: int) -> None:
        """Give each neuron its start potential, this current in each of its own steps, and one in the first alone."""

    def synapse_type(self, connection: Connection) -> Any:
        """The type of the synapses; their weights and delays come from the connector."""
        return self.sim.StaticSynapse(weight=0.0, delay=1.0)

    # -- some samples -------------------------------------------------------------------------------------------

    def makes_room(self, samples: int) -> None:
        """Let as many of so many samples run side by side as there is room for."""
        room = max(1, MOST_SYNAPSES // max(1, self.one.synapses)) if self.replicates else 1
        runs = -(-samples // room)
        if (copies := -(-samples // max(1, runs))) > self.copies:
            self.close()
            self.copies, self.flat = copies, self.one.replicated(copies)

    def run(self, host: HostInput, first: int, watched: Iterable[str]) -> tuple[dict[str, Array], dict[str, Array]]:
        """Spikes (steps, neurons) of all populations for the next samples, and the potentials of those watched.

        Of the first sample on there is one for each copy; copies for which there is none get nothing.
        """
        watched = tuple(watched)
        self._ready(watched)
        for name, size in self.one.inputs.items():
            steps, sources = host.source_spikes(name)
            own = (sources // size >= first) & (sources // size < first + self.copies)
            self._play(self.populations[name], steps[own] + 1.0 + self.offset, sources[own] - first * size)
        for name, cells in self.flat.cells.items():
            timed = next((part for part in host.timed[name] if self._chosen(part.current, first).any()), None)
            timed = timed and replace(timed, current=self._chosen(timed.current, first))
            self.drive(cells, self._chosen(host.drive[name], first), timed, host.steps)
        self.sim.run(self.offset + host.steps + self.flat.lead + 3.0)
        spikes, potentials = {}, {}
        for name, cells in self.flat.cells.items():
            if name in watched:
                potentials[name] = self._trace(cells, self.variable, host.steps)
            if cells.neuron.graded:
                spikes[name] = self._trace(cells, self.carried, host.steps)
                continue
            times, neurons = self.fired(self.populations[name])
            own = np.rint(times - (self.offset + 1 + cells.onset)).astype(np.int64)
            spikes[name] = raster(own, neurons, (host.steps, cells.size))
        return spikes, potentials

    def _chosen(self, values: Array, first: int) -> Array:
        """A value for each neuron of all copies, of values (samples, neurons)."""
        own = values[first : first + self.copies]
        return np.concatenate([own.ravel(), np.zeros((self.copies - len(own)) * values.shape[1])])

    def _ready(self, watched: tuple[str, ...]) -> None:
        if self.resets and self.populations and watched == self.watched:
            self.restart()
            return
        self.close()
        self.watched = watched
        self.setup()
        for name, size in self.flat.inputs.items():
            self.populations[name] = self.population(size, self.sim.SpikeSourceArray(spike_times=[]))
        for name, cells in self.flat.cells.items():
            population = self.population(cells.size, self.neurons(cells))
            population.record("spikes")
            if cells.neuron.graded:
                population.record(self.carried, sampling_interval=1.0)
            if name in watched:
                population.record(self.variable, sampling_interval=1.0)
            self.populations[name] = population
        synapses = self.flat.connections
        for connection in synapses if self.was_built else counted("Making synapses", synapses, lambda c: len(c.weight)):
            if len(connection.weight):
                self.connect(self.populations[connection.source], connection)
        self.was_built = True

    def restart(self) -> None:
        """Go back to the start of time."""
        self.sim.reset()

    def population(self, size: int, cell_type: Any) -> Any:
        """A population that goes with the network."""
        self.made.append(self.sim.Population(size, cell_type))
        return self.made[-1]

    def connect(self, source: Any, connection: Connection) -> None:
        """Make synapses from a PyNN population."""
        target = self.populations[connection.target]
        # A cell type of a simulator's own may have receptors by other names than PyNN's 'excitatory'.
        receptor = target.celltype.receptor_types[int(connection.inhibitory)]
        made = self.connector(connection)
        kind = self.synapse_type(connection)
        self.sim.Projection(source, target, made, synapse_type=kind, receptor_type=receptor)

    def _play(self, population: Any, times: Array, sources: Array) -> None:
        """Spikes (ascending in time) for each source."""
        from pyNN.parameters import Sequence

        order = np.argsort(sources, kind="stable")
        bounds = np.cumsum(np.bincount(sources, minlength=population.size))[:-1]
        population.set(spike_times=[Sequence(t) for t in np.split(times[order], bounds)])

    def fired(self, population: Any) -> tuple[Array, Array]:
        """The times in ms and the indices of the neurons of all spikes; nothing is left in the recorder."""
        segment = population.get_data("spikes", clear=True).segments[-1]
        ids, times = segment.spiketrains.multiplexed
        return np.asarray(times, np.float64), np.asarray(ids, np.int64) - int(population.first_id)

    def _trace(self, cells: Cells, variable: str, steps: int) -> Array:
        """A variable of the cells after each step, (steps, neurons)."""
        (signal,) = self.populations[cells.name].get_data(variable).segments[-1].analogsignals
        first = round(self.offset + 1 + cells.onset + self.sampled)
        columns = np.asarray(signal.array_annotations["channel_index"], np.int64)
        found = np.zeros((steps, cells.size))
        found[:, columns] = signal.magnitude[first : first + steps]
        return found

    def close(self) -> None:
        """Let the network go: cells that stay would be simulated along with those of the next one."""
        for population in self.made:
            # A cycle through an array of objects, which Python's collector does not see.
            population.all_cells = np.empty(0, object)
        if self.made:
            self.sim.end()
        self.populations, self.made = {}, []


def first_steps(timed: Timed | None) -> dict[str, Any]:
    """The parameters of our own cells for a current in the first steps alone; none is 0 for no steps."""
    return {"timed": 0.0, "until": 0.0} if timed is None else {"timed": timed.current, "until": float(timed.last)}
