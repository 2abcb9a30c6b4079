"""Runs a network layer by layer, each layer over all steps and samples, so that it can be changed before the next."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.executor import Executor
from snntoolbox.engine.fast import jit
from snntoolbox.engine.fast.bytes_layout import rows, shaped
from snntoolbox.engine.fast.neurons_firing import Firing, plain
from snntoolbox.engine.fast.neurons_scan import start
from snntoolbox.engine.fast.neurons_trials import Trials
from snntoolbox.engine.fast.planning import work
from snntoolbox.engine.layer_activations import Activations
from snntoolbox.engine.neurons import State, add_pulse, copied
from snntoolbox.engine.tensors import channels_inside, device_named, plain_arithmetic
from snntoolbox.errors import ConversionError
from snntoolbox.ir.encodings import Spiking, spike_trains
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import constant_currents
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.turns import bound

MEMORY = 2**29
"""Bytes that spikes and activations which later layers need may take, and as many for one layer's currents."""

_BATCH_BYTES, _BATCH_BYTES_COMPILED = 2**24, 2**22
"""Bytes of a batch's currents: the general path takes as long for a call as for many neurons, compiled loops read them
many times from the cache."""

SEEN, ROOM = 16, 4
"""Samples that tell how large currents are, and how much larger sums may become by other samples and corrections."""

TIMES, CALL = 4, 1e-4
"""A layer's neurons run up to 16 times, so a step takes about so many times as long as in a simulation; and seconds
that a step of a layer takes on the general path however few neurons there are."""


@dataclass(frozen=True)
class RateErrors:
    """Errors of the rates of a population against their targets, as means over samples, each of the population's shape.

    `late` is ``mean(target - rate)`` from the first counted step on, `whole` over all steps; `squared` is the mean of
    ``(target - rate)^2`` over all steps. They are of `samples` samples.
    """

    late: Array
    whole: Array
    squared: Array
    samples: int


class Layerwise:
    """Calibration samples on their way through a network, one population after the other.

    Populations come in order (`network.targets`); for each, `errors` tries it out, with whatever neurons or bias, on
    the very spikes of those before it, and `keep` settles its spikes for those behind it. Spikes are kept as single
    bits, and only while somebody still reads them; so are the activations of `graph`, the analogue network.
    The last `held` samples go along and are shown by `values` and `activation`, but layers are not tried out on them.
    What is found of the analogue network goes to `activations`, where there is memory, and is taken from there.
    """

    def __init__(
        self,
        network: SpikingNetwork,
        graph: Graph,
        x: Sequence[Array],
        steps: int,
        *,
        device: str = "cpu",
        held: int = 0,
        activations: dict[str, Array] | None = None,
    ) -> None:
        if network.circuit.looping:
            raise ConversionError("layers in a loop cannot be run one after the other")
        self.network, self.steps = network, steps
        fitting = capacity(network, steps)
        self.x = [np.asarray(a[:fitting]) for a in x]
        self.samples = len(self.x[0])
        self.tried = max(0, self.samples - held)
        dtype = torch.float64 if _wide(network, self.x, steps) else torch.float32
        delays = {name: partial(_later, steps=steps, by=by) for name, by in network.circuit.delays.items()}
        self.wiring = Executor(network.wiring, device=device_named(device), dtype=dtype, exact=True, kernels=delays)
        most = MEMORY // (4 * max(1, sum(p.size for p in network.populations.values())))
        known = activations if self.samples <= most else None
        self.analogue = Activations(graph, self.x, network, device=device_named(device), known=known)
        self._trains: dict[str, list[_Train]] = {}
        self._last_use = _last_uses(network)
        self._target, self._currents = "", list[tuple[Tensor | None, Tensor | None]]()
        limit = int(network.presented(steps))
        self._presented = limit if limit < steps else None
        cpu = self.wiring.target.device.type == "cpu" and self._presented is None
        row = 4 * steps * max((p.size for p in network.populations.values()), default=1)
        calls = 4 * TIMES * len(network.populations) * steps * -(-self.samples * row // _BATCH_BYTES)
        taken = TIMES * work(network) * self.samples * steps + CALL * calls
        self.fused = cpu and jit.installed() and taken >= jit.PATIENCE
        bytes_of_batch = _BATCH_BYTES_COMPILED if self.fused else _BATCH_BYTES
        self._batch = max(1, min(self.samples, bytes_of_batch // row))
        ends = ((0, self.tried), (self.tried, self.samples))
        step = self._batch
        self.parts = [slice(i, min(i + step, end)) for start, end in ends for i in range(start, end, step)]

    def errors(
        self, tried: Sequence[Population], target: Array, first: int = 0, samples: int | None = None
    ) -> list[RateErrors]:
        """The errors of a population's rates, in several forms that differ in bias and start potential alone.

        `target` (samples, *shape) holds activations over scale; with `samples` about so many of them are looked at.
        Late rates are those from step `first` on.
        """
        most = min(self.tried, samples or self.tried)
        parts = [part for part in self.parts if part.start < most]
        wanted = target[: parts[-1].stop]
        add = self._added_at_once if self.fused and plain(tried[0]) else self._added_in_turn
        late, whole, squared = add(tried, wanted, first, parts)
        count, mean = len(wanted), wanted.mean(axis=0, dtype=np.float64)
        late, whole = mean - late / (count * (self.steps - first)), mean - whole / (count * self.steps)
        return [RateErrors(*each, count) for each in zip(late, whole, squared / count, strict=True)]

    def _added_at_once(
        self, tried: Sequence[Population], target: Array, first: int, parts: Sequence[slice]
    ) -> tuple[Array, Array, Array]:
        """The spikes of each from `first` on and of all steps, and the squared errors, summed over samples."""
        trials = Trials(tried, self.wiring.target.dtype, self.steps, first)
        for i, part in enumerate(parts):
            trials.add(*self._current(tried[0].name, i), target[part])
        return trials.sums()

    def _added_in_turn(
        self, tried: Sequence[Population], target: Array, first: int, parts: Sequence[slice]
    ) -> tuple[Array, Array, Array]:
        """The same for any neurons, one population after the other."""
        late, whole, squared = (np.zeros((len(tried), *tried[0].shape)) for _ in range(3))
        for i, part in enumerate(parts):
            for k, population in enumerate(tried):
                with plain_arithmetic():
                    state, current = self._started(population, i)
                    early = _numpy(_counted(state, current, range(first))) if first else 0.0
                    later = _numpy(_counted(state, current, range(first, self.steps)))
                late[k] += later.sum(axis=0)
                whole[k] += (later + early).sum(axis=0)
                squared[k] += ((target[part] - (later + early) / self.steps) ** 2).sum(axis=0)
        return late, whole, squared

    def stepwise(self, population: Population, pulse: Callable[[int, Array], Array]) -> None:
        """Run a population step by step, each step twice: `pulse` is told the step and the mean spikes per neuron that
        it would have, and answers a current more for it; with that the step is then done.

        On as many samples as memory lets advance side by side.
        """
        most = min(self.tried, self._side_by_side(population))
        parts = [p for p in self.parts if p.stop <= most or p.start == 0]
        currents = [self._current(population.name, i) for i in range(len(parts))]
        with plain_arithmetic():
            pairs = zip(parts, currents, strict=True)
            made = [start(population, p.stop - p.start, c[1], self.wiring.target) for p, c in pairs]
            for step in range(self.steps):
                now = [None if c is None else c[step] for c, _ in currents]
                tried = [copied(s).advance(c, 1, None).sum(0) for s, c in zip(made, now, strict=True)]
                extra = pulse(step, _numpy(torch.stack(tried).sum(0)) / parts[-1].stop)
                for state, current in zip(made, now, strict=True):
                    add_pulse(state, step, extra)
                    state.advance(current, 1, None)

    def _side_by_side(self, population: Population) -> int:
        """As many samples as have their currents kept."""
        return max(1, MEMORY // (4 * population.size * self.steps))

    def keep(self, population: Population) -> None:
        """Settle the spikes of a population."""
        if population.name in self._last_use:
            self._trains[population.name] = [_Train.of(s, population) for s in self._spikes(population)]
        self._done(population.name)

    def values(self, readout: Readout) -> Array:
        """The value of a read-out after each step, without what it forgets, (steps, samples, *shape)."""
        found = []
        for i in range(len(self.parts)):
            current, constant = self._current(readout.name, i)
            sums = torch.zeros((), dtype=torch.float64)
            if current is not None:
                weights = torch.from_numpy(self.network.weights(0, self.steps)).view(-1, *[1] * (current.ndim - 1))
                sums = (current.double().cpu() * weights).cumsum(0)
            if constant is not None:
                given = torch.from_numpy(self.network.given(self.steps)).view(-1, *[1] * constant.ndim)
                sums = sums + given * constant.double().cpu()
            shape = (self.steps, self._size(i), *readout.shape)
            found.append(readout.values(np.broadcast_to(sums.numpy(), shape), 1, None, self.network.window))
        self._done(readout.name)
        return np.concatenate(found, axis=1)

    def activation(self, target: Population | Readout, name: str) -> Array:
        """The values of a node of the analogue graph, (samples, *shape); `target` is what stands for it."""
        return self.analogue.values(target, name)

    # -- one layer's spikes -------------------------------------------------------------------------------------

    def _spikes(self, population: Population) -> Iterator[Tensor]:
        """The spikes of each batch, which the next overwrites."""
        made: dict[int, Firing] = {}
        for i in range(len(self.parts)):
            with plain_arithmetic():
                state, current = self._started(population, i, made)
                flat = None if current is None else current.flatten(0, 1)
                yield state.advance(flat, self.steps, None)

    def _started(
        self, population: Population, i: int, made: dict[int, Firing] | None = None
    ) -> tuple[State, Tensor | None]:
        """The neurons of a batch before the first step, and what they get from spikes in each.

        Compiled ones are `made` for a size of batch once.
        """
        current, constant = self._current(population.name, i)
        if not (self.fused and plain(population)):
            return start(population, self._size(i), constant, self.wiring.target, self._presented), current
        made, size = {} if made is None else made, self._size(i)
        if size not in made:
            made[size] = Firing(population, size, self.wiring.target.dtype, fused=True)
        return made[size].restart(constant), current

    def _current(self, target: str, i: int) -> tuple[Tensor | None, Tensor | None]:
        """What a batch gets from spikes in each step and from constant inputs; kept while a layer is tried out."""
        if target != self._target:
            self._target, self._currents = target, []
        if i < len(self._currents):
            return self._currents[i]
        with plain_arithmetic():
            found = self._computed(target, self.parts[i])
        size = math.prod(self.network.wiring.shapes[self.network.targets[target]])
        if i == len(self._currents) and 4 * size * self.steps * (i + 1) * self._batch <= MEMORY:
            self._currents.append(found)
        return found

    def _computed(self, target: str, part: slice) -> tuple[Tensor | None, Tensor | None]:
        name, count = self.network.targets[target], part.stop - part.start
        given = {s: self._train(s, part) for s in self.network.sources[name] if self._spiking(s)}
        current = None
        if given:
            population = self.network.populations.get(target)
            names = (name,) if population is None else population.currents
            found = self.wiring.tensors(given, names)
            both = torch.stack([found[n] for n in names], dim=1) if len(names) > 1 else channels_inside(found[name])
            current = both.view(self.steps, count, *both.shape[1:])
        return current, self._constant(target, part)

    def _constant(self, target: str, part: slice) -> Tensor | None:
        name = self.network.targets[target]
        steady = {n for n in self.network.sources[name] if not self._spiking(n)}
        if not steady:
            return None
        if self.network.grid:  # rounded once, by the function that all simulators share
            found = constant_currents(self.network, *(a[part] for a in self.x), targets=[target])[target]
            return self.wiring.target.tensor(found)
        inputs = dict(zip(self.network.encodings, self.x, strict=True))
        given = {n: self.wiring.target.tensor(inputs[n][part]) for n in steady}
        return self.wiring.tensors(given, [name])[name]

    def _spiking(self, source: str) -> bool:
        return source in self.network.populations or isinstance(self.network.encodings[source], Spiking)

    def _train(self, source: str, part: slice) -> Tensor:
        """The spikes of a source in all steps, (steps * batch, *shape)."""
        if source in self.network.populations:
            return self._trains[source][self.parts.index(part)].spikes(self.wiring.target.dtype)
        coding, index = self.network.encodings[source], list(self.network.encodings).index(source)
        assert isinstance(coding, Spiking)
        train = spike_trains(self.x[index][part], self.steps, coding, part.start, 0)
        return self.wiring.target.tensor(train).flatten(0, 1)

    def _size(self, i: int) -> int:
        part = self.parts[i]
        return int(part.stop - part.start)

    def _done(self, target: str) -> None:
        """Forget what nobody reads any more."""
        self._target, self._currents = "", []
        for source in [s for s in self._trains if self._last_use[s] == target]:
            del self._trains[source]
        self.analogue.done(target)


def _later(x: Tensor, *, steps: int, by: int) -> Tensor:
    """Values (steps * batch, *shape) of all steps, `by` steps later; silent before."""
    moved = torch.zeros_like(x)
    rows = len(x) // steps * by
    moved[rows:] = x[: max(len(x) - rows, 0)]
    return moved


def _wide(network: SpikingNetwork, x: Sequence[Array], steps: int) -> bool:
    """Whether sums on an integer grid may be too large for float32, told from some samples with room for others."""
    if network.grid is None:
        return False
    currents = constant_currents(network, *(a[:SEEN] for a in x)).values()
    largest = max((float(np.abs(c).max(initial=0)) for c in currents), default=0.0)
    return ROOM * bound(network, steps, largest) >= 2**24


def capacity(network: SpikingNetwork, steps: int) -> int:
    """How many samples memory holds; at least one."""
    return max(1, MEMORY // max(1, frontier_bytes(network, steps)))


def frontier_bytes(network: SpikingNetwork, steps: int) -> int:
    """The most bytes per sample that the kept spikes (bits) and activations (float32) take at any time."""
    last, alive, most = _last_uses(network), dict[str, int](), 0
    for target in network.targets:
        if target in network.populations:
            alive[target] = network.populations[target].size
        most = max(most, sum(alive.values()))
        alive = {s: size for s, size in alive.items() if s in last and last[s] != target}
    return most * (math.ceil(steps / 8) + 4)


def _last_uses(network: SpikingNetwork) -> dict[str, str]:
    """For each source the last target that reads it."""
    return {s: target for target, current in network.targets.items() for s in network.sources[current]}


def _counted(state: State, current: Tensor | None, steps: range) -> Tensor:
    """The sum of the spikes of these steps, one after the other: those of all steps would not stay in the cache."""
    if isinstance(state, Firing):
        before = state.counts.clone()
        given = None if current is None else current[steps.start : steps.stop].flatten(0, 1)
        state.advance(given, len(steps), None)
        return state.counts - before
    total: Tensor | None = None
    for step in steps:
        spikes = state.advance(None if current is None else current[step], 1, None)
        total = spikes.clone() if total is None else total.add_(spikes)
    assert total is not None
    return total


def _numpy(values: Tensor) -> Array:
    return np.asarray(values.cpu().numpy(), np.float64)


@dataclass(frozen=True)
class _Train:
    """The spikes of one batch: bits of plain spikes in the order in which they lie, else the values they carry."""

    packed: Array | None
    whole: Tensor | None
    shape: tuple[int, ...]
    device: torch.device

    @classmethod
    def of(cls, spikes: Tensor, population: Population) -> _Train:
        plain = not (isinstance(population.neuron, IF) and population.neuron.graded)
        packed = np.packbits(rows(spikes).to(torch.uint8).cpu().numpy()) if plain else None
        return cls(packed, None if plain else spikes, tuple(spikes.shape), spikes.device)

    def spikes(self, dtype: torch.dtype) -> Tensor:
        if self.packed is None:
            assert self.whole is not None
            return self.whole
        bits = np.unpackbits(self.packed, count=math.prod(self.shape)).reshape(self.shape[0], -1)
        return shaped(torch.from_numpy(bits).to(self.device, dtype), self.shape[1:])
