"""The head of a graph follows its softmax through whatever moves it, and stays with the graph."""

import numpy as np
import pytest

from snntoolbox.errors import ArgumentError, GraphError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.io import load_graph, save
from snntoolbox.ir.nodes import Elementwise, Input, Permute, ReLU, Reshape, Softmax, Take

RNG = np.random.default_rng(0)


def ended(shape, axis, *moves, log=False):
    """A softmax over an axis of an input of this shape, and moves behind it."""
    nodes = [Input(name="x", shape=shape), Softmax(name="s", inputs=("x",), axis=axis, log=log)]
    for i, move in enumerate(moves):
        nodes.append(move(name=f"m{i}", inputs=(nodes[-1].name,)))
    return Graph(nodes, [nodes[-1].name])


def reshape(*shape):
    return lambda **names: Reshape(shape=shape, **names)


def permute(*axes):
    return lambda **names: Permute(axes=axes, **names)


def take(axis, *indices):
    return lambda **names: Take(axis=axis, indices=indices, **names)


KEPT = {
    "a vector": (ended((5,), 0), None),
    "a vector, logarithm": (ended((5,), 0, log=True), None),
    "a vector with axes of length one": (ended((5, 1, 1), 0), None),
    "a vector, flattened": (ended((1, 5, 1), 1, reshape(5)), None),
    "all values in two axes": (ended((12,), 0, reshape(3, 4)), None),
    "a vector in another order": (ended((4,), 0, take(0, 2, 0, 3, 1)), None),
    "channels of a map": (ended((3, 4, 5), 0), 0),
    "channels last": (ended((3, 4, 5), 0, permute(1, 2, 0)), 2),
    "channels last and back": (ended((3, 4, 5), 0, permute(1, 2, 0), permute(2, 0, 1)), 0),
    "pixels in a row": (ended((3, 4, 5), 0, reshape(3, 20)), 0),
    "channels last, pixels in a row": (ended((3, 4, 5), 0, permute(1, 2, 0), reshape(20, 3)), 1),
    "as many places as classes": (ended((3, 3), 0, permute(1, 0)), 1),
    "time steps": (ended((7, 3), -1), 1),
    "an axis in between": (ended((2, 3, 4), 1, reshape(2, 3, 2, 2)), 1),
    "some pixels in another order": (ended((3, 4), 0, take(1, 3, 2, 1, 0)), 0),
}


@pytest.mark.parametrize("name", KEPT)
def test_classes_are_followed_to_the_output(name):
    """Also by numbers: what the head decides for the output, it decides for the values in front of the softmax."""
    graph, axis = KEPT[name]
    assert graph.heads == (Head(kind="classes", axis=axis),)
    moves = [n for n in graph.nodes.values() if not isinstance(n, (Softmax, Input))]
    x = logits = RNG.normal(size=(9, *graph.shapes["x"]))
    for move in moves:
        logits = move.apply(logits)
    np.testing.assert_array_equal(graph.heads[0].decisions(graph.run(x)), graph.heads[0].decisions(logits))


LOST = {
    "several places in one axis": ended((2, 2), 1, reshape(4)),
    "places and classes mixed": ended((2, 3), 1, reshape(3, 2)),
    "an axis of length one": ended((4, 1), 1),
    "a single value": ended((1,), 0),
    "some classes left out": ended((3,), 0, take(0, 1, 2)),
    "one class of each place": ended((3, 4), 0, take(0, 1)),
    "a class twice": ended((2,), 0, take(0, 1, 1)),
    "one class twice, one left out": ended((2, 2), 0, take(0, 0, 0)),
    "some places left out": ended((3, 4), 0, take(1, 0, 1)),
}


@pytest.mark.parametrize("name", LOST)
def test_where_they_have_no_axis_there_is_none(name):
    assert LOST[name].heads == (Head(),)


def of_function(function, *shape):
    return Graph([Input(name="x", shape=shape), Elementwise(name="f", inputs=("x",), function=function)], ["f"])


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (of_function("sigmoid", 1), Head(kind="logits", threshold=0.5)),
        (of_function("sigmoid", 1, 1, 1), Head(kind="logits", threshold=0.5)),
        (of_function("sigmoid", 4), Head(kind="classes")),
        (of_function("sigmoid", 1, 4, 4), Head()),
        (of_function("tanh", 1), Head()),
    ],
)
def test_sigmoids(graph, expected):
    assert graph.heads == (expected,)


def test_an_edited_graph_keeps_what_its_outputs_mean():
    graph = ended((3, 4, 4), 0)
    dropped = graph.edited(redirect={"s": "x"})
    assert dropped.outputs == ("x",)
    assert dropped.heads == (Head(kind="classes", axis=0),)
    behind = ReLU(name="r", inputs=("s",))
    assert graph.edited([behind], outputs=["r"]).heads == (Head(),)
    assert graph.edited([behind], outputs=["r"], heads=graph.heads).heads == graph.heads


def test_what_is_said_goes_before_what_is_seen(tmp_path):
    graph = of_function("tanh", 2, 3).with_heads({"f": Head(kind="classes", axis=-1)})
    assert graph.heads == (Head(kind="classes", axis=1),)
    assert load_graph(save(graph, tmp_path / "graph.npz")).heads == graph.heads
    assert of_function("sigmoid", 2, 3).with_heads({"f": "logits"}).heads == (Head(kind="logits", threshold=0.5),)
    assert of_function("tanh", 2, 3).with_heads({"f": "logits"}).heads == (Head(kind="logits"),)
    assert ended((3, 4), 0).with_heads({"s": "classes"}).heads == (Head(kind="classes", axis=0),)


def test_what_cannot_be_said_is_refused():
    with pytest.raises(GraphError, match="'y' does not exist"):
        of_function("tanh", 2).with_heads({"y": "logits"})
    with pytest.raises(ArgumentError, match="'f'"):
        of_function("tanh", 1).with_heads({"f": "classes"})
    with pytest.raises(ArgumentError, match="'odds' is unknown"):
        of_function("tanh", 1).with_heads({"f": "odds"})
    with pytest.raises(GraphError, match="2 heads for 1"):
        Graph([Input(name="x", shape=(2,))], ["x"], heads=[Head(), Head()])
