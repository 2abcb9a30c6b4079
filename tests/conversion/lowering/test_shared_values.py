"""Several neurons for each value: together they are a finer quantiser, exactly, on every target."""

import os
import shutil

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.diagnosis.terms import QUANTISATION
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.shared_values import as_neurons, share_values
from snntoolbox.conversion.settle import settle
from snntoolbox.errors import ConversionError, GraphError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.node import Origin
from snntoolbox.ir.nodes import Add, Conv, Dense, Elementwise, Input, MaxPool, ReLU, Reshape
from snntoolbox.ir.result import Record

NEURONS = {"first": 2, "b": 4, "d": 3}
"""Two for what a max pool compares, four and one where branches join, three for a bounded rectifier."""


def built(jump=None):
    """Max pooling behind a, branches b and c that join, d with a bound behind them, and a read-out of a too."""
    random = np.random.default_rng(5)

    def conv(name, source, into, of):
        weight, bias = random.normal(size=(into, of, 3, 3)) / np.sqrt(9 * of), random.normal(size=(into, 1, 1)) / 4
        around = {"padding": ((1, 1), (1, 1)), "stride": (1, 1), "dilation": (1, 1)}
        return Conv(name=name, inputs=(source,), weight=weight, bias=bias, **around)

    def dense(name, source, into, of):
        return Dense(name=name, inputs=(source,), weight=random.normal(size=(into, of)))

    pool = {"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
    nodes = [
        Input(name="x", shape=(2, 6, 6)), conv("ac", "x", 4, 2),
        ReLU(name="a", inputs=("ac",), origin=Origin("keras", "Conv2D", "first")),
        MaxPool(name="p", inputs=("a",), **pool),
        conv("bc", "p", 4, 4), ReLU(name="b", inputs=("bc",)), conv("cc", "p", 4, 4), ReLU(name="c", inputs=("cc",)),
        Add(name="j", inputs=("b", "c"), coefficients=(1.0, -0.5)), conv("dc", "j", 3, 4),
        ReLU(name="d", inputs=("dc",), max_value=0.75, levels=jump), Reshape(name="f", inputs=("d",), shape=(27,)),
        dense("y", "f", 5, 27), Reshape(name="g", inputs=("a",), shape=(144,)), dense("u", "g", 2, 144),
    ]  # fmt: skip
    return Graph(nodes, ["y", "u"]), random.normal(size=(60, 2, 6, 6)).astype(np.float32)


def said(network, counts):
    """What the neurons of each value say together, by layer."""
    found = {}
    for name, population in network.populations.items():
        found[population.activation] = found.get(population.activation, 0) + counts[name].astype(int)
    return found


@pytest.mark.parametrize("neurons", [1, 2, 3, 4])
def test_ends_and_all_between(neurons):
    """clip(floor(c y + 1/2), 0, c T) for every sum, at 0, at the top and at each edge between levels."""
    levels = 7
    edges = (np.arange(-2 * neurons, (levels + 2) * neurons) - 0.5) / neurons
    sums = np.unique(np.concatenate([edges, edges - 1e-9, edges + 1e-9, [0.0, levels, levels + 0.5]]))
    node = ReLU(name="r", inputs=("x",), max_value=float(levels), neurons=neurons)
    graph = Graph([Input(name="x", shape=(1,)), node, Dense(name="y", inputs=("r",), weight=np.eye(1))], ["y"])
    recipe = stb.Recipe(schedule="radix", layer_correction="none", readout_correction=0, threshold_rule="max")
    snn = stb.convert(graph, np.full((20, 1), levels, np.float32), duration=3, recipe=recipe)
    counts = said(snn, stb.simulate(snn, sums[:, None], dtype="float64").counts)["r"][:, 0]
    near = np.abs(neurons * sums + 0.5 - np.rint(neurons * sums + 0.5)) < 1e-12  # to either side, by rounding alone
    wanted = np.clip(np.floor(neurons * sums + 0.5), 0, neurons * levels)
    np.testing.assert_array_equal(counts[~near], wanted[~near])
    assert np.all(np.abs(counts - wanted)[near] <= 1)
    assert counts.min() == 0
    assert counts.max() == neurons * levels


@pytest.mark.parametrize(
    ("schedule", "bits"), [("radix", {}), ("radix", {"b": 2, "first": 5}), ("phased", {}), ("first-spike", {})]
)
def test_it_equals_the_finer_quantised_network(schedule, bits):
    """Max pooling, branches that join, a bound, two read-outs; windows of their own, too."""
    graph, x = built()
    recipe = stb.Recipe(
        schedule=schedule, bits=bits, neurons_per_value=NEURONS, layer_correction="none", readout_correction=0
    )
    snn = stb.convert(graph, x, duration=4, recipe=recipe)
    lowered = lower(graph, recipe)
    settled, levels = settle(lowered, [x], recipe, 4), snn.schedule.total
    own = {"a": 31, "p.larger": 31, "p.larger_2": 31, "b": 3} if bits else {}
    wanted = stb.quantized_reference(lowered, settled.scales, levels, [x], own=own)
    result = stb.simulate(snn, x, dtype="float64")
    for name in ("y", "u"):
        np.testing.assert_allclose(result.outputs[name], wanted[name], rtol=0, atol=1e-9)
    for name, counts in said(snn, result.counts).items():
        most = own.get(name, levels) * lowered.nodes[name].neurons
        np.testing.assert_allclose(counts, wanted[name] / settled.scales[name] * most, rtol=0, atol=1e-6)
    sizes = {name: sum(p.activation == name for p in snn.populations.values()) for name in settled.scales}
    assert sizes == {"a": 2, "p.larger": 2, "p.larger_2": 2, "b": 4, "c": 1, "d": 3}, "what is compared is alike"
    assert settled.scales["d"].max() <= 0.75


@pytest.mark.parametrize("weight_bits", [0, 8])
def test_all_agree_on_the_spikes(weight_bits, tmp_path):
    """The interpreter, by counts, step by step, from a file, and Brian2; on the grid too."""
    pytest.importorskip("brian2")
    graph, x = built()
    choices = {"schedule": "radix", "neurons_per_value": NEURONS, "weight_bits": weight_bits}
    snn = stb.convert(graph, x, duration=3, **choices)
    told = interpret(snn, x[:3].astype(np.float64), steps=snn.schedule.steps, record=Record(spikes=True))
    again = stb.load_network(stb.save(snn, tmp_path / "snn"))
    for network, engine in ((snn, "dense"), (snn, "counts"), (again, "auto")):
        found = stb.simulate(network, x[:3], record=Record(spikes=True), engine=engine, dtype="float64")
        for name, spikes in told.spikes.items():
            np.testing.assert_array_equal(found.spikes[name], spikes)
    assert stb.compare(snn, x[:2], simulators=["INI", "brian2"]).equal


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("iverilog") and not os.environ.get("CI"), reason="iverilog is not installed")
def test_gates_send_the_same_spikes():
    graph, x = built()
    snn = stb.convert(graph, x, duration=3, schedule="radix", neurons_per_value=NEURONS, weight_bits=8)
    assert stb.compare(snn, x[:2], simulators=["INI", "verilog"]).equal


def test_two_are_nearer_than_one_and_nearly_as_near_as_a_digit_more():
    graph, x = built()
    wanted = graph.values(x, keep=["y"])["y"]

    def error(duration, neurons):
        snn = stb.convert(graph, x, duration=duration, schedule="radix", neurons_per_value=neurons)
        return np.sqrt(np.mean((stb.simulate(snn, x).outputs["y"] - wanted) ** 2))

    one, two, four, digit = error(4, 1), error(4, 2), error(4, 4), error(5, 1)
    assert one > 1.5 * two
    assert two > 1.5 * four
    assert two < 1.2 * digit


def test_corrections_shift_all_neurons_of_a_value_alike():
    graph, x = built()
    found = []
    for correction in ("none", "search"):
        recipe = stb.Recipe(schedule="radix", neurons_per_value=2, layer_correction=correction, readout_correction=0)
        snn = stb.convert(graph, x, duration=4, recipe=recipe)
        found.append({name: p.neuron.initial for name, p in snn.populations.items()})
    moved = {name: found[1][name] - found[0][name] for name in found[0]}
    assert any(np.any(np.abs(shift) > 1e-6) for shift in moved.values())
    for name, shift in moved.items():
        np.testing.assert_allclose(shift, moved[name[:-1] + "1"], atol=1e-9)


def test_tables_have_several_neurons_too():
    """Each in a table of its own: their mean is nearer to the function."""
    graph, x = built()
    smooth = graph.edited([Elementwise(name="c", inputs=("cc",), function="sigmoid")])
    errors = []
    for neurons in (1, 4):
        recipe = stb.Recipe(schedule="radix", neurons_per_value={"c*": neurons}, readout_correction=0)
        snn = stb.convert(smooth, x, duration=3, recipe=recipe)
        own = [p for p in snn.populations.values() if p.neuron.table is not None]
        assert len(own) == neurons
        lowered = lower(smooth, recipe)
        scales = settle(lowered, [x], recipe, 3).scales
        result = stb.simulate(snn, x, dtype="float64")
        wanted = stb.quantized_reference(lowered, scales, 7, [x])
        if neurons == 4 and snn.corrected == 0:
            np.testing.assert_allclose(result.outputs["y"], wanted["y"], rtol=0, atol=1e-9)
        sent = sum(result.rates(p.name) for p in own) / neurons * own[0].scale
        errors.append(np.abs(sent - smooth.values(x, keep=["c"])["c"]).mean())
    assert errors[1] < errors[0]


def test_levels_of_training_are_exact_with_as_many():
    graph, x = built(jump=14)
    recipe = stb.Recipe(schedule="radix", bits={"[abc]": 10, "first": 10}, neurons_per_value={"d": 2})
    snn = stb.convert(graph, x, duration=3, recipe=recipe, readout_correction=0)
    result, wanted = stb.simulate(snn, x), graph.values(x, keep=["d"])["d"]
    sent = sum(result.rates(n) for n in ("d.1", "d.2")) / 2 * snn.populations["d.1"].scale
    assert np.mean(np.abs(sent - wanted) < 1e-4) > 0.9, "but for sums that tie with a level"


def test_a_diagnosis_tells_of_the_layer_that_they_are():
    """One row for a layer, whose rounding is finer; the terms add up, which is checked."""
    graph, x = built()
    smooth = graph.edited([Elementwise(name="c", inputs=("cc",), function="sigmoid")])
    found = [stb.diagnose(smooth, x, duration=4, schedule="radix", neurons_per_value=n) for n in (1, 4)]
    one, four = ({layer.name: layer for layer in each.layers} for each in found)
    assert one.keys() == four.keys() >= {"a", "b", "c.positive", "d"}
    assert [four["a"].channels, four["a"].label] == [one["a"].channels, one["a"].label]
    for name in ("a", "b", "c.positive", "d"):
        assert four[name].terms[QUANTISATION].rms < 0.5 * one[name].terms[QUANTISATION].rms


REFUSED = {
    "unknown": ({"z": 2}, r"neurons_per_value are set for 'z'(.|\n)*a \(first, ac\), b \(bc\)"),
    "none": (0, "from 1 to 16"),
    "too many": ({"a": 17}, "from 1 to 16"),
    "yes": (True, "True are no numbers of neurons"),
    "text": ("two", "is no number of neurons(.|\n)*'auto'"),
    "no pairs": ([("a", 2, 3)], "no numbers of neurons by names of layers"),
}


@pytest.mark.parametrize(("neurons", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_none_is_refused(neurons, message):
    graph, x = built()
    with pytest.raises(ConversionError, match=message):
        stb.convert(graph, x, duration=4, schedule="radix", neurons_per_value=neurons)


@pytest.mark.parametrize("schedule", ["rate", "differential", "recurrent"])
def test_schedules_without_windows_refuse_it(schedule):
    message = f"need windows, which schedule = {schedule} has none of(.|\n)*per_value = 1"
    with pytest.raises(ConversionError, match=message):
        stb.Recipe(schedule=schedule, neurons_per_value=2)


def test_one_is_what_there_was():
    graph, _ = built()
    assert as_neurons(1) == ()
    assert share_values(graph, ()) is graph
    plain = Graph([Input(name="x", shape=(2,)), Dense(name="y", inputs=("x",), weight=np.eye(2))], ["y"])
    assert lower(plain, stb.Recipe(schedule="radix", neurons_per_value=2)) is not None, "all of no layers"
    with pytest.raises(GraphError, match="0 neurons for each value are none"):
        Graph([Input(name="x", shape=(2,)), ReLU(name="r", inputs=("x",), neurons=0)], ["r"])


def test_names_that_a_model_has_already_stay_its_own():
    nodes = [
        Input(name="x", shape=(2,)), ReLU(name="r", inputs=("x",)), ReLU(name="r.1", inputs=("r",)),
        Dense(name="y", inputs=("r.1",), weight=np.eye(2)),
    ]  # fmt: skip
    x = np.random.default_rng(0).random((20, 2), dtype=np.float32)
    snn = stb.convert(Graph(nodes, ["y"]), x, duration=3, schedule="radix", neurons_per_value={"r": 2})
    assert {n: p.activation for n, p in snn.populations.items()} == {"r.1_2": "r", "r.2": "r", "r.1": "r.1"}
