"""What is gathered while a network runs batch by batch: one collector for each part of a report."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from snntoolbox.analysis.diagnosis.observer import Observer
from snntoolbox.analysis.energy import Work, energy, work_of
from snntoolbox.analysis.metrics import OutputErrors, PopulationStatistics, accuracy_per_step, agreement
from snntoolbox.backends.early_exit import Exits
from snntoolbox.errors import DiedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.labels import top_k_share
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.operations import input_events, input_operations, synaptic_operations
from snntoolbox.ir.result import ExitRule, Result
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.evaluation import accuracies, regression_error
from snntoolbox.workflow.progress_lines import is_told, tell
from snntoolbox.workflow.report.terminal import TOP_K

DIAGNOSED = 500
"""About how many test samples are diagnosed: enough for the terms, cheap beside the simulation."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some samples, what the simulator gave for them, and the analogue values by node, as far as they are known.

    presented: what the network was given, where that is not the samples themselves.
    """

    x: Array
    result: Result
    activations: Mapping[str, Array]
    presented: Array | None = None

    @property
    def input(self) -> Array:
        """What the network was given."""
        return self.x if self.presented is None else self.presented


class Collector(Protocol):
    """Takes in batches one after the other, and says what it found."""

    def add(self, batch: Batch) -> None:
        """Take in the next batch."""

    def report(self) -> Mapping[str, Any]:
        """What ``report.json`` holds of all batches so far."""


def collect(batches: Iterable[Batch], collectors: Sequence[Collector]) -> DiedError | None:
    """Give every batch to all collectors; of a simulator that dies after the first one the error, else it is raised."""
    samples = 0
    try:
        for batch in batches:
            for collector in collectors:
                collector.add(batch)
            samples += batch.result.samples
    except DiedError as error:
        if not samples:
            raise
        return error
    return None


class Populations:
    """Spikes, rates and correlations of every population."""

    def __init__(self, network: SpikingNetwork) -> None:
        self.statistics = PopulationStatistics(network)

    def add(self, batch: Batch) -> None:
        """Take in the next batch."""
        self.statistics.add(batch.result, batch.activations)

    def report(self) -> Mapping[str, Any]:
        """By layer: mean spikes per sample, spikes per neuron and step, Pearson's r with the analogue network."""
        return {
            "spikes_per_layer": self.statistics.spikes,
            "mean_rate_per_layer": self.statistics.mean_rates,
            "correlation_per_layer": self.statistics.correlations,
        }


class OutputDifferences:
    """How far each read-out is from the analogue output."""

    def __init__(self, outputs: Sequence[str]) -> None:
        self._errors = OutputErrors(outputs)

    def add(self, batch: Batch) -> None:
        """Take in the next batch."""
        self._errors.add(batch.result, batch.activations)

    def report(self) -> Mapping[str, Any]:
        """The error of each output; nothing where there is no analogue one."""
        return {"output_error": self._errors.report}


class Diagnosing:
    """The errors of all layers split into their causes, on about the first `DIAGNOSED` samples."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer

    def add(self, batch: Batch) -> None:
        """Take in the next batch, unless there were enough."""
        if self.observer.samples < DIAGNOSED:
            self.observer.add([batch.x], batch.result)

    def report(self) -> Mapping[str, Any]:
        """The diagnosis as plain data."""
        return {"diagnosis": self.observer.diagnosis().data()}


class EarlyExits:
    """What becomes of the predictions where samples end by a rule."""

    def __init__(self, rule: ExitRule, test: Dataset) -> None:
        self._exits, self._test, self._samples = Exits(rule), test, 0

    def add(self, batch: Batch) -> None:
        """Take in the next batch."""
        self._exits.add(batch.result)
        self._samples += batch.result.samples

    def report(self) -> Mapping[str, Any]:
        """Mean steps and agreement; accuracy where there are labels."""
        return {"early_exit": self._exits.found(labels_of(self._test, self._samples))}


class Operations:
    """Operations of the spiking network per sample, and what they and those of the original `graph` would cost."""

    def __init__(self, network: SpikingNetwork, graph: Graph | None) -> None:
        self._network, self._graph = network, graph
        self._operations, self._samples, self._steps = 0, 0, 0

    def add(self, batch: Batch) -> None:
        """Take in the next batch."""
        result = batch.result
        counts = {**result.events, **input_events(self._network, [batch.input], result.steps, self._samples)}
        # A whole number, so that it does not matter how samples are batched.
        self._operations += round(synaptic_operations(self._network, counts) * result.samples)
        self._samples += result.samples
        self._steps = result.steps

    def report(self) -> Mapping[str, Any]:
        """Their means."""
        work = Work(
            synaptic=self._operations / self._samples,
            updates=self._network.neurons * self._steps,
            inputs=input_operations(self._network),
        )
        estimate = energy(work, None if self._graph is None else work_of(self._graph))
        return {
            "synaptic_operations": work.synaptic,
            "neuron_updates": work.updates,
            "input_operations": work.inputs,
            "energy": estimate,
        }


class Hardware:
    """What a simulator of chips says that a sample takes there."""

    def __init__(self) -> None:
        self._values: dict[str, list[Array]] = {}

    def add(self, batch: Batch) -> None:
        """Take in the next batch."""
        for name, values in batch.result.hardware.items():
            self._values.setdefault(name, []).append(values)

    def report(self) -> Mapping[str, Any]:
        """The mean of each figure over the samples; nothing from simulators of no chip."""
        means = {name: float(np.concatenate(values).mean()) for name, values in self._values.items()}
        return {"hardware_per_sample": means} if means else {}


class EnginePaths:
    """In which ways the built-in simulator computed the input of each layer."""

    def __init__(self) -> None:
        self._paths: dict[str, frozenset[str]] = {}

    def add(self, batch: Batch) -> None:
        """Take in the next batch."""
        for name, paths in batch.result.engine_paths.items():
            self._paths[name] = paths | self._paths.get(name, frozenset())

    def report(self) -> Mapping[str, Any]:
        """By layer."""
        return {"engine_paths": {name: sorted(paths) for name, paths in self._paths.items()}}


class Told:
    """Tells whoever reads the lines of progress how the accuracy grows with the samples; without labels the agreement.

    `parsed` are the classes of the parsed network, None where there are none.
    """

    _SECONDS = 0.2

    def __init__(self, test: Dataset, parsed: Array | None, head: Head) -> None:
        labels = labels_of(test, len(test))
        self._of, self._right = ("accuracy", labels) if labels is not None else ("agreement", parsed)
        self._test, self._head, self._samples, self._last = test, head, 0, -self._SECONDS
        self._right_per_step: Array | float = 0.0

    def add(self, batch: Batch) -> None:
        """Take in the next batch."""
        if not is_told() or self._right is None or not self._head.decides:
            return
        first, self._samples = self._samples, self._samples + batch.result.samples
        shares = accuracy_per_step(batch.result.predictions_per_step, self._right[first : self._samples])
        self._right_per_step = self._right_per_step + shares * batch.result.samples
        if self._samples < len(self._test) and time.monotonic() - self._last < self._SECONDS:
            return
        self._last, per_step = time.monotonic(), np.round(self._right_per_step / self._samples, 5)
        tell("accuracy", of=self._of, samples=self._samples, per_step=per_step.tolist())

    def report(self) -> Mapping[str, Any]:
        """Nothing: it was told."""
        return {}


class Outputs:
    """The outputs of all samples, held against labels or targets, and against the classes of the parsed network.

    `parsed` are the classes of that network, None where there are none; `head` is what the outputs mean.
    """

    def __init__(self, test: Dataset, parsed: Array | None, *, head: Head, top_k: int) -> None:
        self._test, self._parsed, self._head, self._top_k = test, parsed, head, top_k
        self._outputs: list[Array] = []
        self._predictions: list[Array] = []
        self._top: list[Array] = []

    def add(self, batch: Batch) -> None:
        """Take in the next batch."""
        labels, done = labels_of(self._test, self.samples + batch.result.samples), self.samples
        self._outputs.append(batch.result.output)
        if self._head.decides:
            self._predictions.append(batch.result.predictions_per_step)
        if self._top_k > 1 and labels is not None:
            per_step = next(iter(batch.result.outputs_per_step.values()))
            shares = [top_k_share(values, labels[done:], self._head, self._top_k) for values in per_step]
            self._top.append(np.array(shares) * batch.result.samples)

    @property
    def samples(self) -> int:
        """How many there were."""
        return sum(len(outputs) for outputs in self._outputs)

    @property
    def predictions(self) -> Array | None:
        """The classes found after each step, (steps, samples, *places); None where outputs are no classes."""
        return np.concatenate(self._predictions, axis=1) if self._predictions else None

    @property
    def classified(self) -> tuple[Array, Array] | None:
        """Those, and the labels; None where there are no labels of classes."""
        predictions, labels = self.predictions, labels_of(self._test, self.samples)
        return None if predictions is None or labels is None else (predictions, labels)

    def report(self) -> Mapping[str, Any]:
        """Accuracy or error, and the agreement with the parsed network."""
        return {**self._worth(), **self._agreement()}

    def _worth(self) -> dict[str, Any]:
        outputs, test, k = np.concatenate(self._outputs), self._test, self._top_k
        if self.classified is not None:
            predictions, labels = self.classified
            # An undecided sample counts as wrong.
            right = {"snn_accuracy": float(np.mean(predictions[-1] == labels))}
            per_step = {"snn_accuracy_per_step": accuracy_per_step(predictions, labels)}
            if self._top:
                per_step[f"snn_accuracy{TOP_K}_per_step"] = np.sum(self._top, axis=0) / self.samples
            return {**accuracies("snn_accuracy", test, outputs, self._head, k), **right, **per_step}
        return {} if test.y is None else {"snn_error": regression_error(outputs, test.y[: len(outputs)])}

    def _agreement(self) -> dict[str, Any]:
        predictions = self.predictions
        if self._parsed is None or predictions is None:
            return {}
        per_step = [agreement(p, self._parsed[: self.samples]) for p in predictions]
        return {"agreement": per_step[-1], "agreement_per_step": per_step}


def labels_of(test: Dataset, samples: int) -> Array | None:
    """The classes of the first samples; None where there are none."""
    return None if test.y is None or test.regression else test.y[:samples]
