"""Smooth functions as the rectified parts that tables have."""

import numpy as np
import pytest

from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.tabulate import POSITIVE, Tabulate
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.registry import SCHEDULES
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Dense, Elementwise, Input, Multiply, ReLU, Tabulated
from snntoolbox.ir.nodes.elementwise import FUNCTIONS
from snntoolbox.ir.nodes.tabulated import TABULATED
from snntoolbox.ir.ways_out import WINDOWS

RNG = np.random.default_rng(0)


def graph_of(function):
    first = Dense(name="first", inputs=("x",), weight=RNG.normal(size=(8, 6)), bias=RNG.normal(size=8))
    smooth = Elementwise(name="smooth", inputs=("first",), function=function)
    last = Dense(name="last", inputs=("smooth",), weight=RNG.normal(size=(3, 8)))
    return Graph([Input(name="x", shape=(6,)), first, smooth, last], ["last"])


@pytest.mark.parametrize("function", [*FUNCTIONS, "exp"])
def test_the_same_function(function):
    graph = graph_of(function)
    written = Tabulate()(graph)
    x = RNG.normal(size=(200, 6)) * 3
    np.testing.assert_allclose(written.run(x), graph.run(x), atol=1e-12)
    kinds = [n.kind for n in written.nodes.values()]
    assert "Elementwise" not in kinds
    assert kinds.count("Tabulated") == (1 if function in POSITIVE else 2)
    assert (np.min(TABULATED[function](np.linspace(-20, 20, 999))) >= 0) == (function in POSITIVE)
    assert Tabulate()(written) is written


def test_a_product_with_itself_is_a_table():
    first = Dense(name="first", inputs=("x",), weight=RNG.normal(size=(8, 6)), bias=RNG.normal(size=8))
    products = [Multiply(name="a", inputs=("first", "first")), Multiply(name="b", inputs=("a", "first"))]
    graph = Graph([Input(name="x", shape=(6,)), first, *products], ["b"])
    written = Tabulate()(graph)
    x = RNG.normal(size=(50, 6)) * 3
    np.testing.assert_allclose(written.run(x), graph.run(x), atol=1e-12)
    assert [n.kind for n in written.nodes.values()] == ["Input", "Dense", "Tabulated", "Multiply"]
    assert Tabulate()(written) is written


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("sign", [1, -1])
def test_bounds_hold_all_values_and_are_reached(function, sign):
    node = Tabulated(name="n", function=function, sign=sign)
    for low, high in [(-3.0, -0.5), (-2.0, 3.0), (0.5, 4.0), (-9.0, -5.0)]:
        least, most = node.bounds(np.array(low), np.array(high))
        values = node.apply(np.linspace(low, high, 4001))
        assert least == values.min()
        assert values.max() <= most * (1 + 1e-6) <= values.max() * (1 + 1e-5)


def test_functions_and_their_products_are_refused_together():
    """A gate of squeeze and excitation with SiLU: what windows would take is told at once."""
    nodes = [Input(name="x", shape=(6,)), Dense(name="d", inputs=("x",), weight=RNG.normal(size=(8, 6)))]
    nodes += [Elementwise(name=n, inputs=("d",), function=f) for n, f in (("a", "silu"), ("s", "sigmoid"))]
    graph = Graph([*nodes, Multiply(name="p", inputs=("a", "s"))], ["p"])
    for schedule in ("rate", "differential"):
        with pytest.raises(UnsupportedError, match="the conversion cannot take") as caught:
            lower(graph, Recipe(schedule=schedule))
        names = {offender.layer.partition(" ")[0] for offender in caught.value.offenders}
        assert {"a", "s", "p"} <= names
        assert WINDOWS in caught.value.hint
    with pytest.raises(UnsupportedError, match="schedule = rate cannot take"):
        lower(graph, Recipe(approximate=frozenset({"silu", "sigmoid"})))


def test_windows_make_tables_and_nothing_else_does():
    graph = graph_of("silu")
    for schedule in (s for s in SCHEDULES.values() if s.multiplies):
        assert schedule.name in WINDOWS
        for chosen in ((), ("silu",)):  # asked for or not
            lowered = lower(graph, Recipe(schedule=schedule.name, approximate=frozenset(chosen)))
            assert [n.kind for n in lowered.nodes.values()].count("Tabulated") == 2
    segments = lower(graph, Recipe(approximate=frozenset({"silu"})))
    assert not any(isinstance(n, Tabulated) for n in segments.nodes.values())
    with pytest.raises(UnsupportedError, match=rf"approximate = silu .* {WINDOWS} makes a table"):
        lower(graph, Recipe())


def test_a_function_of_a_product_reads_the_product_by_rectifiers():
    nodes = [Input(name="x", shape=(6,)), Dense(name="d", inputs=("x",), weight=RNG.normal(size=(8, 6)))]
    nodes += [ReLU(name="r", inputs=("d",)), Multiply(name="p", inputs=("r", "d"))]
    graph = Graph([*nodes, Elementwise(name="s", inputs=("p",), function="sigmoid"),
                   Dense(name="y", inputs=("s",), weight=RNG.normal(size=(2, 8)))], ["y"])  # fmt: skip
    lowered = lower(graph, Recipe(schedule="phased"))
    products = [n.name for n in lowered.nodes.values() if isinstance(n, Multiply)]
    assert products
    for name in products:
        assert all(lowered.nodes[r].kind == "ReLU" for r in lowered.consumers[name])
    x = RNG.normal(size=(20, 6))
    np.testing.assert_allclose(lowered.run(x), graph.run(x), atol=1e-12)
