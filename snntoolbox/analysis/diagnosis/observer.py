"""Follows a run batch by batch and splits the error of every population and read-out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from snntoolbox.analysis.diagnosis import terms
from snntoolbox.analysis.diagnosis.diagnosis import Diagnosis, LayerDiagnosis
from snntoolbox.analysis.diagnosis.layer_sums import LayerSums, Sizes
from snntoolbox.conversion.schedules.registry import SCHEDULES
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.tensors import plain_arithmetic
from snntoolbox.errors import ConversionError, DataError
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.encodings import ConstantCurrent, Poisson, spike_trains
from snntoolbox.ir.features import ADAPTIVE, DRAWN_READOUT, PAYLOADS, SIGNED_SPIKES, SPIKE_VALUES
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import constant_currents
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, LinearNode
from snntoolbox.ir.nodes import Input
from snntoolbox.ir.result import Result
from snntoolbox.ir.ways_out import RATE

CHUNK_VALUES = 2**22
"""About how many values of a train of input spikes are made at once."""

TRAINS = (Poisson, Latency, BinaryDigits)
"""The codings of analogue values by spikes, which stand for a value that is nearly the sample's."""


class MeanCurrents:
    """Currents of populations and read-outs, averaged over the steps, in units of the network and in float64.

    A linear map of spikes averaged over the steps is the map of the spikes averaged: no trains are needed.
    """

    def __init__(self, network: SpikingNetwork) -> None:
        self.network = network
        self.spiking = {n: e for n, e in network.encodings.items() if isinstance(e, TRAINS)}
        self._wiring = Executor.double(network.wiring)

    def trains(self, x: Sequence[Array], steps: int, first_sample: int) -> dict[str, Array]:
        """What the spikes of each spiking input count together, as presented; samples go from `first_sample` on."""
        trains = {}
        for name, values in zip(self.network.encodings, x, strict=True):
            if name in self.spiking:
                chunk = max(1, CHUNK_VALUES // max(values.size, 1))
                numbered = ((first, min(chunk, steps - first)) for first in range(0, steps, chunk))
                parts = (self._counted(name, values, first_sample, *part) for part in numbered)
                trains[name] = np.asarray(sum(parts))
        return trains

    def _counted(self, name: str, values: Array, first_sample: int, first: int, steps: int) -> Array:
        spikes = spike_trains(values, steps, self.spiking[name], first_sample, first)
        return np.asarray(np.tensordot(self.network.weights(first, steps), spikes, axes=1))

    def expected(self, x: Sequence[Array], steps: int) -> dict[str, Array]:
        """What they would count together if they stood for the samples themselves."""
        pairs = zip(self.network.encodings, x, strict=True)
        return {name: values * (self._times(name, steps) / self.spiking[name].amplitude)
                for name, values in pairs if name in self.spiking}  # fmt: skip

    def _times(self, name: str, steps: int) -> float:
        """How often the amplitude counts where it is presented: in all steps, or those in which there are spikes."""
        coding = self.spiking[name]
        if isinstance(coding, Latency) and not coding.lasting:
            return coding.window
        presented = steps if coding.steps is None else min(coding.steps, steps)
        return float(self.network.weights(0, presented).sum())

    def of(
        self, x: Sequence[Array], counts: Mapping[str, Array], trains: Mapping[str, Array], steps: int
    ) -> dict[str, Array]:
        """The mean current of each target over a run, constant current included, bias not, for the sums of spikes.

        The mean is over the steps, or over the window of the network's schedule.
        """
        network = self.network
        span = network.window or steps
        spikes = {n: values / span for n, values in {**counts, **trains}.items() if n in network.wiring.nodes}
        share = float(network.given(steps)[-1]) / span
        constant = {
            name: np.zeros_like(values, np.float64) if network.grid else np.multiply(values, share, dtype=np.float64)
            for (name, coding), values in zip(network.encodings.items(), x, strict=True)
            if name not in self.spiking
        }
        tensors = {n: self._wiring.target.tensor(values) for n, values in {**spikes, **constant}.items()}
        with plain_arithmetic():
            latched = network.circuit.latched
            values = self._wiring.tensors(tensors, {*network.targets.values(), *latched.values()})
        currents = {target: values[current].numpy() for target, current in network.targets.items()}
        populations = network.populations
        for target, node in latched.items():
            currents[target] = populations[target].product(currents[target], values[node].numpy()) * span
        if network.grid:
            # On the grid currents of analogue inputs are rounded, once and by the one function for it.
            for target, current in constant_currents(network, *x).items():
                currents[target] = currents[target] + current * share
        return currents


SLICE_VALUES = 2**24
"""About how many values are held at once: large batches are gone through in slices."""


class Observer:
    """Splits the errors of a spiking network against the graph of rectifiers that it was converted from.

    `lowered` is that graph (`conversion.lower`). Populations that stand for none of its nodes are left out. Memory
    does not grow with the number of samples.
    """

    def __init__(self, network: SpikingNetwork, lowered: Graph) -> None:
        if reason := incomparable(network):
            raise ConversionError(f"its errors cannot be split: {reason}", hint=made_comparable(network))
        self.network = network
        self.lowered = lowered
        self.samples = 0
        self.steps = 0
        known = {n: p for n, p in network.populations.items() if lowered.shapes.get(p.activation) == p.shape}
        self._several = _several(known)
        known = {n: p for n, p in known.items() if self._several.get(p.activation, [p])[0] is p}
        self._opaque = {n for n, p in network.populations.items() if terms.opaque(p.neuron)}
        self._sums = {
            n: LayerSums(self._named(p), self._undefined(p) or self._reads(p.current), network.window)
            for n, p in known.items()
        }
        self._readouts = {r.name: Sizes() for r in network.readouts}
        self._currents = MeanCurrents(network)
        self._analogue = Executor.double(lowered)
        self._outputs = dict(zip(self._readouts, dict.fromkeys(lowered.outputs), strict=True))
        drives = {lowered.nodes[p.activation].inputs[0] for p in known.values()}
        self._rest = _at_rest(lowered, {*drives, *lowered.outputs})
        self._keep = {*drives, *(p.activation for p in known.values()), *lowered.outputs}
        held = [lowered.size(n) for n in self._keep] + [2 * network.wiring.size(c) for c in network.targets.values()]
        self._slice = max(1, SLICE_VALUES // max(sum(held), 1))

    def add(self, x: Sequence[Array], result: Result, first_sample: int | None = None) -> None:
        """Take in a batch: samples of each input and the run's result.

        `first_sample` numbers the samples as in the run, for the seeds of random input; by default they follow on.
        """
        if self.steps not in (0, result.span):
            raise DataError(f"a batch of {result.span} steps follows one of {self.steps}")
        first_sample = self.samples if first_sample is None else first_sample
        self.steps = result.span
        self.samples += result.samples
        for start in range(0, result.samples, self._slice):
            part = slice(start, start + self._slice)
            self._add([np.asarray(a)[part] for a in x], _sliced(result, part), first_sample + start)

    def _add(self, x: Sequence[Array], result: Result, first_sample: int) -> None:
        analogue = self._analogue.values(*x, keep=self._keep)
        steps, currents = result.steps, self._currents
        trains = currents.trains(x, steps, first_sample)
        means = currents.of(x, result.counts, trains, steps)
        expected = currents.of(x, result.counts, currents.expected(x, steps), steps) if trains else {}
        for name, sums in self._sums.items():
            self._population(self.network.populations[name], sums, analogue, result, means, expected)
        for readout in self.network.readouts:
            self._readout(readout, analogue, result, means, expected)

    def _named(self, population: Population) -> Population:
        """The population, under the name of its layer where several say the values of that."""
        return replace(population, name=population.activation) if population.activation in self._several else population

    def _undefined(self, population: Population) -> str:
        return terms.undefined(population.neuron, scheduled=self.network.schedule is not None)

    def _reads(self, current: str) -> str:
        """Why the mean drive of what gets this current is not known from spike counts; empty where it is."""
        if current in self.network.circuit.delayed:
            return "a delay brings it spikes of earlier steps"
        sources = sorted(self.network.sources[current] & self._opaque)
        return f"spikes of {sources[0]} differ in value" if sources else ""

    # -- populations --------------------------------------------------------------------------------------------

    def _population(
        self,
        population: Population,
        sums: LayerSums,
        analogue: Mapping[str, Array],
        result: Result,
        means: Mapping[str, Array],
        expected: Mapping[str, Array],
    ) -> None:
        name, activation, others = population.name, analogue[population.activation], self._others(population)
        counts = result.counts[name]
        if others:
            counts = np.mean([counts, *(result.counts[p.name] for p in others)], axis=0)
        if sums.undefined:
            error = counts / result.span * population.scale - activation
            sums.add(activation, counts, result.span, error, {})
            return
        neuron = population.neuron
        assert isinstance(neuron, IF)
        drive = self.lowered.nodes[population.activation].inputs[0]
        moved = self._moved(population, self._rest[drive])
        reached = self._currents.spiking.keys() & self.network.sources[population.current]
        layer = terms.Layer(
            activation=activation,
            drive=analogue[drive],
            mean_drive=_in_units(population, means[name], result) + moved,
            expected_drive=_in_units(population, expected[name], result) + moved if reached else None,
            counts=counts,
            steps=result.span,
            most=neuron.most if neuron.window else result.span,
            scale=population.scale,
            table=neuron.table,
            initial=_begin(population, moved, result),
            tie=0.0 if self.network.grid else terms.TIE,
            others=tuple((_begin(p, moved, result), p.neuron.table) for p in others if isinstance(p.neuron, IF)),
        )
        sums.add(activation, counts, result.span, terms.error(layer), terms.split(layer, population.label))

    def _others(self, population: Population) -> list[Population]:
        """Those that say the values of a layer together with a population."""
        return self._several.get(population.activation, [population])[1:]

    def _moved(self, population: Population, rest: Array) -> Array:
        """The part of a bias that a schedule has put into the start potential, in the user's units per step.

        A layer that fires behind all of its input may have its bias at once; in the equation it stays in the drive.
        """
        if self.network.schedule is None:
            return np.zeros((1,) * (1 + len(population.shape)))
        assert isinstance(population.neuron, IF)
        bias = 0.0 if population.bias is None else population.bias
        return np.asarray(rest - bias * (population.input_scale / population.neuron.threshold))

    # -- read-outs ----------------------------------------------------------------------------------------------

    def _readout(
        self,
        readout: Readout,
        analogue: Mapping[str, Array],
        result: Result,
        means: Mapping[str, Array],
        expected: Mapping[str, Array],
    ) -> None:
        """y - a = (m_e - a) + (m - m_e) + (y - m - k) + k, with what the read-out would give for its mean current.

        m is that value over all steps and with the original bias, m_e the same for expected trains, k what a
        correction added to the bias. What is left, y - m - k, comes from forgetting the first steps.
        """
        output = self._outputs[readout.name]
        target = analogue[output]
        bias = 0.0 if readout.bias is None else np.asarray(readout.bias, np.float64)
        correction = np.broadcast_to(readout.scale * bias - self._rest[output], target.shape)
        mean = readout.scale * (means[readout.name] + bias) - correction
        value = result.outputs[readout.name]
        if self._reads(readout.current):
            self._readouts[readout.name].add(target, {"total": value - target})
            return
        parts: dict[str, Any] = {terms.WINDOW: value - mean - correction, terms.CORRECTION: correction}
        if self._currents.spiking.keys() & self.network.sources[readout.current]:
            steady = readout.scale * (expected[readout.name] + bias) - correction
            parts |= {terms.PROPAGATED: steady - target, terms.SAMPLING: mean - steady}
        else:
            parts[terms.PROPAGATED] = mean - target
        error = value - target
        terms.check_sum(parts, error, float(np.abs(target).max(initial=0.0)), readout.name)
        self._readouts[readout.name].add(target, {"total": error, **parts})

    # -- the result ---------------------------------------------------------------------------------------------

    def diagnosis(self) -> Diagnosis:
        """The diagnosis of all batches so far; DataError before the first."""
        if not self.samples:
            raise DataError("there are no samples to diagnose")
        return Diagnosis(
            samples=self.samples,
            steps=self.steps,
            windowed=self.network.window is not None,
            layers=tuple(t.diagnosis() for n in self.network.targets if (t := self._sums.get(n))),
            readouts=tuple(self._readout_diagnosis(r) for r in self.network.readouts),
        )

    def _readout_diagnosis(self, readout: Readout) -> LayerDiagnosis:
        name, sizes = readout.name, self._readouts[readout.name]
        terms_of = sizes.sizes(1.0)
        return LayerDiagnosis(
            name=name,
            label=name,
            kind="readout",
            unit=sizes.unit,
            total=terms_of.pop("total"),
            terms=terms_of,
            undefined=self._reads(readout.current),
        )


def incomparable(network: SpikingNetwork) -> str:
    """Why a network's rates cannot be set against activations; empty where they can.

    Samples must be analogue values, given as a current or as trains of spikes that stand for them.
    """
    for name, coding in network.encodings.items():
        if not isinstance(coding, (ConstantCurrent, *TRAINS)):
            return f"the input {name} is coded as {type(coding).__name__}"
    if network.schedule is not None:
        schedule = SCHEDULES.get(network.schedule.name)
        if schedule is None or not schedule.rates:
            return f"a {network.schedule.name} network does not fire at a rate"
    if any(readout.draws for readout in network.readouts):
        return "its read-out draws spikes"
    if any(isinstance(p.neuron, IF) and p.neuron.graded for p in network.populations.values()):
        return "its spikes carry values"
    return ""


def made_comparable(network: SpikingNetwork) -> str:
    """The settings without which a network's rates could be set against activations; empty where there are none."""
    neurons = [p.neuron for p in network.populations.values() if isinstance(p.neuron, IF)]
    asked = {feature for neuron in neurons for part in neuron.parts for feature in part.asks()}
    asked |= {DRAWN_READOUT} if any(readout.draws for readout in network.readouts) else set()
    ways = [feature.way_out(network) for feature in _COMPARED_WITHOUT if feature in asked]
    schedule = SCHEDULES.get(network.schedule.name) if network.schedule is not None else None
    ways += [RATE] if network.schedule is not None and (schedule is None or not schedule.rates) else []
    return " and ".join(dict.fromkeys(ways))


_COMPARED_WITHOUT = (DRAWN_READOUT, SPIKE_VALUES, SIGNED_SPIKES, PAYLOADS, ADAPTIVE)


def _several(known: Mapping[str, Population]) -> dict[str, list[Population]]:
    """The populations of each layer whose values several say together, by its name."""
    found: dict[str, list[Population]] = {}
    for population in known.values():
        found.setdefault(population.activation, []).append(population)
    return {name: populations for name, populations in found.items() if len(populations) > 1}


def _begin(population: Population, moved: Array, result: Result) -> Array:
    """The start potential in thresholds, without the part of a bias that is in it."""
    neuron = population.neuron
    assert isinstance(neuron, IF)
    return np.asarray(neuron.initial / neuron.threshold - result.span * moved / population.input_scale)


def _in_units(population: Population, current: Array, result: Result) -> Array:
    """A mean current, with bias and pulses, in the user's units: one threshold per step stands for `input_scale`."""
    assert isinstance(population.neuron, IF)
    bias = 0.0 if population.bias is None else population.bias
    pulses = sum(pulse for step, pulse in population.pulses.items() if step < result.steps)
    current = current + (bias * result.steps + pulses) / result.span
    return np.asarray(current * (population.input_scale / population.neuron.threshold))


def _sliced(result: Result, part: slice) -> Result:
    counts = {n: c[part] for n, c in result.counts.items()}
    outputs = {n: v[part] for n, v in result.outputs.items()}
    samples = len(next(iter(outputs.values())))
    return Result(
        steps=result.steps, samples=samples, counts=counts, outputs=outputs, window=result.window, heads=result.heads
    )


def _at_rest(lowered: Graph, keep: set[str]) -> dict[str, Array]:
    """The values of nodes with no input and every neuron silent: what its biases add up to, (1, *shape)."""
    nodes = [
        n if isinstance(n, LinearNode) else Input(name=n.name, shape=lowered.shapes[n.name])
        for n in lowered.nodes.values()
    ]
    cut = Graph(nodes, sorted(keep))
    return Executor.double(cut).values(*(np.zeros((1, *cut.shapes[i])) for i in cut.inputs), keep=keep)
