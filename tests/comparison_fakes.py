"""A small simulator of its own making, right or wrong in one respect; it shares nothing with the interpreter."""

from dataclasses import dataclass, field, replace

import numpy as np

from snntoolbox.errors import DiedError
from snntoolbox.ir import features as f
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.encodings import ConstantCurrent, spike_trains
from snntoolbox.ir.interpreter import constant_currents, interpret
from snntoolbox.ir.result import Record, Result

CAN = Capabilities(
    features=f.INPUTS | f.PER_NEURON | f.RESETS | f.RECORDINGS | {f.SATURATION, f.BATCHES, f.FLOAT_WEIGHTS}
)

CAN_CARRY = replace(
    CAN, features=CAN.features | {f.SPIKE_VALUES, f.SIGNED_SPIKES, f.PULSES, f.WINDOWS, f.TIMED_INPUT}
)


class Simulator:
    """What all of them share: a check of the network, and nothing to let go of."""

    def build(self, network, **options):
        self.capabilities.check(self.name, network)
        self.network = network
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@dataclass
class Fake(Simulator):
    """Neurons that subtract, dense matrices, one sample after the other.

    `zero`: resets to zero. `strict`: fires above the threshold only. `late`: steps that spikes need to arrive.
    `shift`: steps that whole populations start late. `dtype`: of all sums. `noise`: relative error of weights.
    `sample`: from the number of a sample to the one whose train it gets. `dies_at`: the sample whose run kills it.
    """

    name: str = "fake"
    zero: bool = False
    strict: bool = False
    late: int = 0
    shift: int = 0
    dtype: type = np.float64
    noise: float = 0.0
    sample: object = None
    dies_at: int | None = None
    capabilities: Capabilities = CAN
    restless: bool = False
    runs: int = field(default=0)

    def build(self, network, **options):
        super().build(network)
        random = np.random.default_rng(0)
        self.incoming = {target: [] for target in network.targets}
        for p in network.projections:
            if not isinstance(network.encodings.get(p.source), ConstantCurrent):
                weights = p.synapses().toarray()
                weights = weights * (1 + self.noise * random.uniform(-1, 1, size=weights.shape))
                self.incoming[p.target].append((p.source, weights.astype(self.dtype)))
        return self

    def run(self, *x, steps, record=None, first_sample=0, progress=None):
        self.runs += 1
        parts = [self._one([a[i : i + 1] for a in x], steps, first_sample + i) for i in range(len(x[0]))]
        spikes, traces = ({n: np.stack([p[k][n] for p in parts], axis=1) for n in parts[0][k]} for k in (0, 1))
        record = record or Record()
        return Result(
            steps=steps,
            samples=len(parts),
            counts={n: s.sum(axis=0, dtype=np.int64) for n, s in spikes.items()},
            outputs={n: np.stack([p[2][n][-1] for p in parts]) for n in parts[0][2]},
            outputs_per_step={n: np.stack([p[2][n] for p in parts], axis=1) for n in parts[0][2]},
            spikes={n: s for n, s in spikes.items() if record.wants_spikes(n)},
            potentials={n: v for n, v in traces.items() if record.wants_potentials(n)},
        )

    def _one(self, x, steps, number):
        if number == self.dies_at:
            raise DiedError("the process of simulator 'fake' ended (signal SIGKILL)")
        network, trains = self.network, {}
        for (name, coding), array in zip(network.encodings.items(), x, strict=True):
            if not isinstance(coding, ConstantCurrent):
                own = self.sample(number) if self.sample else number
                trains[name] = spike_trains(array, steps, coding, own)[:, 0].reshape(steps, -1)
        constant = {n: c[0].ravel() for n, c in constant_currents(network, *x).items()}
        traces, outputs = {}, {}
        for name, incoming in self.incoming.items():
            current = np.zeros((steps, 1), self.dtype) + self.dtype(0)
            for source, weights in incoming:
                arriving = np.zeros((steps, weights.shape[1]), self.dtype)
                arriving[self.late :] = trains[source][: steps - self.late]
                current = current + arriving @ weights.T
            current = current + constant.get(name, np.zeros(1)).astype(self.dtype)
            if name in network.populations:
                fired, traces[name] = self._neurons(network.populations[name], current)
                trains[name] = fired
            else:
                readout = next(r for r in network.readouts if r.name == name)
                bias = 0.0 if readout.bias is None else readout.bias
                sums = np.broadcast_to(current, (steps, int(np.prod(readout.shape)))).cumsum(axis=0)
                elapsed = np.arange(1, steps + 1).reshape(-1, *[1] * len(readout.shape))
                outputs[name] = readout.scale * (sums.reshape(steps, *readout.shape) / elapsed + bias)
        shapes = {n: p.shape for n, p in network.populations.items()}
        spikes = {n: trains[n].reshape(steps, *s).astype(bool) for n, s in shapes.items()}
        if self.restless and self.runs > 1:
            spikes = {n: ~s for n, s in spikes.items()}
        return spikes, {n: traces[n].reshape(steps, *s) for n, s in shapes.items()}, outputs

    def _neurons(self, population, current):
        neuron, dtype, size = population.neuron, self.dtype, population.size

        def each(value):
            return np.broadcast_to(np.asarray(0.0 if value is None else value, dtype), population.shape).ravel()

        threshold, bias, v = each(neuron.threshold), each(population.bias), each(neuron.initial).copy()
        fired, trace = np.zeros((len(current), size)), np.zeros((len(current), size))
        for t in range(len(current)):
            if t >= self.shift:
                v = v + np.broadcast_to(current[t - self.shift], (size,)) + bias
                z = v > threshold if self.strict else v >= threshold
                v = np.where(z, 0, v) if self.zero else v - threshold * z
                v = v if neuron.saturation is None else np.clip(v, *neuron.saturation)
                fired[t] = z
            trace[t] = v
        return fired, trace


@dataclass
class Changed(Simulator):
    """The semantics, with what is told of each raster, or of `only` one, changed: for spikes that carry values."""

    change: object = staticmethod(lambda spikes: spikes)
    only: str | None = None
    name: str = "fake"
    capabilities: Capabilities = CAN_CARRY

    def run(self, *x, steps, record=None, first_sample=0, progress=None):
        found = interpret(self.network, *x, steps=steps, record=record, first_sample=first_sample)
        told = {n: self.change(s) if self.only in (None, n) else s for n, s in found.spikes.items()}
        return replace(found, spikes=told)
