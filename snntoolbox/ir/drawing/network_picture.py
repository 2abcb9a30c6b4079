"""A spiking network as boxes and lines: what stands where, for whoever draws it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import networkx as nx

from snntoolbox.ir.drawing.layout import BOX, GAP, layered, long_lines
from snntoolbox.ir.foreign import shortened
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Shape
from snntoolbox.ir.summary import incoming, shape_text

MOST_BOXES = 800
"""A larger network is no picture."""

MOST_LINES, MOST_EACH = 600, 5
"""Of more lines, in all or for each box, those over several rows are left out of the picture."""

_FEW = 100
"""So many lines can be followed however few boxes there are."""

LEVELS = ("0", "0.01", "0.04", "0.1", "0.3", "1")
"""Spikes per neuron and step, by colour: rates are far apart, so by powers of 3 below one spike per step."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """An input, a population or a read-out (`what`), its middle in pixels; `kind` is the map into it."""

    name: str
    what: str
    kind: str
    shape: Shape
    label: str = ""
    neurons: int = 0
    x: float = 0.0
    y: float = 0.0

    @property
    def words(self) -> tuple[str, str, str]:
        """The lines of text in it."""
        outside = "" if self.what == "population" else f"{self.what} "
        return shortened(self.name, 19), shortened(self.kind, 23), f"{outside}{shape_text(self.shape)}"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Boxes, lines as the points that they go through, and the size of all in pixels.

    `left_out` lines are not drawn.
    """

    boxes: tuple[Box, ...]
    lines: tuple[Sequence[tuple[float, float]], ...]
    width: float
    height: float
    left_out: int = 0

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        return self.width, self.height


def level(rate: float) -> int:
    """Which of the `LEVELS` a rate has."""
    if not rate > 0:
        return 0
    top = len(LEVELS) - 1
    return max(1, min(top, top + math.floor(math.log(rate, 3) + 0.5)))


def boxes_of(network: SpikingNetwork) -> tuple[Box, ...]:
    """Inputs, populations in order, and read-outs, without places."""
    boxes = [
        Box(name=n, what="input", kind=e.words(network.dt), shape=network.wiring.shapes[n])
        for n, e in network.encodings.items()
    ]
    populations = [network.populations[n] for n in network.targets if n in network.populations]
    boxes += [
        Box(name=p.name, what="population", kind=incoming(network, p.current), shape=p.shape, neurons=p.size,
            label="" if p.origin is None else str(p.origin))
        for p in populations
    ]  # fmt: skip
    for r in network.readouts:
        boxes.append(Box(name=r.name, what="read-out", kind=incoming(network, r.current), shape=r.shape))
    return tuple(boxes)


def picture_of(network: SpikingNetwork) -> Picture | None:
    """The picture; None of a network with more than `MOST_BOXES`."""
    boxes, graph, left_out = boxes_of(network), _graph(network), 0
    if len(boxes) > MOST_BOXES:
        return None
    if graph.number_of_edges() > min(MOST_LINES, max(_FEW, MOST_EACH * len(boxes))):
        long = long_lines(graph)
        graph, left_out = nx.restricted_view(graph, [], long), len(long)
    layout = layered(graph)
    placed = (replace(b, x=x, y=y) for b in boxes for x, y in [layout.places[b.name]])
    return Picture(
        boxes=tuple(placed), lines=tuple(layout.lines.values()),
        width=math.ceil(layout.width), height=math.ceil(layout.height), left_out=left_out,
    )  # fmt: skip


def curve(points: Sequence[tuple[float, float]]) -> list[tuple[tuple[float, float], ...]]:
    """A smooth line from edge to edge of two boxes: its start, and three points of each bend.

    `points` begin and end in the middle of a box; a line back to its own box is a loop beside it. Beside the boxes of a
    row that it passes it runs straight.
    """
    (x, y), *others = points
    if others == [(x, y)]:
        side, out = x + BOX[0] / 2, x + BOX[0] / 2 + 0.6 * GAP[0]
        return [((side, y - 12),), ((out, y - 12), (out, y + 12), (side, y + 12))]
    passed = [(px, _edge(py, other)) for (px, py), before, after in zip(others, points, others[1:], strict=False)
              for other in (before[1], after[1])]  # fmt: skip
    ends = [(x, _edge(y, others[0][1])), *passed, (others[-1][0], _edge(others[-1][1], points[-2][1]))]
    bends: list[tuple[tuple[float, float], ...]] = [(ends[0],)]
    for (x, y), (px, py) in pairwise(ends):
        middle = (y + py) / 2
        bends.append(((x, middle), (px, middle), (px, py)))
    return bends


def _edge(middle: float, other: float) -> float:
    """Where a line from the middle of a box towards another point leaves it."""
    return middle + math.copysign(BOX[1] / 2, other - middle)


def svg_path(points: Sequence[tuple[float, float]]) -> str:
    """The same as the path of an SVG."""
    (start,), *bends = curve(points)
    return f"M{_pair(start)}" + "".join("C" + " ".join(map(_pair, bend)) for bend in bends)


def _pair(point: tuple[float, float]) -> str:
    return f"{round(point[0], 1):g} {round(point[1], 1):g}"


def _graph(network: SpikingNetwork) -> nx.DiGraph:
    """Who reads whom, delays included."""
    graph = nx.DiGraph()
    graph.add_nodes_from(network.encodings)
    currents = {p.name: p.current for p in network.populations.values()}
    currents |= {r.name: r.current for r in network.readouts}
    order = [n for n in network.targets if n in currents]
    graph.add_nodes_from([*order, *(n for n in currents if n not in order)])
    graph.add_edges_from((s, n) for n in currents for s in sorted(network.fed_by(n)))
    return graph
