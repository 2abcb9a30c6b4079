"""Pictures of graphs: rows, lines that pass beside boxes, circles, and graphs that are too large."""

import networkx as nx
import pytest

from snntoolbox.ir.drawing.layout import BOX, GAP, layered, long_lines

GRAPHS = {
    "chain": nx.path_graph(5, nx.DiGraph),
    "diamond": nx.DiGraph([("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d")]),
    "circle": nx.DiGraph([("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("d", "d")]),
    "islands": nx.DiGraph([("a", "b"), ("c", "d")]),
    "dense": nx.DiGraph([(i, j) for i in range(9) for j in range(i + 1, 9)]),
    "one": nx.empty_graph(1, nx.DiGraph),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_boxes_lie_apart_and_lines_join_them(name):
    graph = GRAPHS[name]
    layout = layered(graph)
    places = list(layout.places.values())
    assert set(layout.places) == set(graph)
    for i, (x, y) in enumerate(places):
        assert BOX[0] / 2 <= x <= layout.width - BOX[0] / 2
        assert BOX[1] / 2 <= y <= layout.height - BOX[1] / 2
        assert all(abs(x - u) >= BOX[0] or abs(y - v) >= BOX[1] for u, v in places[:i])
    for (a, b), points in layout.lines.items():
        assert (points[0], points[-1]) == (layout.places[a], layout.places[b])
        assert all(point not in places for point in points[1:-1])


@pytest.mark.parametrize("name", sorted(set(GRAPHS) - {"circle"}))
def test_what_is_read_stands_above(name):
    layout = layered(GRAPHS[name])
    assert all(layout.places[a][1] < layout.places[b][1] for a, b in GRAPHS[name].edges)


def test_rows_are_sorted_so_that_lines_do_not_cross():
    layout = layered(nx.DiGraph([("x", "a"), ("x", "b"), ("a", "c"), ("b", "d"), ("d", "e"), ("c", "f")]))
    order = [layout.places["a"][0] < layout.places["b"][0], layout.places["c"][0] < layout.places["d"][0]]
    assert order[0] == order[1] == (layout.places["f"][0] < layout.places["e"][0])


def test_lines_over_several_rows():
    assert long_lines(GRAPHS["diamond"]) == [("a", "d")]
    assert len(long_lines(GRAPHS["dense"])) == 36 - 8


def test_a_line_that_passes_takes_little_room():
    layout = layered(GRAPHS["dense"])
    assert layout.width < 3 * (BOX[0] + GAP[0])
    alone = layered(GRAPHS["chain"])
    assert alone.width == BOX[0] + GAP[0]
    assert {x for x, _ in alone.places.values()} == {alone.width / 2}
