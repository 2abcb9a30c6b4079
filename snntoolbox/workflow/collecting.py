"""What is gathered while a network runs batch by batch: one collector for each part of a report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from snntoolbox.analysis.diagnosis.observer import Observer
from snntoolbox.analysis.energy import Work, energy, work_of
from snntoolbox.analysis.metrics import AgreementPerStep, OutputErrors, PopulationStatistics, accuracy_per_step
from snntoolbox.backends.early_exit import Exits
from snntoolbox.errors import DiedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.labels import in_top_k
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.operations import input_events, input_operations, synaptic_operations
from snntoolbox.ir.result import ExitRule, Result
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.evaluation import Scores
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
        first, self._samples = self._samples, self._samples + batch.result.samples
        labels = labels_of(self._test, self._samples)
        self._exits.add(batch.result, None if labels is None else labels[first:])

    def report(self) -> Mapping[str, Any]:
        """Mean steps and agreement; accuracy where there are labels."""
        return {"early_exit": self._exits.found(labelled=labels_of(self._test, self._samples) is not None)}


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
        self._sums: dict[str, float] = {}
        self._samples = 0

    def add(self, batch: Batch) -> None:
        """Take in the next batch."""
        self._samples += batch.result.samples
        for name, values in batch.result.hardware.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(values.sum(dtype=np.float64))

    def report(self) -> Mapping[str, Any]:
        """The mean of each figure over the samples; nothing from simulators of no chip."""
        means = {name: total / self._samples for name, total in self._sums.items()}
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


MOST_ODD = 12
"""Samples of each kind that are looked at."""


class Odd:
    """The first samples of a kind, each with the class that was found, and how many there are."""

    def __init__(self) -> None:
        self.first: list[tuple[int, int]] = []
        self.count = 0

    def add(self, chosen: Array, classes: Array, done: int) -> None:
        """Take in those `chosen` (bool) of a batch behind so many samples."""
        for i in np.flatnonzero(chosen)[: MOST_ODD - len(self.first)]:
            self.first.append((done + int(i), int(classes[i])))
        self.count += int(np.count_nonzero(chosen))


class Outputs:
    """The outputs of all samples, held against labels or targets, and against the classes of the parsed network.

    `parsed` are the classes of that network, None where there are none; `head` is what the outputs mean. Nothing is
    kept of a sample but of a few. `disagreements` are samples that the networks put into different classes, `mistakes`
    those that are wrong, and by the parsed network too where it is there.
    """

    def __init__(self, test: Dataset, parsed: Array | None, *, head: Head, top_k: int) -> None:
        self.samples = 0
        self.labelled = head.decides and labels_of(test, len(test)) is not None
        self.compared = head.decides and parsed is not None
        self.disagreements, self.mistakes = Odd(), Odd()
        self.once = False
        self._test, self._parsed, self._head, self._top_k = test, parsed, head, top_k
        self._scores = Scores(test, head, top_k)
        self._per_step, self._agreement = AgreementPerStep(), AgreementPerStep()
        self._top: Array | int = 0
        self._places = 0
        self._found: Counter[tuple[int, int]] = Counter()

    def add(self, batch: Batch) -> None:
        """Take in the next batch."""
        done, self.samples = self.samples, self.samples + batch.result.samples
        self._scores.add(batch.result.output)
        if self._head.decides:
            labels = labels_of(self._test, self.samples)
            self._classes(batch.result, done, labels, None if self._parsed is None else self._parsed[: self.samples])

    def _classes(self, result: Result, done: int, labels: Array | None, parsed: Array | None) -> None:
        per_step = result.predictions_per_step
        last, self.once = per_step[-1], per_step.ndim == 2
        wrong = np.zeros(len(last), bool)
        if labels is not None:
            own = labels[done:]
            self._per_step.add(per_step, own)
            self._count(last, own)
            self._among_the_best(result, own)
            wrong = last != own if self.once else wrong
        if parsed is not None:
            self._agreement.add(per_step, parsed[done:])
        if self.once:
            differ = np.zeros(len(last), bool) if parsed is None else parsed[done:] != last
            self.disagreements.add(differ, last, done)
            self.mistakes.add(wrong & ~differ, last, done)

    def _count(self, classes: Array, labels: Array) -> None:
        decided, many = classes >= 0, int(max(classes.max(), labels.max())) + 1
        pairs, counts = np.unique(labels[decided] * many + classes[decided], return_counts=True)
        self._found.update({divmod(int(pair), many): int(n) for pair, n in zip(pairs, counts, strict=True)})

    def _among_the_best(self, result: Result, labels: Array) -> None:
        if self._top_k > 1:
            per_step = next(iter(result.outputs_per_step.values()))
            right = [in_top_k(values, labels, self._head, self._top_k) for values in per_step]
            self._top = self._top + np.array([int(r.sum()) for r in right])
            self._places += right[0].size

    def confusion(self, classes: int) -> Array | None:
        """How many of each class (rows) were put into each class after the last step; None without labels."""
        if not self.labelled:
            return None
        matrix = np.zeros((classes, classes), np.int64)
        for pair, count in self._found.items():
            matrix[pair] = count
        return matrix

    @property
    def accuracy_per_step(self) -> Array | None:
        """The accuracy after each step; None without labels."""
        return self._per_step.shares if self.labelled else None

    def report(self) -> Mapping[str, Any]:
        """Accuracy or error, and the agreement with the parsed network."""
        return {**self._worth(), **self._agrees()}

    def _worth(self) -> dict[str, Any]:
        if (per_step := self.accuracy_per_step) is not None:
            # An undecided sample counts as wrong.
            found: dict[str, Any] = {**self._scores.accuracies("snn_accuracy"), "snn_accuracy": float(per_step[-1])}
            found["snn_accuracy_per_step"] = per_step
            if self._places:
                found[f"snn_accuracy{TOP_K}_per_step"] = self._top / self._places
            return found
        return {} if self._scores.error is None else {"snn_error": self._scores.error}

    def _agrees(self) -> dict[str, Any]:
        if not self.compared:
            return {}
        per_step = self._agreement.shares.tolist()
        return {"agreement": per_step[-1], "agreement_per_step": per_step}


def labels_of(test: Dataset, samples: int) -> Array | None:
    """The classes of the first samples; None where there are none."""
    return None if test.y is None or test.regression else test.y[:samples]
