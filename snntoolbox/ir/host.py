"""What the host does for a simulator: checks and codes the inputs before a run, sums the read-outs after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snntoolbox.errors import BackendError, DataError
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import Spiking, StepByStep, spike_trains
from snntoolbox.ir.flat import spread
from snntoolbox.ir.interpreter import constant_currents
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, LinearNode
from snntoolbox.ir.nodes import Delay
from snntoolbox.ir.result import Record, Result

CHUNK_VALUES = 2**22
"""About how many values of one wiring node are computed at once."""


def checked_batch(network: SpikingNetwork, x: tuple[Array, ...], steps: int) -> tuple[Array, ...]:
    """The inputs as arrays; BackendError or DataError where they or the number of steps cannot be run."""
    if steps < 1:
        raise BackendError(f"cannot run for {steps} time steps", hint="a duration of at least one time step")
    names, arrays = tuple(network.encodings), tuple(np.asarray(a) for a in x)
    if len(arrays) != len(names):
        raise DataError(f"the network has {len(names)} inputs ({', '.join(names)}), got {len(arrays)}")
    for name, array in zip(names, arrays, strict=True):
        shape = network.encodings[name].sample_shape(network.wiring.shapes[name], array)
        expected = (len(arrays[0]), *shape)
        if array.shape != expected:
            raise DataError(f"expects a batch of shape {expected}, got {array.shape}", layer=name)
    return arrays


@dataclass(frozen=True, eq=False)
class Timed:
    """A current (samples, neurons) in the own steps first <= t < last, counted from 0."""

    first: int
    last: int
    current: Array


class HostInput:
    """The coded inputs of one batch.

    constant: population or read-out -> (samples, *shape), the current that constant inputs add each step.
    drive: population -> (samples, neurons), what every neuron gets each of its own steps: that current and the bias.
    timed: population -> what it gets in some of its own steps alone, on top of that: pulses, constant inputs that
    are presented in the first steps alone (then they are not in `drive`), and the steps of sequences.
    trains: spiking input -> (steps, samples, *shape), the signed spikes in int8, or values.
    """

    def __init__(self, network: SpikingNetwork, x: tuple[Array, ...], steps: int, first_sample: int) -> None:
        self.samples, self.steps, self.first_sample = len(x[0]), steps, first_sample
        self.constant = constant_currents(network, *x)
        self.drive: dict[str, Array] = {}
        self.timed: dict[str, list[Timed]] = {}
        presented = int(network.presented(steps))
        for name, population in network.populations.items():
            bias = 0.0 if population.bias is None else population.bias
            current = self.constant.get(name, np.zeros((self.samples, *population.shape)))
            current = current.reshape(self.samples, population.size)
            pulses = {s: spread(p, population.shape)[None] for s, p in population.pulses.items() if s < steps}
            self.timed[name] = [Timed(s, s + 1, np.repeat(p, self.samples, axis=0)) for s, p in pulses.items()]
            if presented < steps:
                self.timed[name].insert(0, Timed(0, presented, current))
                current = np.zeros(current.shape)
            self.drive[name] = current + spread(bias, population.shape)
        for (name, coding), array in zip(network.encodings.items(), x, strict=True):
            if isinstance(coding, StepByStep):
                self._add_sequence(network, name, coding, np.asarray(array))
        self.trains = {
            name: spike_trains(np.asarray(array), steps, coding, first_sample)
            for (name, coding), array in zip(network.encodings.items(), x, strict=True)
            if isinstance(coding, Spiking)
        }

    def _add_sequence(self, network: SpikingNetwork, name: str, coding: StepByStep, x: Array) -> None:
        """What the steps of a sequence add to each population, each in its own steps."""
        for population in network.populations.values():
            for lag in network.circuit.arrivals[population.current].get(name, ()):
                way = network.circuit.submap(name, population.current, lag)
                for first, alone in coding.shown(x):
                    current = way.run(alone).reshape(self.samples, population.size)
                    timed = Timed(first + lag, first + lag + coding.window, current)
                    self.timed[population.name].append(timed)

    def source_spikes(self, name: str) -> tuple[Array, Array]:
        """Steps (from 0) and source indices of an input's spikes, by step; indices as in `FlatNetwork.inputs`.

        The spike of step k leaves its source in step k + 1 of the clock: inputs have depth and onset 0.
        """
        train = self.trains[name].reshape(self.steps, self.samples, -1)
        signed = np.concatenate([train > 0, train < 0], axis=2).reshape(self.steps, -1)
        steps, sources = np.nonzero(signed)
        return steps, sources


def raster(steps: Array, neurons: Array, shape: tuple[int, ...], values: Array | None = None) -> Array:
    """Spikes (steps, samples, *shape) from own steps (from 0) and neuron indices; steps outside are left out.

    Bool, or the `values` that they carry.
    """
    spikes = np.zeros((shape[0], int(np.prod(shape[1:]))), bool if values is None else np.float64)
    inside = (steps >= 0) & (steps < shape[0])
    spikes[steps[inside], neurons[inside]] = True if values is None else values[inside]
    return spikes.reshape(shape)


def assembled(
    network: SpikingNetwork,
    host: HostInput,
    spikes: Mapping[str, Array],
    potentials: Mapping[str, Array],
    record: Record,
) -> Result:
    """The result of a run from every population's spikes (steps, samples, *shape) and the potentials asked for."""
    per_step = record.outputs_per_step
    outputs = readout_values(
        network, {**host.trains, **spikes}, host.constant, host.steps, per_step=per_step, first_sample=host.first_sample
    )
    return Result(
        steps=host.steps,
        samples=host.samples,
        window=network.window,
        heads=network.heads,
        counts={n: counted(network, spikes[n]) for n in network.populations},
        fired={n: np.count_nonzero(spikes[n], axis=0) for n, p in network.populations.items() if _valued(p)},
        outputs={n: v[-1] for n, v in outputs.items()},
        outputs_per_step=outputs if per_step else {},
        spikes={n: spikes[n] for n in network.populations if record.wants_spikes(n)},
        potentials={n: potentials[n] for n in network.populations if record.wants_potentials(n)},
    )


def _valued(population: Population) -> bool:
    return isinstance(population.neuron, IF) and population.neuron.valued


def counted(network: SpikingNetwork, spikes: Array) -> Array:
    """What trains (steps, ...) of spikes count together, whole numbers."""
    if network.schedule is None or network.schedule.counting is Counting.ONE:
        return np.asarray(spikes.sum(axis=0, dtype=np.float64 if spikes.dtype.kind == "f" else np.int64))
    return np.tensordot(network.weights(0, len(spikes)).astype(np.int64), spikes.astype(np.int64), axes=1)


def readout_values(
    network: SpikingNetwork,
    spikes: Mapping[str, Array],
    constant: Mapping[str, Array],
    steps: int,
    *,
    per_step: bool,
    first_sample: int = 0,
) -> dict[str, Array]:
    """The value of each read-out after every step, (steps, samples, *shape), or after the last alone, (1, ...).

    `spikes` are the trains (steps, samples, *shape) of every spiking input and population. After t steps a read-out
    is ``scale * (sum of its current over the steps / t + bias)``, in float64; see `Readout` for one that starts late.
    """
    values = {}
    for readout in network.readouts:
        sources = {n: spikes[n] for n in network.sources[readout.current] if n in spikes}
        samples = len(next(iter(sources.values()))[0]) if sources else len(constant[readout.name])
        if per_step or readout.start or readout.draws or readout.current in network.circuit.delayed:
            weights = network.weights(0, steps).reshape(-1, *[1] * (1 + len(readout.shape)))
            sums = (weights * _mapped(network, readout.current, sources, steps, samples)).cumsum(axis=0)
            first = 1
        else:
            once = {n: counted(network, s)[None] for n, s in sources.items()}
            sums = _mapped(network, readout.current, once, 1, samples)
            first = steps
        if readout.name in constant:
            given = network.given(steps)[first - 1 :].reshape(-1, *[1] * (1 + len(readout.shape)))
            sums = sums + given * constant[readout.name]
        value = readout.drawn(readout.values(sums, first, None, network.window), first_sample)
        values[readout.name] = value if per_step else value[-1:]
    return values


def _mapped(network: SpikingNetwork, current: str, sources: Mapping[str, Array], steps: int, samples: int) -> Array:
    """A wiring node's value (steps, samples, *shape) for these spikes or counts; other inputs are zero."""
    needed = _upstream(network, current)
    held: dict[str, Array] = {}
    largest = samples * max(network.wiring.size(n) for n in needed)
    chunk, parts = max(1, CHUNK_VALUES // max(1, largest)), []
    for first in range(0, steps, chunk):
        count = min(chunk, steps - first)
        values: dict[str, Array] = {}
        for name in needed:
            node, shape = network.wiring.nodes[name], network.wiring.shapes[name]
            if isinstance(node, Delay):
                before = held.get(name, np.zeros((node.steps * samples, *shape)))
                both = np.concatenate([before, values[node.inputs[0]]])
                values[name], held[name] = both[: count * samples], both[count * samples :]
            elif isinstance(node, LinearNode):
                values[name] = node.linear(*(values[i] for i in node.inputs))
            elif name in sources:
                values[name] = sources[name][first : first + count].reshape(-1, *shape).astype(np.float64)
            else:
                values[name] = np.zeros((count * samples, *shape))
        parts.append(values[current].reshape(count, samples, *network.wiring.shapes[current]))
    return np.concatenate(parts)


def _upstream(network: SpikingNetwork, current: str) -> list[str]:
    """The wiring nodes that one depends on through linear maps, itself last, in order."""
    wanted = {current}
    for name, node in reversed(list(network.wiring.nodes.items())):
        if name in wanted:
            wanted.update(node.inputs)
    return [n for n in network.wiring.nodes if n in wanted]
