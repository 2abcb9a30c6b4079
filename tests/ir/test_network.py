"""Spiking networks: what is refused, order, depths, delays, and projections against the wiring itself."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.sparse as sp

from snntoolbox.errors import GraphError
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate
from snntoolbox.ir.node import LinearNode
from snntoolbox.ir.nodes import Add, Concat, Conv, Delay, Dense, Input, Permute, ReLU, Reshape, Scale
from snntoolbox.ir.summary import summary

RANDOM = np.random.default_rng(3)
ONE = np.ones(1)


def dense(name, source, n_out, n_in):
    return Dense(name=name, inputs=(source,), weight=RANDOM.normal(size=(n_out, n_in)))


def population(name, current, shape=(3,), **more):
    fields = {"neuron": IF(), "scale": np.ones((1,) * len(shape)), "activation": name}
    return Population(name=name, shape=shape, current=current, **{**fields, **more})


def network(nodes, populations, readouts=(), encodings=("x",), **more):
    ends = [p.current for p in populations] + [r.current for r in readouts]
    return SpikingNetwork(
        Graph(nodes, ends), dict.fromkeys(encodings, ConstantCurrent()), populations, readouts, **more
    )


def chain(*, skip=True):
    """x -> a -> b -> c -> out with a sum over a and b before c, and the input and c joined before the read-out."""
    nodes = [
        *(Input(name="x", shape=(3,)), Input(name="a", shape=(3,)), Input(name="b", shape=(3,))),
        *(Input(name="c", shape=(3,)), dense("wa", "x", 3, 3), dense("wb", "a", 3, 3), dense("wc", "b", 3, 3)),
        Scale(name="skip", inputs=("a",), gain=np.full(1, 0.5)),
        Add(
            name="sum",
            inputs=("wc", "skip", "skip") if skip else ("wc",),
            coefficients=(1.0, 2.0, -0.5) if skip else None,
        ),
        Concat(name="join", inputs=("x", "c", "x")),
        dense("wo", "join", 2, 9),
    ]
    populations = [population("a", "wa"), population("b", "wb"), population("c", "sum")]
    return network(nodes, populations, [Readout(name="out", current="wo", shape=(2,))])


def test_depths_are_longest_paths_and_delays_their_differences():
    net = chain()
    assert net.depths == {"x": 0, "a": 1, "b": 2, "c": 3, "out": 4}
    assert {(p.source, p.target): p.delay for p in net.projections} == {
        ("x", "a"): 1,
        ("a", "b"): 1,
        ("a", "c"): 2,
        ("b", "c"): 1,
        ("x", "out"): 4,
        ("c", "out"): 1,
    }


def test_order_and_sources():
    net = chain()
    place = {name: i for i, name in enumerate(net.order)}
    assert place["x"] < place["wa"] < place["a"] < place["wb"] < place["b"] < place["sum"] < place["c"] < place["wo"]
    assert list(net.targets.items()) == [("a", "wa"), ("b", "wb"), ("c", "sum"), ("out", "wo")]
    assert net.sources["sum"] == {"a", "b"}
    assert net.sources["wo"] == {"x", "c"}
    assert net.neurons == 9
    assert net.name == "model"


def assert_projections_are_the_wiring(net, batch=4):
    """The sum over projections of synapses @ source is each target's current."""
    values = {n: RANDOM.normal(size=(batch, *net.wiring.shapes[n])) for n in net.wiring.inputs}
    current = net.wiring.values(*values.values(), keep=list(net.targets.values()))
    for target, name in net.targets.items():
        parts = [p for p in net.projections if p.target == target]
        assert {p.source for p in parts} == net.sources[name]
        by_matrix = sum(p.synapses() @ values[p.source].reshape(batch, -1).T for p in parts).T
        by_map = sum(p.map.run(values[p.source]).reshape(batch, -1) for p in parts)
        expected = current[name].reshape(batch, -1)
        np.testing.assert_allclose(by_matrix, expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(by_map, expected, rtol=0, atol=1e-12)


def images():
    """Concatenations of parts that are not neighbours, on a middle axis and nested, behind moves and convolutions."""
    space = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    nodes = [
        *(Input(name="x", shape=(2, 4, 3)), Input(name="a", shape=(2, 4, 3)), Input(name="b", shape=(2, 4, 3))),
        Conv(name="wa", inputs=("x",), weight=RANDOM.normal(size=(2, 2, 3, 3)), **space),
        Conv(name="wb", inputs=("a",), weight=RANDOM.normal(size=(2, 2, 3, 3)), **space),
        Concat(name="inner", inputs=("x", "a", "x", "b", "a"), axis=1),
        Permute(name="turn", inputs=("inner",), axes=(2, 0, 1)),
        Concat(name="outer", inputs=("turn", "turn"), axis=0),
        Reshape(name="flat", inputs=("outer",), shape=(240,)),
        dense("wo", "flat", 5, 240),
    ]
    populations = [population(n, f"w{n}", (2, 4, 3)) for n in "ab"]
    return network(nodes, populations, [Readout(name="out", current="wo", shape=(5,))])


@pytest.mark.parametrize("build", [chain, lambda: chain(skip=False), images])
def test_projections_together_are_the_wiring(build):
    assert_projections_are_the_wiring(build())


def test_a_population_may_be_read_directly():
    nodes = [Input(name="x", shape=(3,)), Input(name="a", shape=(3,))]
    net = network(nodes, [population("a", "x")], [Readout(name="out", current="a", shape=(3,))])
    assert_projections_are_the_wiring(net)
    assert net.projections[0].synapses().toarray().tolist() == np.eye(3).tolist()


@pytest.mark.parametrize("in_wiring", [True, False])
def test_a_population_that_nobody_reads_is_legal(in_wiring):
    nodes = [Input(name="x", shape=(3,)), dense("w", "x", 3, 3), *([Input(name="a", shape=(3,))] if in_wiring else [])]
    net = network(nodes, [population("a", "w")], [Readout(name="out", current="w", shape=(3,))])
    assert set(net.order) == {"x", "w", "a"}
    assert net.order.index("a") > net.order.index("w")
    assert net.depths == {"x": 0, "a": 1, "out": 1}
    assert interpret(net, np.ones((2, 3)), steps=3).counts["a"].shape == (2, 3)
    assert_projections_are_the_wiring(net)
    assert "a" in summary(net)


def test_unread_populations_run_in_the_simulator_too():
    from snntoolbox.backends.inisim.backend import InisimBackend

    weight = np.array([[1.0, 0.5], [0.25, 1.0]])
    nodes = [Input(name="x", shape=(2,)), Dense(name="w", inputs=("x",), weight=weight)]
    net = network(nodes, [population("a", "w", (2,))], [Readout(name="out", current="w", shape=(2,))])
    x = np.array([[0.5, 0.25]])
    found = InisimBackend().build(net, device="cpu").run(x, steps=8)
    np.testing.assert_array_equal(found.counts["a"], interpret(net, x, steps=8).counts["a"])


def test_recurrent_networks_have_no_order():
    nodes = [Input(name="x", shape=(3,)), Input(name="a", shape=(3,)), Add(name="sum", inputs=("x", "a"))]
    net = network(nodes, [population("a", "sum")])
    assert set(net.circuit.cycle) == {"a", "sum"}
    for what in ("order", "depths", "projections"):
        with pytest.raises(GraphError, match=r"without a delay: (a -> sum|sum -> a)(.|\n)*put a Delay"):
            getattr(net, what)
    assert chain().circuit.cycle == ()


def test_a_constant_current_is_not_delayed():
    nodes = [Input(name="x", shape=(3,)), Delay(name="later", inputs=("x",), steps=2), dense("w", "later", 3, 3)]
    with pytest.raises(GraphError, match=r"later \(Delay\): delays the constant current of x(.|\n)*Poisson"):
        network(nodes, [population("a", "w")])


@dataclass(frozen=True, eq=False, kw_only=True)
class Difference(LinearNode):
    """A third party's linear node with two inputs."""

    def output_shape(self, *shapes):
        return shapes[0]

    def linear(self, *values):
        return values[0] - values[1]

    def synapses(self, *shapes):
        return (sp.csr_array(np.eye(3)), sp.csr_array(-np.eye(3)))


def test_several_inputs_of_an_unknown_kind_cannot_be_told_apart():
    def built(*sources):
        nodes = [Input(name="x", shape=(3,)), Input(name="a", shape=(3,)), dense("w", "x", 3, 3)]
        difference = Difference(name="d", inputs=sources)
        readout = Readout(name="out", current="d", shape=(3,))
        return network([*nodes, difference], [population("a", "x")], [readout])

    assert_projections_are_the_wiring(built("x", "w"))
    with pytest.raises(GraphError, match=r"d \(Difference\): .*cannot be told apart"):
        _ = built("x", "a").projections


GATE = MaxGate(kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,))
NODES = [Input(name="x", shape=(3,)), Input(name="a", shape=(3,)), dense("w", "x", 3, 3)]
IMAGE = [Input(name="x", shape=(2, 4)), Input(name="g", shape=(2, 2))]
REFUSED = {
    "name twice": (NODES, [population("a", "w"), population("a", "w")], {}, "same name"),
    "input and population": ([NODES[0]], [population("x", "x")], {}, "same name"),
    "read-out and population": (NODES, [population("a", "w")], {"readouts": ["a"]}, "same name"),
    "two read-outs": (NODES, [population("a", "w")], {"readouts": ["o", "o"]}, "same name"),
    "unknown input": (NODES, [], {}, "a: is neither an encoded input nor a population"),
    "encoded twice": (NODES, [population("a", "w")], {"encodings": ("x", "y")}, "y: is encoded, but no input"),
    "not linear": ([*NODES, ReLU(name="r", inputs=("w",))], [population("a", "r")], {}, "not a bias-free linear map"),
    "bias": ([*NODES, Add(name="b", inputs=("w",), bias=np.ones(3))], [population("a", "b")], {}, "b .*bias-free"),
    "shape of the current": (NODES, [population("a", "w", (2,))], {}, r"a: .*\(3,\), has shape \(2,\)"),
    "shape of the spikes": (
        [*NODES, dense("v", "x", 2, 3)],
        [population("a", "v", (2,))],
        {},
        r"read as \(3,\), has shape \(2,\)",
    ),
    "map of that name": (
        [*NODES, dense("m", "x", 3, 3)],
        [population("a", "w"), population("m", "w")],
        {},
        "map of this",
    ),
    "scale": (NODES, [population("a", "w", scale=np.ones(2))], {}, "scale of shape"),
    "bias of a population": (NODES, [population("a", "w", bias=np.ones((1, 3)))], {}, "bias of shape"),
    "threshold": (NODES, [population("a", "w", neuron=IF(threshold=np.ones(2)))], {}, "threshold of shape"),
    "start": (NODES, [population("a", "w", neuron=IF(initial=np.ones(2)))], {}, "initial of shape"),
    "gate, shape": (IMAGE, [population("g", "x", (2, 3), neuron=GATE)], {}, r"read as|windows give"),
    "gate, unread, shape": (IMAGE[:1], [population("g", "x", (2, 3), neuron=GATE)], {}, r"windows give shape \(2, 2\)"),
    "gate, rank": (IMAGE[:1], [population("g", "x", (2, 2), neuron=replace(GATE, stride=(1, 1)))], {}, "do not match"),
}


@pytest.mark.parametrize(("nodes", "populations", "more", "message"), REFUSED.values(), ids=REFUSED)
def test_inconsistent_networks_are_refused(nodes, populations, more, message):
    readouts = [Readout(name=n, current="w", shape=(3,)) for n in more.get("readouts", ())]
    with pytest.raises(GraphError, match=message):
        network(nodes, populations, readouts, more.get("encodings", ("x",)))


def test_currents_that_are_not_there_are_refused():
    wiring = Graph(NODES, ["w"])
    with pytest.raises(GraphError, match="'v', which does not exist"):
        SpikingNetwork(wiring, {"x": ConstantCurrent()}, [population("a", "v")], [])
    readout = Readout(name="out", current="w", shape=(2,))
    with pytest.raises(GraphError, match=r"out: gets a current of shape \(3,\)"):
        SpikingNetwork(wiring, {"x": ConstantCurrent()}, [population("a", "w")], [readout])


def test_parts_are_exchanged_in_a_copy():
    net = chain()
    other = net.with_neurons(leak=0.5).replaced(grid=Grid(weight_bits=8, start=1, growth=2))
    assert {p.neuron.leak for p in other.populations.values()} == {0.5}
    assert {p.neuron.leak for p in net.populations.values()} == {1.0}
    assert other.grid.bound(10, 0.5) == 1 + 11 * 3
    assert net.grid is None
    assert repr(other).endswith("3 populations, 9 neurons, 8-bit)")


def test_gates_keep_their_fields_when_neurons_change():
    net = network(IMAGE, [population("g", "x", (2, 2), neuron=GATE)])
    assert net.with_neurons(leak=0.5).populations["g"].neuron is GATE
