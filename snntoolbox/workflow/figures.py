"""What the page of a run shows beyond its report: values of layers, one sample step by step, samples to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snntoolbox.backends.simulate import simulate
from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.drawing.canvas import spread
from snntoolbox.ir.large_arrays import piece
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.operations import input_trains, synaptic_operations_per_step
from snntoolbox.ir.progress import watched
from snntoolbox.ir.result import Record, Result
from snntoolbox.ir.timing import steps_of
from snntoolbox.workflow.collecting import Batch, Outputs, labels_of
from snntoolbox.workflow.options import BUILT_IN, options_of
from snntoolbox.workflow.preparation import Prepared

MOST_VALUES = 500_000
"""Neurons and samples of a layer that are counted by size: of more the first samples."""

MOST_PAIRS = 300
"""Neurons and samples of a layer whose rate and activation are shown."""

BINS = 40
MOST_CELLS = 20_000_000
"""Neurons times steps that are recorded of one sample; layers for which there is no more room are left out."""

MOST_CLASSES = 1000
"""Of more the confusion matrix is not made."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerValues:
    """A layer on the first batch: activations and rates in its units, some pairs and all of them counted.

    `activations` and `counts[1]` are None where there is no analogue layer. Of the neurons `silent` never fire on it,
    `always` ones in every step.
    """

    rates: Array
    activations: Array | None
    edges: Array
    counts: tuple[Array, Array | None]
    samples: int
    silent: int
    always: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Odd:
    """A sample that is looked at: its number, itself, and the classes by label, original and spiking network."""

    index: int
    x: Array
    label: int | None
    original: int | None
    spiking: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Figures:
    """What there is to draw; `trace` is the first sample on the built-in simulator, if that takes the network.

    `disagreements` are samples (the first ones, of `disagreeing`) that the networks put into different classes,
    `mistakes` those of `mistaken` that both get wrong in the same way.
    """

    layers: Mapping[str, LayerValues] = field(default_factory=dict)
    trace: Result | None = None
    operations: Array | None = None
    confusion: Array | None = None
    disagreements: tuple[Odd, ...] | None = None
    disagreeing: int = 0
    mistakes: tuple[Odd, ...] = ()
    mistaken: int = 0


class LayerFigures:
    """Keeps a few numbers of every layer on the first batch."""

    def __init__(self, network: SpikingNetwork) -> None:
        self._network = network
        self.layers: dict[str, LayerValues] = {}

    def add(self, batch: Batch) -> None:
        """Take in the first batch; the others change nothing."""
        if self.layers:
            return
        for name, population in self._network.populations.items():
            result = batch.result
            rates = np.asarray(result.rates(name) * population.scale)
            own = batch.activations.get(population.activation)
            events, steps = result.events[name], result.steps
            self.layers[name] = _values(rates, None if own is None else own.reshape(rates.shape), events, steps)

    def report(self) -> Mapping[str, Any]:
        """Nothing: it is drawn."""
        return {}


def _values(rates: Array, activations: Array | None, events: Array, steps: int) -> LayerValues:
    some = slice(max(1, MOST_VALUES * len(rates) // max(rates.size, 1)))
    rates, activations = rates[some], None if activations is None else activations[some]
    both = [rates] if activations is None else [rates, activations]
    low, high = (float(f([f(v) for v in both])) for f in (np.min, np.max))
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    chosen = spread(rates.size, MOST_PAIRS)
    per_neuron = events.reshape(len(events), -1)
    counts = [np.histogram(values, edges)[0] for values in both]
    return LayerValues(
        rates=rates.ravel()[chosen],
        activations=None if activations is None else activations.ravel()[chosen],
        edges=edges, counts=(counts[0], None if activations is None else counts[1]), samples=len(events),
        silent=int((per_neuron == 0).all(axis=0).sum()), always=int((per_neuron >= steps).all(axis=0).sum()),
    )  # fmt: skip


def figures_of(prepared: Prepared, network: SpikingNetwork, layers: Mapping[str, LayerValues], out: Outputs) -> Figures:
    """All of them, once a simulation is over."""
    trace = _traced(prepared, network)
    x = piece(prepared.inputs.test.x, 0, 1)
    operations = (
        None if trace is None or len(trace.spikes) < len(network.populations) else _operations(network, x, trace)
    )
    return Figures(
        layers=layers, trace=trace, operations=operations, confusion=_confusion(network, out), **_odd(prepared, out)
    )


def _traced(prepared: Prepared, network: SpikingNetwork) -> Result | None:
    """The first test sample on the built-in simulator, spikes and potentials recorded as far as there is room."""
    simulation = prepared.settings.simulation
    steps, kept, cells = steps_of(simulation.duration, network.dt), set(), 0
    for name, population in network.populations.items():
        cells += population.size * steps
        if cells <= MOST_CELLS:
            kept.add(name)
    record = Record(spikes=frozenset(kept), potentials=frozenset(kept), outputs_per_step=False)
    options = options_of(prepared.settings, BUILT_IN)
    try:
        x = piece(prepared.inputs.test.x, 0, 1)
        with watched(None):  # one sample
            return simulate(network, [x], duration=simulation.duration, record=record, **options)
    except SNNToolboxError:  # it does not take this network: the page says that there is no trace
        return None


def _operations(network: SpikingNetwork, x: Array, trace: Result) -> Array:
    trains = input_trains(network, [x], trace.steps)
    return np.cumsum(synaptic_operations_per_step(network, {**trace.spikes, **trains})[0])


def _confusion(network: SpikingNetwork, out: Outputs) -> Array | None:
    readout = network.readouts[0]
    classes = readout.head.classes(readout.shape)
    return out.confusion(classes) if 0 < classes <= MOST_CLASSES else None


def _odd(prepared: Prepared, out: Outputs) -> dict[str, Any]:
    """The samples that are looked at; nothing where there is no class per sample."""
    if not out.once:
        return {}
    differ, both = out.disagreements, out.mistakes
    return {
        "disagreements": tuple(_one(prepared, *odd) for odd in differ.first) if out.compared else None,
        "disagreeing": differ.count,
        "mistakes": tuple(_one(prepared, *odd) for odd in both.first), "mistaken": both.count,
    }  # fmt: skip


def _one(prepared: Prepared, i: int, spiking: int) -> Odd:
    test, parsed = prepared.inputs.test, prepared.parsed_classes
    labels = labels_of(test, len(test))
    label, original = (None if classes is None else int(classes[i]) for classes in (labels, parsed))
    x = np.asarray(piece(test.x, i, i + 1))[0]
    return Odd(index=i, x=x, label=label, original=original, spiking=spiking)
