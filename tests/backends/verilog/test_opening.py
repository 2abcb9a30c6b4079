"""Layers whose potentials become others as their window opens, in Icarus against the interpreter."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.backends.fpga import project
from snntoolbox.backends.fpga.estimate import estimated_clocks, loads
from snntoolbox.backends.fpga.saturation import saturated, saturation
from snntoolbox.backends.verilog.backend import VerilogBackend
from snntoolbox.backends.verilog.design import Choices, designed
from snntoolbox.backends.verilog.opening import table_memory
from snntoolbox.backends.verilog.ports import Layout
from snntoolbox.backends.verilog.simulation import largest_currents
from snntoolbox.errors import BackendError, UnsupportedError
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.host import HostInput
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Grid, Schedule
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import (
    Add,
    Conv,
    Dense,
    Elementwise,
    Input,
    MatrixProduct,
    Mean,
    Multiply,
    Normalise,
    Permute,
    ReLU,
    Reshape,
    Softmax,
    Take,
)
from snntoolbox.ir.result import Record
from snntoolbox.ir.tabulating import Table

pytestmark = pytest.mark.skipif(
    not shutil.which("iverilog") and not os.environ.get("CI"), reason="iverilog is not installed"
)


def table(counts, first, levels):
    return Table(np.array(counts), first, levels, np.ones(len(counts)))


def looked_up(counting, lanes=1):
    """A layer with an input current and one behind it, of whole numbers; both have tables, of one row and of four."""
    window, levels = (3, 7) if counting is Counting.DIGIT else (4, 4)
    draft, random = Draft(), np.random.default_rng(5)
    steps = 5 * window
    draft.schedule = Schedule("radix" if counting is Counting.DIGIT else "phased", window, steps, counting=counting)
    x = draft.input(6, coding=ConstantCurrent(steps=window))

    def neuron(turn, counts, first, **fields):
        own = None if counts is None else table(counts, first, levels)
        return IF(window=(window * turn, window * turn + window), counting=counting, table=own, **fields)

    def dense(source, out):
        return whole(draft, source, out, random)

    heights = np.array([3.0, 7.0, 4.0, 1.0, 2.0, 5.0, 6.0, 9.0])
    one = random.integers(0, levels + 1, (1, 11))
    first = draft.neurons(dense(x, 8), neuron(1, one, -5, threshold=heights, initial=2.0), bias=0.0)
    rows = random.integers(0, levels + 1, (4, 16))
    second = draft.neurons(dense(first, 4), neuron(2, rows, -6, threshold=heights[:4]), bias=0.0)
    single = draft.neurons(dense(second, 4), neuron(3, [[2]], 3, threshold=5.0, initial=-3.0), bias=0.0)
    joined = draft.node(Add, dense(single, 4), second)
    last = draft.neurons(joined, neuron(4, [[0, 1, 3, 2]], 2, threshold=11.0), bias=np.array([1.0, -2.0, 0.0, 5.0]))
    draft.readout(last)
    return gridded(draft.network())


def inputs(net, samples=3):
    random = np.random.default_rng(2)
    return tuple(random.integers(-3, 4, (samples, *net.wiring.shapes[n])).astype(float) for n in net.encodings)


def assert_same(net, **options):
    x = inputs(net)
    steps = net.schedule.steps if net.schedule else 9
    expected = interpret(net, *x, steps=steps, record=Record(spikes=True))
    with VerilogBackend().build(net, verilog_simulator="icarus", stalls=2, **options) as executable:
        found = executable.run(*x, steps=steps, record=Record(spikes=True))
    for name, raster in expected.spikes.items():
        assert raster.any()
        np.testing.assert_array_equal(found.spikes[name], raster, err_msg=name)
    for name, value in expected.outputs.items():
        np.testing.assert_array_equal(found.outputs[name], value)


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("counting", [Counting.ONE, Counting.DIGIT])
def test_tables_of_currents_and_of_counts(counting, lanes):
    """Rows for each channel, a single entry, a bias in the window; inputs below and above all entries."""
    assert_same(looked_up(counting), lanes=lanes)


def whole(draft, source, out, random):
    """A dense map of whole numbers."""
    return draft.node(Dense, source, weight=random.integers(-9, 10, (out, draft.shapes[source][0])).astype(float))


def multiplied(counting, own=None, coding=None):
    """Two factors of both signs, summed from counts and, of the one, from an input; and a product that has a table."""
    window, levels = (3, 7) if counting is Counting.DIGIT else (4, 4)
    draft, random = Draft(), np.random.default_rng(6)
    kind = "radix" if counting is Counting.DIGIT else "phased"
    draft.schedule = Schedule(kind, window, 6 * window, counting=counting)
    x = draft.input(6, coding=ConstantCurrent(steps=window))
    given = draft.input(5, coding=coding or Poisson(amplitude=4.0, steps=window))

    def neuron(turn, **fields):
        return IF(window=(window * turn, window * turn + window), counting=counting, **fields)

    first = draft.neurons(whole(draft, x, 8, random), neuron(1, threshold=3.0), bias=0.0)
    second = draft.neurons(whole(draft, first, 8, random), neuron(2, threshold=2.0), bias=0.0)
    other = draft.node(Add, whole(draft, first, 8, random), whole(draft, given, 8, random))
    heights = np.array([300.0, 700.0, 400.0, 100.0, 200.0, 500.0, 600.0, 900.0])
    product = neuron(3, threshold=heights, initial=np.array([100.0, -90.0] * 4), latched=True)
    third = draft.neurons(whole(draft, second, 8, random), product, latched=other)
    looks = table(random.integers(0, levels + 1, (4, 9)), -4, levels)
    both = neuron(4, threshold=heights[:4] / 10, initial=7.0, latched=True, table=looks, **own or {})
    last = draft.neurons(whole(draft, third, 4, random), both, latched=whole(draft, second, 4, random))
    end = draft.neurons(draft.node(Add, whole(draft, last, 4, random), last), neuron(5, threshold=5.0), bias=0.0)
    draft.readout(end)
    return gridded(draft.network())


def gridded(net):
    """Of whole numbers as it is."""
    readouts = [r.__class__(name=r.name, current=r.current, shape=r.shape) for r in net.readouts]
    return net.replaced(readouts=readouts, grid=Grid(5, 400, 400))


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("counting", [Counting.ONE, Counting.DIGIT])
def test_products_of_counts_and_a_table_of_one(counting, lanes):
    """Factors of both signs, by tables of weights and from a spiking input; a table is read at a product."""
    coding = BinaryDigits(amplitude=4.0, window=3) if counting is Counting.DIGIT else None
    net = multiplied(counting, coding=coding)
    assert_same(net, lanes=lanes)


def test_the_clocks_of_a_product_are_those_that_are_told():
    net = multiplied(Counting.ONE)
    x = inputs(net)
    host = HostInput(net, x, 24, 0)
    design = designed(net, Choices(steps=24, currents=largest_currents(net, host)))
    one, both = (layer for layer in design.layers if layer.product is not None)
    assert (one.product.bits + 1, both.product.bits + both.table.clocks) == (one.opening_clocks, both.opening_clocks)
    spikes = interpret(net, *x, steps=24, record=Record(spikes=True)).spikes
    trains = {**host.trains, **spikes}
    estimated = estimated_clocks(design, trains, loads(design, trains), 24, 3)
    with VerilogBackend().build(net, verilog_simulator="icarus") as executable:
        executable.run(*x, steps=24)
        assert executable.clocks == pytest.approx(list(estimated), rel=0.1)


TOGETHER = {
    "the window of a factor": lambda p: replace(p, neuron=replace(p.neuron, window=(6, 10))),
    "no window": lambda p: replace(p, neuron=replace(p.neuron, window=None)),
    "the same factor twice": lambda p: replace(p, latched=p.current),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_factors_that_come_together_are_refused(case):
    net = multiplied(Counting.ONE)
    changed = TOGETHER[case](net.populations["population2"])
    net = net.replaced(populations=[changed if p.name == "population2" else p for p in net.populations.values()])
    with pytest.raises(UnsupportedError, match=r"(?s)counts that come together.*schedule = phased or radix"):
        VerilogBackend().build(net)


def test_products_that_saturate_are_refused():
    net = multiplied(Counting.ONE, {"saturation": (-4000.0, 4000.0)})
    with pytest.raises(UnsupportedError, match="products of counts that saturate"):
        VerilogBackend().build(net)
    net = multiplied(Counting.ONE)
    with VerilogBackend().build(net, membrane_bits=9) as built, pytest.raises(BackendError, match=r"weight_bits$"):
        built.run(*inputs(net), steps=24)
    with pytest.raises(BackendError, match=r"population2 .*: \d+ bits, and products of counts cannot saturate"):
        saturated(net, project.largest_currents(net, inputs(net)), 24, 9)


def windowed(neuron):
    """One layer of whole numbers that fires all the time, and one with a window that is not a schedule's."""
    draft = Draft()
    x = draft.input(4, coding=ConstantCurrent())
    weight = np.array([[2.0, -3.0, 1.0, 4.0], [-1.0, 2.0, -5.0, 0.0], [3.0, 3.0, 3.0, 3.0]])
    before = draft.neurons(draft.node(Dense, x, weight=weight), IF(threshold=3.0), bias=0.0)
    across = draft.node(Dense, before, weight=weight[:, :3])
    draft.readout(draft.neurons(across, neuron, bias=np.array([1.0, 0.0, -1.0])))
    return gridded(draft.network())


@pytest.mark.parametrize(
    "fields",
    [{"window": (4, 8)}, {"window": (0, 3)}, {"window": (8, 9)}, {"window": (4, 8), "saturation": (-6.0, 7.0)}],
    ids=str,
)
def test_a_table_is_read_before_all_else_of_the_first_step(fields):
    """Spikes and a bias that come in the window are added to what was read; a window may open with the first step."""
    counts = table([[4, 2, 0, 3, 1, 4]], -2, 4)
    assert_same(windowed(IF(threshold=2.0, initial=3.0, table=counts, **fields)))


def test_the_clocks_of_a_table_are_those_that_are_told():
    """The read-out of one layer waits for nothing else: what a step takes more is what the design says."""
    net = looked_up(Counting.ONE)
    x = inputs(net, 1)
    design = designed(net, Choices(steps=20, currents=largest_currents(net, HostInput(net, x, 20, 0))))
    assert [layer.opening_clocks for layer in design.layers] == [4 + 3 + 3, 4 + 3 + 3, 2 + 2 + 3, 2 + 2 + 3, 0]


def test_an_index_is_found_in_no_more_bits_than_it_needs():
    memory = table_memory(table([[0, 1, 2, 3, 4]], -3, 4), np.array([5, 9]), Layout((2,), 0), 8)
    # From -128 to 127 + 27, less 9 << 2.
    assert (memory.digits, memory.count_bits, memory.wide) == (3, 3, 9)
    assert memory.offset.tolist() == [-15, -27]


def test_rows_that_are_alike_are_kept_once():
    rows = table([[3, 1], [0, 2], [3, 1], [0, 2]], 0, 4)
    memory = table_memory(rows, np.full(4, 5), Layout((4,), 0), 8)
    assert memory.entries.tolist() == [[0, 2], [3, 1]]
    assert memory.row.tolist() == [2, 0, 2, 0]


def test_what_a_table_gives_has_room_where_potentials_saturate():
    """As narrow as they go; spikes stay those of the interpreter at the limits too."""
    net = looked_up(Counting.ONE)
    currents = project.largest_currents(net, inputs(net))
    with pytest.raises(BackendError, match=r"population0 \(.*\): 8 bits at least"):
        saturated(net, currents, 20, 7)
    narrow, changed = saturated(net, currents, 20, 8)
    assert len(changed) == 4
    assert saturation(net, narrow, changed, inputs(net), net.schedule.steps, 8).samples == 3
    assert_same(narrow, membrane_bits=8)


def test_the_largest_entry_is_not_clipped():
    """Seven thresholds of 20 and a step's sum."""
    net = windowed(IF(threshold=20.0, window=(4, 8), table=table([[0, 7]], 0, 7)))
    with pytest.raises(BackendError, match=r"population1 \(.*\): 9 bits at least"):
        saturated(net, project.largest_currents(net, inputs(net)), 9, 6)


def smooth_net(random):
    """Dense layers of sigmoid and of GELU, which is positive and negative."""
    nodes = [
        Input(name="x", shape=(6,)),
        Dense(name="a", inputs=("x",), weight=random.normal(size=(8, 6)), bias=random.normal(size=8)),
        Elementwise(name="s", inputs=("a",), function="sigmoid"),
        Dense(name="b", inputs=("s",), weight=random.normal(size=(8, 8)), bias=random.normal(size=8)),
        Elementwise(name="g", inputs=("b",), function="gelu"),
        Dense(name="y", inputs=("g",), weight=random.normal(size=(3, 8))),
    ]
    return Graph(nodes, ["y"])


def gated_net(random):
    """Squeeze and excitation, and a softmax over what it leaves."""
    window = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    nodes = [
        Input(name="x", shape=(2, 4, 4)),
        Conv(name="c", inputs=("x",), weight=random.normal(size=(4, 2, 3, 3)), **window),
        ReLU(name="r", inputs=("c",)),
        Mean(name="m", inputs=("r",), axes=(1, 2), keepdims=True),
        Elementwise(name="e", inputs=("m",), function="sigmoid"),
        Take(name="w", inputs=("e",), axis=1, indices=(0,) * 4),
        Take(name="v", inputs=("w",), axis=2, indices=(0,) * 4),
        Multiply(name="p", inputs=("r", "v")),
        Reshape(name="f", inputs=("p",), shape=(64,)),
        Dense(name="d", inputs=("f",), weight=random.normal(size=(4, 64)) / 4),
        Softmax(name="o", inputs=("d",)),
        Dense(name="y", inputs=("o",), weight=random.normal(size=(3, 4))),
    ]
    return Graph(nodes, ["y"])


def normed_net(random):
    """Rows normalised by their own mean and deviation, with a residual."""
    nodes = [
        Input(name="x", shape=(3, 6)),
        Dense(name="a", inputs=("x",), weight=random.normal(size=(6, 6)), bias=random.normal(size=(1, 6))),
        Normalise(name="n", inputs=("a",), axes=(1,), epsilon=1e-5),
        Add(name="s", inputs=("n", "a")),
        ReLU(name="r", inputs=("s",)),
        Dense(name="y", inputs=("r",), weight=random.normal(size=(3, 6))),
    ]
    return Graph(nodes, ["y"])


def attention_net(random):
    """One head over four tokens of four values, with its softmax."""
    nodes = [
        Input(name="x", shape=(4, 4)),
        *(Dense(name=n, inputs=("x",), weight=random.normal(size=(4, 4)) / 2) for n in "qkv"),
        MatrixProduct(name="s", inputs=("q", "k"), contraction=Contraction(1, 4, 4, 4, first=True)),
        Softmax(name="p", inputs=("s",)),
        Permute(name="t", inputs=("v",), axes=(1, 0)),
        MatrixProduct(name="o", inputs=("p", "t"), contraction=Contraction(1, 4, 4, 4, first=True)),
        Dense(name="y", inputs=("o",), weight=random.normal(size=(3, 4))),
    ]
    return Graph(nodes, ["y"])


CONVERTED = [
    (smooth_net, "phased", 6, 1),
    (smooth_net, "radix", 4, 4),
    *(
        pytest.param(draw, *choices, marks=pytest.mark.long)
        for draw, *choices in (
            *((gated_net, "phased", 7, 1), (gated_net, "radix", 4, 4), (normed_net, "radix", 5, 1)),
            *((attention_net, "radix", 4, 4), (attention_net, "phased", 7, 1)),
        )
    ),
]


@pytest.mark.parametrize(("draw", "schedule", "duration", "lanes"), CONVERTED)
def test_models_give_the_spikes_of_the_built_in_simulator(draw, schedule, duration, lanes):
    random = np.random.default_rng(8)
    graph = draw(random)
    x = random.uniform(-1, 1, (24, *graph.nodes["x"].shape))
    net = stb.convert(graph, x, schedule=schedule, duration=duration, weight_bits=8)
    options = {"verilog": {"verilog_simulator": "icarus", "lanes": lanes}}
    found = stb.compare(net, x[:3], simulators=["INI", "verilog"], options=options)
    _, hardware = found.sides
    assert hardware.compared == 3
    assert set(hardware.differing.values()) == {0}
    assert min(hardware.spikes.values()) > 0
