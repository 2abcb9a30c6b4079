"""Some samples on their way through time: state, chunk after chunk, and what the result keeps of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from snntoolbox.backends.inisim.kept import Part
from snntoolbox.backends.inisim.readings import Readings
from snntoolbox.backends.inisim.schedule import Task, readout_sources
from snntoolbox.backends.inisim.wired import Wired
from snntoolbox.engine.fast.events_joined import Joined
from snntoolbox.engine.fast.neurons_firing import Firing
from snntoolbox.engine.fast.neurons_scan import Scan, start
from snntoolbox.engine.neurons import IntegrateAndFire, State
from snntoolbox.ir.encodings import Spiking, spike_trains
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array

COUNTING = (Firing, Scan)
"""States that count their spikes themselves."""

DENSE = frozenset({"dense"})


class Batch:
    """Some samples on their way through time."""

    def __init__(self, wired: Wired, x: list[Array], steps: int, kept: Part, first_sample: int) -> None:
        self.network, self.kept = wired.network, kept
        self.wiring, self.fast, self.constant = wired.wiring, wired.fast, wired.constant
        self.x = dict(zip(self.network.encodings, x, strict=True))
        self.size, self.first_sample = len(x[0]), first_sample
        limit = int(self.network.presented(steps))
        self.presented = limit if limit < steps else None
        self.valued = kept.fired.keys()
        neurons = {n: p.neuron for n, p in self.network.populations.items()}
        self.graded = {n for n, neuron in neurons.items() if isinstance(neuron, IF) and neuron.graded}
        self.fired: dict[str, Tensor] = {}
        self.states = {p.name: self._start(p) for p in self.network.populations.values()}
        recorded = kept.potentials.keys() | kept.spikes.keys()
        self.resting = {
            n for n, s in self.states.items() if type(s) is IntegrateAndFire and s.passive and n not in recorded
        }
        self.counts: dict[str, Tensor] = {}
        self.readings = Readings(wired, kept, self.size, first_sample)
        self.held: dict[str, Tensor] = {}
        self.ready: dict[str, Tensor] = {}

    def _start(self, population: Population) -> State:
        """The neurons before the first step."""
        drive, target = self.constant.get(population.name), self.wiring.target
        if self.fast is None or population.name not in self.fast.forms:
            given = None if drive is None else drive.to(target.dtype)
            return start(population, self.size, given, target, self.presented)
        return self.fast.firing(population, self.size).restart(drive)

    # -- a chunk of steps ---------------------------------------------------------------------------------------

    def advance(self, tasks: list[Task], first: int, steps: int) -> None:
        """Carry every layer from step `first` over the next `steps` steps."""
        values: dict[str, Tensor] = {}
        work = {"spikes": self._input, "map": self._map, "population": self._population}
        work |= {"delay": self._delay, "loop": self._loop, "keep": self._keep}
        for task in tasks:
            idle = task.kind == "map" or (task.name in self.resting and task.name in self.counts)
            if idle and task.waits(first, steps):
                continue
            if task.kind == "readout":
                self.readings.add(task.name, self._floating(task, values), first, steps)
            elif (found := work[task.kind](task, values, first, steps)) is not None:
                values[task.name] = found
            for name in task.done:
                values.pop(name, None)

    def _input(self, task: Task, values: Mapping[str, Tensor], first: int, steps: int) -> Tensor:
        coding = self.network.encodings[task.name]
        assert isinstance(coding, Spiking)
        spikes = spike_trains(self.x[task.name], steps, coding, self.first_sample, first)
        train = torch.from_numpy(spikes).to(self.wiring.target.device, self.wiring.target.dtype)
        self._count(task.name, train, first)
        return train.flatten(0, 1)

    def _map(self, task: Task, values: Mapping[str, Tensor], first: int, steps: int) -> Tensor | None:
        """A wiring node for all steps at once; what only constant currents reach counts as zero here.

        None where no spikes reach it in these steps.
        """
        if not any(name in values for name in task.reads):
            return None
        samples = steps * self.size
        inputs = (values[i] if i in values else self.wiring.zeros(i, samples) for i in task.reads)
        return (self.fast or self.wiring).kernel(task.name)(*inputs)

    # -- delays: `held` has what each has read in its last steps, (steps, batch, *shape), where there were spikes ---

    def _delay(self, task: Task, values: Mapping[str, Tensor], first: int, steps: int) -> Tensor | None:
        """What a delay has read so many steps before; None where no spikes were."""
        known = self._held_and_new(task, values.get(task.reads[0]), steps)
        if known is None:
            return None
        self.held[task.name] = known[steps:]
        return known[:steps].flatten(0, 1)

    def _loop(self, task: Task, values: Mapping[str, Tensor], first: int, steps: int) -> Tensor | None:
        """The same of a delay whose input comes behind it: it is not asked for more steps than it has."""
        held = self.held.get(task.name)
        return None if held is None else held[:steps].flatten(0, 1)

    def _keep(self, task: Task, values: Mapping[str, Tensor], first: int, steps: int) -> None:
        """Note what a delay in a loop has read in these steps."""
        known = self._held_and_new(task, values.get(task.reads[0]), steps)
        if known is not None:
            self.held[task.name] = known[steps:]

    def _held_and_new(self, task: Task, value: Tensor | None, steps: int) -> Tensor | None:
        """What a delay read before these steps and in them, one step after the other; None for nothing but silence."""
        held = self.held.get(task.name)
        if value is None and held is None:
            return None
        shape = (self.size, *self.network.wiring.shapes[task.name])
        silence = self.wiring.target.tensor(0.0)
        before = silence.expand(self.network.circuit.delays[task.name], *shape) if held is None else held
        new = silence.expand(steps, *shape) if value is None else value.reshape(steps, *shape)
        return torch.cat([before, new])

    def _floating(self, task: Task, values: Mapping[str, Tensor]) -> Tensor | None:
        """What a population or read-out gets, as floating numbers; None where no spikes reach it.

        Where what comes through negative weights is told apart it lies beside all of it, as does what is latched.
        """
        given = [values.get(name) for name in task.reads]
        population = self.network.populations.get(task.name)
        summed = population is not None and isinstance(population.neuron, IF) and population.neuron.contraction
        found = [
            value if value is None or self.fast is None else self.fast.floating(name, value)
            for name, value in zip(task.reads, given, strict=True)
        ]
        there = next((value for value in found if value is not None), None)
        if len(found) == 1 or there is None:
            return found[0]
        if summed:
            sizes = [math.prod(shape) for shape in summed.factors]
            pairs = zip(found, sizes, strict=True)
            return torch.cat([there.new_zeros(len(there), n) if v is None else v.flatten(1) for v, n in pairs], dim=1)
        return torch.stack([torch.zeros_like(there) if value is None else value for value in found], dim=1)

    def _population(self, task: Task, values: Mapping[str, Tensor], first: int, steps: int) -> Tensor | None:
        """The spikes of these steps; None where they all lie outside its window."""
        shape, during, trace = self.network.populations[task.name].shape, slice(first, first + steps), None
        kept, state, waits = self.kept, self.states[task.name], self._waits(task.name, first, steps)
        if task.name in kept.potentials:
            trace = torch.empty((steps, self.size, *shape), dtype=torch.float32, device=self.wiring.target.device)
        if task.name in self.resting and isinstance(state, IntegrateAndFire):
            state.step = first  # of where it rested nothing was told
        spikes = self._spikes(task, state, values, steps, trace)
        if not isinstance(state, COUNTING) and not (waits and task.name in self.counts):
            self._count(task.name, spikes.view(steps, self.size, *shape), first)
        if trace is not None:
            kept.potentials[task.name][during] = trace.cpu().numpy()
        if task.name in kept.spikes:
            train = spikes.view(steps, self.size, *shape)
            recorded = train if task.name in self.graded else train > 0
            kept.spikes[task.name][during] = recorded.cpu().numpy()
        return None if waits else spikes

    def _spikes(
        self, task: Task, state: State, values: Mapping[str, Tensor], steps: int, trace: Tensor | None
    ) -> Tensor:
        """Advance a population, by the events that reach it where it reads bytes."""
        if self.fast and isinstance(state, Firing) and task.name in self.fast.joined:
            if (sent := self._of_tree(task.name, values, steps)) is not None:
                return sent
            return self._joined(self.fast.joined[task.name], state, values, steps, trace)
        product = self.fast.direct.get(task.name) if self.fast and isinstance(state, Firing) else None
        given = values.get(task.reads[0])
        if product is None or given is None:
            return state.advance(self._floating(task, values), steps, trace)
        assert isinstance(state, Firing)
        if trace is not None:
            return state.advance(product(given), steps, trace)
        return product.drive(given, state, steps)

    def _joined(
        self, joined: Joined, state: Firing, values: Mapping[str, Tensor], steps: int, trace: Tensor | None
    ) -> Tensor:
        there = {s: values[s] for s in joined.sources if s in values}
        if not there:
            return state.advance(None, steps, trace)
        for source in joined.sources:
            if source not in there:
                there[source] = torch.zeros((steps * self.size, *joined.shapes[source]), dtype=torch.uint8)
        if trace is not None:
            return state.advance(joined.current(there, state.dtype), steps, trace)
        return joined.fire(there, state, steps)

    def _of_tree(self, name: str, values: Mapping[str, Tensor], steps: int) -> Tensor | None:
        """The spikes of a population that belongs to a tree, which come with those of its first one."""
        assert self.fast is not None
        tree = self.fast.trees.get(name)
        if tree is None or name in self.ready:
            return self.ready.pop(name, None)
        states = [self.states[member] for member in tree.members]
        firings = [state for state in states if isinstance(state, Firing)]
        traced = len(firings) < len(states) or not self.kept.potentials.keys().isdisjoint(tree.members)
        if name != tree.members[0] or tree.source not in values or traced:
            return None
        self.ready |= tree.fire(values[tree.source], firings, steps, self.kept.steps) or {}
        return self.ready.pop(name, None)

    def _waits(self, name: str, first: int, steps: int) -> bool:
        """Whether a population is outside its window in all of these steps."""
        neuron = self.network.populations[name].neuron
        window = neuron.window if isinstance(neuron, IF) else None
        return window is not None and (first >= window[1] or first + steps <= window[0])

    def _count(self, name: str, train: Tensor, first: int) -> None:
        """Add the spikes of each step in place: whole numbers, exact in float32 up to 2^24."""
        if name not in self.counts:
            self.counts[name] = torch.zeros_like(train[0])
        for spikes, weight in zip(train, self.network.weights(first, len(train)).tolist(), strict=True):
            self.counts[name].add_(spikes, alpha=weight)
        if name in self.valued:
            fired = train.count_nonzero(0)
            self.fired[name] = fired + self.fired[name] if name in self.fired else fired

    def paths(self) -> Mapping[str, frozenset[str]]:
        """For each population the ways in which it was computed: see `Result.engine_paths`."""
        if self.fast is not None:
            return self.fast.paths()
        ways = {n: frozenset(s.taken) if isinstance(s, Scan) else DENSE for n, s in self.states.items()}
        short = {n for n, p in self.network.populations.items() if self.wiring.reads_short(p.current)}
        return {n: way | {"tf32"} if n in short else way for n, way in ways.items()}

    def _spiked(self, name: str) -> bool:
        return name in self.counts or name in self.states

    def _counted(self, name: str) -> Tensor:
        """The spikes of each neuron or Poisson input so far."""
        state = self.states.get(name)
        return state.counts if isinstance(state, COUNTING) else self.counts[name]

    def finish(self) -> None:
        """Hand over what is known at the end only."""
        for name, state in self.states.items():
            counts = self._counted(name)
            if isinstance(state, COUNTING):
                counts = counts.clone()  # the next batch has its own in the same place
            else:
                counts = counts.double() if name in self.graded else counts.long()
            self.kept.counts[name].append(counts.cpu().numpy())
        for name, fired in self.fired.items():
            self.kept.fired[name].append(fired.cpu().numpy())
        sources = {n: self._counted(n) for n in readout_sources(self.network) if self._spiked(n)}
        self.readings.finish(sources)
