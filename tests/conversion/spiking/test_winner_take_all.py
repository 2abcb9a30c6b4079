"""Max pooling by circuits of plain neurons: what they count, where they run, and what a conversion makes of them."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.spiking.winner_take_all import WinnerTakeAll
from snntoolbox.errors import ConversionError, UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Conv, Dense, Input, MaxPool, ReLU, Reshape
from snntoolbox.ir.nodes.windows import extract_windows
from snntoolbox.ir.result import Record

WINDOWS = {
    "tiles": ((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    "overlaps and borders": ((3, 2), (2, 1), ((1, 0), (1, 1)), (1, 1)),
    "holes": ((2, 3), (1, 2), ((0, 0), (1, 1)), (2, 1)),
    "one value": ((1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    "everything": ((6, 7), (1, 1), ((0, 0), (0, 0)), (1, 1)),
}


def counts(network, window, x, steps):
    """What the circuit has counted after each step, and the largest count in each window of what it reads."""
    spikes = interpret(network, x, steps=steps, record=Record(spikes=True)).spikes
    read = spikes["population0"].cumsum(0).reshape(-1, *spikes["population0"].shape[2:])
    most = extract_windows(read, *window, fill=-1).reshape(len(read), *spikes["population1"].shape[2:], -1).max(-1)
    return spikes["population1"].cumsum(0).reshape(most.shape), most


@pytest.mark.parametrize("name", WINDOWS)
def test_counts_as_many_spikes_as_the_busiest_input_or_one_more(name):
    window, draft = WINDOWS[name], Draft()
    draft.readout(draft.flat(draft.gate(draft.neurons(draft.conv(draft.poisson(2, 6, 7), 3)), *window)))
    network = WinnerTakeAll()(draft.network())
    counted, most = counts(network, window, draft.random.integers(0, 17, (2, 2, 6, 7)) / 8, 50)
    assert most.max() > 20
    assert set(np.unique(counted - most)) <= {0, 1}
    assert network.circuit.quick_loop == ()  # so that it runs where a spike takes a step


def graph():
    random = np.random.default_rng(0)
    pools = {"kernel": (2,), "stride": (2,), "padding": ((0, 0),), "dilation": (1,)}
    weight = random.normal(size=(4, 2, 3))
    nodes = [
        Input(name="x", shape=(2, 12)),
        Conv(name="conv", inputs=("x",), weight=weight, stride=(1,), padding=((1, 1),), dilation=(1,)),
        ReLU(name="relu", inputs=("conv",)),
        MaxPool(name="pool", inputs=("relu",), **pools),
        MaxPool(name="again", inputs=("pool",), **pools),
        Reshape(name="flat", inputs=("again",), shape=(12,)),
        Dense(name="dense", inputs=("flat",), weight=random.normal(size=(5, 12))),
    ]
    return Graph(nodes, ["dense"]), random.random((200, 2, 12))


@pytest.mark.parametrize("choices", [{}, {"weight_bits": 8}, {"delay": 1}, {"dt": 0.5}, {"readout": "spikes"}], ids=str)
@pytest.mark.one_in(3)
def test_a_conversion_comes_near_the_original(choices):
    original, x = graph()
    network = stb.convert(original, x, T=200, max_pool="wta", **choices)
    assert {"pool.cells", "again.cells"} <= set(network.populations)
    expected = original.run(x)
    if choices.get("readout") == "spikes":
        expected = np.maximum(expected, 0)
    outputs = network.run(x).output
    error = np.abs(outputs - expected).mean() / np.abs(expected).mean()
    assert error < 0.05, error


def test_no_gate_is_left_for_simulators_without_one():
    original, x = graph()
    network = stb.convert(original, x, T=20, max_pool="wta")
    backend_named("nest").capabilities.check("nest", network)
    with pytest.raises(UnsupportedError, match="max pooling by a gate"):
        backend_named("nest").capabilities.check("nest", stb.convert(original, x, T=20, max_pool="gate"))


def test_spikes_with_values_are_refused():
    with pytest.raises(ConversionError, match=r"wta counts plain spikes"):
        Recipe(max_pool="wta", neuron=IF(levels=(1.0, 0.5), initial=0.5))


@pytest.mark.parametrize("schedule", ["phased", "radix"])
def test_schedules_that_fire_in_turn_refuse_it(schedule):
    original, x = graph()
    with pytest.raises(UnsupportedError, match="pool"):
        stb.convert(original, x, T=4, max_pool="wta", schedule=schedule)
