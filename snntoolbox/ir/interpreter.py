"""The meaning of a spiking network: a plain numpy interpreter, one step after the other, in float64.

Slow and obvious. Every backend must give its rasters; docs/semantics.md says the same in words.
"""

from __future__ import annotations

import numpy as np

from snntoolbox.ir.encodings import ConstantCurrent, Spiking, spike_trains
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, after_reset, emitted
from snntoolbox.ir.node import Array, LinearNode
from snntoolbox.ir.nodes.windows import extract_windows
from snntoolbox.ir.result import Record, Result


def constant_currents(network: SpikingNetwork, *x: Array) -> dict[str, Array]:
    """What inputs coded as constant current add each step: {population or read-out: (batch, *shape)}, float64.

    Where they are presented for the first steps alone (`SpikingNetwork.presented`), in those. The host computes this
    once; on an integer grid it is rounded (half to even) to the grid. Targets that no such input reaches are left out.
    """
    constant = {n for n, e in network.encodings.items() if isinstance(e, ConstantCurrent)}
    values: dict[str, Array | None] = {}
    given = dict(zip(network.encodings, x, strict=True))
    batch = len(x[0])
    for name, node in network.wiring.nodes.items():
        if not constant & network.sources[name]:
            values[name] = None
        elif isinstance(node, LinearNode):
            shapes = network.wiring.input_shapes(name)
            inputs = [values[i] for i in node.inputs]
            arrays = [np.zeros((batch, *s)) if v is None else v for v, s in zip(inputs, shapes, strict=True)]
            values[name] = node.linear(*arrays)
        else:
            values[name] = np.asarray(given[name], np.float64)
    currents = {}
    for target, current in network.targets.items():
        value = values[current]
        if value is not None:
            currents[target] = np.rint(value) if network.grid else value
    return currents


def interpret(
    network: SpikingNetwork, *x: Array, steps: int, record: Record | None = None, first_sample: int = 0
) -> Result:
    """Run a batch of each input for `steps` steps; `first_sample` numbers the samples for the Poisson seeds.

    In each step the populations are visited in order, so a spike crosses all layers within its step:
    V <- leak * V + current; z = V >= threshold; reset. A refractory neuron gets no current and does not fire; one
    outside its window does not fire.
    """
    record = record or Record()
    batch = len(x[0])
    constant = constant_currents(network, *x)
    trains = {
        name: spike_trains(np.asarray(array), steps, coding, first_sample)
        for (name, coding), array in zip(network.encodings.items(), x, strict=True)
        if isinstance(coding, Spiking)
    }
    states = {p.name: _State(p, batch) for p in network.populations.values()}
    spikes: dict[str, list[Array]] = {n: [] for n in states if record.wants_spikes(n)}
    potentials: dict[str, list[Array]] = {n: [] for n in states if record.wants_potentials(n)}
    sums = {r.name: np.zeros((batch, *r.shape)) for r in network.readouts}
    forgotten: dict[str, Array] = {}
    per_step: dict[str, list[Array]] = {r.name: [] for r in network.readouts}

    for step in range(steps):
        values: dict[str, Array] = {}
        there = network.presented(step + 1) == step + 1
        for name in network.order:
            if name in states:
                state = states[name]
                current = values[state.population.current] + (constant.get(name, 0.0) if there else 0.0)
                values[name] = state.step(current, step)
                if name in spikes:
                    spikes[name].append(values[name].astype(state.spike_type))
                if name in potentials:
                    potentials[name].append(state.potential.copy())
            elif name in network.encodings:
                idle = np.zeros((batch, *network.wiring.shapes[name]))
                values[name] = trains[name][step].astype(np.float64) if name in trains else idle
            else:
                node = network.wiring.nodes[name]
                assert isinstance(node, LinearNode)
                values[name] = node.linear(*(values[i] for i in node.inputs))
        for readout in network.readouts:
            steady = constant.get(readout.name, 0.0) if there else 0.0
            sums[readout.name] = sums[readout.name] + values[readout.current] + steady
            if step + 1 == readout.start:
                forgotten[readout.name] = sums[readout.name]
            before = forgotten.get(readout.name) if step + 1 >= 2 * readout.start else None
            total, elapsed = sums[readout.name], step + 1
            if before is not None:
                total, elapsed = total - before, elapsed - readout.start
            if network.schedule:
                elapsed = network.schedule.window
            bias = 0.0 if readout.bias is None else readout.bias
            per_step[readout.name].append(readout.scale * (total / elapsed + bias))

    return Result(
        steps=steps,
        samples=batch,
        window=network.window,
        counts={n: s.count.astype(s.count_type) for n, s in states.items()},
        fired={n: s.fired for n, s in states.items() if s.graded},
        outputs={n: v[-1] for n, v in per_step.items()},
        outputs_per_step={n: np.stack(v) for n, v in per_step.items()} if record.outputs_per_step else {},
        spikes={n: np.stack(v) for n, v in spikes.items()},
        potentials={n: np.stack(v) for n, v in potentials.items()},
    )


class _State:
    """The state of one population for a batch."""

    def __init__(self, population: Population, batch: int) -> None:
        self.population = population
        self.count = np.zeros((batch, *population.shape))
        neuron = population.neuron
        self.graded = isinstance(neuron, IF) and neuron.graded
        self.fired = np.zeros(self.count.shape, np.int64)
        self.count_type: type = np.float64 if self.graded else np.int64
        self.spike_type: type = np.float64 if self.graded else np.bool_
        if isinstance(neuron, IF):
            self.potential = np.broadcast_to(neuron.initial, self.count.shape).astype(np.float64)
            self.waiting = np.zeros(self.count.shape, np.int64)
        else:
            self.potential = np.zeros(self.count.shape)
            self.seen: Array = np.zeros(())

    def step(self, current: Array, step: int) -> Array:
        """Spikes (0.0 or 1.0, or their values) for the current of this step, counted from 0."""
        neuron = self.population.neuron
        spikes = self._integrate(neuron, current, step) if isinstance(neuron, IF) else self._gate(neuron, current)
        self.count += spikes
        self.fired += spikes != 0
        return spikes

    def _integrate(self, neuron: IF, current: Array, step: int) -> Array:
        if self.population.bias is not None:
            current = current + self.population.bias
        if step in self.population.pulses:
            current = current + self.population.pulses[step]
        awake = self.waiting == 0
        before = neuron.leak * self.potential + np.where(awake, current, 0.0)
        if not neuron.fires_in(step):
            spikes = np.zeros(before.shape, bool)
        elif neuron.graded:
            spikes = emitted(before, self.count, neuron)
        else:
            spikes = (before >= neuron.threshold) & awake
        self.potential = after_reset(before, spikes, neuron)
        self.waiting = np.where(spikes, neuron.refractory, np.maximum(self.waiting - 1, 0))
        return spikes.astype(np.float64)

    def _gate(self, neuron: MaxGate, current: Array) -> Array:
        self.seen = self.seen + current
        geometry = (neuron.kernel, neuron.stride, neuron.padding, neuron.dilation)
        counts = extract_windows(self.seen, *geometry, fill=-1)
        spikes = extract_windows(current, *geometry)
        flat = (*spikes.shape[: current.ndim], -1)
        winner = counts.reshape(flat).argmax(axis=-1)[..., None]
        return np.asarray(np.take_along_axis(spikes.reshape(flat), winner, axis=-1)[..., 0])
