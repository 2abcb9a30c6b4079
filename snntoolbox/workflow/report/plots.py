"""Pictures of a run, each drawn from plain arrays to one matplotlib figure; `canvas.save` writes it to a file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from snntoolbox.analysis.diagnosis import terms
from snntoolbox.analysis.diagnosis.diagnosis import Diagnosis, LayerDiagnosis
from snntoolbox.analysis.metrics import Pearson
from snntoolbox.ir.node import Array
from snntoolbox.workflow.report.canvas import (
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
    shades,
    spread,
    square,
    tidy,
    times,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 20_000
MOST_ROWS = 100
MOST_TRACES = 6
MOST_MAPS = 64


def rates_against_activations(rates: Array, activations: Array, layer: str) -> Figure:
    """A point per neuron and sample: the activation that the rate stands for, over the analogue one."""
    figure, axes = canvas(5.2, 5)
    pearson = Pearson()
    pearson.add(activations, rates)
    x, y = np.asarray(activations).ravel(), np.asarray(rates).ravel()
    shown = spread(x.size, MOST_POINTS)
    low, high = float(min(x.min(), y.min(), 0)), float(max(x.max(), y.max(), 1e-9))
    axes.plot([low, high], [low, high], color=GREY, linewidth=1, linestyle="--", label="identity", zorder=3)
    axes.scatter(x[shown], y[shown], s=6, color=BLUE, alpha=0.25, linewidths=0, rasterized=True, zorder=2)
    some = "" if len(shown) == x.size else f"\n{len(shown):,} of {x.size:,} points shown"
    title = f"{drawn_name(layer)}: r = {pearson.value:.4f}{some}"
    say(axes, title, "ANN activation", "SNN rate × scale (activation units)")
    axes.set_aspect("equal", adjustable="box")
    axes.legend(loc="upper left", frameon=False)
    return figure


def correlations(values: Mapping[str, float], title: str = "Agreement of rates and activations") -> Figure:
    """A bar per layer with Pearson's r."""
    figure, axes = canvas(7, 1.6 + 0.32 * len(values))
    names, heights = list(values), np.array([values[n] for n in values], float)
    known = np.nan_to_num(heights)
    axes.barh(range(len(names)), known, color=BLUE, height=0.7)
    axes.set_yticks(range(len(names)), [drawn_name(name) for name in names])
    for row, value in enumerate(heights):
        text = "not known" if math.isnan(value) else f"{value:.4f}"
        axes.text(max(known[row], 0) + 0.01, row, text, va="center", fontsize=9)
    axes.set_xlim(min(0.0, float(known.min(initial=0)) * 1.1), 1.16)
    axes.set_xticks([t for t in axes.get_xticks() if t <= 1])
    axes.set_ylim(len(names) - 0.4, -0.6)
    say(axes, title, "Pearson correlation r", "")
    axes.grid(axis="y", visible=False)
    return figure


def error_over_time(snn_error: Array, ann_error: float | None = None, dt: float = 1.0) -> Figure:
    """The share of wrong classes after each step, and the analogue network's as a line."""
    figure, axes = canvas(7, 4.2)
    percent = 100 * np.asarray(snn_error, float)
    label = f"SNN, {percent[-1]:.2f} % at the end"
    axes.plot(times(len(percent), dt), percent, color=BLUE, linewidth=1.8, label=label)
    if ann_error is not None:
        level = 100 * ann_error
        axes.axhline(level, color=ORANGE, linestyle="--", linewidth=1.5, label=f"ANN, {level:.2f} %")
    axes.set_ylim(0, max(float(percent.max()) * 1.05, 100 * (ann_error or 0) * 1.3, 1.0))
    say(axes, "Classification error over time", "time (ms)", "error (%)")
    axes.legend(frameon=False)
    return figure


def raster(spikes: Array, layer: str, dt: float = 1.0) -> Figure:
    """Spike trains of one sample (steps, *shape): a tick per spike; large populations by an even choice of neurons."""
    trains = np.asarray(spikes).reshape(len(spikes), -1)
    rows = spread(trains.shape[1], MOST_ROWS)
    figure, axes = canvas(7.5, 4.6)
    steps, neurons = np.nonzero(trains[:, rows])
    half = 0.4  # of a row: ticks of neighbouring neurons do not touch
    width = max(0.6, min(2.5, 250 / len(trains)))
    axes.vlines((steps + 1) * dt, neurons - half, neurons + half, color=BLUE, linewidth=width)
    axes.set_xlim(0, (len(trains) + 1) * dt)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    places = spread(len(rows), 12 if len(rows) <= 12 else 6)
    axes.set_yticks(places, [f"{rows[p]:,}" for p in places])
    mean = float(trains.mean())
    some = "" if len(rows) == trains.shape[1] else f", {len(rows):,} of {trains.shape[1]:,} neurons shown"
    say(axes, f"{drawn_name(layer)}: spikes of one sample\nmean rate {mean:.3f} per step{some}", "time (ms)", "neuron")
    axes.grid(visible=False)
    return figure


def potentials(traces: Array, threshold: float, layer: str, dt: float = 1.0) -> Figure:
    """Membrane potentials of one sample (steps, *shape) after the reset, for an even choice of neurons."""
    values = np.asarray(traces, float).reshape(len(traces), -1)
    chosen = spread(values.shape[1], MOST_TRACES)
    figure = new_figure(7.5, 1.2 + 0.9 * len(chosen))
    rows: Any = figure.subplots(len(chosen), 1, sharex=True, squeeze=False)[:, 0]
    title = f"{drawn_name(layer)}: membrane potentials of one sample after the reset\n(network units)"
    for axes, neuron in zip(rows, chosen, strict=True):
        tidy(axes)
        axes.plot(times(len(values), dt), values[:, neuron], color=BLUE, linewidth=1.3)
        axes.axhline(threshold, color=ORANGE, linestyle="--", linewidth=1.2, label=f"threshold {threshold:g}")
        # A scale for each neuron: one that only sinks would flatten the others.
        low, high = min(0.0, float(values[:, neuron].min())), max(threshold, float(values[:, neuron].max()))
        axes.set_ylim(low - 0.08 * (high - low), high + 0.15 * (high - low))
        say(axes, title if neuron == chosen[0] else "", "", f"neuron\n{neuron:,}")
    rows[0].legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.95), fontsize=9)
    rows[-1].set_xlabel("time (ms)", fontsize=10)
    return figure


def activation_maps(values: Array, layer: str) -> Figure:
    """Heat maps of the analogue activations of one sample, a map per channel."""
    return _maps(values, layer, "activations of one sample", "activation", "viridis")


def rate_maps(values: Array, layer: str) -> Figure:
    """Heat maps of the spike rates of one sample, a map per channel."""
    return _maps(values, layer, "spike rates of one sample", "spikes per step", "magma")


def histograms(rates: Array, activations: Array, layer: str) -> Figure:
    """How often each size of activation occurs, in the analogue network and as rate times scale."""
    figure, axes = canvas(7, 4.2)
    sets = {"ANN activation": np.asarray(activations).ravel(), "SNN rate × scale": np.asarray(rates).ravel()}
    low, high = (float(f([f(v) for v in sets.values()])) for f in (np.min, np.max))
    edges = np.linspace(low, high if high > low else low + 1, 51).tolist()
    for (label, values), colour in zip(sets.items(), (ORANGE, BLUE), strict=True):
        axes.hist(values, edges, histtype="stepfilled", color=colour, alpha=0.25)
        axes.hist(values, edges, histtype="step", color=colour, linewidth=1.5, label=label)
    axes.set_yscale("log")
    say(axes, f"{drawn_name(layer)}: distribution of activations", "activation", "neurons × samples")
    axes.legend(frameon=False)
    return figure


def normalization(activations: Array, scale: Array, largest_rate: float, layer: str) -> Figure:
    """The positive activations of calibration samples (samples, *shape) as they are, and as shares of their scales.

    Left the scales are marked, right the rates that neurons cannot pass.
    """
    figure = new_figure(9, 3.8)
    before, after = figure.subplots(1, 2)
    shares = activations / scale
    panels = ((before, activations, np.ravel(scale), ORANGE), (after, shares, np.array([largest_rate]), BLUE))
    for axes, values, marks, colour in panels:
        tidy(axes)
        positive = values[values > 0]
        axes.hist(positive, 60, histtype="stepfilled", color=colour, alpha=0.3)
        if positive.size:  # else there is nothing to scale
            axes.set_yscale("log")
        for mark in np.unique(marks):
            axes.axvline(float(mark), color=GREY, linewidth=1 if len(marks) > 1 else 1.5, alpha=0.6, linestyle="--")
    above = float(np.mean(shares[shares > 0] > largest_rate)) if np.any(shares > 0) else 0.0
    many = "scales of the channels" if np.size(scale) > 1 else "scale"
    say(before, f"{drawn_name(layer)}: before normalisation\n(dashed: {many})", "activation", "neurons × samples")
    title = f"after: activation / scale\n(dashed: fastest rate; {above:.2%} above it)"
    say(after, title, "spikes per step", "")
    return figure


def spike_counts(counts: Mapping[str, Array], dt: float = 1.0) -> Figure:
    """Mean spikes per sample in each step, a line per layer (steps,)."""
    return _lines(counts, "Spikes over time", "spikes per step and sample", dt)


def operations(per_step: Array, ann_operations: float | None = None, dt: float = 1.0) -> Figure:
    """Synaptic operations per sample summed up to each step, and the analogue network's operations as a line."""
    figure, axes = canvas(7, 4.2)
    total = np.cumsum(per_step)
    axes.plot(times(len(total), dt), total, color=BLUE, linewidth=1.8, label="SNN, synaptic operations so far")
    if ann_operations is not None:
        label = f"ANN, {ann_operations:,.0f} operations"
        axes.axhline(ann_operations, color=ORANGE, linestyle="--", linewidth=1.5, label=label)
    axes.set_ylim(bottom=0)
    say(axes, "Operations per sample over time", "time (ms)", "operations per sample")
    engineering_units(axes)
    axes.legend(frameon=False)
    return figure


def confusion(matrix: Array, classes: Sequence[str] | None = None) -> Figure:
    """Samples of each class (rows) by the class that the network gave (columns); colours are shares of the row."""
    matrix = np.asarray(matrix)
    size = len(matrix)
    names = [drawn_name(c) for c in classes] if classes is not None else [str(i) for i in range(size)]
    side = float(np.clip(1.8 + 0.45 * size, 4.2, 11))
    figure, axes = canvas(side + 0.9, side)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the class", shrink=0.8)
    if size <= 20:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            dark = shares[row, column] > 0.5
            text = f"{matrix[row, column]:,}"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
    places = np.arange(size) if size <= 20 else np.linspace(0, size - 1, 11).astype(int)
    turned = 45 if max(map(len, names)) > 3 else 0
    axes.set_xticks(places, [names[p] for p in places], rotation=turned, ha="right" if turned else "center")
    axes.set_yticks(places, [names[p] for p in places])
    right = np.trace(matrix) / max(int(matrix.sum()), 1)
    title = f"Confusion matrix: {right:.2%} of {int(matrix.sum()):,} right"
    say(axes, title, "predicted class", "true class")
    axes.grid(visible=False)
    return figure


def _side_by_side(channels: Array) -> Array:
    """Pictures (channels, height, width) as one, a column without values between them."""
    framed = np.pad(channels, [(0, 0), (0, 0), (0, 1)], constant_values=np.nan)
    joined: Array = np.concatenate(list(framed), axis=1)
    return joined[:, :-1]


def input_image(sample: Array, title: str = "Input") -> Figure:
    """A sample as a picture: (height, width), or with channels first, or three or four last; else its values.

    Channels that are no colours, such as the polarities of events, stand side by side.
    """
    values = np.squeeze(np.asarray(sample, float))
    if values.ndim == 3 and values.shape[0] in (3, 4) and values.shape[-1] not in (3, 4):
        values = values.transpose(1, 2, 0)
    figure, axes = canvas(4.6, 4.2)
    low, high = float(values.min()), float(values.max())
    if values.ndim == 3 and values.shape[-1] in (3, 4):
        axes.imshow((values - low) / ((high - low) or 1.0))
    else:
        flat = values if values.ndim == 2 else _side_by_side(values) if values.ndim == 3 else square(values.ravel())
        figure.colorbar(axes.imshow(flat, cmap="gray"), ax=axes, label="value", shrink=0.85)
    say(axes, f"{title}\nvalues from {low:.3g} to {high:.3g}", "", "")
    axes.set_axis_off()
    return figure


# -- parts --------------------------------------------------------------------------------------------------------


def _lines(series: Mapping[str, Array], title: str, y: str, dt: float) -> Figure:
    figure, axes = canvas(7.5, 4.2)
    for (name, values), colour in zip(series.items(), shades(len(series)), strict=True):
        axes.plot(times(len(values), dt), values, color=colour, linewidth=1.4, label=drawn_name(name))
    axes.set_ylim(bottom=0)
    say(axes, title, "time (ms)", y)
    columns = 1 + (len(series) - 1) // 18
    axes.legend(frameon=False, fontsize=8, ncols=columns, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _maps(values: Array, layer: str, what: str, unit: str, colours: str) -> Figure:
    """A map per channel on one scale; vectors as one map, axes beyond two folded into rows."""
    values = np.asarray(values, float)
    maps = [square(values.ravel())] if values.ndim < 2 else [m.reshape(m.shape[0], -1) for m in np.atleast_3d(values)]
    if values.ndim == 2:
        maps = [values]
    shown = maps[:MOST_MAPS]
    columns = math.ceil(math.sqrt(len(shown)))
    rows = math.ceil(len(shown) / columns)
    side = 3.6 if len(shown) == 1 else max(0.75, 6.4 / columns)
    figure = new_figure(columns * side + 1.4, rows * side * shown[0].shape[0] / shown[0].shape[1] + 0.9)
    grid: Any = figure.subplots(rows, columns, squeeze=False)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    for position, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if position < len(shown):
            image = axes.imshow(shown[position], cmap=colours, vmin=low, vmax=high if high > low else low + 1)
    bar = figure.colorbar(image, ax=grid, shrink=0.85, label=unit)
    bar.ax.tick_params(labelsize=9)
    some = f"\n{len(shown)} of {len(maps)} channels shown" if len(shown) < len(maps) else ""
    figure.suptitle(f"{drawn_name(layer)}: {what}{some}", fontsize=11, x=0.02, ha="left")
    return figure


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
