"""Charts of many runs: what each reaches over what it costs, and which of them nothing beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snntoolbox.ir.node import Array
from snntoolbox.workflow.report.html.charts import Chart, Stroke, across, dots, told, up


def on_front(costs: Array, losses: Array) -> Array:
    """Which points no other beats: none is as good in both and better in one."""
    points = np.stack([costs, losses], axis=1)
    no_worse = (points[None] <= points[:, None]).all(axis=2)
    better = (points[None] < points[:, None]).any(axis=2)
    return np.asarray([not row.any() for row in np.logical_and(no_worse, better)], bool)


def front_chart(
    cost: str, costs: Sequence[float], quality: str, values: Sequence[float], words: Sequence[str], *, least: bool
) -> Chart:
    """A dot for each run, those on the front in another colour; `least` where a small quality is good, else a share."""
    x, y = np.array(costs, float), np.array(values, float)
    front = on_front(x, y if least else -y)
    best = "; ".join(words[i] for i in np.flatnonzero(front)[:5])
    wide = across(*_roomy(x), logarithmic=bool(x.min() > 0 and x.max() > 10 * x.min()))
    low, high = _roomy(y)
    tall = up(max(low, 0.0), high if least else min(high, 1.0), percent=not least)
    px, py = wide.place(x), tall.place(y)
    groups = {"others": ~front, "nothing beats it": front}
    title = f"{quality[:1].upper()}{quality[1:]} over {cost}"
    return Chart(
        title=title, summary=f"{len(x)} runs. Nothing beats: {best}.", x=cost, y=quality,
        across=wide, up=tall, points=told(px, py, words),
        strokes=tuple(Stroke(dots(px[g], py[g]), f"dots big c{i}") for i, g in enumerate(groups.values(), 1)),
        legend=tuple((f"dots big c{i}", name) for i, name in enumerate(groups, 1)),
    )  # fmt: skip


def _roomy(values: Array) -> tuple[float, float]:
    """From the least to the largest, with some room."""
    low, high = float(values.min()), float(values.max())
    room = 0.06 * ((high - low) or abs(high) or 1.0)
    return (low / 1.15 if 0 < low < high / 10 else low - room), high + room
