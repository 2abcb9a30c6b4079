"""The meaning of a spiking network: a plain numpy interpreter, one step after the other, in float64.

Slow and obvious. Every backend must give its rasters; docs/semantics.md says the same in words.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from snntoolbox.ir.dynamics import start
from snntoolbox.ir.encodings import ConstantCurrent, Spiking, spike_trains
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, LinearNode
from snntoolbox.ir.result import Record, Result


def constant_currents(
    network: SpikingNetwork, *x: Array, targets: Iterable[str] | None = None
) -> dict[str, Array]:
    """What inputs coded as constant current add each step: {population or read-out: (batch, *shape)}, float64.

    Where they are presented for the first steps alone (`SpikingNetwork.presented`), in those. The host computes this
    once; on an integer grid it is rounded (half to even) to the grid. Targets that no such input reaches are left out,
    and all but `targets` where these are named.
    """
    constant = {n for n, e in network.encodings.items() if isinstance(e, ConstantCurrent)}
    values: dict[str, Array | None] = {}
    given = dict(zip(network.encodings, x, strict=True))
    batch = len(x[0])
    ends = {t: network.targets[t] for t in (network.targets if targets is None else targets)}
    for name in network.wiring.above(ends.values()):
        node = network.wiring.nodes[name]
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
    for target, current in ends.items():
        value = values[current]
        if value is not None:
            currents[target] = np.rint(value) if network.grid else value
    return currents


def interpret(
    network: SpikingNetwork, *x: Array, steps: int, record: Record | None = None, first_sample: int = 0
) -> Result:
    """Run a batch of each input for `steps` steps; `first_sample` numbers the samples for the Poisson seeds.

    In each step the populations are visited in order, so a spike crosses all layers within its step. What their
    neurons do is said in `snntoolbox.ir.dynamics`.
    """
    run = _Run(network, x, steps, record or Record(), first_sample)
    for step in range(steps):
        run.advance(step)
    return run.result()


class _Run:
    """A batch on its way through time."""

    def __init__(
        self, network: SpikingNetwork, x: tuple[Array, ...], steps: int, record: Record, first_sample: int
    ) -> None:
        self.network, self.steps, self.record, self.batch = network, steps, record, len(x[0])
        self.first_sample = first_sample
        self.constant = constant_currents(network, *x)
        self.trains = {
            name: spike_trains(np.asarray(array), steps, coding, first_sample)
            for (name, coding), array in zip(network.encodings.items(), x, strict=True)
            if isinstance(coding, Spiking)
        }
        self.neurons = {p.name: start(p, self.batch) for p in network.populations.values()}
        self.spikes: dict[str, list[Array]] = {n: [] for n in self.neurons if record.wants_spikes(n)}
        self.potentials: dict[str, list[Array]] = {n: [] for n in self.neurons if record.wants_potentials(n)}
        self.sums = {r.name: np.zeros((self.batch, *r.shape)) for r in network.readouts}
        self.forgotten: dict[str, Array] = {}
        self.outputs: dict[str, list[Array]] = {r.name: [] for r in network.readouts}
        shapes = {name: (self.batch, *network.wiring.shapes[name]) for name in network.circuit.delays}
        # The values of the last steps that a delay has read, the earliest first.
        self.held = {n: deque([np.zeros(shapes[n])] * steps) for n, steps in network.circuit.delays.items()}

    def advance(self, step: int) -> None:
        """One step, counted from 0: inputs, maps and populations in order, then the read-outs.

        A delay gives what it read so many steps before; what it reads in this step may come behind it.
        """
        values: dict[str, Array] = {}
        presented = self.network.presented(step + 1) == step + 1
        constant = self.constant if presented else {}
        for name in self.network.order:
            if name in self.neurons:
                values[name] = self._population(name, values, constant, step)
            elif name in self.network.encodings:
                idle = np.zeros((self.batch, *self.network.wiring.shapes[name]))
                values[name] = self.trains[name][step].astype(np.float64) if name in self.trains else idle
            elif name in self.held:
                values[name] = self.held[name].popleft()
            else:
                node = self.network.wiring.nodes[name]
                assert isinstance(node, LinearNode)
                values[name] = node.linear(*(values[i] for i in node.inputs))
        for readout in self.network.readouts:
            self._read(readout, values[readout.current], constant.get(readout.name, 0.0), step)
        for name, held in self.held.items():
            held.append(values[self.network.wiring.nodes[name].inputs[0]])

    def _population(self, name: str, values: Mapping[str, Array], constant: Mapping[str, Array], step: int) -> Array:
        """The values that a population fires."""
        neurons = self.neurons[name]
        given = [values[current] for current in neurons.population.currents]
        arriving = given[0] if len(given) == 1 else beside(neurons.population, given)
        fired = neurons.step(arriving, constant.get(name, 0.0), step)
        if name in self.spikes:
            self.spikes[name].append(fired if neurons.graded else fired.astype(bool))
        if name in self.potentials:
            self.potentials[name].append(neurons.potential.copy())
        return fired

    def _read(self, readout: Readout, current: Array, constant: Array | float, step: int) -> None:
        """Sum a read-out's current, and note its value after this step."""
        self.sums[readout.name] = self.sums[readout.name] + self.network.weights(step, 1)[0] * (current + constant)
        if step + 1 == readout.start:
            self.forgotten[readout.name] = self.sums[readout.name]
        late = step + 1 >= (readout.start + 1 if self.network.schedule else 2 * readout.start)
        before = self.forgotten.get(readout.name) if late else None
        total, elapsed = self.sums[readout.name], step + 1
        if before is not None:
            total, elapsed = total - before, elapsed - readout.start
        if self.network.schedule:
            elapsed = self.network.schedule.total
        bias = 0.0 if readout.bias is None else readout.bias
        self.outputs[readout.name].append(readout.scale * (total / elapsed + bias))

    def result(self) -> Result:
        """What the run gives back."""
        values = {r.name: r.drawn(np.stack(self.outputs[r.name]), self.first_sample) for r in self.network.readouts}
        return Result(
            steps=self.steps,
            samples=self.batch,
            window=self.network.window,
            heads=self.network.heads,
            counts={n: s.count if s.graded else s.count.astype(np.int64) for n, s in self.neurons.items()},
            fired={n: s.fired for n, s in self.neurons.items() if s.valued},
            outputs={n: v[-1] for n, v in values.items()},
            outputs_per_step=values if self.record.outputs_per_step else {},
            spikes={n: np.stack(v) for n, v in self.spikes.items()},
            potentials={n: np.stack(v) for n, v in self.potentials.items()},
        )


def beside(population: Population, given: Sequence[Array]) -> Array:
    """What two maps bring to the neurons of a population, as one array: see its synapse."""
    synapse = population.neuron.parts.synapse if isinstance(population.neuron, IF) else None
    return synapse.beside(given) if isinstance(synapse, Latched) else np.stack(given, axis=1)
