import io
import math
import sys

import numpy as np
import pytest
from rich.console import Console

from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input, Mean, Reshape
from snntoolbox.workflow.report.terminal import AccuracyRow, LayerRow, accuracy_table, layer_rows, layer_table, progress


def text(renderable, **options):
    console = Console(file=io.StringIO(), width=100, **options)
    console.print(renderable)
    return console.file.getvalue()


def cells(renderable):
    """The table's lines as lists of words between the bars."""
    bars = str.maketrans("┃│", "||")
    lines = [line.translate(bars) for line in text(renderable).splitlines()]
    return [[c.strip() for c in line.strip("|").split("|")] for line in lines if "|" in line]


@pytest.mark.parametrize(
    ("accuracy", "samples", "expected"),
    [
        (0.98765, 1000, ["SNN [x]", "98.77%", "988", "1,000"]),
        (1.0, 5, ["SNN [x]", "100.00%", "5", "5"]),
        (None, 20, ["SNN [x]", "-", "-", "20"]),
        (math.nan, 20, ["SNN [x]", "-", "-", "20"]),
    ],
)
def test_accuracies_come_with_their_samples(accuracy, samples, expected):
    table = accuracy_table([AccuracyRow(network="SNN [x]", accuracy=accuracy, samples=samples)])
    assert cells(table)[1] == expected


ROWS = [
    LayerRow(name="conv[0]", kind="Conv 3x3", shape=(16, 32, 32), neurons=16384, mean_rate=0.1, correlation=0.99912),
    LayerRow(name="fc", kind="Dense", shape=(10,), neurons=10, mean_rate=0.2, correlation=0.5),
    LayerRow(name="last", kind="Dense", shape=(6,), neurons=6),
]


def test_each_layer_has_a_line_and_the_last_holds_totals():
    found = cells(layer_table(ROWS))
    assert found[1] == ["conv[0]", "Conv 3x3", "16x32x32", "16,384", "0.1000", "0.9991"]
    assert found[3] == ["last", "Dense", "6", "6", "-", "-"]
    assert found[-1] == ["total", "3 populations", "", "16,400", "0.1001", ""]


def test_a_weak_correlation_stands_out():
    lines = text(layer_table(ROWS), force_terminal=True, color_system="standard").splitlines()
    assert [line for line in lines if "\x1b[33m" in line] == [line for line in lines if "fc" in line]


def test_rows_of_a_network_are_in_order():
    nodes = [
        Input(name="x", shape=(2, 3)),
        Mean(name="mean", inputs=("x",), axes=(1,)),
        Dense(name="d", inputs=("mean",), weight=np.eye(4, 2)),
        Input(name="a", shape=(4,)),
        Reshape(name="r", inputs=("a",), shape=(2, 2)),
        Input(name="b", shape=(2, 2)),
    ]
    populations = [
        Population(name=n, shape=s, neuron=IF(), current=c, scale=np.ones(()), activation=n)
        for n, s, c in (("b", (2, 2), "r"), ("a", (4,), "d"))
    ]
    network = SpikingNetwork(Graph(nodes, ["d", "r"]), {"x": ConstantCurrent()}, populations, [])
    first, second = layer_rows(network, {"a": 0.25}, {"b": 0.5})
    assert (first.name, first.kind, first.neurons, first.mean_rate) == ("a", "Mean + Dense", 4, 0.25)
    assert (second.name, second.kind, second.shape, second.correlation) == ("b", "direct", (2, 2), 0.5)
    assert math.isnan(second.mean_rate)


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.mark.parametrize("terminal", [False, True])
def test_a_bar_is_drawn_on_a_terminal_only(monkeypatch, terminal):
    stream = Stream(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress("simulating [a]", 3) as advance:
        for _ in range(3):
            advance(1)
    assert ("simulating [a]" in stream.getvalue()) == terminal
    assert ("3/3" in stream.getvalue()) == terminal
