"""Many edits one after the other give what the same edits of a graph give, each in a graph of its own."""

import numpy as np
import pytest

from snntoolbox.errors import GraphError
from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Add, Dense, Input, ReLU, Scale


def scale(name, source):
    return Scale(name=name, inputs=(source,), gain=np.full((1,), 2.0))


def diamond():
    """x -> a -> (b, c) -> d, and a dead end."""
    nodes = [
        Input(name="x", shape=(3,)),
        scale("a", "x"),
        ReLU(name="b", inputs=("a",)),
        scale("c", "a"),
        Add(name="d", inputs=("b", "c")),
        scale("dead", "a"),
    ]
    return Graph(nodes, ["d", "c", "d"])


EDITS = {
    "replaced": ([ReLU(name="c", inputs=("a",))], {}),
    "left out": ([], {"a": "x"}),
    "two left out, one behind the other": ([], {"c": "a", "a": "x"}),
    "an output left out": ([], {"d": "b"}),
    "put between": ([scale("new", "a"), ReLU(name="newer", inputs=("new",))], {"a": "newer"}),
    "put between, and one that reads what it says": ([scale("new", "a"), ReLU(name="b", inputs=("a",))], {"a": "new"}),
    "read by nobody": ([scale("new", "a")], {}),
    "read twice": ([Add(name="d", inputs=("b", "b"))], {}),
}


def has_what_is_named(graph, edit):
    changed, redirect = edit
    named = {*redirect, *redirect.values(), *(i for node in changed for i in node.inputs)}
    return named <= {*graph.nodes, *(node.name for node in changed)}


def edited(graph, edit):
    return graph.edited(edit[0], redirect=edit[1])


PAIRS = [(a, b) for a in EDITS for b in EDITS if has_what_is_named(edited(diamond(), EDITS[a]), EDITS[b])]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_edits_are_those_of_a_graph(first, second):
    graph, editing = edited(edited(diamond(), EDITS[first]), EDITS[second]), Editing(diamond())
    editing.edit(*EDITS[first])
    editing.edit(*EDITS[second])
    found = editing.graph()
    assert found.outputs == graph.outputs
    assert found.heads == graph.heads
    assert found.shapes == graph.shapes == editing.shapes
    assert {n: node.inputs for n, node in found.nodes.items()} == {n: node.inputs for n, node in graph.nodes.items()}
    assert {n: sorted(editing.readers(n)) for n in editing.nodes} == {
        n: sorted(set(readers)) for n, readers in graph.consumers.items()
    }


def test_who_alone_reads_a_node():
    editing = Editing(diamond())
    assert editing.only_reader("a") is None  # two do
    assert editing.only_reader("b") is editing.nodes["d"]
    assert editing.only_reader("c") is None  # an output
    assert editing.is_output("c")
    assert not editing.is_output("b")
    editing.edit([Add(name="d", inputs=("b", "b"))])
    assert editing.only_reader("b") is None  # it does twice


def test_names_are_fresh_among_those_of_now():
    editing = Editing(diamond())
    assert editing.fresh("dead") == "dead"  # dropped at once: nobody reads it
    assert editing.fresh("a") == "a_2"
    assert editing.fresh("a", {"a_2"}) == "a_3"


def test_the_graph_is_the_one_given_where_nothing_was_edited():
    graph = diamond()
    assert Editing(graph).graph() is graph


def test_an_edit_that_does_not_fit_is_told():
    editing = Editing(diamond())
    with pytest.raises(GraphError, match="d"):
        editing.edit([Dense(name="new", inputs=("b",), weight=np.ones((2, 3))), Add(name="d", inputs=("new", "c"))])
