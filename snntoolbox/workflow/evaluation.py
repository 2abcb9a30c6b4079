"""Measures the analogue network on the test set: the parsed graph and, where it can be run, the original."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snntoolbox.analysis.metrics import RegressionError
from snntoolbox.conversion.load import compare_outputs
from snntoolbox.engine.executor import Executor
from snntoolbox.errors import NoReferenceError
from snntoolbox.frontends.protocol import Frontend
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.labels import top_k_share
from snntoolbox.ir.node import Array
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.inputs import UNCHECKED, Inputs
from snntoolbox.workflow.report.terminal import TOP_K

Advance = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Evaluated:
    """The scored output of the parsed graph, None where it was not run, and what a report says of it."""

    parsed: Array | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


def evaluated(inputs: Inputs, graph: Graph, advance: Advance) -> Evaluated:
    """Run the graph and the original on the test set; GraphError where their outputs are not equal."""
    ours, theirs = _outputs(inputs, graph, advance)
    parsed, head = ours[inputs.scored], inputs.head
    test, k = inputs.test, inputs.settings.simulation.top_k
    report: dict[str, Any] = accuracies("parsed_accuracy", test, parsed, head, k)
    if test.y is not None and test.regression:
        report["parsed_error"] = regression_error(parsed, test.y)
    if theirs is not None:
        report["parsed_difference"] = compare_outputs(ours, theirs, _rounded(inputs, graph))
        original = theirs[inputs.scored].reshape(parsed.shape)
        report.update(accuracies("ann_accuracy", test, original, head, k))
    return Evaluated(parsed, report)


def _outputs(inputs: Inputs, graph: Graph, advance: Advance) -> tuple[list[Array], list[Array] | None]:
    """All outputs of the graph, in float64, and of the original; None where that cannot be run."""
    executor, original = Executor.double(graph), inputs.frontend
    ours: list[list[Array]] = []
    theirs: list[tuple[Array, ...]] = []
    for batch in inputs.test.batches(inputs.settings.simulation.batch_size):
        values = executor.values(batch.x)
        ours.append([values[o] for o in graph.outputs])
        original = original and _predicting(inputs, original, batch.x, theirs)
        advance(len(batch))
    joined = [np.concatenate(parts) for parts in zip(*ours, strict=True)]
    return joined, None if original is None else [np.concatenate(parts) for parts in zip(*theirs, strict=True)]


def _predicting(inputs: Inputs, original: Frontend, x: Array, outputs: list[tuple[Array, ...]]) -> Frontend | None:
    """The frontend, its outputs for these samples added; None, with a warning, where it cannot run the original."""
    try:
        outputs.append(original.predict(inputs.model, x))
    except NoReferenceError as error:
        inputs.warn(f"{error.message}: {UNCHECKED}")
        return None
    return original


def _rounded(inputs: Inputs, graph: Graph) -> list[Array]:
    """All outputs in float32 where rounding can make a difference: those of a quantised network."""
    if not graph.jumps:
        return []
    parts = [*Executor(graph).batches(inputs.test.x, batch_size=inputs.settings.simulation.batch_size)]
    return [np.concatenate([part[o] for part in parts]) for o in graph.outputs]


def accuracies(name: str, test: Dataset, outputs: Array, head: Head, k: int) -> dict[str, float | None]:
    """Accuracy on the first samples of the test set, as many as there are outputs, and beside it the top-k one.

    That has the name with `TOP_K` behind it, and is there where k is above 1. None without class labels.
    """
    names = {name: 1, **({f"{name}{TOP_K}": k} if k > 1 else {})}
    if test.y is None or test.regression:
        return dict.fromkeys(names)
    labels = test.y[: len(outputs)]
    return {name: top_k_share(outputs, labels, head, best) for name, best in names.items()}


def regression_error(outputs: Array, targets: Array) -> dict[str, float]:
    """How far outputs are from regression targets."""
    error = RegressionError()
    error.add(outputs, targets)
    return {"rmse": error.rmse, "largest": error.largest}
