"""Passes are seen to keep what they promise: a right one passes, a wrong one is named."""

from dataclasses import replace

import numpy as np
import pytest

from snntoolbox.conversion import load as loading
from snntoolbox.conversion.load import simplify
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.scales import choose_scales
from snntoolbox.conversion.spiking.invariants import check_grid, check_same_function, check_scales, random_sample
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.conversion.stages import convert
from snntoolbox.errors import GraphError
from snntoolbox.ir.encodings import Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Conv, Dense, Input, ReLU, Scale


@pytest.fixture
def graph(new_net):
    net = new_net(2, 6, 6)
    a = net.relu(net.conv("x", 4))
    b = net.relu(net.conv(net.pool(a, pad=1), 4))
    net.dense(net.flat(net.average(b)), 3)
    return net.graph()


def changed(graph, kind, by):
    """The graph with one weight of its last node of a kind moved."""
    node = [n for n in graph.nodes.values() if isinstance(n, kind)][-1]
    weight = node.weight.copy()
    weight.flat[np.abs(weight).argmax()] += by
    return graph.edited([replace(node, weight=weight)])


def test_the_same_function_passes_and_another_is_named(graph):
    check_same_function(graph, lower(graph, Recipe()), "lowering")
    check_same_function(graph, changed(graph, Dense, 1e-12), "nothing")
    with pytest.raises(GraphError, match="bad pass changed the function"):
        check_same_function(graph, changed(graph, Dense, 1e-3), "bad pass")


@pytest.mark.parametrize("choices", [{}, {"per_channel": False}, {"max_pool": "gate", "per_channel": False},
                                     {"encoding": Poisson(amplitude=4.0)}, {"readout": "spikes"}])  # fmt: skip
def test_scales_are_kept(graph, choices):
    recipe = Recipe(**choices)
    lowered = lower(graph, recipe)
    scales = choose_scales(lowered, [np.random.default_rng(0).random((30, 2, 6, 6))], recipe)
    network = Convert(encoding=recipe.encoding)(lowered, scales)
    check_scales(network, lowered, random_sample(lowered))
    for wrong, message in (
        (network.replaced(wiring=changed(network.wiring, Conv, 1e-3)), "not its input divided by its scale"),
        (network.replaced(readouts=[replace(r, scale=1.001) for r in network.readouts]), "does not read the output"),
        (network.replaced(populations=[replace(p, scale=1.001 * p.scale) for p in network.populations.values()]), "it"),
    ):
        with pytest.raises(GraphError, match=message):
            check_scales(wrong, lowered, random_sample(lowered))


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
@pytest.mark.parametrize("choices", [{}, {"max_pool": "gate", "per_channel": False}, {"readout": "spikes"},
                                     {"encoding": Poisson(amplitude=4.0)}])  # fmt: skip
def test_a_grid_is_the_network_rounded(graph, choices, bits):
    recipe = Recipe(**choices)
    lowered, quantize = lower(graph, recipe), Quantize(bits)
    scales = choose_scales(lowered, [np.random.default_rng(0).random((30, 2, 6, 6))], recipe)
    network = quantize.fitting(Convert(encoding=recipe.encoding)(lowered, scales))
    check_scales(network, lowered, random_sample(lowered))
    placed = quantize.placed(network)
    check_grid(placed, network, lowered, random_sample(lowered))
    thresholds = [replace(p, neuron=replace(p.neuron, threshold=3 * p.neuron.threshold)) if isinstance(p.neuron, IF)
                  else p for p in placed.populations.values()]  # fmt: skip
    wrong = [placed.replaced(wiring=changed(placed.wiring, Conv, 200)), placed.replaced(populations=thresholds)]
    if not any(p.name == r.current for r in placed.readouts for p in placed.populations.values()):
        wrong.append(placed.replaced(readouts=[replace(r, scale=3 * r.scale) for r in placed.readouts]))
    for one in wrong if bits > 2 else []:  # rounding to -1, 0 and 1 may change a current by more
        with pytest.raises(GraphError, match="differs from the unquantised network"):
            check_grid(one, network, lowered, random_sample(lowered))


def averaged(net):
    """A constant input, averaged and then scaled: the host computes both, and nothing is rounded."""
    net.flat(net.relu(net.average("x")))


def joined(net):
    """A constant input beside spikes in one layer: its weights are rounded like theirs."""
    spikes = net.relu(net.conv("x", 2))
    net.relu(net.conv(net.concat(spikes, "x"), 4))


@pytest.mark.parametrize("layers", [averaged, joined])
@pytest.mark.parametrize("bits", [4, 16])
def test_weights_of_constant_inputs_are_rounded_where_spikes_join(new_net, layers, bits):
    net = new_net(2, 6, 6)
    layers(net)
    lowered = lower(net.graph(), Recipe())
    x = np.random.default_rng(0).random((30, 2, 6, 6))
    quantize = Quantize(bits)
    network = quantize.fitting(Convert()(lowered, choose_scales(lowered, [x], Recipe())))
    placed = quantize.placed(network)
    check_grid(placed, network, lowered, [x[:1]])
    gains = [n.gain for n in placed.wiring.nodes.values() if isinstance(n, Scale)]
    assert layers is joined or any(np.any(g != np.rint(g)) for g in gains)


def test_a_wrong_quantisation_stops_a_conversion(graph, monkeypatch):
    right = Quantize.placed

    def wrong(self, network):
        placed = right(self, network)
        return placed.replaced(wiring=changed(placed.wiring, Conv, 200))

    monkeypatch.setattr(Quantize, "placed", wrong)
    with pytest.raises(GraphError, match="differs from the unquantised network"):
        convert(graph, np.random.default_rng(0).random((30, 2, 6, 6)), weight_bits=8)


def test_a_wrong_gain_stops_a_conversion(graph, monkeypatch):
    right = Quantize.fitting

    def wrong(self, network):
        fitting = right(self, network)
        return fitting.replaced(populations=[replace(p, scale=2 * p.scale) for p in fitting.populations.values()])

    monkeypatch.setattr(Quantize, "fitting", wrong)
    with pytest.raises(GraphError, match="not its input divided by its scale"):
        convert(graph, np.random.default_rng(0).random((30, 2, 6, 6)), weight_bits=8)


def test_a_wrong_pass_stops_a_conversion(graph, monkeypatch):
    monkeypatch.setattr(loading, "EXACT", (lambda g: changed(g, Dense, 0.1),))
    with pytest.raises(GraphError, match="changed the function of the graph"):
        simplify(graph, check=True)


def test_what_rounding_leaves_of_sums_that_cancel_is_no_defect():
    """0.3 x - 0.1 (3 x) is nought, or 1e-17 in one order of the operations and not in another."""
    random = np.random.default_rng(0)
    for _ in range(20):
        gains = random.random((6, 1)) + 0.1
        nothing = np.where(np.arange(6) < 3, 1.0, -1.0) / gains.ravel()
        nodes = [
            Input(name="x", shape=(1,)),
            Dense(name="h", inputs=("x",), weight=gains),
            ReLU(name="r", inputs=("h",)),
            Dense(name="z", inputs=("r",), weight=np.stack([nothing, -nothing])),
            ReLU(name="s", inputs=("z",)),
            Dense(name="y", inputs=("s",), weight=np.ones((2, 2))),
        ]
        convert(Graph(nodes, ["y"]), random.random((40, 1)))
