"""How NEST runs a network: array connects, an exact pulse per step for what is constant, one sample at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np

from snntoolbox.backends.nest.kernel import model, parameters, quiet_nest
from snntoolbox.errors import BackendError
from snntoolbox.ir.flat import Cells, FlatNetwork, flattened
from snntoolbox.ir.host import HostInput, Timed, assembled, checked_batch, raster
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.progress import counted
from snntoolbox.ir.result import Record, Result

NEVER = 1e300
"""A threshold that is not reached, and a time that does not come."""


class Simulation:
    """A network in NEST's kernel, which holds one network at a time: building resets it.

    A step of the network is 1 ms of NEST, whatever its dt: a leak is a factor per step, so nothing depends on the
    unit. Bias, constant input and start potentials arrive as spikes of generators, since NEST's currents are a step
    late and not exact.
    """

    def __init__(self, network: SpikingNetwork, *, threads: int = 1) -> None:
        self.network = network
        self.nest = quiet_nest()
        self.nest.ResetKernel()
        self.nest.set(resolution=1.0, local_num_threads=threads)
        self.flat: FlatNetwork = flattened(network)
        self.groups: dict[str, Any] = {}
        self.first_id: dict[str, int] = {}
        self.build()
        self.pulses = {name: Pulses(self.nest, self.groups[name]) for name in self.flat.cells}
        self.meters: dict[str, Any] = {}
        self.open = True

    # -- building -----------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Neurons, sources of spiking inputs, synapses and the recorder of all spikes."""
        nest = self.nest
        for name, size in self.flat.inputs.items():
            self._add(name, nest.Create("spike_generator", size))
        self.recorder = nest.Create("spike_recorder")
        for name, cells in self.flat.cells.items():
            group = nest.Create(model(cells.neuron), cells.size, parameters(cells.neuron))
            self._add(name, group)
            nest.Connect(group, self.recorder)
        for connection in counted("Making synapses", self.flat.connections, lambda c: len(c.weight)):
            pre = self.first_id[connection.source] + connection.pre
            post = self.first_id[connection.target] + connection.post
            delays = np.full(len(pre), float(connection.delay))
            if len(pre):
                nest.Connect(pre, post, "one_to_one", {"weight": connection.weight, "delay": delays})
        self.longest_delay = max((c.delay for c in self.flat.connections), default=1)

    def _add(self, name: str, group: Any) -> None:
        # Whenever values are set, NEST asks all nodes for all that they have, to learn which live in this process:
        # as an attribute of the group it is there already. All do, as there is one process.
        object.__setattr__(group, "local", (True,) * len(group))
        self.groups[name] = group
        self.first_id[name] = int(group[0].global_id)

    # -- running ------------------------------------------------------------------------------------------------

    def run(
        self,
        *x: Array,
        steps: int,
        record: Record | None = None,
        first_sample: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run the samples of a batch one after the other; `progress` gets the steps done, as a share of the batch."""
        if not self.open:
            raise BackendError("the simulation is closed", hint="build the network again")
        record = record or Record()
        x = checked_batch(self.network, x, steps)
        host = HostInput(self.network, x, steps, first_sample)
        cells = self.flat.cells
        spikes = {n: np.zeros((steps, host.samples, *c.shape), bool) for n, c in cells.items()}
        potentials = {n: np.zeros(spikes[n].shape) for n in cells if record.wants_potentials(n)}
        for sample in range(host.samples):
            start = self._now()
            self._load(host, sample, start)
            self._watch(potentials.keys(), start)
            # The last step's potentials are written a step later.
            self.nest.Simulate(float(steps + self.flat.lead + 1))
            fired = self.recorder.events
            for name, c in cells.items():
                spikes[name][:, sample] = self._spikes(c, fired, start, steps).reshape(steps, *c.shape)
                if name in potentials:
                    potentials[name][:, sample] = self._potentials(c, start, steps).reshape(steps, *c.shape)
            self._forget()
            if progress is not None:
                progress(steps * (sample + 1) // host.samples)
        return assembled(self.network, host, spikes, potentials, record)

    def _now(self) -> int:
        """The time in ms, which is a whole number of steps."""
        return round(float(self.nest.biological_time))

    def _load(self, host: HostInput, sample: int, start: int) -> None:
        """Thresholds, and the input of one sample that begins at `start`.

        A population with onset d makes its step t (from 0) at start + 1 + d + t.
        """
        for name, size in self.flat.inputs.items():
            steps, sources = host.source_spikes(name)
            own = sources // size == sample
            times = _grouped(steps[own] + start + 1.0, sources[own] % size, size)
            self.groups[name].set([{"spike_times": t} for t in times])
        for name, cells in self.flat.cells.items():
            # NEST takes one value for all neurons faster than one for each.
            same = np.ptp(cells.threshold) == 0
            self.groups[name].set(V_m=0.0, V_th=float(cells.threshold[0]) if same else cells.threshold)
            parts = [Timed(0, host.steps, host.drive[name]), *host.timed[name]]
            currents = [replace(part, current=part.current[sample]) for part in parts]
            self.pulses[name].load(cells, currents, start + cells.onset)

    def _watch(self, populations: Any, start: int) -> None:
        """Record the potentials of these populations alone."""
        for name, meter in self.meters.items():
            meter.set(start=float(start), stop=NEVER if name in populations else float(start))
        for name in populations:
            if name not in self.meters:
                self.meters[name] = self.nest.Create("multimeter", params={"record_from": ["V_m"], "interval": 1.0})
                self.nest.Connect(self.meters[name], self.groups[name])

    def _spikes(self, cells: Cells, events: Mapping[str, Any], start: int, steps: int) -> Array:
        """The raster (steps, neurons) of a sample that began at `start`."""
        times, neurons, _ = self._of(cells, events)
        return raster(times - (start + 1 + cells.onset), neurons, (steps, cells.size))

    def _potentials(self, cells: Cells, start: int, steps: int) -> Array:
        """The potentials after the reset, (steps, neurons)."""
        times, neurons, events = self._of(cells, self.meters[cells.name].events)
        own = times - (start + 1 + cells.onset)
        inside = (own >= 0) & (own < steps)
        traces = np.zeros((steps, cells.size))
        traces[own[inside], neurons[inside]] = events["V_m"][inside]
        return traces

    def _of(self, cells: Cells, events: Mapping[str, Any]) -> tuple[Array, Array, dict[str, Array]]:
        """What a device recorded of a population: times in ms, indices of its neurons, and all of it."""
        senders = np.asarray(events["senders"], np.int64) - self.first_id[cells.name]
        own = (senders >= 0) & (senders < cells.size)
        times = np.rint(np.asarray(events["times"])[own]).astype(np.int64)
        return times, senders[own], {k: np.asarray(v)[own] for k, v in events.items()}

    def _forget(self) -> None:
        """Let spikes on their way arrive and refractory periods end where nothing can fire; drop the records."""
        for name in self.flat.cells:
            self.groups[name].set(V_th=NEVER)
        refractory = max((c.neuron.refractory for c in self.flat.cells.values()), default=0)
        self.nest.Simulate(float(self.longest_delay + refractory + 1))
        for device in (self.recorder, *self.meters.values()):
            device.n_events = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open = False
        self.nest.ResetKernel()


class Pulses:
    """The generators of one population: one for each current that it gets in some steps, and one for its start."""

    def __init__(self, nest: Any, group: Any) -> None:
        self.nest, self.group = nest, group
        self.generators: dict[int, _Generator] = {}

    def load(self, cells: Cells, currents: Sequence[Timed], first: int) -> None:
        """Deliver each current to each neuron from `first` + 1 on, and with the first step what is left of V0."""
        start = Timed(0, 1, cells.neuron.leak * cells.initial)
        for number, part in enumerate([start, *currents]):
            if number not in self.generators:
                if not part.current.any():
                    continue
                self.generators[number] = _Generator(self.nest, self.group, part.current)
            times = np.arange(first + part.first, first + part.last, dtype=float)
            self.generators[number].load(part.current, times)


class _Generator:
    """A source of spikes that all neurons of a population get, each by a weight of its own."""

    def __init__(self, nest: Any, group: Any, weights: Array) -> None:
        self.generator = nest.Create("spike_generator")
        nest.Connect(self.generator, group, "all_to_all", {"weight": weights[:, None], "delay": 1.0})
        self.synapses = nest.GetConnections(self.generator)
        # NEST lists synapses by thread, not by target.
        self.order = np.asarray(self.synapses.get("target")).reshape(-1) - int(group[0].global_id)
        self.weights = weights

    def load(self, weights: Array, times: Array) -> None:
        """Deliver these weights at a delay of 1 ms after each of these times."""
        if not np.array_equal(weights, self.weights):
            self.synapses.set(weight=weights[self.order])
            self.weights = weights
        self.generator.set(spike_times=times)


def _grouped(times: Array, sources: Array, size: int) -> list[Array]:
    """The times of each source; `times` ascend."""
    order = np.argsort(sources, kind="stable")
    return np.split(times[order], np.cumsum(np.bincount(sources, minlength=size))[:-1])
