"""Measures the analogue network on the test set: the parsed graph and, where it can be run, the original."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snntoolbox.analysis.metrics import RegressionError
from snntoolbox.conversion.compare_outputs import Comparison, doubt_of, least_scales
from snntoolbox.engine.executor import Executor
from snntoolbox.errors import NoReferenceError
from snntoolbox.frontends.protocol import Frontend
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.labels import in_top_k
from snntoolbox.ir.large_arrays import room
from snntoolbox.ir.node import Array
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.inputs import UNCHECKED, Inputs
from snntoolbox.workflow.report.terminal import TOP_K

Advance = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Evaluated:
    """The classes that the parsed graph says, None where there are none, and what a report says of it."""

    classes: Array | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


class Scores:
    """How right outputs are, batch by batch: the accuracy where there are labels, the error where there are targets.

    `k` above 1 asks for the top-k accuracy beside that.
    """

    def __init__(self, test: Dataset, head: Head, k: int) -> None:
        self.samples = 0
        self._test, self._head = test, head
        self._targets = test.y is not None and (test.regression or not head.decides)
        self._ks = {"": 1, **({TOP_K: k} if k > 1 else {})}
        self._right, self._places, self._error = dict.fromkeys(self._ks, 0), 0, RegressionError()

    def add(self, outputs: Array) -> None:
        """Take in the outputs for the next samples of the test set."""
        first, self.samples = self.samples, self.samples + len(outputs)
        if self._test.y is None:
            return
        expected = self._test.y[first : self.samples]
        if self._targets:
            self._error.add(outputs, expected)
            return
        for name, k in self._ks.items():
            right = in_top_k(outputs, expected, self._head, k)
            self._right[name] += int(right.sum())
        self._places += right.size

    def accuracies(self, name: str) -> dict[str, float | None]:
        """The accuracy by this name, and the top-k one with `TOP_K` behind it; None without class labels."""
        known = self._test.y is not None and not self._targets
        return {name + end: right / self._places if known else None for end, right in self._right.items()}

    @property
    def error(self) -> dict[str, float] | None:
        """How far outputs are from targets; None where there are none."""
        return {"rmse": self._error.rmse, "largest": self._error.largest} if self._targets else None


def evaluated(inputs: Inputs, graph: Graph, advance: Advance) -> Evaluated:
    """Run the graph and the original on the test set; GraphError where their outputs are not equal.

    Of each sample no more than its class is kept.
    """
    ours, theirs = (Scores(inputs.test, inputs.head, inputs.settings.simulation.top_k) for _ in range(2))
    comparison = Comparison(doubt_of(inputs.frontend), least_scales(graph))
    classes, original = _Classes(inputs), inputs.frontend
    for outputs, x in _outputs(inputs, graph):
        parsed = outputs.double[inputs.scored]
        ours.add(parsed)
        classes.add(parsed)
        predicted = None if original is None else _predicted(inputs, original, x)
        if predicted is None:
            original = None
        else:
            comparison.add(outputs.double, predicted, outputs.rounded)
            theirs.add(predicted[inputs.scored].reshape(parsed.shape))
        advance(len(x))
    report: dict[str, Any] = ours.accuracies("parsed_accuracy")
    if inputs.test.regression and ours.error is not None:
        report["parsed_error"] = ours.error
    if original is not None:
        report["parsed_difference"] = comparison.difference()
        report.update(theirs.accuracies("ann_accuracy"))
    return Evaluated(classes.all, report)


@dataclass(frozen=True, eq=False)
class _Outputs:
    """All outputs of the graph for a batch in float64, and rounded to float32 where that can make a difference."""

    double: list[Array]
    rounded: list[Array]


def _outputs(inputs: Inputs, graph: Graph) -> Iterator[tuple[_Outputs, Array]]:
    """Those of each batch, and its samples."""
    executor, single = Executor.double(graph), Executor(graph) if graph.jumps else None
    for batch in inputs.test.batches(inputs.settings.simulation.batch_size):
        found = [[] if run is None else _values(run, graph, batch.x) for run in (executor, single)]
        yield _Outputs(*found), batch.x


def _values(executor: Executor, graph: Graph, x: Array) -> list[Array]:
    values = executor.values(x)
    return [values[o] for o in graph.outputs]


class _Classes:
    """The classes that outputs say, of all samples; none where they say none, or are held against targets."""

    def __init__(self, inputs: Inputs) -> None:
        self._head, self._samples, self._done = inputs.head, len(inputs.test), 0
        self._wanted = inputs.classifies and not inputs.test.regression
        self.all: Array | None = None

    def add(self, outputs: Array) -> None:
        if not self._wanted:
            return
        classes = self._head.decisions(outputs)
        if self.all is None:
            self.all = room((self._samples, *classes.shape[1:]), np.int32)
        self.all[self._done : self._done + len(classes)] = classes
        self._done += len(classes)


def _predicted(inputs: Inputs, original: Frontend, x: Array) -> Sequence[Array] | None:
    """The outputs of the original for these samples; None, with a warning, where it cannot be run."""
    try:
        return original.predict(inputs.model, x)
    except NoReferenceError as error:
        inputs.warn(f"{error.message}: {UNCHECKED}")
        return None
