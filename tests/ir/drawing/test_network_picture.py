"""Lines of a picture: from edge to edge, up, down, and back to their own box; colours of rates."""

import pytest

from snntoolbox.ir.drawing.layout import BOX
from snntoolbox.ir.drawing.network_picture import LEVELS, curve, level, svg_path

HALF = BOX[1] / 2


@pytest.mark.parametrize("points", [[(0, 0), (0, 90)], [(0, 0), (50, 90), (7, 180)], [(0, 180), (9, 0)]])
def test_a_line_begins_and_ends_at_the_edges_of_its_boxes(points):
    (start,), *bends = curve(points)
    down = 1 if points[1][1] > points[0][1] else -1
    assert start == (points[0][0], points[0][1] + down * HALF)
    assert bends[-1][-1] == (points[-1][0], points[-1][1] - down * HALF)
    assert len(bends) == len(points) - 1
    assert [bend[-1] for bend in bends[:-1]] == points[1:-1]
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
