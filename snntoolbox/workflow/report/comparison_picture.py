"""The picture of a comparison: accuracy and agreement, spikes, and the cells that differ, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from snntoolbox.analysis.comparison.comparison import Comparison, Side
from snntoolbox.ir.drawing.canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    drawn_name,
    engineering_units,
    new_figure,
    say,
    shades,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST = 22
"""Letters of a population's name that are shown."""


def picture(comparison: Comparison) -> Figure:
    """Left: shares of samples per simulator. Right: spikes per population, and the share of cells that differ."""
    ran = [side for side in comparison.sides if side.samples]
    names = list(comparison.side(comparison.reference).spikes) if comparison.reference else []
    figure = new_figure(11, max(4.2, 1.8 + 0.5 * len(names), 1.8 + 0.5 * len(ran)))
    rows: Any = figure.subplots(1, 3, width_ratios=(1, 1.1, 1.1))
    for axes in rows:
        tidy(axes)
        axes.grid(axis="y", visible=False)
    _shares(rows[0], ran, comparison)
    _spikes(rows[1], ran, names)
    _differing(rows[2], [side for side in ran if side.compared], names)
    rows[2].tick_params("y", labelleft=False)
    return figure


def _shares(axes: Any, ran: list[Side], comparison: Comparison) -> None:
    kinds = {"accuracy": BLUE, "ann_agreement": ORANGE, "agreement": GREEN}
    same = f"same as {drawn_name(comparison.reference)}"
    labels = {"accuracy": "right", "ann_agreement": "same class as ANN", "agreement": same}
    known = {k: c for k, c in kinds.items() if any(getattr(s, k) is not None for s in ran)}
    height = 0.8 / max(len(known), 1)
    for i, (kind, colour) in enumerate(known.items()):
        values = [getattr(side, kind) for side in ran]
        places = np.arange(len(ran)) - 0.4 + (i + 0.5) * height
        axes.barh(places, [100 * (v or 0) for v in values], height * 0.9, color=colour, label=labels[kind])
        for place, value in zip(places, values, strict=True):
            if value is not None:
                inside = value > 0.2
                x, shade = (2, "white") if inside else (100 * value + 2, "black")
                axes.text(x, place, f"{value:.1%}", va="center", fontsize=8, color=shade)
    axes.set_yticks(range(len(ran)), [drawn_name(side.simulator) for side in ran])
    axes.set_ylim(len(ran) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    say(axes, "Predictions", "samples (%)", "")
    if known:
        axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1)


def _spikes(axes: Any, ran: list[Side], names: list[str]) -> None:
    _bars(axes, {side.simulator: [side.spikes[n] for n in names] for side in ran}, names)
    engineering_units(axes, across=True)
    say(axes, "Spikes", "mean number per sample", "")


def _differing(axes: Any, compared: list[Side], names: list[str]) -> None:
    shares = {s.simulator: [100 * s.differing[n] / max(s.cells[n], 1) for n in names] for s in compared}
    offset = 1  # the reference has the first colour
    _bars(axes, shares, names, offset)
    if not any(any(v) for v in shares.values()):
        axes.set_xlim(0, 1)
        note = "none: all rasters are equal" if shares else "nothing to compare"
        axes.text(0.5, 0.5, note, transform=axes.transAxes, ha="center", color=GREY, fontsize=10)
    say(axes, "Cells that differ from the reference", "share of neurons × steps × samples (%)", "")


def _bars(axes: Any, values: dict[str, list[float]], names: list[str], offset: int = 0) -> None:
    height = 0.8 / max(len(values), 1)
    colours = shades(len(values) + offset)[offset:]
    for i, (simulator, lengths) in enumerate(values.items()):
        places = np.arange(len(names)) - 0.4 + (i + 0.5) * height
        axes.barh(places, lengths, height * 0.9, color=colours[i], label=drawn_name(simulator))
    axes.set_yticks(range(len(names)), [drawn_name(name, LONGEST) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(left=0)
    if values:
        axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)

