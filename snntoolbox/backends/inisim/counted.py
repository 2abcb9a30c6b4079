"""Some samples in one pass for all steps: the counts of each layer, and what else is recorded, made from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from snntoolbox.backends.inisim.by_counts import ByCounts
from snntoolbox.backends.inisim.kept import Part
from snntoolbox.backends.inisim.readings import Readings
from snntoolbox.backends.inisim.schedule import Task, readout_sources
from snntoolbox.backends.inisim.wired import Wired
from snntoolbox.engine.counts import train
from snntoolbox.engine.currents import largest_amount
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import Spiking, spike_trains
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.unfolded import Unfolded

COUNTED, DENSE = frozenset({"counts"}), frozenset({"dense"})


class CountedBatch:
    """Some samples on their way through a network of which `ir.turns.stepwise` has nothing to say.

    `most` bounds the amounts of constant currents of some targets.
    """

    def __init__(
        self,
        wired: Wired,
        way: ByCounts,
        x: list[Array],
        kept: Part,
        first_sample: int,
        *,
        most: Mapping[str, float],
        fused: bool,
    ) -> None:
        self.network, self.kept, self.way, self.fused = wired.network, kept, way, fused
        self.wiring, self.fast, self.constant = wired.wiring, wired.fast, wired.constant
        self.x = dict(zip(self.network.encodings, x, strict=True))
        self.size, self.first_sample, self.steps = len(x[0]), first_sample, kept.steps
        self.readings = Readings(wired, kept, self.size, first_sample)
        self.given = way.given(self.steps)
        reach = {name: self.given * most.get(name, np.inf) if name in self.constant else 0.0 for name in way.windows}
        self.makers = {n: way.maker(n, reach[n], partial(self._most, n), fused) for n in self.network.populations}
        self.counts: dict[str, Tensor] = {}
        self.ready: dict[str, Tensor] = {}

    def _most(self, name: str) -> float:
        """The largest amount that constant currents make of a population's sums."""
        constant = self.constant.get(name)
        return 0.0 if constant is None or self.network.grid is None else self.given * largest_amount(constant)

    def run(self, tasks: list[Task]) -> None:
        """Carry every layer over all steps, and hand over what the result keeps."""
        values: dict[str, Tensor] = {}
        work = {"spikes": self._input, "map": self._map, "population": self._population}
        for task in tasks:
            if (found := work[task.kind](task, values)) is not None:
                values[task.name] = found
            for name in task.done:
                values.pop(name, None)
        if self.kept.spikes or self.kept.potentials or self.kept.per_step:
            self._record()
        self._finish()

    def _input(self, task: Task, values: Mapping[str, Tensor]) -> Tensor:
        spikes = self._spikes_of_input(task.name, 0, self.steps)
        weights = torch.from_numpy(self.network.weights(0, self.steps)).to(spikes.device, spikes.dtype)
        self.counts[task.name] = torch.tensordot(weights, spikes, dims=1)
        return self.counts[task.name]

    def _spikes_of_input(self, name: str, first: int, last: int) -> Tensor:
        coding = self.network.encodings[name]
        assert isinstance(coding, Spiking)
        spikes = spike_trains(self.x[name], last - first, coding, self.first_sample, first)
        return torch.from_numpy(spikes).to(self.wiring.target.device, self.wiring.target.dtype)

    def _map(self, task: Task, values: Mapping[str, Tensor]) -> Tensor | None:
        """A wiring node of counts; None where none reach it."""
        if not any(name in values for name in task.reads):
            return None
        name, there = task.name, [values[i] if i in values else self.wiring.zeros(i, self.size) for i in task.reads]
        if self.fast is not None and name in self.fast.kernels:
            return self.fast.kernels[name](*there)
        wiring = self.way.exact() if self.way.wide(name) else self.wiring
        floats = (self._floating(i, value) for i, value in zip(task.reads, there, strict=True))
        return wiring.kernel(name)(*(value.to(wiring.target.dtype) for value in floats))

    def _floating(self, name: str, value: Tensor) -> Tensor:
        return value if self.fast is None else self.fast.floating(name, value)

    def _population(self, task: Task, values: Mapping[str, Tensor]) -> Tensor:
        maker, joined = self.makers[task.name], self.fast.joined.get(task.name) if self.fast is not None else None
        if joined is not None:
            if (sent := self._of_tree(task.name, values)) is not None:
                self.counts[task.name] = sent
                return sent
            start = maker.begin(self.constant.get(task.name), self.given)
            self.counts[task.name] = joined.count(values, start, maker)
            return self.counts[task.name]
        given = [None if (value := values.get(i)) is None else self._floating(i, value) for i in task.reads]
        current = given[0]
        if len(given) > 1:
            current = self._product(self.network.populations[task.name], maker.target.dtype, *given)
        counts = maker(current, self.constant.get(task.name), self.given, self.size)
        self.counts[task.name] = counts
        return counts

    def _of_tree(self, name: str, values: Mapping[str, Tensor]) -> Tensor | None:
        """The counts of a population that belongs to a tree, which come with those of its first one."""
        tree = self.fast.trees.get(name) if self.fast is not None else None
        if tree is None or name in self.ready:
            return self.ready.pop(name, None)
        if name == tree.members[0] and tree.source in values:
            makers = [self.makers[member] for member in tree.members]
            starts = [m.begin(self.constant.get(n), self.given) for n, m in zip(tree.members, makers, strict=True)]
            self.ready |= tree.count(values[tree.source], makers, starts) or {}
        return self.ready.pop(name, None)

    @staticmethod
    def _product(
        population: Population, dtype: torch.dtype, current: Tensor | None, latched: Tensor | None
    ) -> Tensor | None:
        """What counts make of counts; None where there are none of either."""
        if current is None or latched is None:
            return None
        made: Tensor = population.product(current.to(dtype), latched.to(dtype))
        return made

    # -- what is recorded -----------------------------------------------------------------------------------------

    def _record(self) -> None:
        """Spikes, potentials and values of read-outs in all steps, as far as they are asked for."""
        potentials = {name: self.makers[name].initial[None] for name in self.kept.potentials}
        for first, last in self._phases():
            for name, spikes in self.kept.spikes.items():
                sent = self._sent(name, first, last)
                spikes[first:last] = False if sent is None else sent.cpu().numpy()
            for name in self.kept.per_step:
                self.readings.add(name, self._brought(self.network.targets[name], first, last), first, last - first)
            for name, trace in self.kept.potentials.items():
                values = self._potential(name, potentials[name], first, last)
                trace[first:last] = values.cpu().numpy()
                potentials[name] = values[-1]

    def _phases(self) -> Iterator[tuple[int, int]]:
        """The stretches of steps in each of which every neuron either sends or does not."""
        edges = {0, self.steps, int(self.network.presented(self.steps))}
        edges.update(min(edge, self.steps) for window in self.way.windows.values() for edge in window)
        return pairwise(sorted(edges))

    def _sent(self, name: str, first: int, last: int) -> Tensor | None:
        """The spikes (steps, batch, *shape) of a population or input; None for none."""
        if name in self.network.encodings:
            return self._spikes_of_input(name, first, last) if name in self.counts else None
        begin, end = self.way.windows[name]
        if first >= end or last <= begin:
            return None
        spikes = train(self._neuron(name), self.counts[name], end - begin)
        return spikes[first - begin : last - begin]

    def _brought(self, current: str, first: int, last: int) -> Tensor | None:
        """What spikes bring to a wiring node, (steps * batch, *shape); None for nothing."""
        sent = {s: z for s in self.network.sources[current] if (z := self._sent(s, first, last)) is not None}
        wiring = self.way.exact() if self.way.wide(current) else self.wiring
        given = {s: z.to(wiring.target.dtype).flatten(0, 1) for s, z in sent.items()}
        return wiring.tensors(given, [current])[current] if given else None

    def _potential(self, name: str, before: Tensor, first: int, last: int) -> Tensor:
        """V after each step (steps, batch, *shape), from what it was before."""
        steps, shape, sent = last - first, self.network.populations[name].shape, self._sent(name, first, last)
        weights = torch.from_numpy(self.network.weights(first, steps)).to(before.device, before.dtype)
        weights = weights.view(-1, *[1] * (1 + len(shape)))
        before = before.expand(self.size, *shape)
        if sent is not None:
            whole = (sent * weights).cumsum(0)
            if self._neuron(name).counting is Counting.LEAD:
                return self._opened(name, before, first) * (whole == 0)
            return self._opened(name, before, first) - whole * self.makers[name].threshold
        came = self._brought(self.network.targets[name], first, last)
        population = self.network.populations[name]
        if came is not None and (latched := population.latched) is not None:
            counted = self._latched(latched, before.dtype)
            came = None if counted is None else self._multiplied(population, came.to(before.dtype), counted)
        adds = torch.zeros((steps, self.size, *shape), dtype=before.dtype, device=before.device)
        if came is not None:
            adds += came.view(adds.shape)
        if (constant := self._current(name)) is not None and first < self.network.presented(self.steps):
            adds += constant
        return before + (adds * weights).cumsum(0)

    def _opened(self, name: str, before: Tensor, first: int) -> Tensor:
        """V with which a window goes on, or begins."""
        return self.makers[name].opened(before) if first == self.way.windows[name][0] else before

    def _multiplied(self, population: Population, came: Tensor, counted: Tensor) -> Tensor:
        """What spikes bring in some steps, (steps * batch, ...), times what has been counted of each sample."""
        each = came.view(-1, self.size, *came.shape[1:])
        return torch.cat([population.product(values, counted) for values in each])

    def _latched(self, node: str, dtype: torch.dtype) -> Tensor | None:
        """What all counts together bring to a wiring node; None for nothing."""
        wiring = self.way.exact() if self.way.wide(node) else self.wiring
        given = {s: self.counts[s].to(wiring.target.dtype) for s in self.network.sources[node] if s in self.counts}
        return wiring.tensors(given, [node])[node].to(dtype) if given else None

    def _current(self, name: str) -> Tensor | None:
        """What constant inputs add to a population."""
        found = self.constant.get(name)
        return None if found is None else found.to(self.makers[name].target.dtype)

    def _neuron(self, name: str) -> IF:
        neuron = self.network.populations[name].neuron
        assert isinstance(neuron, IF)
        return neuron

    # -- the end --------------------------------------------------------------------------------------------------

    def paths(self) -> Mapping[str, frozenset[str]]:
        """For each population the ways in which it was computed: see `Result.engine_paths`."""
        ways = self.fast.paths() if self.fast is not None else dict.fromkeys(self.network.populations, DENSE)
        return {name: ways[name] | COUNTED for name in self.network.populations}

    def _finish(self) -> None:
        """Hand over what is known at the end only."""
        for name in self.network.populations:
            self.kept.counts[name].append(self.counts[name].cpu().numpy())
        self.readings.finish({n: self.counts[n] for n in readout_sources(self.network) if n in self.counts})


def unfolded(network: SpikingNetwork, counts: Mapping[str, Array]) -> tuple[Unfolded, Unfolded]:
    """The counts of a result, and the numbers of spikes of those that count otherwise, when they are asked for."""
    neurons = {n: p.neuron for n, p in network.populations.items()}
    valued = {n: cell for n, cell in neurons.items() if isinstance(cell, IF) and cell.valued}
    fired = {n: partial(_events, cell) for n, cell in valued.items()}
    return Unfolded(counts, dict.fromkeys(counts, _whole)), Unfolded({n: counts[n] for n in fired}, fired)


def _whole(counts: Array) -> Array:
    return counts.astype(np.int32)


def _events(neuron: IF, counts: Array) -> Array:
    assert neuron.window is not None
    first, last = neuron.window
    return np.asarray(train(neuron, torch.from_numpy(counts), last - first).sum(0).numpy())
