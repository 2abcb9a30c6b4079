"""Who depends on whom, and when: order and loops, depths where a spike takes a step, projections by their delays."""

import numpy as np
import pytest

from snntoolbox.errors import GraphError
from snntoolbox.ir.circuit import Circuit
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Add, Concat, Delay, Dense, Input, Scale


def circuit(joins, inputs=("x",), shape=(2,)):
    """Populations and what each reads: {population: {source: delays of the ways from it}}."""
    nodes, currents = [Input(name=n, shape=shape) for n in (*inputs, *joins)], {}
    for target, sources in joins.items():
        ways = []
        for source, lags in sources.items():
            for lag in lags:
                name = f"{source}+{lag}>{target}"
                if lag:
                    nodes.append(Delay(name=name, inputs=(source,), steps=lag))
                ways.append(name if lag else source)
        currents[target] = f"into {target}"
        nodes.append(Add(name=currents[target], inputs=tuple(ways)))
    wiring = Graph(nodes, list(currents.values()))
    return Circuit(wiring=wiring, inputs=inputs, populations=currents, readouts={})


CHAIN = {"a": {"x": [0]}, "b": {"a": [0]}, "c": {"b": [0], "a": [0]}}
LOOP = {"a": {"x": [0], "b": [2]}, "b": {"a": [0]}}


def test_a_delay_without_a_loop_comes_behind_what_it_reads():
    found = circuit({"a": {"x": [0]}, "b": {"a": [3]}})
    assert found.looping == frozenset()
    assert found.loop == found.cycle == found.quick_loop == ()
    assert found.order.index("a") < found.order.index("a+3>b") < found.order.index("b")


def test_a_delay_in_a_loop_comes_before():
    found = circuit(LOOP)
    assert found.looping == {"b+2>a"}
    assert found.order.index("b+2>a") < found.order.index("a") < found.order.index("b")
    assert {"a", "b", "b+2>a"} <= set(found.loop)
    assert found.cycle == ()


def test_a_self_connection_is_a_loop():
    found = circuit({"a": {"x": [0], "a": [1]}})
    assert set(found.loop) == {"a", "a+1>a", "into a"}
    assert found.quick_loop == ()
    assert [(p.source, p.lag, p.delay) for p in found.projections] == [("x", 0, 1), ("a", 1, 1)]


def test_a_loop_without_a_delay_has_no_order_though_another_one_has_a_delay():
    found = circuit({"a": {"x": [0], "a": [1], "b": [0]}, "b": {"a": [0]}})
    assert set(found.cycle) == {"a", "b", "into a", "into b"}
    with pytest.raises(GraphError, match="recurrent without a delay"):
        _ = found.order


DEPTHS = {
    "no delay": (CHAIN, {"x": 0, "a": 1, "b": 2, "c": 3}),
    "a delay makes up for projections": ({**CHAIN, "c": {"b": [1], "a": [0]}}, {"x": 0, "a": 1, "b": 2, "c": 2}),
    "a long delay lets nobody wait": ({**CHAIN, "c": {"b": [9], "x": [0]}}, {"x": 0, "a": 1, "b": 2, "c": 1}),
    "nothing before the first step": ({"a": {"x": [0]}, "b": {"a": [9]}}, {"x": 0, "a": 1, "b": 1}),
    "a loop": (LOOP, {"x": 0, "a": 1, "b": 2}),
    "a loop that waits for what feeds it": (
        {**CHAIN, "d": {"e": [2], "x": [0]}, "e": {"d": [0], "c": [0]}},
        {"x": 0, "a": 1, "b": 2, "c": 3, "d": 3, "e": 4},
    ),
}


@pytest.mark.parametrize(("joins", "depths"), DEPTHS.values(), ids=DEPTHS)
def test_each_begins_when_all_that_it_needs_can_have_come(joins, depths):
    found = circuit(joins)
    assert found.depths == depths
    assert found.quick_loop == ()
    assert all(p.delay == p.lag + depths[p.target] - depths[p.source] >= 1 for p in found.projections)


@pytest.mark.parametrize("lags", [[1], [1, 5], [5, 1]])
def test_a_loop_of_more_projections_than_steps_is_quick(lags):
    found = circuit({"a": {"x": [0], "b": lags}, "b": {"a": [0]}, "c": {"b": [0], "c": [1]}})
    assert sorted(found.quick_loop) == ["a", "b"]
    assert set(found.looping) == {*(f"b+{lag}>a" for lag in lags), "c+1>c"}
    assert found.depths == {"x": 0, "a": 1, "b": 2, "c": 3}, "followed once"
    assert len(found.projections) == 5 + len(lags) - 1


def test_projections_are_told_apart_by_their_delays():
    """Ways of 0, 2, 3 and 5 steps from one source, some through the same nodes."""
    random = np.random.default_rng(0)
    first = Dense(name="first", inputs=("both",), weight=random.normal(size=(3, 3)))
    nodes = [
        *(Input(name="s", shape=(3,)), Input(name="other", shape=(3,))),
        Delay(name="two", inputs=("s",), steps=2),
        Add(name="both", inputs=("s", "two", "other"), coefficients=(1.0, 0.5, 1.0)),
        first,
        Delay(name="three", inputs=("first",), steps=3),
        Concat(name="joined", inputs=("three", "first", "other")),
        Scale(name="half", inputs=("joined",), gain=np.full(1, 0.5)),
    ]
    found = Circuit(wiring=Graph(nodes, ["half"]), inputs=("s", "other"), populations={}, readouts={"out": "half"})
    w, zero, one = first.weight / 2, np.zeros((3, 3)), np.eye(3) / 2
    expected = {
        ("s", 0): [zero, w, zero],
        ("s", 2): [zero, w / 2, zero],
        ("s", 3): [w, zero, zero],
        ("s", 5): [w / 2, zero, zero],
        ("other", 0): [zero, w, one],
        ("other", 3): [w, zero, zero],
    }
    assert {(p.source, p.lag) for p in found.projections} == expected.keys()
    for projection in found.projections:
        assert projection.map.inputs == (projection.source,)
        assert not any(isinstance(node, Delay) for node in projection.map.nodes.values())
        blocks = np.concatenate(expected[projection.source, projection.lag])
        np.testing.assert_allclose(projection.synapses().toarray(), blocks, atol=1e-15)


def test_a_delay_alone_is_a_projection_of_the_spikes_themselves():
    nodes = [Input(name="s", shape=(3,)), Delay(name="late", inputs=("s",), steps=4)]
    found = Circuit(wiring=Graph(nodes, ["late"]), inputs=("s",), populations={}, readouts={"out": "late"})
    (projection,) = found.projections
    assert (projection.lag, list(projection.map.nodes)) == (4, ["s"])
    assert np.array_equal(projection.synapses().toarray(), np.eye(3))
    assert found.delayed == {"late"}


@pytest.mark.parametrize("steps", [0, -1, 1.5, True])
def test_a_delay_is_a_whole_number_of_steps(steps):
    with pytest.raises(GraphError, match="at least 1"):
        Graph([Input(name="s", shape=(3,)), Delay(name="late", inputs=("s",), steps=steps)], ["late"])
