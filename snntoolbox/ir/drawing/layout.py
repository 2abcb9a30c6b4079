"""Places for the boxes of a directed graph, in rows from its sources down, with few crossings (Sugiyama's method)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

BOX = (150, 52)
GAP = (26, 38)
PASSING = 18
"""Room for a line between boxes."""

_PASSES = 6
_MOST_SWEPT = 4000
"""Points, bends of long lines included, up to which rows are sorted; a larger picture is not read anyway."""


@dataclass(frozen=True)
class Layout:
    """The centre of each box, the path of each line, and how much room all take, in pixels."""

    places: Mapping[Hashable, tuple[float, float]]
    lines: Mapping[tuple[Hashable, Hashable], Sequence[tuple[float, float]]]
    width: float
    height: float


def layered(graph: nx.DiGraph) -> Layout:
    """A layout of a graph without parallel lines; what runs back in a circle is drawn upwards."""
    rank = _ranks(graph)
    drawn, bends = _with_bends(graph, rank)
    rows = _sorted(_rows(drawn), drawn, graph)
    at = [_across(row, graph) for row in rows]
    middle = max((-min(row.values()) + _room(next(iter(row)), graph) / 2 for row in at), default=BOX[0])
    places = {n: (middle + x, (r + 0.5) * (BOX[1] + GAP[1])) for r, row in enumerate(at) for n, x in row.items()}
    width = 2 * middle
    lines = {edge: [places[n] for n in (edge[0], *bends[edge], edge[1])] for edge in graph.edges}
    return Layout({n: places[n] for n in graph}, lines, width, len(rows) * (BOX[1] + GAP[1]))


def _room(node: Any, graph: nx.DiGraph) -> float:
    """How wide a box is with its gap; a line that passes by takes little."""
    return BOX[0] + GAP[0] if node in graph else PASSING


def _across(row: Sequence[Any], graph: nx.DiGraph) -> dict[Any, float]:
    """Where the middles of a row are, side by side, counted from the middle of the picture."""
    x = -sum(_room(node, graph) for node in row) / 2
    places = {}
    for node in row:
        room = _room(node, graph)
        places[node] = x + room / 2
        x += room
    return places


def long_lines(graph: nx.DiGraph) -> list[tuple[Hashable, Hashable]]:
    """Those over more than one row."""
    rank = _ranks(graph)
    return [(a, b) for a, b in graph.edges if abs(rank[b] - rank[a]) > 1]


def _ranks(graph: nx.DiGraph) -> dict[Any, int]:
    """The row of each node: behind all that it reads."""
    return {node: r for r, row in enumerate(nx.topological_generations(_forward(graph))) for node in row}


def _forward(graph: nx.DiGraph) -> nx.DiGraph:
    """The graph without the lines that close circles: those from later to earlier nodes of one, in their order."""
    number = {node: i for i, node in enumerate(graph)}
    inside = {node: i for i, part in enumerate(nx.strongly_connected_components(graph)) for node in part}
    forward = nx.DiGraph()
    forward.add_nodes_from(graph)
    forward.add_edges_from((a, b) for a, b in graph.edges if inside[a] != inside[b] or number[a] < number[b])
    return forward


def _with_bends(graph: nx.DiGraph, rank: Mapping[Any, int]) -> tuple[nx.DiGraph, dict[Any, list[Any]]]:
    """The graph in which a line over several rows has a point in each of them, and these points by line."""
    drawn, bends = nx.DiGraph(), {}
    drawn.add_nodes_from((node, {"rank": rank[node]}) for node in graph)
    for edge in graph.edges:
        a, b = edge
        between = range(rank[a] + 1, rank[b]) if rank[a] < rank[b] else range(rank[a] - 1, rank[b], -1)
        points = [(edge, r) for r in between]
        drawn.add_nodes_from((point, {"rank": point[1]}) for point in points)
        nx.add_path(drawn, [a, *points, b])
        bends[edge] = points
    return drawn, bends


def _rows(drawn: nx.DiGraph) -> list[list[Any]]:
    rows: dict[int, list[Any]] = {}
    for node, rank in drawn.nodes(data="rank"):
        rows.setdefault(rank, []).append(node)
    return [rows[r] for r in sorted(rows)]


def _sorted(rows: list[list[Any]], drawn: nx.DiGraph, graph: nx.DiGraph) -> list[list[Any]]:
    """Rows whose nodes stand near the middle of what they are joined to, above and below in turn."""
    if len(drawn) > _MOST_SWEPT:
        return rows
    order = {node: x for row in rows for node, x in _across(row, graph).items()}
    for sweep in range(_PASSES):
        neighbours = drawn.predecessors if sweep % 2 == 0 else drawn.successors
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            means = {n: _mean([order[m] for m in neighbours(n)], order[n]) for n in row}
            row.sort(key=means.__getitem__)
            order.update(_across(row, graph))
    return rows


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
