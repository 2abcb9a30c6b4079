"""Pictures of layers and answers, each drawn from plain arrays to one matplotlib figure, or into axes given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from snntoolbox.ir.agreement import correlation
from snntoolbox.ir.drawing.canvas import (
    BLUE,
    GREY,
    ORANGE,
    canvas,
    drawn_name,
    engineering_units,
    new_figure,
    say,
    shades,
    spread,
    tidy,
    times,
)
from snntoolbox.ir.drawing.sample_picture import as_picture, square
from snntoolbox.ir.node import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 20_000
MOST_ROWS = 100
MOST_TRACES = 6
MOST_MAPS = 64
MOST_NAMED = 10


def rates_against_activations(rates: Array, activations: Array, layer: str, axes: Axes | None = None) -> Figure:
    """A point per neuron and sample: the activation that the rate stands for, over the analogue one."""
    return layers_against_activations({layer: (rates, activations)}, axes)


def layers_against_activations(pairs: Mapping[str, tuple[Array, Array]], axes: Axes | None = None) -> Figure:
    """The same of several layers (rates, activations), each in a colour of its own."""
    figure, axes = canvas(5.2, 5, axes)
    ends = [float(f(values)) for both in pairs.values() for values in both for f in (np.min, np.max)]
    low, high = min(*ends, 0.0), max(*ends, 1e-9)
    axes.plot([low, high], [low, high], color=GREY, linewidth=1, linestyle="--", label="identity", zorder=3)
    known = {layer: correlation(activations, rates) for layer, (rates, activations) in pairs.items()}
    named = sorted(known, key=lambda layer: np.nan_to_num(known[layer], nan=2.0))[:MOST_NAMED]
    for (layer, (rates, activations)), colour in zip(pairs.items(), shades(len(pairs)), strict=True):
        x, y = np.asarray(activations).ravel(), np.asarray(rates).ravel()
        shown = spread(x.size, MOST_POINTS // len(pairs))
        told = f"{drawn_name(layer)}: r = {known[layer]:.4f}"
        title = told + ("" if len(shown) == x.size else f"\n{len(shown):,} of {x.size:,} points shown")
        style = {"s": 6, "color": colour, "alpha": 0.25, "linewidths": 0, "rasterized": True, "zorder": 2}
        axes.scatter(x[shown], y[shown], label=told if len(pairs) > 1 and layer in named else None, **style)
    if len(pairs) > 1:
        few = f"\nnamed: the {len(named)} of {len(pairs)} layers that follow least" if len(named) < len(pairs) else ""
        title = f"Rates against activations{few}"
    say(axes, title, "ANN activation", "SNN rate × scale (activation units)")
    axes.set_aspect("equal", adjustable="box")
    legend: Any = axes.legend(loc="upper left", frameon=False, fontsize=9)
    for mark in legend.legend_handles:
        mark.set_alpha(1)  # points are pale, as they lie above one another
    return figure


def correlations(
    values: Mapping[str, float], title: str = "Agreement of rates and activations", axes: Axes | None = None
) -> Figure:
    """A bar per layer with Pearson's r."""
    figure, axes = canvas(7, 1.6 + 0.32 * len(values), axes)
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
    percent = _over_time(axes, snn_error, ann_error, dt)
    axes.set_ylim(0, max(float(percent.max()) * 1.05, 100 * (ann_error or 0) * 1.3, 1.0))
    say(axes, "Classification error over time", "time (ms)", "error (%)")
    return figure


def share_over_time(
    share: Array, level: float | None = None, dt: float = 1.0, *, what: str = "accuracy", axes: Axes | None = None
) -> Figure:
    """A share of the samples after each step, such as those that are right; the analogue network's as a line."""
    figure, axes = canvas(7, 4.2, axes)
    percent = _over_time(axes, share, level, dt)
    axes.set_ylim(max(0.0, float(percent.min()) - 5), 102)
    say(axes, f"{what[0].upper()}{what[1:]} over time", "time (ms)", f"{what} (%)")
    return figure


def _over_time(axes: Axes, share: Array, level: float | None, dt: float) -> Array:
    """Draw a share of both networks, and return the spiking one's in percent."""
    percent = 100 * np.asarray(share, float)
    label = f"SNN, {percent[-1]:.2f} % at the end"
    axes.plot(times(len(percent), dt), percent, color=BLUE, linewidth=1.8, label=label)
    if level is not None:
        axes.axhline(100 * level, color=ORANGE, linestyle="--", linewidth=1.5, label=f"ANN, {100 * level:.2f} %")
    axes.legend(frameon=False)
    return percent


def raster(spikes: Array, layer: str, dt: float = 1.0, axes: Axes | None = None) -> Figure:
    """Spike trains of one sample (steps, *shape): a tick per spike; large populations by an even choice of neurons."""
    trains = np.asarray(spikes).reshape(len(spikes), -1)
    rows = spread(trains.shape[1], MOST_ROWS)
    figure, axes = canvas(7.5, 4.6, axes)
    steps, neurons = np.nonzero(trains[:, rows])
    half = 0.4  # of a row: ticks of neighbouring neurons do not touch
    width = max(0.6, min(2.5, 250 / len(trains)))
    axes.vlines((steps + 1) * dt, neurons - half, neurons + half, color=BLUE, linewidth=width)
    axes.set_xlim(0, (len(trains) + 1) * dt)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    places = spread(len(rows), 12 if len(rows) <= 12 else 6)
    axes.set_yticks(places, [f"{rows[p]:,}" for p in places])
    mean = float(trains.mean())
    some = "" if len(rows) == trains.shape[1] else f"\n{len(rows):,} of {trains.shape[1]:,} neurons shown"
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
        _trace(axes, values[:, neuron], threshold, dt)
        say(axes, title if neuron == chosen[0] else "", "", f"neuron\n{neuron:,}")
    rows[0].legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.95), fontsize=9)
    rows[-1].set_xlabel("time (ms)", fontsize=10)
    return figure


def potential(
    trace: Array, threshold: float, layer: str, neuron: int, dt: float = 1.0, axes: Axes | None = None
) -> Figure:
    """The membrane potential of one neuron (steps,) after the reset."""
    figure, axes = canvas(7, 3, axes)
    _trace(axes, np.asarray(trace, float), threshold, dt)
    title = f"{drawn_name(layer)}, neuron {neuron:,}: membrane potential after the reset"
    say(axes, title, "time (ms)", "network units")
    axes.legend(frameon=False, fontsize=9)
    return figure


def _trace(axes: Axes, values: Array, threshold: float, dt: float) -> None:
    tidy(axes)
    axes.plot(times(len(values), dt), values, color=BLUE, linewidth=1.3)
    axes.axhline(threshold, color=ORANGE, linestyle="--", linewidth=1.2, label=f"threshold {threshold:g}")
    # A scale for each neuron: one that only sinks would flatten the others.
    low, high = min(0.0, float(values.min())), max(threshold, float(values.max()))
    axes.set_ylim(low - 0.08 * (high - low), high + 0.15 * (high - low))


def activation_maps(values: Array, layer: str) -> Figure:
    """Heat maps of the analogue activations of one sample, a map per channel."""
    return _maps(values, layer, "activations of one sample", "activation", "viridis")


def rate_maps(values: Array, layer: str) -> Figure:
    """Heat maps of the spike rates of one sample, a map per channel."""
    return _maps(values, layer, "spike rates of one sample", "spikes per step", "magma")


def histograms(rates: Array, activations: Array, layer: str, axes: Axes | None = None) -> Figure:
    """How often each size of activation occurs, in the analogue network and as rate times scale."""
    figure, axes = canvas(7, 4.2, axes)
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


def spike_counts(counts: Mapping[str, Array], dt: float = 1.0, axes: Axes | None = None) -> Figure:
    """Mean spikes per sample in each step, a line per layer (steps,)."""
    return _lines(counts, "Spikes over time", "spikes per step and sample", dt, axes)


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


def confusion(matrix: Array, classes: Sequence[str] | None = None, axes: Axes | None = None) -> Figure:
    """Samples of each class (rows) by the class that the network gave (columns); colours are shares of the row."""
    matrix = np.asarray(matrix)
    size = len(matrix)
    names = [drawn_name(c) for c in classes] if classes is not None else [str(i) for i in range(size)]
    side = float(np.clip(1.8 + 0.45 * size, 4.2, 11))
    figure, axes = canvas(side + 0.9, side, axes)
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


def input_image(sample: Array, title: str = "Input") -> Figure:
    """A sample as a picture, see `as_picture`."""
    values = as_picture(sample)
    figure, axes = canvas(4.6, 4.2)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if values.ndim == 3:
        axes.imshow((values - low) / ((high - low) or 1.0))
    else:
        figure.colorbar(axes.imshow(values, cmap="gray"), ax=axes, label="value", shrink=0.85)
    say(axes, f"{title}\nvalues from {low:.3g} to {high:.3g}", "", "")
    axes.set_axis_off()
    return figure


# -- parts --------------------------------------------------------------------------------------------------------


def _lines(series: Mapping[str, Array], title: str, y: str, dt: float, axes: Axes | None) -> Figure:
    figure, axes = canvas(7.5, 4.2, axes)
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
