"""Tables of a run: one style, 80 columns, and bars on a terminal alone."""

import math

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.metrics import PopulationStatistics
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input, Mean, ReLU, Reshape
from snntoolbox.workflow.report.terminal import (
    AccuracyRow,
    LayerRow,
    accuracy_table,
    energy_table,
    joules,
    layer_rows,
    layer_table,
    rate_note,
    run_paragraphs,
    sweep_table,
)


def cells(table):
    """The table's lines, without rules, as lists of cells; no cell of these has two spaces in it."""
    return [line.split("  ") for line in table.splitlines() if set(line) != {"-"}]


def words(table):
    return [[cell.strip() for cell in row if cell.strip()] for row in cells(table)]


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
    assert words(table)[1] == expected


ROWS = [
    LayerRow(name="conv[0]", kind="Conv 3x3", shape=(16, 32, 32), neurons=16384, mean_rate=0.1, correlation=0.99912),
    LayerRow(name="fc", kind="Dense", shape=(10,), neurons=10, mean_rate=0.2, correlation=0.5),
    LayerRow(name="last", kind="Dense", shape=(6,), neurons=6),
]


def test_each_layer_has_a_line_and_the_last_holds_totals():
    rows = words(layer_table(ROWS))
    assert rows[1] == ["conv[0]", "16x32x32", "16,384", "0.1000", "0.9991", "Conv 3x3"]
    assert rows[3] == ["last", "6", "6", "-", "-", "Dense"]
    assert rows[4] == ["total", "16,400", "0.1001", "3 populations"]


def test_a_weak_correlation_stands_out():
    lines = layer_table(ROWS).splitlines()
    assert [line.split()[0] for line in lines if "  *  " in line] == ["fc"]
    assert lines[-1] == "* correlation with the analogue layer below 0.9"
    assert "*" not in layer_table(ROWS[:1])


WIDE = [
    LayerRow(
        name="features.denseblock4.denselayer16.concatenation.norm1.relu",
        kind="... + AveragePool 3x3 /2 + Conv 3x3 /2, 32 groups, dilation 2x2 + Dense",
        shape=(1024, 112, 112),
        neurons=12_845_056,
        mean_rate=0.1234,
        correlation=0.4321,
    )
]


def test_whatever_the_names_it_fits_80_columns():
    lines = layer_table([*ROWS, *WIDE], 80).splitlines()
    assert max(map(len, lines)) <= 80
    (line,) = (line for line in lines if line.startswith("features"))
    assert line.split()[:5] == ["features.…concatenation.norm1.relu"[:9] + line.split()[0][9:], "1024x112x112",
                                "12,845,056", "0.1234", "0.4321"]  # fmt: skip
    assert line.split()[0].endswith("norm1.relu")
    below = " ".join(" ".join(lines).split())
    assert "map into it: ... + AveragePool 3x3 /2 + Conv 3x3 /2, 32 groups, dilation 2x2 + Dense" in below


def test_a_sweep_has_a_line_for_each_value():
    reports = [
        {"snn_accuracy": 0.95, "agreement": 0.9, "synaptic_operations": 1234.5, "seconds": {"a": 1.0, "b": 0.25}},
        {"snn_accuracy": None, "snn_error": {"rmse": 0.123456}, "seconds": {}},
    ]
    rows = words(sweep_table("simulation.duration", [4, "x"], reports))
    assert rows[1] == ["4", "95.00%", "90.00%", "1,234", "1.2"]
    assert rows[2] == ["x", "rmse 0.1235", "-", "-", "0.0"]
    rows = words(sweep_table(("simulation.duration", "cell.reset"), [(4, "zero"), (8, "zero")], reports))
    assert rows[0][:3] == ["simulation.duration", "cell.reset", "accuracy"]
    assert rows[2][:3] == ["8", "zero", "rmse 0.1235"]


@pytest.mark.parametrize(
    ("energy", "text"),
    [(2.5, "2.5 J"), (0.012, "12 mJ"), (4.56e-6, "4.56 uJ"), (8.9e-8, "89 nJ"), (1e-11, "10 pJ"), (0.0, "0 pJ")],
)
def test_energies_have_prefixes(energy, text):
    assert joules(energy) == text


def test_energy_per_device():
    devices = {"this chip": {"spiking": 1e-6, "original": None}, "that": {"spiking": 2e-9, "original": 3e-9}}
    rows = words(energy_table({"devices": devices}, 80).rpartition("An estimate")[0].strip())
    assert rows[1] == ["this chip", "1 uJ", "-"]
    assert rows[2] == ["that", "2 nJ", "3 nJ"]


def test_sentences_are_wrapped():
    report = dict.fromkeys(("synaptic_operations", "ann_operations"), 1)
    report |= {"samples": 500, "duration": 4, "simulator": "INI", "agreement": 0.5}
    report["early_exit"] = {"agreement": 0.998, "mean_steps": 12.345}
    paragraphs = list(run_paragraphs(report, None, None, 80))
    lines = [line for paragraph in paragraphs for line in paragraph.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "Early exit: 12.3 steps on average, the prediction after all steps on 99.8% of" in lines


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


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (None, ""),
        ("radix", "rate: spikes per neuron and step of its window of 4 steps (radix), whatever a spike counts"),
        ("phased", "rate: spikes per neuron and step of its window of 4 steps (phased), whatever a spike counts"),
        ("differential", "rate: spikes per neuron and sample (differential), whatever a spike counts"),
    ],
)
def test_what_rates_are_is_told_where_spikes_come_in_windows(schedule, words):
    """Rates count spikes, not what they are worth: at most one a step."""
    graph = Graph([Input(name="x", shape=(3,)), ReLU(name="r", inputs=("x",))], ["r"])
    x = np.full((2, 3), 0.9, np.float32)
    choices = {} if schedule is None else {"schedule": schedule}
    network = stb.convert(graph, x, T=4, threshold_rule="max", layer_correction="none", **choices)
    assert rate_note(network) == words
    statistics = PopulationStatistics(network)
    result = stb.simulate(network, x, record=stb.Record(spikes=True))
    statistics.add(result)
    steps = 1 if schedule == "differential" else 4
    assert statistics.mean_rates["r"] == (result.spikes["r"] != 0).sum() / (6 * steps)
    assert words == "" or layer_table(ROWS, rates=words).splitlines()[-1] == words
