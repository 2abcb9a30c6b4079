"""A picture of trials: agreement against steps and against synaptic operations, with the front of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snntoolbox.report.canvas import BLUE, GREY, ORANGE, engineering_units, new_figure, powers_of_two, say, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
        axes.axhline(100 * target, color=GREY, linewidth=0.9, linestyle="--", label="wanted")


def _edge(points: Sequence[Point], across: str, agreement: bool) -> list[Point]:
    """The points that are better than all with less, from less to more."""
    sign = 1 if agreement else -1
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (getattr(p, across), -sign * p.quality)):
        if not kept or sign * point.quality > sign * kept[-1].quality:
            kept.append(point)
    return kept
