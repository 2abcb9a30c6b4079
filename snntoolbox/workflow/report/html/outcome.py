"""Sections on what a network answers: accuracy over time, confusion of classes, samples worth a look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from snntoolbox.ir.drawing.canvas import spread
from snntoolbox.ir.node import Array
from snntoolbox.workflow.figures import Figures, Odd
from snntoolbox.workflow.report.html.charts import lines
from snntoolbox.workflow.report.html.page import Section
from snntoolbox.workflow.report.html.pictures import picture

LARGEST_MATRIX = 20
"""Classes of a matrix that is shown whole; of more the pairs that are confused most."""

MOST_PAIRS = 20

_ROWS = 32
"""Rows of the table beside a chart."""


def accuracy_section(report: Mapping[str, Any]) -> Section:
    """Accuracy, top-k accuracy and agreement after each step, and the original's as levels."""
    k = report["top_k"]
    names = {"snn_accuracy_per_step": "spiking network", "snn_accuracy_top_k_per_step": f"spiking network, top {k}"}
    names["agreement_per_step"] = "same class as the original"
    series = {n: np.asarray(report[key], float) for key, n in names.items() if report.get(key) is not None}
    levels = {"ann_accuracy": "original", "ann_accuracy_top_k": f"original, top {k}"}
    if report.get("ann_accuracy") is None:
        levels = {"parsed_accuracy": "parsed network"}
    known = {name: report[key] for key, name in levels.items() if report.get(key) is not None}
    steps = np.arange(1, 1 + max(map(len, series.values())))
    ends = ", ".join(f"{name} {values[-1]:.2%}" for name, values in series.items())
    chart = lines("Accuracy over time", f"After the last step: {ends}.", ("step", steps), "share of samples", series,
                  known, percent=True)  # fmt: skip
    rows = [(str(steps[i]), *(f"{values[i]:.2%}" for values in series.values())) for i in spread(len(steps), _ROWS)]
    tables = [(("step", *series), rows, "The same as a table")]
    return Section(
        template="charts", title="Accuracy over time", values={"charts": [chart], "sentences": [], "tables": tables}
    )


def confusion_section(matrix: Array) -> Section:
    """The matrix, or of many classes the pairs that are confused most."""
    right, whole = int(np.trace(matrix)), int(matrix.sum())
    sentence = f"{right:,} of {whole:,} decided answers are right."
    values: dict[str, Any] = {"sentence": sentence, "matrix": (), "pairs": ()}
    if len(matrix) <= LARGEST_MATRIX:
        shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        values["matrix"] = [
            list(zip(*row, strict=True)) for row in zip(matrix.tolist(), shares.round(1).tolist(), strict=True)
        ]
    else:
        wrong = matrix - np.diag(np.diag(matrix))
        order = np.argsort(wrong, axis=None)[::-1][:MOST_PAIRS]
        cells = [divmod(int(i), len(matrix)) for i in order]
        values["pairs"] = [(a, b, int(wrong[a, b])) for a, b in cells if wrong[a, b]]
    return Section(template="confusion", title="Confusion matrix", values=values)


def samples_section(figures: Figures) -> Iterator[Section]:
    """Samples on which both networks disagree, and those that both get wrong."""
    groups = []
    if figures.disagreements is not None:
        shown, count = figures.disagreements, figures.disagreeing
        about = "There are none: both give every sample the same class." if not count else _some(shown, count)
        groups.append(("Where both networks disagree", about, _pictured(shown)))
    if figures.mistakes:
        both = "Where both are wrong" if figures.disagreements is not None else "Where the spiking network is wrong"
        groups.append((both, _some(figures.mistakes, figures.mistaken), _pictured(figures.mistakes)))
    if groups:
        yield Section(template="samples", title="Samples to look at", values={"groups": groups})


def _some(shown: Sequence[Odd], count: int) -> str:
    return f"{count:,} samples" + (f", the first {len(shown)} of them:" if count > len(shown) else ":")


def _pictured(odd: Sequence[Odd]) -> list[tuple[Odd, str]]:
    return [(each, picture(each.x)) for each in odd]
