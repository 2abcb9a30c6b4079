"""The interpreter on neurons small enough to work out by hand."""

import numpy as np
import pytest

from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import constant_currents, interpret
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Reset
from snntoolbox.ir.nodes import Add, Concat, Dense, Input, Scale
from snntoolbox.ir.result import Record

ALL = Record(spikes=True, potentials=True)


def population(name, current, shape, neuron, **more):
    return Population(
        name=name,
        shape=shape,
        neuron=neuron,
        current=current,
        scale=np.ones((1,) * len(shape)),
        activation=name,
        **more,
    )


def one(neuron, bias=None, coding=None):
    """One neuron that gets the input as its current; the read-out is its spikes."""
    nodes = [Input(name="x", shape=(1,)), Input(name="n", shape=(1,))]
    cell = population("n", "x", (1,), neuron, bias=bias)
    return SpikingNetwork(
        Graph(nodes, ["x", "n"]),
        {"x": coding or ConstantCurrent()},
        [cell],
        [Readout(name="o", current="n", shape=(1,))],
    )


# (neuron, current, bias, spikes, potentials after the reset); all numbers are exact in binary
BY_HAND = {
    "subtract": (IF(), 0.375, None, [0, 0, 1, 0, 0, 1], [0.375, 0.75, 0.125, 0.5, 0.875, 0.25]),
    "zero": (IF(reset=Reset.ZERO), 0.375, None, [0, 0, 1, 0, 0, 1], [0.375, 0.75, 0, 0.375, 0.75, 0]),
    "zero, to another potential": (
        IF(reset=Reset.ZERO, reset_potential=-0.25),
        0.5,
        None,
        [0, 1, 0, 0, 1, 0],
        [0.5, -0.25, 0.25, 0.75, -0.25, 0.25],
    ),
    "subtract keeps the rest": (IF(), 2.5, None, [1, 1, 1], [1.5, 3.0, 4.5]),
    "modulo drops it": (IF(reset=Reset.MODULO), 2.5, None, [1, 1, 1], [0.5, 0.0, 0.5]),
    "modulo by the threshold": (IF(reset=Reset.MODULO, threshold=2.0), 5.0, None, [1, 1], [1.0, 0.0]),
    "a tie fires": (IF(), 0.5, None, [0, 1, 0, 1], [0.5, 0, 0.5, 0]),
    "threshold": (IF(threshold=np.array([0.75])), 0.5, None, [0, 1, 1, 0], [0.5, 0.25, 0.0, 0.5]),
    "start": (IF(initial=0.5), 0.25, None, [0, 1, 0, 0, 0, 1], [0.75, 0, 0.25, 0.5, 0.75, 0]),
    "bias": (IF(), 0.25, np.array([0.25]), [0, 1, 0, 1], [0.5, 0, 0.5, 0]),
    "negative": (IF(), -0.5, None, [0, 0, 0], [-0.5, -1.0, -1.5]),
    "leak": (IF(leak=0.5), 0.75, None, [0, 1, 0, 1], [0.75, 0.125, 0.8125, 0.15625]),
    "refractory": (IF(refractory=2), 0.75, None, [0, 1, 0, 0, 1, 0], [0.75, 0.5, 0.5, 0.5, 0.25, 0.25]),
    "refractory drops the bias": (IF(refractory=1), 0.5, np.array([0.5]), [1, 0, 1, 0], [0, 0, 0, 0]),
    "refractory leaks": (IF(refractory=1, leak=0.5), 1.5, None, [1, 0, 1, 0], [0.5, 0.25, 0.625, 0.3125]),
    "refractory does not fire above the threshold": (IF(refractory=1), 2.5, None, [1, 0, 1, 0], [1.5, 1.5, 3, 3]),
}


@pytest.mark.parametrize(("neuron", "current", "bias", "spikes", "potentials"), BY_HAND.values(), ids=BY_HAND)
def test_one_neuron_by_hand(neuron, current, bias, spikes, potentials):
    result = interpret(one(neuron, bias), np.array([[current]]), steps=len(spikes), record=ALL)
    assert result.spikes["n"].ravel().astype(int).tolist() == spikes
    assert result.potentials["n"].ravel().tolist() == potentials
    assert result.counts["n"].tolist() == [[sum(spikes)]]
    assert result.outputs_per_step["o"].ravel().tolist() == (np.cumsum(spikes) / np.arange(1, len(spikes) + 1)).tolist()


def test_a_spike_crosses_all_layers_in_its_step():
    nodes = [Input(name=n, shape=(1,)) for n in ("x", "a", "b")]
    cells = [population("a", "x", (1,), IF()), population("b", "a", (1,), IF())]
    net = SpikingNetwork(
        Graph(nodes, ["x", "a", "b"]), {"x": ConstantCurrent()}, cells, [Readout(name="o", current="b", shape=(1,))]
    )
    result = interpret(net, np.array([[0.5]]), steps=4, record=ALL)
    assert result.spikes["a"].ravel().tolist() == result.spikes["b"].ravel().tolist() == [False, True, False, True]
    assert result.output.tolist() == [[0.5]]


def test_nothing_is_recorded_unasked():
    result = interpret(one(IF()), np.ones((2, 1)), steps=3, record=Record(outputs_per_step=False))
    assert not result.spikes
    assert not result.potentials
    assert not result.outputs_per_step
    some = interpret(one(IF()), np.ones((2, 1)), steps=3, record=Record(spikes=frozenset({"n"})))
    assert some.spikes["n"].shape == (3, 2, 1)


def test_read_out_is_in_the_users_units():
    """Value = scale * (mean current of spikes and constant input + bias)."""
    nodes = [
        *(Input(name="x", shape=(2,)), Input(name="a", shape=(2,))),
        Concat(name="join", inputs=("a", "x")),
        Dense(name="w", inputs=("join",), weight=np.array([[1.0, 2.0, 4.0, 8.0]])),
    ]
    readout = Readout(name="o", current="w", shape=(1,), bias=np.array([-1.0]), scale=3.0)
    net = SpikingNetwork(
        Graph(nodes, ["x", "w"]), {"x": ConstantCurrent()}, [population("a", "x", (2,), IF())], [readout]
    )
    result = interpret(net, np.array([[0.5, 0.25]]), steps=4)
    # The first neuron fires twice, the second once in four steps; the input adds 4 * 0.5 + 8 * 0.25 each step.
    assert result.output.tolist() == [[3 * ((2 * 1 + 1 * 2) / 4 + 4.0 - 1.0)]]
    assert result.outputs_per_step["o"][0].tolist() == [[3 * (4.0 - 1.0)]]


def test_constant_currents_are_rounded_on_the_grid_only():
    nodes = [Input(name="x", shape=(4,)), Scale(name="s", inputs=("x",), gain=np.full(1, 10.0))]
    parts = (Graph(nodes, ["s"]), {"x": ConstantCurrent()}, [population("a", "s", (4,), IF())], [])
    x = np.array([[0.04, 0.05, 0.15, -0.26]])
    np.testing.assert_allclose(constant_currents(SpikingNetwork(*parts), x)["a"], 10 * x)
    on_grid = SpikingNetwork(*parts, grid=Grid(weight_bits=8, start=0, growth=0))
    assert constant_currents(on_grid, x)["a"].tolist() == [[0, 0, 2, -3]], "halves go to the even neighbour"


def test_targets_of_spikes_alone_have_no_constant_current():
    nodes = [*(Input(name=n, shape=(1,)) for n in ("x", "p", "a")), Add(name="sum", inputs=("x", "p"))]
    cells = [population("a", "sum", (1,), IF()), population("b", "a", (1,), IF())]
    net = SpikingNetwork(Graph(nodes, ["sum", "a"]), {"x": ConstantCurrent(), "p": Poisson()}, cells, [])
    found = constant_currents(net, np.array([[0.5]]), np.array([[7.0]]))
    assert {k: v.tolist() for k, v in found.items()} == {"a": [[0.5]]}


# -- max pooling by a gate ------------------------------------------------------------------------------------------


def gated(currents, gate, shape_out, steps):
    """Populations with these currents (channels, n), and a gate on them; their rasters (steps, channels, n)."""
    shape = currents.shape
    nodes = [Input(name="x", shape=shape), Input(name="a", shape=shape), Input(name="g", shape=shape_out)]
    cells = [population("a", "x", shape, IF()), population("g", "a", shape_out, gate)]
    net = SpikingNetwork(
        Graph(nodes, ["x", "a", "g"]),
        {"x": ConstantCurrent()},
        cells,
        [Readout(name="o", current="g", shape=shape_out)],
    )
    result = interpret(net, currents[None], steps=steps, record=ALL)
    return (result.spikes[n][:, 0].astype(int) for n in ("a", "g"))


def window(kernel, stride, padding=((0, 0),), dilation=(1,)):
    return MaxGate(kernel=kernel, stride=stride, padding=padding, dilation=dilation)


def test_the_gate_passes_the_input_that_fired_most_so_far():
    inner, outer = gated(np.array([[0.25, 0.75]]), window((2,), (2,)), (1, 1), steps=8)
    assert inner[:, 0].T.tolist() == [[0, 0, 0, 1, 0, 0, 0, 1], [0, 1, 1, 1, 0, 1, 1, 1]]
    assert outer[:, 0, 0].tolist() == inner[:, 0, 1].tolist(), "from its first spike on the second leads"


def test_among_equal_counts_the_first_wins():
    # Counts 1 : 1 after step 4; the first fires there, the second fired at step 3.
    inner, outer = gated(np.array([[0.25, 0.375]]), window((2,), (2,)), (1, 1), steps=4)
    assert inner[:, 0].T.tolist() == [[0, 0, 0, 1], [0, 0, 1, 0]]
    assert outer[:, 0, 0].tolist() == [0, 0, 1, 1]


def test_padding_never_wins_and_channels_are_apart():
    currents = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0]])
    inner, outer = gated(currents, window((2,), (2,), ((1, 0),)), (2, 2), steps=4)
    np.testing.assert_array_equal(outer[:, 0], inner[:, 0, [0, 1]])
    np.testing.assert_array_equal(outer[:, 1], inner[:, 1, [0, 1]])


def test_a_dilated_gate_skips():
    inner, outer = gated(np.array([[0.25, 1.0, 0.5, 0.0]]), window((2,), (1,), dilation=(2,)), (1, 2), steps=4)
    # Windows (0, 2) and (1, 3).
    assert outer[:, 0, 0].tolist() == inner[:, 0, 2].tolist()
    assert outer[:, 0, 1].tolist() == [1, 1, 1, 1]


# -- Poisson input --------------------------------------------------------------------------------------------------


def test_poisson_input_depends_on_seed_and_sample_only():
    x = np.random.default_rng(0).random((5, 1))

    def raster(seed, first, part):
        net = one(IF(threshold=0.5), coding=Poisson(seed=seed))
        return interpret(net, part, steps=40, record=ALL, first_sample=first).spikes["n"]

    whole = raster(1, 0, x)
    singles = np.concatenate([raster(1, i, x[i : i + 1]) for i in range(5)], axis=1)
    np.testing.assert_array_equal(whole, singles)
    assert not np.array_equal(whole, raster(2, 0, x))
    assert not np.array_equal(whole, raster(1, 1, x))


def test_poisson_input_has_the_mean_of_the_current():
    x = np.array([[0.3], [0.9], [0.0]])
    net = one(IF(threshold=1.0), coding=Poisson(amplitude=1.0))
    counts = interpret(net, x, steps=2000).counts["n"] / 2000
    np.testing.assert_allclose(counts, x, atol=0.04)
