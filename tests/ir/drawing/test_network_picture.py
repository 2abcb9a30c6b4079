"""Lines of a picture: from edge to edge, up, down, and back to their own box; colours of rates."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.ir.drawing.layout import BOX
from snntoolbox.ir.drawing.network_picture import LEVELS, curve, level, picture_of, svg_path
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Concat, Dense, Input, ReLU

HALF = BOX[1] / 2


@pytest.mark.parametrize("points", [[(0, 0), (0, 90)], [(0, 0), (50, 90), (7, 180)], [(0, 180), (9, 0)]])
def test_a_line_begins_and_ends_at_the_edges_of_its_boxes(points):
    (start,), *bends = curve(points)
    down = 1 if points[1][1] > points[0][1] else -1
    assert start == (points[0][0], points[0][1] + down * HALF)
    assert bends[-1][-1] == (points[-1][0], points[-1][1] - down * HALF)
    assert len(bends) == 2 * len(points) - 3
    ends = [start, *(bend[-1] for bend in bends)]
    for x, y in points[1:-1]:  # straight through the row, beside its boxes
        at = ends.index((x, y - down * HALF))
        assert ends[at + 1] == (x, y + down * HALF)
    assert svg_path(points).startswith("M")
    assert svg_path(points).count("C") == len(bends)


def test_a_line_to_the_own_box_is_a_loop_beside_it():
    (start,), bend = curve([(100, 50), (100, 50)])
    assert start[0] == bend[-1][0] == 100 + BOX[0] / 2
    assert start[1] < 50 < bend[-1][1]
    assert all(x > start[0] for x, _ in bend[:2])


@pytest.mark.parametrize(("rate", "shown"), [(0, 0), (float("nan"), 0), (1e-9, 1), (0.01, 1), (0.1, 3), (1, 5), (9, 5)])
def test_each_rate_has_a_colour(rate, shown):
    assert level(rate) == shown < len(LEVELS)


def test_of_too_many_lines_the_long_ones_are_left_out():
    nodes, sums = [Input(name="x", shape=(2,))], ["x"]
    for i in range(30):
        join = [] if i == 0 else [Concat(name=f"c{i}", inputs=tuple(sums), axis=0)]
        last = join[0].name if join else "x"
        dense = Dense(name=f"d{i}", inputs=(last,), weight=np.ones((2, 2 * len(sums))))
        nodes += [*join, dense, ReLU(name=f"r{i}", inputs=(f"d{i}",))]
        sums.append(f"r{i}")
    picture = picture_of(stb.convert(Graph(nodes, ["r29"])))
    assert picture.left_out > 300
    assert len(picture.lines) == len(picture.boxes) - 1
