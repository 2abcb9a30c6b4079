"""Charts as data for the template that draws them: strokes in pixels, axes, a legend, and what a click tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.drawing.canvas import spread
from snntoolbox.ir.foreign import shown
from snntoolbox.ir.node import Array
from snntoolbox.workflow.report.html.axis import Axis, short

WIDTH, HEIGHT = 520, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 12, 44

MOST_POINTS = 120
"""Points of a chart that a click is answered for."""


@dataclass(frozen=True)
class Stroke:
    """An SVG path and the class of its style."""

    path: str
    style: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart of `title`, whose axes are named `x` and `y`; `points` are (x, y, words) in pixels.

    `legend` are styles and what they mean; `summary` says in a sentence what is seen, for whoever cannot see it.
    """

    title: str
    summary: str
    x: str
    y: str
    across: Axis
    up: Axis
    strokes: tuple[Stroke, ...]
    legend: tuple[tuple[str, str], ...] = ()
    points: tuple[tuple[float, float, str], ...] = ()
    width: int = WIDTH
    height: int = HEIGHT


def across(low: float, high: float, *, logarithmic: bool = False) -> Axis:
    """The axis along the bottom."""
    return Axis(low, high if high > low else low + 1, _LEFT, WIDTH - _RIGHT, logarithmic)


def up(low: float, high: float, *, percent: bool = False) -> Axis:
    """The axis along the left."""
    return Axis(low, high if high > low else low + 1, HEIGHT - _BOTTOM, _TOP, percent=percent)


def line(xs: Array, ys: Array) -> str:
    """A path through points in pixels; it is broken where there is none."""
    parts, begun = [], False
    for x, y in zip(np.round(xs, 1).tolist(), np.round(ys, 1).tolist(), strict=True):
        known = np.isfinite(y)
        if known:
            parts.append(f"{'L' if begun else 'M'}{x:g} {y:g}")
        begun = bool(known)
    return "".join(parts)


def above(x: Array, y: Array, bottom: float) -> tuple[Array, Array]:
    """A line as far as it is not below the bottom: it leaves and enters where it crosses that, and is nan below."""
    crossing = np.flatnonzero((y[1:] < bottom) != (y[:-1] < bottom))
    known = crossing[np.isfinite(y[crossing]) & np.isfinite(y[crossing + 1])]
    share = (bottom - y[known]) / (y[known + 1] - y[known])
    at = x[known] + share * (x[known + 1] - x[known])
    xs, ys = np.concatenate([x, at]), np.concatenate([np.where(y < bottom, np.nan, y), np.full(len(at), bottom)])
    order = np.argsort(xs, kind="stable")
    return xs[order], ys[order]


def dots(xs: Array, ys: Array) -> str:
    """A path that a round pen makes dots of."""
    return "".join(f"M{x:g} {y:g}h0" for x, y in zip(np.round(xs, 1).tolist(), np.round(ys, 1).tolist(), strict=True))


def lines(
    title: str, summary: str, x: tuple[str, Array], y: str, series: Mapping[str, Array],
    levels: Mapping[str, float] | None = None, *, percent: bool = False,
) -> Chart:  # fmt: skip
    """A line for each of `series` over the values of x, and a dashed level for each of `levels`."""
    levels, (name, at) = levels or {}, x
    known = np.concatenate([*(np.ravel(v) for v in series.values()), np.array(list(levels.values()), float)])
    known = known[np.isfinite(known)]
    top, bottom = (float(known.max()), min(0.0, float(known.min()))) if known.size else (1.0, 0.0)
    bottom = max(bottom, 1.0 - 4 * (1.0 - float(np.median(known)))) if percent and known.size else bottom
    bottom = float(np.clip(bottom, 0, 0.95)) if percent else bottom
    wide, high = across(float(at[0]), float(at[-1])), up(bottom, 1.0 if percent else top * 1.05, percent=percent)
    strokes, legend, points = [], [], []
    for number, (label, values) in enumerate(((shown(n), v) for n, v in series.items()), 1):
        xs, ys = wide.place(at), high.place(np.clip(values, bottom, None))
        style = f"line c{1 + (number - 1) % 6}"
        there, known = above(np.asarray(at, float), np.asarray(values, float), bottom)
        strokes.append(Stroke(line(wide.place(there), high.place(known)), style))
        legend.append((style, label))
        for i in spread(len(at), MOST_POINTS // len(series)):
            words = f"{name} {short(float(at[i]))}: {label} {_value(float(values[i]), percent)}"
            points.append((round(float(xs[i]), 1), round(float(ys[i]), 1), words))
    for label, level in levels.items():
        place = round(float(high.place(level)), 1)
        strokes.append(Stroke(f"M{wide.start:g} {place:g}H{wide.end:g}", "level"))
        legend.append(("level", f"{label}, {_value(level, percent)}"))
    return Chart(
        title=title, summary=summary, x=name, y=y, across=wide, up=high, strokes=tuple(strokes), legend=tuple(legend),
        points=tuple(points),
    )  # fmt: skip


def _value(value: float, percent: bool) -> str:
    if not np.isfinite(value):
        return "not known"
    return f"{value:.2%}" if percent else short(value)


def scatter(
    title: str, summary: str, x: tuple[str, Array], y: tuple[str, Array], words: Sequence[str]
) -> Chart:  # fmt: skip
    """A dot for each pair, which a click tells in `words`, and a dashed line where both are equal."""
    (across_name, xs), (up_name, ys) = x, y
    both = np.concatenate([xs, ys, [0.0]])
    wide, tall = (kind(float(both.min()), float(both.max())) for kind in (across, up))
    equal = Stroke(f"M{wide.start:g} {tall.start:g}L{wide.end:g} {tall.end:g}", "level")
    px, py = wide.place(xs), tall.place(ys)
    return Chart(
        title=title, summary=summary, x=across_name, y=up_name, across=wide, up=tall,
        strokes=(equal, Stroke(dots(px, py), "dots c1")), legend=(("level", "equal"),), points=told(px, py, words),
    )  # fmt: skip


def told(xs: Array, ys: Array, words: Sequence[str]) -> tuple[tuple[float, float, str], ...]:
    """What a click near to a point tells, of an even choice of many."""
    return tuple((round(float(xs[i]), 1), round(float(ys[i]), 1), words[i]) for i in spread(len(xs), MOST_POINTS))


def histogram(title: str, edges: Array, counts: Mapping[str, Array]) -> Chart:
    """How often each size occurs, on a scale of logarithms (of one more, so that none is at the bottom)."""
    tallest = max((float(c.max(initial=0)) for c in counts.values()), default=1.0)
    wide, high = across(float(edges[0]), float(edges[-1])), Axis(1, max(tallest, 9) + 1, HEIGHT - _BOTTOM, _TOP, True)
    strokes, legend, points = [], [], []
    for number, (label, heights) in enumerate(counts.items(), 1):
        xs, ys = np.repeat(wide.place(edges), 2)[1:-1], np.repeat(high.place(heights + 1), 2)
        base = f"L{xs[-1]:.1f} {high.start:g}L{xs[0]:.1f} {high.start:g}Z"
        strokes.append(Stroke(line(xs, ys) + base, f"area c{number}"))
        legend.append((f"line c{number}", label))
        for i in range(len(heights)):
            span = f"{short(float(edges[i]))} to {short(float(edges[i + 1]))}"
            points.append((float(xs[2 * i]), round(float(ys[2 * i]), 1), f"{label} from {span}: {int(heights[i]):,}"))
    return Chart(
        title=title, summary=f"How often each size of activation occurs, for {' and '.join(counts)}.",
        x="activation", y="neurons × samples", across=wide, up=high, strokes=tuple(strokes), legend=tuple(legend),
        points=tuple(points),
    )  # fmt: skip


def raster(title: str, spikes: Array, neurons: Array, dt: float, total: int) -> Chart:
    """A tick for each spike (steps, neurons) of these neurons."""
    steps, rows = np.nonzero(spikes)
    wide, high = (
        across(0, (len(spikes) + 1) * dt),
        Axis(-0.7, len(neurons) - 0.3, _TOP, HEIGHT - _BOTTOM, counted=False),
    )
    xs, ys = wide.place((steps + 1) * dt), high.place(rows)
    tick = 0.38 * (HEIGHT - _BOTTOM - _TOP) / max(len(neurons), 1)
    pairs = zip(np.round(xs, 1).tolist(), np.round(ys - tick, 1).tolist(), strict=True)
    path = "".join(f"M{x:g} {y:g}v{2 * tick:.2g}" for x, y in pairs)
    counts = spikes.astype(bool).sum(axis=0)
    points = tuple(
        (float(wide.end) - 6, round(float(high.place(row)), 1), f"neuron {int(n):,}: {int(counts[row])} spikes")
        for row, n in enumerate(neurons)
    )
    some = f"{len(neurons):,} of {total:,} neurons" if len(neurons) < total else f"all {total:,} neurons"
    return Chart(
        title=title, summary=f"Spikes of the first sample over time, {some}: {len(steps):,} spikes.", x="time (ms)",
        y=f"neurons ({some})", across=wide, up=high, strokes=(Stroke(path, "line c1"),), points=points,
    )  # fmt: skip
