"""Products of two values as rectifiers that read a product of spikes."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.lower_products import LowerProducts
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.errors import ConversionError, UnsupportedError
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Add, Dense, Input, Mean, Multiply, ReLU, Softmax
from snntoolbox.ir.nodes.moving import Take

RNG = np.random.default_rng(0)
SHAPE = (4, 6)


class Net(GraphBuilder):
    """A graph under construction, with random maps."""

    def __init__(self):
        super().__init__("test")
        self.x = self.input("x", SHAPE)

    def mapped(self, source, *, bias=True):
        size = self.shape(source)[-1]
        shift = RNG.normal(size=(1, size)) if bias else None
        return self.add(Dense(name="dense", inputs=(source,), weight=RNG.normal(size=(size, size)), bias=shift))

    def relu(self, source, **fields):
        return self.add(ReLU(name="relu", inputs=(source,), **fields))

    def product(self, one, other):
        return self.add(Multiply(name="product", inputs=(one, other), origin=self.origin("Mul", "gate")))


def gate(net):
    """Squeeze and excitation: values times what their means say."""
    values = net.relu(net.mapped(net.x))
    mean = net.add(Mean(name="mean", inputs=(values,), axes=(0,), keepdims=True))
    said = net.relu(net.mapped(net.relu(net.mapped(mean))), max_value=1.0)
    return net.product(values, net.add(Take(name="wide", inputs=(said,), axis=0, indices=(0,) * 4)))


def both_at_once(net):
    """A gated linear unit."""
    return net.product(net.relu(net.mapped(net.x)), net.relu(net.mapped(net.x)))


def signed(net):
    """Maps of inputs, with constant parts."""
    return net.product(net.mapped(net.x), net.mapped(net.x))


def square(net):
    """A value times itself."""
    value = net.relu(net.mapped(net.x))
    return net.product(value, value)


def over_layers(net):
    """A sum of what fires early and late, times what fires between."""
    first = net.relu(net.mapped(net.x))
    second = net.relu(net.mapped(first))
    third = net.relu(net.mapped(second))
    return net.product(net.add(Add(name="sum", inputs=(first, third), coefficients=(1.0, -1.0))), second)


def rectified(net):
    """A product that a rectifier reads already."""
    return net.relu(signed(net))


def in_a_row(net):
    """Products of products."""
    return net.product(signed(net), both_at_once(net))


def of_broadcast_maps(net):
    """A signed gate for each channel, rectified before it is repeated."""
    mean = net.add(Mean(name="mean", inputs=(net.mapped(net.x),), axes=(0,), keepdims=True))
    wide = net.add(Take(name="wide", inputs=(net.mapped(mean),), axis=0, indices=(0,) * 4))
    return net.product(net.relu(net.mapped(net.x)), wide)


# name: what is multiplied, and how many rectifiers the graph has in the end.
NETS = {
    **{gate: 4, both_at_once: 4, signed: 8, square: 3},
    **{over_layers: 7, rectified: 7, in_a_row: 16, of_broadcast_maps: 6},
}


def built(make):
    net = Net()
    net.add(Dense(name="last", inputs=(make(net),), weight=RNG.normal(size=(3, 6))))
    return net.finish(["last"], "net")


@pytest.mark.parametrize("make", NETS, ids=lambda make: make.__name__)
def test_the_same_function_by_counts_that_come_in_order(make):
    graph = built(make)
    lowered = LowerProducts()(graph)
    x = RNG.normal(size=(5, *SHAPE))
    np.testing.assert_allclose(lowered.run(x), graph.run(x), atol=1e-12)
    assert sum(isinstance(n, ReLU) for n in lowered.nodes.values()) == NETS[make]
    # That each product equals its quantised one, and every factor is counted in time, is checked by the conversion.
    x = np.abs(x) / 3
    for schedule, steps in (("phased", 5), ("radix", 3), ("first-spike", 5)):
        network = stb.convert(graph, x, schedule=schedule, T=steps, weight_bits=8)
        assert bool(network.circuit.latched) == (make is not square)  # which is a table
        assert stb.simulate(network, x, T=steps).counts


def test_a_gate_is_rectified_before_it_is_repeated():
    lowered = LowerProducts()(built(of_broadcast_maps))
    assert sorted(lowered.shapes[n.name] for n in lowered.nodes.values() if isinstance(n, ReLU))[:2] == [(1, 6)] * 2


def test_of_parts_of_a_layer_those_are_rectified_that_are_multiplied():
    """As of queries, keys and values by one matrix, which may be repeated behind that."""
    nodes = [Input(name="x", shape=(5,)), Dense(name="d", inputs=("x",), weight=RNG.normal(size=(12, 5)))]
    for name, indices in (("q", range(4)), ("k", range(8, 12))):
        nodes += [Take(name=name, inputs=("d",), axis=0, indices=tuple(indices))]
        nodes += [Take(name=f"{name}2", inputs=(name,), axis=0, indices=(0, 1, 2, 3, 3, 2))]
    graph = Graph([*nodes, Multiply(name="p", inputs=("q2", "k2"))], ["p"])
    lowered, x = LowerProducts()(graph), RNG.normal(size=(9, 5))
    np.testing.assert_allclose(lowered.run(x), graph.run(x), atol=1e-12)
    sizes = [lowered.shapes[n.name] for n in lowered.nodes.values() if isinstance(n, ReLU)]
    assert sorted(sizes) == [(4,)] * 6 + [(6,)] * 2


@pytest.mark.parametrize(("parts", "waiting"), [(2, 2), (4, 4), (5, 1)])
def test_what_waits_is_sent_again_by_its_parts_where_these_are_few(parts, waiting):
    """A mean of parts, each as many as a row of the product: together more than that, they are added up first."""
    net = Net()
    column = net.add(Mean(name="mean", inputs=(net.x,), axes=(0,), keepdims=True))
    shifted = [net.mapped(column) for _ in range(parts)]
    mean = net.add(Add(name="parts", inputs=tuple(map(net.relu, shifted)), coefficients=(1 / parts,) * parts))
    wide = net.add(Take(name="wide", inputs=(mean,), axis=0, indices=(0,) * 4))
    graph = net.finish([net.product(wide, net.relu(net.mapped(net.x)))], "net")
    lowered, x = LowerProducts()(graph), RNG.normal(size=(9, *SHAPE))
    np.testing.assert_allclose(lowered.run(x), graph.run(x), atol=1e-12)
    later = [n for n in lowered.nodes if ".later" in n and isinstance(lowered.nodes[n], ReLU)]
    assert len(later) == waiting
    assert all(isinstance(lowered.nodes[lowered.nodes[n].inputs[0]], ReLU) for n in later) == (waiting > 1)


@pytest.mark.parametrize("log", [False, True])
def test_shares_are_never_negative_and_their_logarithms_are(log):
    net = Net()
    share = net.add(Softmax(name="share", inputs=(net.mapped(net.x),), log=log))
    graph = net.finish([net.product(net.relu(net.mapped(net.x)), share)], "net")
    lowered = LowerProducts()(graph)
    x = RNG.normal(size=(9, *SHAPE))
    np.testing.assert_allclose(lowered.run(x), graph.run(x), atol=1e-12)


def test_graphs_without_products_stay():
    net = Net()
    graph = net.finish([net.relu(net.mapped(net.x))], "net")
    assert LowerProducts()(graph) is graph


@pytest.mark.parametrize("schedule", ["rate", "differential"])
def test_schedules_that_do_not_count_refuse_it_by_name(schedule):
    with pytest.raises(UnsupportedError, match=r"(?s)gate \(test Mul\).*counts of whole windows") as caught:
        lower(built(gate), Recipe(schedule=schedule))
    assert "schedule = phased" in str(caught.value)


def test_one_threshold_for_all_goes_with_no_product():
    graph, x = built(gate), np.abs(RNG.normal(size=(5, *SHAPE)))
    with pytest.raises(UnsupportedError, match="threshold is no free choice"):
        stb.convert(graph, x, schedule="phased", T=4, weight_bits=8, grid_threshold=64)


def test_whole_numbers_that_float64_does_not_tell_apart_are_refused():
    net = Net()
    graph = net.finish([net.mapped(both_at_once(net))], "wide")
    x = RNG.normal(size=(32, *SHAPE))
    choices = {"schedule": "radix", "layer_correction": "none", "readout_correction": 0}
    assert stb.convert(graph, x, duration=8, weight_bits=16, **choices).grid.weight_bits == 16
    with pytest.raises(ConversionError, match=r"16 bits and windows of 16 steps(.|\n)*2\^53(.|\n)*weight_bits"):
        stb.convert(graph, x, duration=16, weight_bits=16, **choices)
