"""Charts: values lie where their axes say, and a click has something to tell."""

import re

import numpy as np
import pytest

from snntoolbox.workflow.report.html.axis import Axis, short
from snntoolbox.workflow.report.html.charts import MOST_POINTS, above, histogram, lines, raster, scatter


def numbers(path):
    return [float(n) for n in re.findall(r"-?\d+\.?\d*", path)]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.95, 1), (-3, 7), (0, 2.07e6), (1, 64), (5, 5), (1e-7, 3e-7)])
def test_ticks_lie_on_the_axis(low, high):
    axis = Axis(low, high, 50, 500)
    places = [place for place, _ in axis.ticks]
    assert 1 <= len(places) <= 9
    assert all(50 <= place <= 500 for place in places)
    assert len({words for _, words in axis.ticks}) == len(places)


def test_logarithms():
    axis = Axis(1, 1000, 0, 300, logarithmic=True)
    assert axis.place(10) == pytest.approx(100)
    assert [words for _, words in axis.ticks] == ["1", "10", "100", "1000"]


SHORT = {0: "0", 0.05: "0.05", 1234: "1234", 20_000: "20 k", 2.07e6: "2.07 M"}


@pytest.mark.parametrize(("value", "words"), SHORT.items())
def test_short_numbers(value, words):
    assert short(value) == words


def test_a_line_goes_through_its_values():
    chart = lines("t", "s", ("step", np.array([1.0, 2, 3])), "y", {"a": np.array([0.0, 1, 2])}, {"level": 2.0})
    xs, ys = numbers(chart.strokes[0].path)[::2], numbers(chart.strokes[0].path)[1::2]
    assert xs == pytest.approx(chart.across.place(np.array([1, 2, 3])), abs=0.1)
    assert ys == pytest.approx(chart.up.place(np.array([0, 1, 2])), abs=0.1)
    assert [point[2] for point in chart.points] == ["step 1: a 0", "step 2: a 1", "step 3: a 2"]
    assert chart.legend[1] == ("level", "level, 2")


@pytest.mark.parametrize("values", [[0.1, 0.99, 0.994], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [np.nan, 0.5, np.nan]])
def test_shares_stay_on_the_sheet(values):
    chart = lines("t", "s", ("step", np.arange(1.0, 4)), "y", {"a": np.array(values)}, percent=True)
    assert all(chart.up.end - 0.1 <= y <= chart.up.start + 0.1 for _, y, _ in chart.points if np.isfinite(y))


def test_points_are_bounded():
    chart = lines("t", "s", ("step", np.arange(5000.0)), "y", {"a": np.zeros(5000), "b": np.ones(5000)})
    assert len(chart.points) <= MOST_POINTS


def test_pairs_on_equal_axes():
    chart = scatter("t", "s", ("x", np.array([0.0, 4.0])), ("y", np.array([0.0, 2.0])), ["one", "two"])
    assert (chart.across.low, chart.across.high) == (chart.up.low, chart.up.high) == (0, 4)
    assert [words for *_, words in chart.points] == ["one", "two"]


def test_heights_of_a_histogram():
    chart = histogram("t", np.array([0.0, 1, 2]), {"a": np.array([9, 0])})
    high, low = (y for _, y, _ in chart.points)
    assert high == pytest.approx(float(chart.up.end), abs=0.1)
    assert low == pytest.approx(float(chart.up.start), abs=0.1)


def test_a_tick_for_each_spike():
    spikes = np.zeros((4, 2), bool)
    spikes[1, 0] = spikes[3, 1] = spikes[2, 1] = True
    chart = raster("t", spikes, np.array([0, 7]), 1.0, 8)
    assert chart.strokes[0].path.count("M") == 3
    assert chart.points[1][2] == "neuron 7: 2 spikes"


def test_a_line_below_the_bottom_is_not_drawn_along_it():
    xs, ys = above(np.arange(5.0), np.array([1.0, 0.0, 0.0, 1.0, 1.0]), 0.5)
    assert xs.tolist() == [0, 0.5, 1, 2, 2.5, 3, 4]
    np.testing.assert_array_equal(ys, [1, 0.5, np.nan, np.nan, 0.5, 1, 1])


def test_a_line_above_the_bottom_is_as_it_is():
    x, y = np.arange(4.0), np.array([0.5, np.nan, 0.7, 0.9])
    assert above(x, y, 0.5)[0].tolist() == x.tolist()
    np.testing.assert_array_equal(above(x, y, 0.5)[1], y)
