"""Layers with windows of their own: who is meant, that all agree on the spikes, and how long an answer takes."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.diagnosis.terms import QUANTISATION
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.own_windows import as_pairs, own_windows
from snntoolbox.conversion.scales import own_levels
from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.conversion.settle import settle
from snntoolbox.engine.quantized import QuantizedRun
from snntoolbox.errors import ConversionError, GraphError
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Schedule
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Origin
from snntoolbox.ir.nodes import Add, Conv, Dense, Elementwise, Input, MaxPool, ReLU, Reshape
from snntoolbox.ir.result import Record

PADDING = ((1, 1), (1, 1))
BITS = {"a": 5, "b": 2, "d": 3}


def built(jump=None):
    """Max pooling behind a, branches b and c that join, d with a bound behind them, and a read-out of a too."""
    random = np.random.default_rng(5)

    def conv(name, source, into, of):
        weight = random.normal(size=(into, of, 3, 3)) / np.sqrt(9 * of)
        return Conv(name=name, inputs=(source,), weight=weight, padding=PADDING, stride=(1, 1), dilation=(1, 1),
                    bias=random.normal(size=(into, 1, 1)) / 4)  # fmt: skip

    pool = {"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
    nodes = [
        Input(name="x", shape=(2, 6, 6)), conv("ac", "x", 4, 2),
        ReLU(name="a", inputs=("ac",), origin=Origin("keras", "Conv2D", "first")),
        MaxPool(name="p", inputs=("a",), **pool),
        conv("bc", "p", 4, 4), ReLU(name="b", inputs=("bc",)), conv("cc", "p", 4, 4), ReLU(name="c", inputs=("cc",)),
        Add(name="j", inputs=("b", "c"), coefficients=(1.0, -0.5)), conv("dc", "j", 3, 4),
        ReLU(name="d", inputs=("dc",), max_value=0.75, levels=jump), Reshape(name="f", inputs=("d",), shape=(27,)),
        Dense(name="y", inputs=("f",), weight=random.normal(size=(5, 27))),
        Reshape(name="g", inputs=("a",), shape=(144,)),
        Dense(name="u", inputs=("g",), weight=random.normal(size=(2, 144))),
    ]  # fmt: skip
    return Graph(nodes, ["y", "u"]), random.normal(size=(60, 2, 6, 6)).astype(np.float32)


@pytest.mark.parametrize(
    ("bits", "meant"),
    [
        ({"b": 3}, {"b": 3}),
        ({"first": 6}, {"a": 6, "p.larger": 6, "p.larger_2": 6}),
        ({"*": 3, "[cd]": 5, "d": 2}, {"a": 3, "p.larger": 3, "p.larger_2": 3, "b": 3, "c": 5, "d": 2}),
        ({"0": 2, "3": 6}, {"a": 2, "p.larger": 2, "p.larger_2": 2, "b": 6}),
        ({"p.larger": 7}, {"a": 7, "p.larger": 7, "p.larger_2": 7}),
        ({"ac": 6, "dc": 2}, {"a": 6, "p.larger": 6, "p.larger_2": 6, "d": 2}),
    ],
)
def test_names_and_patterns(bits, meant):
    """The last that fits counts; what a max pool compares has the most; layers before rectifiers mean these."""
    lowered = lower(built()[0], stb.Recipe(schedule="radix"))
    found = own_windows(lowered, as_pairs(bits))
    assert found == meant
    assert own_windows(lowered, as_pairs(found)) == found


def test_a_layer_of_which_several_take_the_sums_means_none():
    nodes = [
        Input(name="x", shape=(2,)), Dense(name="w", inputs=("x",), weight=np.eye(2)), ReLU(name="a", inputs=("w",)),
        ReLU(name="b", inputs=("w",)), Dense(name="v", inputs=("a",), weight=np.eye(2)),
        Reshape(name="r", inputs=("v",), shape=(2, 1)), ReLU(name="c", inputs=("r",)),
    ]  # fmt: skip
    lowered = Graph(nodes, ["b", "c"])
    assert own_windows(lowered, as_pairs({"v": 3})) == own_windows(lowered, as_pairs({"r": 3})) == {"c": 3}
    with pytest.raises(ConversionError, match=r"'w', 'x', and no layer(.|\n)*a, b, c \(r, v\)"):
        own_windows(lowered, as_pairs({"w": 3, "x": 3}))


def test_a_name_that_is_a_number_is_a_name():
    """Modules of PyTorch's Sequential are called so; what was found once is found again."""
    nodes = [
        Input(name="x", shape=(2,)), ReLU(name="1", inputs=("x",)), ReLU(name="3", inputs=("1",)),
        ReLU(name="5", inputs=("3",)),
    ]  # fmt: skip
    lowered = Graph(nodes, ["5"])
    found = own_windows(lowered, as_pairs({"0": 6}))
    assert found == {"1": 6} == own_windows(lowered, as_pairs(found))
    assert own_windows(lowered, as_pairs({"2": 4, "3": 5})) == {"5": 4, "3": 5}


REFUSED = {
    "unknown": ({"schedule": "radix", "bits": {"z*": 4}}, r"bits are set for 'z\*'(.|\n)*a \(first, ac\), b \(bc\), "),
    "nothing": ({"schedule": "radix", "bits": None}, "bits are None(.|\n)*duration=4"),
    "of all": ({"schedule": "radix", "bits": 4}, "bits are 4(.|\n)*duration=4"),
    "text": ({"schedule": "radix", "bits": "conv1"}, "bits are 'conv1'"),
    "triples": ({"schedule": "radix", "bits": [("a", 3, 4)]}, "by names of layers"),
    "place": ({"schedule": "radix", "bits": {0: 4}}, r"bits of 0: 4(.|\n)*{'0': 6}"),
    "no number": ({"schedule": "radix", "bits": {"a": 0, "b": 2.5}}, "bits of 'a': 0, 'b': 2.5 are no numbers"),
    "too many": ({"schedule": "radix", "bits": {"a": 17}}, "from 1 to 16"),
    "phased": ({"schedule": "phased", "bits": {"a": 4}}, "bits are binary digits(.|\n)*schedule = radix"),
}


@pytest.mark.parametrize(("choices", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_before_work(choices, message):
    graph, x = built()
    with pytest.raises(ConversionError, match=message):
        stb.convert(graph, x, duration=4, **choices)


def test_tables_have_the_digits_of_all():
    graph, x = built()
    smooth = graph.edited([Elementwise(name="c", inputs=("cc",), function="tanh")])
    with pytest.raises(ConversionError, match="tables of smooth functions are made for the steps"):
        stb.convert(smooth, x, duration=4, schedule="radix", bits={"*": 5})
    result = stb.simulate(stb.convert(smooth, x, duration=4, schedule="radix", bits=BITS), x)
    np.testing.assert_allclose(result.outputs["y"], smooth.values(x, keep=["y"])["y"], atol=1.5)


@pytest.mark.parametrize("weight_bits", [0, 8])
def test_all_agree(weight_bits, tmp_path):
    """The interpreter, step by step and by counts, a file of it, and the quantised network: every count."""
    graph, x = built()
    recipe = stb.Recipe(schedule="radix", bits=BITS, weight_bits=weight_bits, layer_correction="none")
    snn = stb.convert(graph, x, duration=4, recipe=recipe, readout_correction=0)
    assert snn.schedule.lengths == (4, 5, 5, 5, 4, 3), "b in the last two of four steps"
    assert snn.schedule.steps == 26
    assert snn.populations["b"].neuron.window == (21, 23)
    assert {n: p.neuron.most for n, p in snn.populations.items()} == {
        **{"a": 31, "p.larger": 31, "p.larger_2": 31}, **{"b": 3, "c": 15, "d": 7}
    }  # fmt: skip
    record = Record(spikes=True, potentials=True)
    told = interpret(snn, x[:9].astype(np.float64), steps=26, record=record)
    again = stb.load_network(stb.save(snn, tmp_path / "snn"))
    for network, engine in ((snn, "dense"), (snn, "counts"), (again, "auto")):
        found = stb.simulate(network, x[:9], record=record, engine=engine, dtype="float64")
        for name, counts in told.counts.items():
            np.testing.assert_array_equal(found.counts[name], counts)
            np.testing.assert_array_equal(found.spikes[name], told.spikes[name])
            np.testing.assert_allclose(found.potentials[name], told.potentials[name], rtol=0, atol=1e-4)
    assert all(told.counts[n].max() == snn.populations[n].neuron.most for n in ("b", "d")), "some are cut off"
    assert "radix, 26 steps, windows of 4, 5, 5, 5, 4, 3 steps, sums divided by 15" in snn.summary()
    if not weight_bits:
        lowered = lower(graph, recipe)
        settled = settle(lowered, [x], recipe, 4)
        own = own_levels(lowered, settled.recipe)
        wanted = stb.quantized_reference(lowered, settled.scales, 15, [x[:9]], own=own)
        for name in ("y", "u"):
            np.testing.assert_allclose(told.outputs[name], wanted[name], rtol=0, atol=1e-9)
        for name, counts in QuantizedRun(snn).counts([x[:9]]).items():
            np.testing.assert_array_equal(counts, told.counts[name])


def test_more_digits_come_nearer_and_bounds_hold():
    """Eight digits in one layer after the other lose less and less; a bound is the most that its digits say."""
    graph, x = built()
    wanted = graph.values(x, keep=["y"])["y"]
    errors = []
    for bits in ({}, {"first": 8}, {"[abc]": 8}, {"*": 8}):
        snn = stb.convert(graph, x, duration=3, schedule="radix", bits=bits, readout_correction=0)
        errors.append(np.sqrt(np.mean((stb.simulate(snn, x).outputs["y"] - wanted) ** 2)))
        largest = snn.populations["d"].scale * snn.populations["d"].neuron.most / snn.schedule.total
        assert np.all(largest <= 0.75 * (1 + 1e-12))
    assert errors[0] > errors[1] > errors[2] > 4 * errors[3]


def test_levels_of_training_are_exact_where_digits_are_as_many():
    graph, x = built(jump=7)
    snn = stb.convert(graph, x, duration=10, schedule="radix", bits={"d": 3}, readout_correction=0)
    wanted = graph.values(x, keep=["d"])["d"]
    rates = stb.simulate(snn, x).rates("d") * snn.populations["d"].scale
    assert np.mean(np.abs(rates - wanted) < 1e-4) > 0.97, "but for sums that tie with a level"


def test_a_diagnosis_splits_its_errors():
    """The terms add up, which is checked; a layer of few digits is cut off at what they say, and rounds coarsely."""
    graph, x = built()
    found = stb.diagnose(graph, x, duration=6, schedule="radix", bits={"b": 2})
    few, many = (next(layer for layer in found.layers if layer.name == name) for name in ("b", "c"))
    assert few.terms[QUANTISATION].rms > 5 * many.terms[QUANTISATION].rms
    assert few.saturated > 2 * many.saturated > 0


def test_windows_behind_one_another_fit():
    with pytest.raises(GraphError, match="windows to the steps 4, 4 are none"):
        Schedule("radix", window=4, steps=4, counting=Counting.DIGIT, ends=(4, 4))
    with pytest.raises(GraphError, match="of 3 steps first"):
        Schedule("radix", window=3, steps=8, counting=Counting.DIGIT, ends=(4, 8))
    with pytest.raises(GraphError, match="by their lead have windows of one length"):
        Schedule("first-spike", window=4, steps=7, counting=Counting.LEAD, ends=(4, 7))
    for window in ((3, 8), (4, 7), (8, 12)):
        with pytest.raises(ConversionError, match="none of the last steps of windows"):
            IF(window=window, counting=Counting.DIGIT, ends=(4, 8))
    graph, x = built()
    snn = stb.convert(graph, x, duration=4, schedule="radix", bits={"b": 2})
    with pytest.raises(GraphError, match=r"weighs steps by windows to \[.*\], in a network with windows to \[\]"):
        snn.replaced(schedule=Schedule("radix", window=4, steps=26, counting=Counting.DIGIT))
    with pytest.raises(ConversionError, match="there is no layer q"):
        FireInTurn(4, Counting.DIGIT, {"q": 3})(stb.convert(graph, x))
