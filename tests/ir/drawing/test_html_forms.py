"""What notebooks show: every end has a beginning, names are only names, and large networks stay small."""

import numpy as np
import pytest
from pages import whole

import snntoolbox as stb
from snntoolbox.ir.drawing.html_forms import MOST_ROWS
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Input, ReLU

EVIL = "<script>alert(1)</script>\x1b[31m\"&'"


def chain(layers, name=EVIL):
    nodes, last = [Input(name="x", shape=(3,))], "x"
    for i in range(layers):
        nodes += [Dense(name=f"d{i}", inputs=(last,), weight=np.eye(3)), ReLU(name=f"{name}{i}", inputs=(f"d{i}",))]
        last = nodes[-1].name
    return Graph([*nodes, Dense(name="out", inputs=(last,), weight=np.eye(2, 3))], ["out"], name=name)


@pytest.fixture(scope="module")
def snn():
    return stb.convert(chain(2), np.random.default_rng(0).random((4, 3)))


def test_a_network_is_a_picture_and_a_table(snn):
    page = whole(snn._repr_html_())
    assert "script" not in page.tags
    assert page.tags.count("rect") == 4
    assert {"svg", "table"} <= set(page.tags)
    words = " ".join(page.texts)
    assert "2 layers of neurons" in words
    assert f"{EVIL}1".replace("\x1b", "\\x1b") in words
    assert "\x1b" not in words


def test_a_result_says_how_busy_each_layer_was(snn):
    result = snn.run(np.ones((4, 3)), T=8, record=stb.Record(spikes=True))
    page = whole(result._repr_html_())
    words = " ".join(page.texts)
    assert "script" not in page.tags
    assert "4 samples, 8 steps; spikes recorded" in words
    for counts in result.counts.values():
        assert f"{counts.reshape(4, -1).sum(axis=1).mean():,.1f}" in words


def test_a_deep_network_is_no_endless_table():
    page = whole(stb.convert(chain(MOST_ROWS + 5, "r"), np.ones((2, 3)))._repr_html_())
    assert page.tags.count("tr") == MOST_ROWS + 1
    assert any("and 7 more" in text for text in page.texts)
