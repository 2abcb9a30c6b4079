"""How INI runs a network: layer by layer, each layer over a chunk of time steps at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from math import inf, isfinite
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor

from snntoolbox.backends.inisim.batch import Batch
from snntoolbox.backends.inisim.by_counts import by_counts
from snntoolbox.backends.inisim.counted import CountedBatch, unfolded
from snntoolbox.backends.inisim.kept import Kept
from snntoolbox.backends.inisim.schedule import Task, plan, shortened
from snntoolbox.backends.inisim.wired import Wired
from snntoolbox.engine.currents import GridCurrents, largest_amount
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.fast import jit, neurons_loops, products_int8, products_tf32
from snntoolbox.engine.fast.planning import FastPaths, work
from snntoolbox.engine.tensors import Target, device_named, plain_arithmetic
from snntoolbox.errors import BackendError, DataError
from snntoolbox.ir.encodings import ConstantCurrent, Spiking
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result
from snntoolbox.ir.turns import bound

CHUNK_BYTES = {"cpu": 2**23, "cuda": 2**27}
"""About how large the largest tensor of a chunk may be: on the CPU of the order of its caches."""

FEWEST_STEPS = 16
"""Steps of a chunk that are worth taking fewer samples at once, as each chunk reads and writes the whole state."""


class Simulation:
    """A network on a device; each `run` starts from the initial potentials."""

    def __init__(
        self,
        network: SpikingNetwork,
        *,
        device: str = "cpu",
        dtype: str = "float32",
        chunk: int = 0,
        engine: str = "auto",
    ) -> None:
        self.network = network
        self.chunk = chunk
        self.engine = engine
        self.device = device_named(device)
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.plans = {wanted: plan(network, per_step=wanted) for wanted in (False, True)}
        self.wirings: dict[torch.dtype, Executor] | None = {}
        self.fast: dict[tuple[torch.dtype, bool], FastPaths] = {}
        self.expected = 0
        self.work = work(network)
        self.by_counts = by_counts(network, self.device, self.dtype, engine)
        if engine == "event":
            jit.compiled(neurons_loops.fire)

    def wiring(self, dtype: torch.dtype) -> Executor:
        """The network's linear maps in this type, made on first use."""
        if self.wirings is None:
            raise BackendError("the simulation is closed", hint="build the network again")
        if dtype not in self.wirings:
            short = products_tf32.chosen(self.network, Target(self.device, dtype))
            wiring = Executor(self.network.wiring, device=self.device, dtype=dtype, exact=True, short=short)
            self.wirings[dtype] = wiring
        return self.wirings[dtype]

    def follows_outputs(self, record: Record) -> bool:
        """Whether read-outs are summed step by step: asked for, or needed by one that forgets its first steps or draws.

        So it is where spikes reach one by a delay: those of the last steps never do.
        """
        delayed = self.network.circuit.delayed
        return record.outputs_per_step or any(r.start or r.draws or r.current in delayed for r in self.network.readouts)

    @cached_property
    def grid_currents(self) -> GridCurrents:
        """What constant inputs add to a network on an integer grid."""
        return GridCurrents(self.network)

    @cached_property
    def steady(self) -> bool:
        """Whether every constant current lasts for the whole run."""
        return all(e.steps is None for e in self.network.encodings.values() if isinstance(e, ConstantCurrent))

    def fast_paths(self, dtype: torch.dtype, fused: bool) -> FastPaths | None:
        """The fast paths for potentials of this type, with compiled loops or without; None where there are none."""
        whole, events = self._ways(fused)
        if not (whole or events):
            return None
        if (dtype, fused) not in self.fast:
            found = FastPaths(self.network, self.wiring(dtype), events or "never", integers=whole, fused=fused)
            self.fast[dtype, fused] = found
        return self.fast[dtype, fused]

    def _ways(self, fused: bool) -> tuple[bool, str]:
        """Whether 8-bit products are taken, and when events are: 'auto', 'always' or '' for never."""
        if self.device.type != "cpu" or not self.steady or self.network.circuit.delays:
            return False, ""
        whole = self.network.grid is not None and self.engine == "auto" and products_int8.works()
        return whole, {"event": "always", "auto": "auto"}.get(self.engine, "") if fused else ""

    def compiles(self, samples: int, steps: int) -> bool:
        """Whether loops are compiled for a run of this size: a small one would wait for them longer than it takes.

        It depends on nothing else, so that a batch has the same result whatever ran before.
        """
        seconds = self.work * max(samples, self.expected) * steps
        return self.engine == "event" or (jit.installed() and seconds >= jit.PATIENCE)

    def expect(self, samples: int) -> None:
        """Say how many samples all runs together are going to have."""
        self.expected = samples

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
        if self.engine == "reference":
            return self._interpreted(x, steps, record, first_sample)
        if self.by_counts is not None and self.by_counts.covers(steps, self.engine):
            return self._counted(x, steps, record, first_sample, progress)
        samples, per_step = len(x[0]), self.follows_outputs(record)
        kept = Kept(self.network, steps, samples, record, per_step=per_step)
        fused = self.compiles(samples, steps)
        fast = self._likely_paths(x, steps, fused=fused)
        together, chunk = self._fitting(self.tasks(fast, per_step), samples, steps, fast)
        with plain_arithmetic():
            for low in range(0, max(samples, 1), together):
                part = slice(low, low + together)
                some = [a[part] for a in x]
                batch = Batch(self._wired(some, steps, fused), some, steps, kept.part(part), first_sample + low)
                for first in range(0, steps, chunk):
                    batch.advance(self.tasks(batch.fast, per_step), first, min(chunk, steps - first))
                    if progress is not None:
                        done = low * steps + batch.size * min(first + chunk, steps)
                        progress(done // max(samples, 1))
                batch.finish()
            return kept.result(batch.paths())

    def _counted(
        self,
        x: tuple[Array, ...],
        steps: int,
        record: Record,
        first_sample: int,
        progress: Callable[[int], None] | None,
    ) -> Result:
        """All steps in one pass; only so many samples at once as keep the largest value below the limit."""
        way, samples = self.by_counts, len(x[0])
        assert way is not None
        if self.wirings is None:
            raise BackendError("the simulation is closed", hint="build the network again")
        kept = Kept(self.network, steps, samples, record, per_step=self.follows_outputs(record))
        fused = self.device.type == "cpu" and self.compiles(samples, 1)
        paths = way.paths(fused)
        deep = way.longest if kept.spikes or kept.potentials else 1
        together, _ = self._fitting(self.plans[False], samples, deep, None)
        with plain_arithmetic():
            for low in range(0, max(samples, 1), together):
                some = [a[low : low + together] for a in x]
                largest = self.grid_currents.largest(*some) if self.network.grid else {}
                constant = self._currents(some, fused=fused, largest=largest)
                wired = Wired(
                    network=self.network, wiring=way.wiring(self.dtype), fast=paths, constant=constant, exact=way.exact
                )
                part = kept.part(slice(low, low + together))
                most = self.grid_currents.bounds(largest) if self.network.grid else {}
                batch = CountedBatch(wired, way, some, part, first_sample + low, most=most, fused=fused)
                batch.run(self.tasks(paths, False))
                if progress is not None:
                    progress(min(low + together, samples) * steps // max(samples, 1))
            return kept.result(batch.paths(), partial(unfolded, self.network))

    def _wired(self, x: Sequence[Array], steps: int, fused: bool) -> Wired:
        """What these samples need of the network, in the type in which their sums are exact."""
        constant, dtype = self.constant_currents(x, steps, fused=fused)
        wiring, fast = self.wiring(dtype), self.fast_paths(dtype, fused)
        exact = partial(self.wiring, torch.float64)
        return Wired(network=self.network, wiring=wiring, fast=fast, constant=constant, exact=exact)

    def _likely_paths(self, x: Sequence[Array], steps: int, *, fused: bool) -> FastPaths | None:
        """The fast paths that most batches of a run are going to take, told from earlier ones or the first sample."""
        if not any(self._ways(fused)):
            return None
        known = [paths for (_, compiled), paths in self.fast.items() if compiled == fused]
        if known:
            return known[-1]
        with plain_arithmetic():
            _, dtype = self.constant_currents([a[:1] for a in x], steps, fused=fused)
        return self.fast_paths(dtype, fused)

    def tasks(self, fast: FastPaths | None, per_step: bool) -> list[Task]:
        """The work of a chunk in order."""
        if fast is None:
            return self.plans[per_step]
        tasks: list[Task] = fast.plans.setdefault(per_step, [])
        if not tasks:
            tasks[:] = shortened(self.plans[per_step], fast.shortcut)
        return tasks

    def _interpreted(self, x: tuple[Array, ...], steps: int, record: Record, first_sample: int) -> Result:
        found = interpret(self.network, *x, steps=steps, record=record, first_sample=first_sample)
        return replace(found, engine_paths={n: frozenset({"reference"}) for n in self.network.populations})

    def constant_currents(
        self, x: Sequence[Array], steps: int, *, fused: bool
    ) -> tuple[dict[str, Tensor], torch.dtype]:
        """What each target gets every step, and the type in which sums are exact."""
        if self.network.grid is None:
            return self._currents(x, fused=fused), self.dtype
        given = self.grid_currents.largest(*x)
        currents = self._currents(x, fused=fused, largest=given)
        bounds = self.grid_currents.bounds(given)
        known = currents.keys() == bounds.keys() and all(map(isfinite, bounds.values()))
        most = max(bounds.values(), default=inf) if known else inf
        if most == inf or bound(self.network, steps, most) >= 2**24:  # then it counts what they really are
            most = max(map(largest_amount, currents.values()), default=0.0)
        return currents, torch.float64 if bound(self.network, steps, most) >= 2**24 else self.dtype

    def _currents(
        self, x: Sequence[Array], *, fused: bool, largest: Mapping[str, float] | None = None
    ) -> dict[str, Tensor]:
        """What each target gets every step; on an integer grid rounded by the one function that all backends share."""
        if self.network.grid:
            found = self.grid_currents(*x, fused=fused, largest=largest)
            return {name: value.to(self.device) for name, value in found.items()}
        wiring = self.wiring(self.dtype)
        coded = self.network.encodings
        inputs = dict(zip(coded, x, strict=True))
        given = {n: wiring.target.tensor(a) for n, a in inputs.items() if not isinstance(coded[n], Spiking)}
        reached = {t: c for t, c in self.network.targets.items() if given.keys() & self.network.sources[c]}
        values = wiring.tensors(given, reached.values()) if reached else {}
        currents = {target: values[current] for target, current in reached.items()}
        if beyond := [name for name, value in currents.items() if not isfinite(largest_amount(value))]:
            what = f"currents beyond the range of {str(self.dtype).removeprefix('torch.')}"
            raise DataError(f"the data make {what}", layer=", ".join(beyond), hint="scale the data down")
        return currents

    def _check(self, x: tuple[Array, ...], steps: int) -> None:
        if steps < 1:
            raise BackendError(f"cannot run for {steps} time steps", hint="a duration of at least one time step")
        names = tuple(self.network.encodings)
        if len(x) != len(names):
            raise DataError(f"the network has {len(names)} inputs ({', '.join(names)}), got {len(x)}")
        for name, array in zip(names, x, strict=True):
            shape = self.network.encodings[name].sample_shape(self.network.wiring.shapes[name], array)
            expected = (len(x[0]), *shape)
            if array.shape != expected:
                raise DataError(f"expects a batch of shape {expected}, got {array.shape}", layer=name)

    def _fitting(self, tasks: list[Task], samples: int, steps: int, fast: FastPaths | None) -> tuple[int, int]:
        """As many samples and steps at once as keep the largest value of a chunk below the limit, at least one each."""
        small = fast.forms if fast else {}
        sizes = (t.size * (1 if t.name in small else self.dtype.itemsize) for t in tasks)
        fitting = max(1, CHUNK_BYTES[self.device.type] // (max(sizes, default=1) or 1))
        if self.chunk or self.device.type != "cpu":
            return samples, self._within_loops(self.chunk or self._within_windows(max(1, fitting // max(samples, 1))))
        parts = -(-samples // max(1, fitting // min(steps, FEWEST_STEPS))) or 1
        together = -(-samples // parts) or 1
        return together, self._within_loops(self._within_windows(max(1, fitting // together)))

    def _within_windows(self, chunk: int) -> int:
        """At most so many steps, and no more than lie in one window where layers fire one after the other."""
        schedule = self.network.schedule
        window = schedule.window if schedule is not None and schedule.steps else None
        return chunk if window is None else max(n for n in range(1, min(chunk, window) + 1) if window % n == 0)

    def _within_loops(self, chunk: int) -> int:
        """At most so many steps, and no more than the shortest delay that closes a loop."""
        circuit = self.network.circuit
        return min([chunk, *(circuit.delays[name] for name in circuit.looping)])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wirings = self.by_counts = None
        self.fast = {}
