"""Graphs: what construction refuses, order, values and what is freed, and edits that give new graphs."""

import numpy as np
import pytest

from snntoolbox.errors import GraphError
from snntoolbox.ir.graph import Graph, needed
from snntoolbox.ir.nodes import Add, Concat, Dense, Input, ReLU, Scale


def scale(name, source, gain=2.0, **more):
    return Scale(name=name, inputs=(source,), gain=np.full(1, gain), **more)


def add(name, *sources, **more):
    return Add(name=name, inputs=sources, **more)


X = Input(name="x", shape=(3,))


def diamond():
    """x -> a -> (b, c) -> sum, and a joined behind it."""
    nodes = [
        X,
        scale("a", "x"),
        scale("b", "a", 3.0),
        scale("c", "a", 5.0),
        add("sum", "b", "c"),
        add("end", "sum", "a"),
    ]
    return Graph(nodes, ["end"])


REFUSED = {
    "duplicate": ([X, scale("a", "x"), scale("a", "x")], ["a"], "two nodes have this name", "a"),
    "missing input": ([X, scale("a", "y")], ["a"], "reads 'y', which does not exist", "a (Scale)"),
    "missing output": ([X, scale("a", "x")], ["b"], "output 'b' does not exist", None),
    "cycle": ([X, add("a", "x", "b"), scale("b", "a")], ["b"], "cycle: (a -> b|b -> a)", None),
    "own input": ([X, add("a", "x", "a")], ["a"], "cycle: a", None),
    "shapes": ([X, Dense(name="d", inputs=("x",), weight=np.ones((2, 4)))], ["d"], "4 features", "d (Dense)"),
    "bias": ([X, add("a", "x", bias=np.ones(2))], ["a"], r"bias of shape \(2,\)", "a (Add)"),
}


@pytest.mark.parametrize(("nodes", "outputs", "message", "layer"), REFUSED.values(), ids=REFUSED)
def test_inconsistent_graphs_are_refused(nodes, outputs, message, layer):
    with pytest.raises(GraphError, match=message) as caught:
        Graph(nodes, outputs)
    assert caught.value.layer == layer


def test_nodes_come_in_an_order_that_can_be_computed_and_reads_like_the_model():
    nodes = list(diamond().nodes.values())
    assert list(Graph(nodes[::-1], ["end"]).nodes) == ["x", "a", "c", "b", "sum", "end"]
    assert list(Graph(nodes, ["end"]).nodes) == ["x", "a", "b", "c", "sum", "end"]


def test_inputs_keep_the_order_given():
    nodes = [
        Input(name="second", shape=(1,)),
        Input(name="first", shape=(1,)),
        add("d", "first", "second", coefficients=(1.0, -1.0)),
    ]
    graph = Graph(nodes, ["d"])
    assert graph.inputs == ("second", "first")
    assert graph.run(np.array([[1.0]]), np.array([[5.0]])).tolist() == [[4.0]]


def test_a_diamond_runs():
    x = np.array([[1.0, 0, -1]])
    graph = diamond()
    assert graph.run(x).tolist() == [[18.0, 0, -18]]
    assert graph.consumers == {
        "x": ("a",),
        "a": ("b", "c", "end"),
        "b": ("sum",),
        "c": ("sum",),
        "sum": ("end",),
        "end": (),
    }
    assert graph.digraph.number_of_edges() == 7


def test_one_node_may_be_read_twice_by_one_reader():
    graph = Graph([X, add("twice", "x", "x")], ["twice"])
    assert graph.run(np.ones((1, 3))).tolist() == [[2, 2, 2]]
    assert graph.consumers["x"] == ("twice", "twice")
    assert graph.digraph.number_of_edges() == 2


KEPT = [("end",), ("x", "b"), ("a", "b", "c", "sum", "end", "x"), ("c",), ()]


@pytest.mark.parametrize("keep", KEPT)
def test_values_are_those_asked_for(keep):
    x = np.array([[1.0, 0, -1]])
    expected = {"x": x, "a": 2 * x, "b": 6 * x, "c": 10 * x, "sum": 16 * x, "end": 18 * x}
    found = diamond().values(x, keep=keep)
    assert set(found) == set(keep)
    for name in keep:
        np.testing.assert_array_equal(found[name], expected[name])


def test_values_are_freed_after_their_last_use(monkeypatch):
    """A chain holds two values at a time, however long it is."""
    alive, most = set(), []

    class Counted(np.ndarray):
        def __del__(self):
            alive.discard(id(self))

    real = Scale.linear

    def counted(self, *values):
        out = real(self, *values).view(Counted)
        alive.add(id(out))
        most.append(len(alive))
        return out

    monkeypatch.setattr(Scale, "linear", counted)
    nodes = [X, scale("s0", "x"), *(scale(f"s{i}", f"s{i - 1}") for i in range(1, 20))]
    assert Graph(nodes, ["s19"]).run(np.ones((1, 3)))[0, 0] == 2.0**20
    assert max(most) <= 3


def test_numbers_of_any_type_are_taken():
    graph = diamond()
    assert graph.run(np.array([[1, 2, 3]])).dtype == np.float64
    assert graph.run(np.array([[1, 2, 3]], np.uint8)).tolist() == [[18, 36, 54]]
    assert graph.run(np.ones((1, 3), np.float32)).dtype == np.float32


def test_wrong_data_are_refused():
    with pytest.raises(GraphError, match=r"x: expects samples of shape \(3,\), got \(4,\)"):
        diamond().run(np.ones((2, 4)))
    with pytest.raises(GraphError, match=r"1 inputs \(x\), got 2"):
        diamond().run(np.ones((2, 3)), np.ones((2, 3)))


# -- editing --------------------------------------------------------------------------------------------------------


def test_an_edit_leaves_the_old_graph_alone():
    old = diamond()
    new = old.edited([scale("b", "a", 30.0)])
    x = np.ones((1, 3))
    assert old.run(x)[0, 0] == 18
    assert new.run(x)[0, 0] == 72
    with pytest.raises(TypeError):
        old.nodes["b"] = None


def test_what_nobody_reads_is_dropped_but_inputs_stay():
    graph = diamond().edited(outputs=["b"])
    assert list(graph.nodes) == ["x", "a", "b"]
    unread = Graph([X, Input(name="y", shape=(2,)), ReLU(name="r", inputs=("x",))], ["r"]).edited()
    assert unread.inputs == ("x", "y")


def test_chains_of_redirects_are_followed_for_readers_and_outputs():
    nodes = [X, *(scale(n, s) for n, s in ("ax", "ba", "cb", "dc"))]
    graph = Graph(nodes, ["d", "b"]).edited(redirect={"d": "c", "c": "b", "b": "a"})
    assert graph.outputs == ("a", "a")
    assert list(graph.nodes) == ["x", "a"]


def test_changed_nodes_read_what_they_say():
    graph = Graph([X, scale("a", "x"), scale("b", "a")], ["b"])
    edited = graph.edited([scale("new", "a", 10.0)], redirect={"a": "new"})
    assert edited.nodes["b"].inputs == ("new",)
    assert edited.nodes["new"].inputs == ("a",)
    assert edited.run(np.ones((1, 3)))[0, 0] == 40


def test_missing_ends_are_refused():
    with pytest.raises(GraphError, match="'nowhere' does not exist"):
        diamond().edited(outputs=["nowhere"])
    with pytest.raises(GraphError, match="'nowhere' does not exist"):
        needed({}, ["nowhere"])


def test_fresh_names():
    graph = diamond()
    assert graph.fresh("new") == "new"
    assert graph.fresh("a") == "a_2"
    assert graph.fresh("a", {"a_2", "a_3"}) == "a_4"


def test_counts_and_looks():
    graph = Graph([X, Dense(name="d", inputs=("x",), weight=np.ones((2, 3)), bias=np.ones(2))], ["d"], name="net")
    assert graph.node_weights() == 8
    assert graph.size("d") == 2
    assert repr(graph) == "Graph('net': 2 nodes, x(3,) -> d(2,), 8 parameters)"
    joined = Concat(name="j", inputs=("x", "d"))
    assert Graph([*graph.nodes.values(), joined], ["j"]).shapes["j"] == (5,)
