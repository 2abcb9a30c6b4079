"""Frontends whose own outputs are not their graphs', and how near outputs have to be."""

import logging
from dataclasses import dataclass

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox import plugins
from snntoolbox.conversion.compare_outputs import Comparison, check_on_random_input, compare_outputs, least_scales
from snntoolbox.errors import GraphError
from snntoolbox.ir.nodes import Add, Elementwise, Input, ReLU, Reshape, Scale

# -- a frontend that lies -------------------------------------------------------------------------------------------


@dataclass
class Liar:
    """A frontend whose own output is not its graph's."""

    error: object
    levels: int | None = None
    name = "liar"
    suffixes = (".lie",)

    def accepts(self, model):
        return True

    def open(self, source, *, input_shape=None):
        return source

    def parse(self, model):
        relu = ReLU(name="r", inputs=("a",), max_value=self.levels and 1.0, levels=self.levels)
        return stb.Graph([Input(name="x", shape=(3,)), Add(name="a", inputs=("x",)), relu], ["r"])

    def predict(self, model, *x):
        return self.error(self.parse(model).run(*x))


LIES = {
    "off by a thousandth": (lambda y: (y * 1.001,), "differs from the original by 0.001 of the output's scale"),
    "one value": (lambda y: (y + 1e-3 * np.eye(*y.shape),), "differs"),
    "NaN": (lambda y: (np.where(np.eye(*y.shape) > 0, np.nan, y),), "NaN or infinite outputs"),
    "another shape": (lambda y: (y[:, :2],), "output has shape"),
    "two outputs": (lambda y: (y, y), "has 1 outputs, the original 2"),
}


@pytest.mark.parametrize(("error", "message"), LIES.values(), ids=LIES)
def test_a_parsed_model_that_differs_is_refused(monkeypatch, error, message):
    monkeypatch.setattr(plugins, "load", lambda *named: Liar(error))
    with pytest.raises(GraphError, match=message):
        stb.load("model.lie", frontend="liar")
    assert stb.load("model.lie", frontend="liar", check=False).inputs == ("x",)


def test_rounding_is_no_lie(monkeypatch):
    monkeypatch.setattr(plugins, "load", lambda *named: Liar(lambda y: (y * (1 + 1e-6),)))
    assert stb.load("model.lie", frontend="liar").outputs == ("r",)


def test_nan_of_our_own_is_refused():
    with pytest.raises(GraphError, match="differs"):
        compare_outputs([np.array([[np.nan, 1.0]])], [np.array([[1.0, 1.0]])])


# -- quantised networks: a rounding error can change a value by a level ---------------------------------------------


def test_where_rounding_jumps_the_better_samples_decide():
    ours = np.random.default_rng(0).normal(size=(16, 5))
    theirs, rounded = ours.copy(), ours.copy()
    theirs[:3] += 0.25
    assert compare_outputs([ours], [theirs], [rounded]) == 0, "few samples jumped, and not ours"
    theirs += 0.25
    with pytest.raises(GraphError, match="differs"):
        compare_outputs([ours], [theirs], [rounded])
    rounded += 0.1
    assert 0.05 < compare_outputs([ours], [theirs], [rounded]) < 0.5, "our own rounding does as much"
    with pytest.raises(GraphError, match="differs"):
        compare_outputs([ours], [theirs])
    theirs[:] = np.nan
    with pytest.raises(GraphError, match="NaN or infinite outputs"):
        compare_outputs([ours], [theirs], [rounded])


def test_a_quantised_network_is_checked_so(monkeypatch):
    monkeypatch.setattr(plugins, "load", lambda *named: Liar(lambda y: (y,), levels=4))
    assert stb.load("model.lie", frontend="liar").jumps
    monkeypatch.setattr(plugins, "load", lambda *named: Liar(lambda y: (y + 0.3,), levels=4))
    with pytest.raises(GraphError, match="differs"):
        stb.load("model.lie", frontend="liar")


# -- input that tells nothing ---------------------------------------------------------------------------------------


@dataclass
class Other(Liar):
    """A frontend of a graph that is given, whose own values are off where they are not 0."""

    graph: object = None

    def parse(self, model):
        return self.graph


def read(*nodes):
    return stb.Graph([Input(name="x", shape=(3,)), *nodes], [nodes[-1].name])


def shifted(by, factor=1.0):
    return Scale(name="s", inputs=("x",), gain=np.full(1, factor), bias=np.full(1, by))


SIGMOID = Elementwise(name="y", inputs=("s",), function="sigmoid")
HIDDEN = {
    "silent rectifiers": (shifted(-1.5), ReLU(name="y", inputs=("s",))),
    "silent but for negative input": (shifted(0.0, -1.0), ReLU(name="y", inputs=("s",))),
    "a sigmoid that is 0": (shifted(-30.0, 5.0), SIGMOID),
    "a sigmoid that is 1": (shifted(30.0, 5.0), SIGMOID),
}


@pytest.mark.parametrize("nodes", HIDDEN.values(), ids=HIDDEN)
def test_an_error_that_one_range_hides_shows_in_another(nodes, caplog):
    frontend = Other(lambda y: (y * 1.001,), graph=read(*nodes))
    with pytest.raises(GraphError, match=r"differs from the original by 0\.001"):
        check_on_random_input(frontend.graph, frontend, None)
    assert not caplog.records


def test_outputs_that_nothing_changes_are_told(caplog):
    frontend = Other(lambda y: (y * 1.001,), graph=read(shifted(-1e6), ReLU(name="y", inputs=("s",))))
    with caplog.at_level(logging.WARNING):
        assert check_on_random_input(frontend.graph, frontend, None) == 0
    assert "random input hardly changes the outputs (by 0 of their scale)" in caplog.text


def test_a_range_of_which_the_original_makes_no_numbers_is_left_out():
    graph = read(shifted(-15.0, 1.0), ReLU(name="y", inputs=("s",)))
    frontend = Other(lambda y: (np.where(y > 50, np.inf, y),), graph=graph)
    assert check_on_random_input(graph, frontend, None) == 0
    with pytest.raises(GraphError, match="NaN or infinite"):
        check_on_random_input(graph, Other(lambda y: (y + np.inf,), graph=graph), None)


def test_a_sigmoid_may_be_rounded_as_1_is():
    """onnxruntime gives 2^-23 for each value of a sigmoid below it, and so does what moves them."""
    graph = read(shifted(-16.0), SIGMOID, Reshape(name="z", inputs=("y",), shape=(3, 1)))
    assert least_scales(read(shifted(-16.0))) == [0.0]
    comparison = Comparison(least=least_scales(graph))
    comparison.add([np.full((2, 3, 1), 8e-8)], [np.full((2, 3, 1), 2.0**-23)])
    assert comparison.difference() < 2e-6
    comparison.add([np.full((2, 3, 1), 8e-8)], [np.full((2, 3, 1), 4e-7)])
    with pytest.raises(GraphError, match="differs"):
        comparison.difference()


# -- input of whole numbers -----------------------------------------------------------------------------------------


@dataclass
class Whole(Other):
    """A frontend of models that take bytes with a sign."""

    def limits(self, model):
        return ((-128, 127),)

    def predict(self, model, *x):
        assert np.array_equal(x[0], np.rint(x[0]))
        assert x[0].min() >= -128
        assert x[0].max() <= 127
        assert len(np.unique(x[0])) > 3
        return super().predict(model, *x)


def test_inputs_of_whole_numbers_get_such():
    graph = read(shifted(0.5, 0.01), ReLU(name="y", inputs=("s",)))
    frontend = Whole(lambda y: (y,), graph=graph)
    assert check_on_random_input(graph, frontend, None) < 1e-6
    with pytest.raises(GraphError, match="differs"):
        check_on_random_input(graph, Whole(lambda y: (y * 1.001,), graph=graph), None)
