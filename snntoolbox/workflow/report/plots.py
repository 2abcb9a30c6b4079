"""Pictures of what an analysis found: the terms of errors, and the front of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from snntoolbox.analysis.diagnosis import terms
from snntoolbox.analysis.diagnosis.diagnosis import Diagnosis, LayerDiagnosis
from snntoolbox.ir.drawing.canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    canvas,
    drawn_name,
    engineering_units,
    new_figure,
    powers_of_two,
    say,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {
    terms.CLIPPING: ORANGE,
    terms.QUANTISATION: BLUE,
    terms.SAMPLING: PINK,
    terms.UNEVENNESS: GREEN,
    terms.PROPAGATED: "#BBBBBB",
    terms.WINDOW: "#56B4E9",
    terms.CORRECTION: "#E69F00",
}
"""In the order of the bars: what a layer adds itself first, what it has from others behind."""

_LABELS = {terms.SAMPLING: "random input", terms.WINDOW: "read-out: first steps", terms.CORRECTION: "read-out: bias"}


def error_terms(diagnosis: Diagnosis, labels: Mapping[str, str] | None = None) -> Figure:
    """A bar per layer and read-out: the RMS of each term in percent of the activation's, and the error as a mark.

    Terms partly cancel, so the mark is not at the end of the bar. A layer whose error is not split has only the mark.
    """
    layers = [*diagnosis.layers, *diagnosis.readouts]
    figure, axes = canvas(8, 1.9 + 0.32 * len(layers))
    places, ends = np.arange(len(layers)), np.zeros(len(layers))
    for term, colour in _COLOURS.items():
        widths = np.array([100 * layer.rms(term) for layer in layers])
        if np.any(widths > 0.05):  # less cannot be seen
            axes.barh(places, widths, left=ends, color=colour, height=0.7, label=_LABELS.get(term, term))
            ends += widths
    totals = [100 * layer.total.rms for layer in layers]
    axes.scatter(totals, places, marker="D", s=26, color=GREY, edgecolors="white", zorder=3, label="error")
    axes.set_yticks(places, [_label(layer, labels or {}) for layer in layers])
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_xlim(0, 1.08 * max([*totals, *ends, 1e-9]))
    title = f"What the errors are made of ({diagnosis.samples} samples, {diagnosis.steps} steps)"
    say(axes, title, "root mean square, % of that of the activation", "")
    axes.grid(axis="y", visible=False)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _label(layer: LayerDiagnosis, labels: Mapping[str, str]) -> str:
    return f"{drawn_name(labels.get(layer.name, layer.name))}{' (not split)' if layer.undefined else ''}"


@dataclass(frozen=True)
class Point:
    """A trial: agreement (or the relative error, without classes), mean steps, synaptic operations per sample.

    `on_front` where nothing beats it in all three, `best` for the one that was taken, `start` for that as it was.
    """

    quality: float
    steps: float
    operations: float
    on_front: bool = False
    best: bool = False
    start: bool = False


def pareto(points: Sequence[Point], *, agreement: bool = True, target: float | None = None, samples: int = 0) -> Figure:
    """Two panels with shared quality; a step line joins the best that so few steps, or operations, reach."""
    figure = new_figure(9.6, 4.2)
    left = figure.add_subplot(1, 2, 1)
    right = figure.add_subplot(1, 2, 2, sharey=left)
    name = "agreement" if agreement else "error of the output"
    for axes, across, words in ((left, "steps", "mean steps"), (right, "operations", "synaptic operations per sample")):
        _panel(axes, points, across, agreement, target)
        say(axes, "", words, f"{name}, %" if axes is left else "")
    engineering_units(right, across=True)
    left.set_title(f"What settings reach ({samples} calibration samples)", fontsize=11, loc="left")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def _panel(axes: Axes, points: Sequence[Point], across: str, agreement: bool, target: float | None) -> None:
    tidy(axes)
    values = [getattr(p, across) for p in points]
    if across == "steps":
        powers_of_two(axes)
    elif max(values) > 20 * max(min(values), 1e-9):
        axes.set_xscale("symlog", linthresh=max(1.0, min(values)))

    def draw(chosen: Sequence[Point], **style: Any) -> None:
        axes.scatter([getattr(p, across) for p in chosen], [100 * p.quality for p in chosen], **style)

    edge = _edge(points, across, agreement)
    x, y = [getattr(p, across) for p in edge], [100 * p.quality for p in edge]
    axes.step(x, y, where="post", color=BLUE, linewidth=1.2, label="best for so few")
    draw([p for p in points if not p.on_front], s=16, color="#BBBBBB", label="tried")
    draw([p for p in points if p.on_front], s=26, color=BLUE, label="on the front of all three")
    draw([p for p in points if p.start], s=90, facecolors="none", edgecolors=GREY, linewidths=1.4, label="as it was")
    draw([p for p in points if p.best], s=110, marker="*", color=ORANGE, edgecolors="white", zorder=4, label="taken")
    if target is not None:
        axes.axhline(100 * target, color=GREY, linewidth=0.9, linestyle="--", label="target")


def _edge(points: Sequence[Point], across: str, agreement: bool) -> list[Point]:
    """The points that are better than all with less, from less to more."""
    sign = 1 if agreement else -1
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (getattr(p, across), -sign * p.quality)):
        if not kept or sign * point.quality > sign * kept[-1].quality:
            kept.append(point)
    return kept
