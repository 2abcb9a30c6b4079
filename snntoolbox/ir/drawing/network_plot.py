"""A spiking network as boxes and lines, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from snntoolbox.errors import ArgumentError
from snntoolbox.ir.drawing.canvas import GREY, LEVEL_COLOURS, box_patch, canvas, curve_patch, drawn_name, say
from snntoolbox.ir.drawing.layout import BOX
from snntoolbox.ir.drawing.network_picture import LEVELS, MOST_BOXES, Box, Picture, curve, level, picture_of
from snntoolbox.ir.network import SpikingNetwork

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PER_INCH = 80
"""Pixels of the layout in an inch."""

_LARGEST = (18.0, 60.0)
"""Inches: a larger picture is drawn smaller."""


def plot_network(network: SpikingNetwork, rates: Mapping[str, float], axes: Axes | None = None) -> Figure:
    """Each layer of neurons as a box with the map into it and its shape, coloured by its spikes per neuron and step."""
    picture = picture_of(network)
    if picture is None:
        raise ArgumentError(f"the network has more than {MOST_BOXES} layers: too many for a picture")
    inches = min(1 / _PER_INCH, *(most / length for length, most in zip(picture.size, _LARGEST, strict=True)))
    width, height = (length * inches for length in picture.size)
    figure, axes = canvas(max(width, 3.0) + 2 * bool(rates), height + 0.6, axes)
    left_out = f"\n{picture.left_out} long lines are left out" if picture.left_out else ""
    say(axes, f"{drawn_name(network.name)}{left_out}", "", "")
    axes.set_axis_off()
    axes.set_xlim(0, picture.width)
    axes.set_ylim(picture.height, 0)
    axes.set_aspect("equal")
    for line in picture.lines:
        axes.add_patch(curve_patch(curve(line), GREY))
    points = _points_per_pixel(axes, picture)
    for box in picture.boxes:
        _draw_box(axes, box, rates.get(box.name), points)
    if rates:
        _legend(axes)
    return figure


def _draw_box(axes: Axes, box: Box, rate: float | None, points: float) -> None:
    """A box and its three lines; a dashed one is no layer of neurons."""
    colour = "white" if rate is None else LEVEL_COLOURS[level(rate)]
    style = "-" if box.what == "population" else "--"
    axes.add_patch(box_patch(box.x - BOX[0] / 2, box.y - BOX[1] / 2, *BOX, colour=colour, edge=GREY, style=style))
    for row, words in enumerate(box.words):
        weight = "bold" if row == 0 else "normal"
        y = box.y - BOX[1] / 2 + 2 + 15 * (row + 0.75)
        words = drawn_name(words)
        axes.text(box.x, y, words, ha="center", va="center", fontsize=10 * points, weight=weight, color="black")


def _points_per_pixel(axes: Axes, picture: Picture) -> float:
    """How large letters of one pixel are here, so that words stay in their boxes whatever the size of the axes."""
    figure = axes.figure
    place, whole = axes.get_position(), figure.get_size_inches() if hasattr(figure, "get_size_inches") else (6.4, 4.8)
    inches = min(whole[0] * place.width / picture.width, whole[1] * place.height / picture.height)
    return 72 * inches


def _legend(axes: Axes) -> None:
    marks = [box_patch(0, 0, 1, 1, colour=colour, edge=GREY) for colour in LEVEL_COLOURS]
    axes.legend(
        marks, LEVELS, title="spikes per neuron and step", loc="upper left", bbox_to_anchor=(1.0, 1.0),
        frameon=False, fontsize=8, title_fontsize=8,
    )  # fmt: skip
