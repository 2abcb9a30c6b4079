"""A spiking network: populations of neurons joined by linear maps, an input coding and a linear read-out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from snntoolbox.errors import GraphError
from snntoolbox.ir.circuit import Circuit, Projection
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.data_range import DataRange
from snntoolbox.ir.encodings import ConstantCurrent, Encoding
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.grid import Grid as Grid
from snntoolbox.ir.head import Head
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.neurons import IF, MaxGate, Neuron, miscounting
from snntoolbox.ir.node import Array, LinearNode, Origin, Shape, broadcasts
from snntoolbox.ir.nodes import Input, MaxPool
from snntoolbox.ir.parts import RecurringWindow
from snntoolbox.ir.readout import Readout as Readout
from snntoolbox.ir.schedule import Schedule as Schedule


@dataclass(frozen=True, eq=False, kw_only=True)
class Population:
    """Neurons of one model and shape.

    `current` names the wiring node that gives its input; `bias` (broadcasts to the shape) is added every step.
    `pulses` is a current more in single steps, counted from 0: step -> array that broadcasts to the shape.
    `scale` (broadcasts to the shape) is the activation in the user's units that one spike per step stands for.
    `activation` names the node of the analogue graph whose value the rate approximates, empty where it stands for
    none. `bound` is the upper bound of that value where it has one (ReLU6, QCFS): a scale of at most that makes
    saturation the bound. `inhibitory` names the wiring node that gives what of its input comes through negative
    weights, for neurons that tell it apart; `latched` the node whose counts multiply what its current brings, for
    neurons that are `IF.latched`.
    """

    name: str
    shape: Shape
    neuron: Neuron
    current: str
    bias: Array | None = None
    scale: Array
    activation: str
    origin: Origin | None = None
    pulses: Mapping[int, Array] = field(default_factory=dict)
    bound: Array | None = None
    inhibitory: str | None = None
    latched: str | None = None

    @property
    def size(self) -> int:
        """The number of neurons."""
        return math.prod(self.shape)

    @property
    def currents(self) -> tuple[str, ...]:
        """The wiring nodes that give its input: one, or two where a second one is told apart."""
        return tuple(name for name in (self.current, self.inhibitory, self.latched) if name is not None)

    @property
    def current_shapes(self) -> tuple[Shape, ...]:
        """The shapes of what these give: its own, but where it sums products."""
        synapse = self.neuron.parts.synapse if isinstance(self.neuron, IF) else None
        if isinstance(synapse, Latched) and self.latched is not None:
            return synapse.factor_shapes(self.shape)
        return (self.shape,) * len(self.currents)

    def product(self, came: Any, counted: Any) -> Any:
        """What its current and what is `latched` make together, arrays or tensors (samples, *shape)."""
        assert isinstance(self.neuron, IF)
        synapse = self.neuron.parts.synapse
        assert isinstance(synapse, Latched)
        return synapse.product(came, counted)

    @property
    def input_scale(self) -> Array:
        """What one threshold a step is of the value before the rectifier, or of what a function in a table reads."""
        table = self.neuron.table if isinstance(self.neuron, IF) else None
        return self.scale if table is None else table.input_scale(len(self.shape))

    @property
    def recurs(self) -> bool:
        """Whether its counts are of several values of its activation: those of all steps of a sequence."""
        return isinstance(self.neuron, IF) and isinstance(self.neuron.parts.openings, RecurringWindow)

    @property
    def label(self) -> str:
        """The population as the user knows it."""
        return str(self.origin) if self.origin else self.name


class SpikingNetwork:
    """Populations, read-outs and the linear wiring between them; never changed in place.

    `wiring` is a graph of bias-free linear nodes. Its inputs are the encoded inputs and the spikes of each population
    (under the population's name, values 0 or 1); each population and read-out names the wiring node that gives its
    current. Shared linear work is thus done once, and a backend without a notion of layers asks `projections`.
    `notes` are what its making has to tell the user, for the summary, `duration` the run (ms) that it was fitted to,
    None for any, `corrected` how many of its calibration samples, the first ones, it was corrected on, and `calibrated`
    the range of these samples by input, as far as there were any; they change nothing in it. `original` is the lowered
    graph that it was converted from, to compare with, while that is at hand: neither files nor other processes get it.
    """

    def __init__(
        self,
        wiring: Graph,
        encodings: Mapping[str, Encoding],
        populations: Sequence[Population],
        readouts: Sequence[Readout],
        *,
        dt: float = 1.0,
        grid: Grid | None = None,
        schedule: Schedule | None = None,
        notes: tuple[str, ...] = (),
        duration: float | None = None,
        corrected: int = 0,
        calibrated: Mapping[str, DataRange] | None = None,
        original: Graph | None = None,
    ) -> None:
        self.wiring = wiring
        self.encodings: Mapping[str, Encoding] = MappingProxyType(dict(encodings))
        self.populations: Mapping[str, Population] = MappingProxyType({p.name: p for p in populations})
        self.readouts = tuple(readouts)
        self.dt = dt
        self.grid = grid
        self.schedule = schedule
        self.notes = notes
        self.duration = duration
        self.corrected = corrected
        self.calibrated: Mapping[str, DataRange] = MappingProxyType(dict(calibrated or {}))
        self.original = original
        self._check(len(populations))

    @property
    def name(self) -> str:
        """The model's name."""
        return self.wiring.name

    def _check(self, count: int) -> None:
        names = {*self.populations, *self.encodings, *(r.name for r in self.readouts)}
        if len(names) != count + len(self.encodings) + len(self.readouts):
            raise GraphError("two populations, inputs or read-outs have the same name")
        if not all(isinstance(span, DataRange) for span in self.calibrated.values()):
            raise GraphError("the ranges of its calibration data are no ranges")
        for name in self.wiring.inputs:
            if name not in self.encodings and name not in self.populations:
                raise GraphError("is neither an encoded input nor a population", layer=name)
        for name in self.encodings:
            if name not in self.wiring.inputs:
                raise GraphError("is encoded, but no input of the wiring", layer=name)
        for node in self.wiring.nodes.values():
            if not isinstance(node, Input) and (not isinstance(node, LinearNode) or node.bias is not None):
                raise GraphError("is not a bias-free linear map", layer=node.label)
        for population in self.populations.values():
            self._check_population(population)
        for readout in self.readouts:
            self._check_current(readout.name, readout.current, readout.shape)
            if readout.draws is not None and (self.schedule is not None or readout.head.kind != "classes"):
                raise GraphError("only classes, in a network without a schedule, can be drawn", layer=readout.name)
        if len({e.steps for e in self.encodings.values() if isinstance(e, ConstantCurrent)}) > 1:
            raise GraphError("constant inputs that are presented for different numbers of steps")
        constant = {name for name, e in self.encodings.items() if isinstance(e, ConstantCurrent)}
        for name in self.circuit.delays:
            if reached := constant & self.circuit.sources[name]:
                told = f"delays the constant current of {', '.join(sorted(reached))}, which has no steps"
                raise GraphError(told, layer=self.wiring.nodes[name].label, hint="Poisson input has")

    def _check_population(self, population: Population) -> None:
        neuron, shape, label = population.neuron, population.shape, population.label
        # Spikes that nobody reads need no place in the wiring.
        if population.name in self.wiring.nodes and population.name not in self.wiring.inputs:
            raise GraphError("the wiring has a map of this name where the population's spikes belong", layer=label)
        if self.wiring.shapes.get(population.name, shape) != shape:
            raise GraphError(f"is read as {self.wiring.shapes[population.name]}, has shape {shape}", layer=label)
        if isinstance(neuron, MaxGate):
            self._check_current(label, population.current, None)
            window = {f: getattr(neuron, f) for f in ("kernel", "stride", "padding", "dilation")}
            pool = MaxPool(name=population.name, origin=population.origin, **window)
            expected = pool.output_shape(self.wiring.shapes[population.current])
            if expected != shape:
                raise GraphError(f"its windows give shape {expected}, it has shape {shape}", layer=label)
        else:
            for current, given in zip(population.currents, population.current_shapes, strict=True):
                self._check_current(label, current, given)
            if neuron.parts.synapse.paired != (population.inhibitory is not None):
                raise GraphError("two synaptic currents and an `inhibitory` input go together", layer=label)
            if neuron.parts.synapse.latches != (population.latched is not None):
                raise GraphError("a latched synapse and a `latched` input go together", layer=label)
            self._check_product(population)
            contraction = neuron.contraction
            if contraction is not None and contraction.shape != shape:
                raise GraphError(f"sums products to shape {contraction.shape}, has shape {shape}", layer=label)
            if neuron.table is not None and len(neuron.table.counts) not in (1, shape[0] if shape else 1):
                rows = len(neuron.table.counts)
                raise GraphError(f"its table has {rows} rows, which do not fit shape {shape}", layer=label)
        values: dict[str, Array | float | None] = {"bias": population.bias, "scale": population.scale}
        values |= {f"pulse in step {step}": pulse for step, pulse in population.pulses.items()}
        if population.pulses and (isinstance(neuron, MaxGate) or min(population.pulses) < 0):
            raise GraphError("pulses need neurons and steps from 0", layer=label)
        if isinstance(neuron, IF):
            values |= {"threshold": neuron.threshold, "initial": neuron.initial}
        if unlike := miscounting(neuron, self.schedule):
            raise GraphError(unlike, layer=label)
        for what, value in values.items():
            if value is not None and not broadcasts(np.shape(value), shape):
                raise GraphError(f"its {what} of shape {np.shape(value)} does not fit shape {shape}", layer=label)

    def _check_product(self, population: Population) -> None:
        """GraphError where anything but spikes is multiplied."""
        if population.latched is None:
            return
        constant = {name for name, e in self.encodings.items() if isinstance(e, ConstantCurrent)}
        sources = self.circuit.sources
        reached = sorted(constant & (sources[population.current] | sources[population.latched]))
        if reached or population.bias is not None:
            what = f"the constant current of {', '.join(reached)}" if reached else "a bias"
            raise GraphError(f"{what} has no spikes that could be counted and multiplied", layer=population.label)

    def _check_current(self, label: str, current: str, shape: Shape | None) -> None:
        if current not in self.wiring.nodes:
            raise GraphError(f"takes its current from '{current}', which does not exist", layer=label)
        given = self.wiring.shapes[current]
        if shape is not None and given != shape:
            raise GraphError(f"gets a current of shape {given}, has shape {shape}", layer=label)

    def replaced(
        self,
        *,
        wiring: Graph | None = None,
        populations: Sequence[Population] | None = None,
        readouts: Sequence[Readout] | None = None,
        encodings: Mapping[str, Encoding] | None = None,
        grid: Grid | None = None,
        schedule: Schedule | None = None,
        notes: tuple[str, ...] | None = None,
        duration: float | None = None,
        corrected: int | None = None,
        calibrated: Mapping[str, DataRange] | None = None,
        original: Graph | None = None,
    ) -> Self:
        """A copy with some parts exchanged."""
        return type(self)(
            wiring or self.wiring,
            self.encodings if encodings is None else encodings,
            tuple(self.populations.values()) if populations is None else populations,
            self.readouts if readouts is None else readouts,
            dt=self.dt,
            grid=grid or self.grid,
            schedule=schedule or self.schedule,
            notes=self.notes if notes is None else notes,
            duration=self.duration if duration is None else duration,
            corrected=self.corrected if corrected is None else corrected,
            calibrated=self.calibrated if calibrated is None else calibrated,
            original=self.original if original is None else original,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the network is made of, not what follows from it."""
        parts = (self.wiring, dict(self.encodings), tuple(self.populations.values()), self.readouts)
        return _rebuilt, (type(self), parts, {n: getattr(self, n) for n in _CHOICES}, dict(self.calibrated))

    @property
    def heads(self) -> Mapping[str, Head]:
        """What each read-out says."""
        return {readout.name: readout.head for readout in self.readouts}

    @property
    def window(self) -> int | None:
        """What sums are divided by in this network's schedule; None: the steps that have passed."""
        return self.schedule.total if self.schedule else None

    def weights(self, first: int, steps: int) -> Array:
        """How often what happens in each of so many steps counts, from step `first` on, counted from 0."""
        if self.schedule is None or self.schedule.counting is Counting.ONE:
            return np.ones(steps)
        weight, window, ends = self.schedule.counting.weight, self.schedule.window, self.schedule.ends
        return np.array([weight(step, window, ends) for step in range(first, first + steps)])

    def given(self, elapsed: int) -> Array:
        """How often constant inputs have counted after each of so many steps."""
        there = np.arange(1, elapsed + 1) == self.presented(np.arange(1, elapsed + 1))
        return np.cumsum(self.weights(0, elapsed) * there)

    def presented(self, elapsed: Any) -> Any:
        """In how many of the first `elapsed` steps (a number or an array) constant inputs are there."""
        limits = [e.steps for e in self.encodings.values() if isinstance(e, ConstantCurrent) and e.steps is not None]
        return np.minimum(elapsed, limits[0]) if limits else elapsed

    @cached_property
    def circuit(self) -> Circuit:
        """Who depends on whom."""
        return Circuit(
            wiring=self.wiring,
            inputs=tuple(self.encodings),
            populations={p.name: p.current for p in self.populations.values()},
            inhibitory={p.name: p.inhibitory for p in self.populations.values() if p.inhibitory},
            latched={p.name: p.latched for p in self.populations.values() if p.latched},
            readouts={r.name: r.current for r in self.readouts},
        )

    @property
    def order(self) -> tuple[str, ...]:
        """Wiring nodes and populations, each behind what it depends on within a step; see `Circuit.order`."""
        return self.circuit.order

    @property
    def targets(self) -> Mapping[str, str]:
        """For each population, in order, and each read-out the wiring node that gives its current."""
        return self.circuit.targets

    @property
    def sources(self) -> Mapping[str, frozenset[str]]:
        """For each wiring node the inputs and populations that it depends on directly (through linear nodes only)."""
        return self.circuit.sources

    def fed_by(self, target: str) -> frozenset[str]:
        """The inputs and populations that reach a population or read-out, by its current or latched."""
        return self.circuit.fed_by(target)

    @property
    def depths(self) -> Mapping[str, int]:
        """For each input, population and read-out the longest path to it from an input; see `Circuit.depths`."""
        return self.circuit.depths

    @property
    def projections(self) -> tuple[Projection, ...]:
        """One for each source, target and lag that are joined, targets in order."""
        return self.circuit.projections

    @property
    def neurons(self) -> int:
        """The number of neurons."""
        return sum(p.size for p in self.populations.values())

    def __repr__(self) -> str:
        grid = f", {self.grid.weight_bits}-bit" if self.grid else ""
        return f"SpikingNetwork({self.name!r}: {len(self.populations)} populations, {self.neurons} neurons{grid})"

    def with_neurons(self, **changes: object) -> Self:
        """The same network with fields of every integrate-and-fire neuron changed: reset, leak, saturation, ..."""
        populations = [
            replace(p, neuron=replace(p.neuron, **changes)) if isinstance(p.neuron, IF) else p  # type: ignore[arg-type]
            for p in self.populations.values()
        ]
        return self.replaced(populations=populations)


_CHOICES = ("dt", "grid", "schedule", "notes", "duration", "corrected")


def _rebuilt(kind: type[SpikingNetwork], parts: tuple[Any, ...], choices: Any, calibrated: Any) -> SpikingNetwork:
    return kind(*parts, **choices, calibrated=calibrated)
