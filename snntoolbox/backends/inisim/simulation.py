"""How INI runs a network: layer by layer, each layer over a chunk of time steps at once."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Mapping
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor

from snntoolbox.backends.inisim.schedule import Task, plan, readout_sources
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.neurons import start
from snntoolbox.engine.tensors import plain_arithmetic
from snntoolbox.errors import BackendError, DataError
from snntoolbox.ir.encodings import Spiking, sample_shape, spike_trains
from snntoolbox.ir.interpreter import constant_currents
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.result import Record, Result

CHUNK_BYTES = {"cpu": 2**23, "cuda": 2**27}
"""About how large the largest tensor of a chunk may be: on the CPU of the order of its caches."""


class Simulation:
    """A network on a device; each `run` starts from the initial potentials."""

    def __init__(self, network: SpikingNetwork, *, device: str = "cpu", dtype: str = "float32", chunk: int = 0) -> None:
        self.network = network
        self.chunk = chunk
        self.device = _device(device)
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.plans = {wanted: plan(network, per_step=wanted) for wanted in (False, True)}
        self.wirings: dict[torch.dtype, Executor] | None = {}

    def wiring(self, dtype: torch.dtype) -> Executor:
        """The network's linear maps in this type, made on first use."""
        if self.wirings is None:
            raise BackendError("the simulation is closed", hint="build the network again")
        if dtype not in self.wirings:
            self.wirings[dtype] = Executor(self.network.wiring, device=self.device, dtype=dtype, exact=True)
        return self.wirings[dtype]

    def follows_outputs(self, record: Record) -> bool:
        """Whether read-outs are summed step by step: asked for, or needed by one that forgets its first steps."""
        return record.outputs_per_step or any(r.start for r in self.network.readouts)

    def run(
        self,
        *x: Array,
        steps: int,
        record: Record | None = None,
        first_sample: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run one batch of each input; `progress` gets the number of steps done so far, chunk by chunk."""
        record = record or Record()
        x = tuple(np.asarray(array) for array in x)
        self._check(x, steps)
        tasks = self.plans[self.follows_outputs(record)]
        with plain_arithmetic():
            batch = Batch(self, x, steps, record, first_sample)
            chunk = self.chunk or self._fitting(tasks, len(x[0]) * batch.wiring.target.dtype.itemsize)
            for first in range(0, steps, chunk):
                batch.advance(tasks, first, min(chunk, steps - first))
                if progress is not None:
                    progress(min(first + chunk, steps))
            return batch.result()

    def _check(self, x: tuple[Array, ...], steps: int) -> None:
        if steps < 1:
            raise BackendError(f"cannot run for {steps} time steps", hint="a duration of at least one time step")
        names = tuple(self.network.encodings)
        if len(x) != len(names):
            raise DataError(f"the network has {len(names)} inputs ({', '.join(names)}), got {len(x)}")
        for name, array in zip(names, x, strict=True):
            shape = sample_shape(self.network.encodings[name], self.network.wiring.shapes[name], array)
            expected = (len(x[0]), *shape)
            if array.shape != expected:
                raise DataError(f"expects a batch of shape {expected}, got {array.shape}", layer=name)

    def _fitting(self, tasks: list[Task], bytes_per_value: int) -> int:
        """As many steps as keep the largest value of a chunk below the limit, at least one."""
        largest = max((t.size for t in tasks), default=1) * max(bytes_per_value, 1)
        return self._within_windows(max(1, CHUNK_BYTES[self.device.type] // largest))

    def _within_windows(self, chunk: int) -> int:
        """At most so many steps, and no more than lie in one window where layers fire one after the other."""
        window = self.network.window if self.network.schedule and self.network.schedule.steps else None
        return chunk if window is None else max(n for n in range(1, min(chunk, window) + 1) if window % n == 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wirings = None


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise BackendError("there is no CUDA device", hint="device = cpu, or a PyTorch built for CUDA")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


class Batch:
    """One batch of samples on its way through time."""

    def __init__(
        self, simulation: Simulation, x: tuple[Array, ...], steps: int, record: Record, first_sample: int
    ) -> None:
        self.simulation, self.network = simulation, simulation.network
        self.x = dict(zip(self.network.encodings, x, strict=True))
        self.size, self.steps, self.first_sample = len(x[0]), steps, first_sample
        self.constant, dtype = self._constant_currents()
        self.wiring = simulation.wiring(dtype)
        limit = int(self.network.presented(steps))
        presented = limit if limit < steps else None
        target = self.wiring.target
        self.states = {n: start(p, self.size, self._drive(n), target, presented) for n, p in self._populations()}
        self.graded = {n for n, p in self._populations() if isinstance(p.neuron, IF) and p.neuron.graded}
        self.counts: dict[str, Tensor] = {}
        self.fired: dict[str, Tensor] = {}
        self.sums: dict[str, Tensor] = {}
        self.at_start: dict[str, Array] = {}
        self.readouts = {r.name: r for r in self.network.readouts}
        shapes = {n: p.shape for n, p in self._populations()}
        per_step = simulation.follows_outputs(record)
        self.wanted_per_step = record.outputs_per_step
        types = {n: np.float64 if n in self.graded else bool for n in shapes}
        self.spikes = {n: self._recording(s, types[n]) for n, s in shapes.items() if record.wants_spikes(n)}
        self.potentials = {n: self._recording(s, np.float32) for n, s in shapes.items() if record.wants_potentials(n)}
        self.per_step = {n: self._recording(r.shape, np.float64) for n, r in self.readouts.items() if per_step}

    def _recording(self, shape: Shape, dtype: type) -> Array:
        return np.empty((self.steps, self.size, *shape), dtype)

    # -- before the first step ----------------------------------------------------------------------------------

    def _constant_currents(self) -> tuple[dict[str, Tensor], torch.dtype]:
        """What each target gets every step, and the type in which sums are exact.

        On an integer grid the currents are rounded by the one function that all backends share.
        """
        device, dtype = self.simulation.device, self.simulation.dtype
        if self.network.grid:
            found = constant_currents(self.network, *self.x.values())
            largest = max((float(np.abs(v).max(initial=0)) for v in found.values()), default=0.0)
            if self.network.grid.bound(self.steps, largest) >= 2**24:
                dtype = torch.float64
            return {name: torch.tensor(value, device=device) for name, value in found.items()}, dtype
        wiring = self.simulation.wiring(dtype)
        coded = self.network.encodings
        given = {n: wiring.target.tensor(a) for n, a in self.x.items() if not isinstance(coded[n], Spiking)}
        reached = {t: c for t, c in self.network.targets.items() if given.keys() & self.network.sources[c]}
        values = wiring.tensors(given, reached.values()) if reached else {}
        return {target: values[current] for target, current in reached.items()}, dtype

    def _drive(self, name: str) -> Tensor | None:
        value = self.constant.get(name)
        return None if value is None else value.to(self.wiring.target.dtype)

    def _populations(self) -> ItemsView[str, Population]:
        return self.network.populations.items()

    # -- a chunk of steps ---------------------------------------------------------------------------------------

    def advance(self, tasks: list[Task], first: int, steps: int) -> None:
        """Carry every layer from step `first` over the next `steps` steps."""
        values: dict[str, Tensor] = {}
        work = {"spikes": self._input, "map": self._map, "population": self._population}
        for task in tasks:
            if task.kind == "readout":
                self._readout(self.readouts[task.name], values.get(task.reads[0]), first, steps)
            elif (found := work[task.kind](task, values, first, steps)) is not None:
                values[task.name] = found
            for name in task.done:
                values.pop(name, None)

    def _input(self, task: Task, values: Mapping[str, Tensor], first: int, steps: int) -> Tensor:
        coding = self.network.encodings[task.name]
        assert isinstance(coding, Spiking)
        spikes = spike_trains(self.x[task.name], steps, coding, self.first_sample, first)
        train = torch.from_numpy(spikes).to(self.wiring.target.device, self.wiring.target.dtype)
        self._count(task.name, train)
        return train.flatten(0, 1)

    def _map(self, task: Task, values: Mapping[str, Tensor], first: int, steps: int) -> Tensor | None:
        """A wiring node for all steps at once; what only constant currents reach counts as zero here.

        None where no spikes reach it in these steps.
        """
        if not any(name in values for name in task.reads):
            return None
        samples = steps * self.size
        inputs = (values[i] if i in values else self.wiring.zeros(i, samples) for i in task.reads)
        return self.wiring.kernel(task.name)(*inputs)

    def _population(self, task: Task, values: Mapping[str, Tensor], first: int, steps: int) -> Tensor | None:
        """The spikes of these steps; None where they all lie outside its window."""
        shape, during, trace = self.network.populations[task.name].shape, slice(first, first + steps), None
        if task.name in self.potentials:
            trace = torch.empty((steps, self.size, *shape), dtype=torch.float32, device=self.wiring.target.device)
        spikes = self.states[task.name].advance(values.get(task.reads[0]), steps, trace)
        train = spikes.view(steps, self.size, *shape)
        self._count(task.name, train)
        if trace is not None:
            self.potentials[task.name][during] = trace.cpu().numpy()
        if task.name in self.spikes:
            recorded = train if task.name in self.graded else train > 0
            self.spikes[task.name][during] = recorded.cpu().numpy()
        return None if self._waits(task.name, first, steps) else spikes

    def _waits(self, name: str, first: int, steps: int) -> bool:
        """Whether a population is outside its window in all of these steps."""
        neuron = self.network.populations[name].neuron
        window = neuron.window if isinstance(neuron, IF) else None
        return window is not None and (first >= window[1] or first + steps <= window[0])

    def _count(self, name: str, train: Tensor) -> None:
        """Add the spikes of each step in place: whole numbers, exact in float32 up to 2^24."""
        if name not in self.counts:
            self.counts[name] = torch.zeros_like(train[0])
        for spikes in train:
            self.counts[name].add_(spikes)
        if name in self.graded:
            fired = train.count_nonzero(0)
            self.fired[name] = fired + self.fired[name] if name in self.fired else fired

    # -- read-outs ----------------------------------------------------------------------------------------------

    def _readout(self, readout: Readout, current: Tensor | None, first: int, steps: int) -> None:
        """The value after each step, from the running sum of the current in float64."""
        totals = self._nothing(readout, steps)
        if current is not None:
            totals += current.view(totals.shape)
        if readout.name in self.sums:
            totals[0] += self.sums[readout.name]
        totals = totals.cumsum(0)
        self.sums[readout.name] = totals[-1].clone()
        self.per_step[readout.name][first : first + steps] = self._output(readout, totals, first + 1)

    def _output(self, readout: Readout, totals: Tensor, first: int) -> Array:
        """The value after steps `first`, `first` + 1, ... for the sums up to each, (steps, batch, *shape)."""
        summed = totals.cpu().numpy()
        if readout.name in self.constant:
            elapsed = np.arange(first, first + len(totals)).reshape(-1, *[1] * (totals.ndim - 1))
            summed = summed + self.network.presented(elapsed) * self.constant[readout.name].double().cpu().numpy()
        if first <= readout.start < first + len(summed):
            self.at_start[readout.name] = summed[readout.start - first].copy()
        return readout.values(summed, first, self.at_start.get(readout.name), self.network.window)

    def _final_outputs(self) -> dict[str, Array]:
        """The sum of a linear map's currents is the map of the summed spikes: one pass, in float64."""
        sources = {name: self.counts[name].double() for name in readout_sources(self.network) & self.counts.keys()}
        currents = [r.current for r in self.network.readouts]
        sums = self.simulation.wiring(torch.float64).tensors(sources, currents) if sources else {}
        totals = {n: sums[r.current][None] if sums else self._nothing(r, 1) for n, r in self.readouts.items()}
        return {n: self._output(r, totals[n], self.steps)[0] for n, r in self.readouts.items()}

    def _nothing(self, readout: Readout, steps: int) -> Tensor:
        return torch.zeros((steps, self.size, *readout.shape), dtype=torch.float64, device=self.simulation.device)

    def _whole(self, name: str, counts: Tensor) -> Tensor:
        return counts.double() if name in self.graded else counts.long()

    def result(self) -> Result:
        """What the run gives back."""
        return Result(
            steps=self.steps,
            samples=self.size,
            window=self.network.window,
            counts={n: self._whole(n, self.counts[n]).cpu().numpy() for n in self.network.populations},
            fired={n: fired.cpu().numpy() for n, fired in self.fired.items()},
            outputs={n: v[-1] for n, v in self.per_step.items()} if self.per_step else self._final_outputs(),
            outputs_per_step=self.per_step if self.wanted_per_step else {},
            spikes=self.spikes,
            potentials=self.potentials,
        )
