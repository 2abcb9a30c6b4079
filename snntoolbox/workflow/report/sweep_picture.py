"""The picture of a sweep: accuracy, or error, against the values of the first key, a line for each of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snntoolbox.ir.drawing import canvas
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.config.values import show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Points = Sequence[tuple[float, float]]


def draw(
    folder: Path,
    keys: Mapping[str, Sequence[object]],
    combined: Sequence[Sequence[object]],
    reports: Sequence[Mapping[str, Any]],
    settings: Settings,
    warn: Callable[[str], None],
) -> None:
    """Write ``sweep.png`` where the first key has numbers and there is something to show.

    Without matplotlib there is none, which is told only where a scale was asked for.
    """
    logarithmic = settings.parameter_sweep.param_logscale
    key, what, lines = next(iter(keys)), "accuracy", _lines(combined, reports, "snn_accuracy")
    if not lines:
        what, lines = "error (rmse)", _lines(combined, reports, "snn_error")
    if not lines or (find_spec("matplotlib") is None and not logarithmic):
        return
    draw_it = partial(picture, key, what, lines, logarithmic=logarithmic)
    canvas.save_if_possible(draw_it, folder / "sweep.png", warn, settings.output.plotproperties)


def picture(key: str, what: str, lines: Mapping[str, Points], *, logarithmic: bool) -> Figure:
    """One line for each name in `lines`, through its points."""
    figure, axes = canvas.canvas(6, 4)
    for (name, points), colour in zip(lines.items(), canvas.shades(len(lines)), strict=True):
        x, y = zip(*sorted(points), strict=True)
        axes.plot(x, y, marker="o", color=colour, label=canvas.drawn_name(name))
    if logarithmic:
        axes.set_xscale("log")
    if len(lines) > 1:
        axes.legend()
    canvas.say(axes, f"{what} of the spiking network", key, what)
    return figure


def _lines(
    combined: Sequence[Sequence[object]], reports: Sequence[Mapping[str, Any]], kind: str
) -> dict[str, list[tuple[float, float]]]:
    """The points by the values of the other keys; those that were not measured are left out."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for (first, *others), report in zip(combined, reports, strict=True):
        measured = report.get(kind)
        y = measured["rmse"] if isinstance(measured, Mapping) else measured
        if y is not None and isinstance(first, Real) and not isinstance(first, bool):
            lines.setdefault(", ".join(map(show, others)), []).append((float(first), float(y)))
    return lines
