"""Sequences taken apart and put together, and cells written out over them."""

import math

import numpy as np
import pytest
from layer_calls import call_on, computed, samples

from snntoolbox.errors import GraphError
from snntoolbox.frontends.cells import SimpleCell
from snntoolbox.frontends.functions import FUNCTIONS
from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.frontends.recurrence import LONGEST, row, rows, stacked, unrolled
from snntoolbox.ir.builder import MOST_MADE

RNG = np.random.default_rng(0)
W, U, B = RNG.normal(size=(3, 2)), RNG.normal(size=(3, 3)) * 0.5, RNG.normal(size=3)


def cell(weight=W, recurrent=U, bias=B, **settings):
    return SimpleCell(weight=weight, recurrent=recurrent, bias=bias, activation=FUNCTIONS["relu"], **settings)


def by_hand(x, *, backwards=False, bias=B, start=None):
    """States (batch, steps, units), from the formula."""
    h = np.zeros((len(x), 3)) if start is None else start
    states = np.zeros((*x.shape[:2], 3))
    for t in reversed(range(x.shape[1])) if backwards else range(x.shape[1]):
        states[:, t] = h = np.maximum(x[:, t] @ W.T + h @ U.T + (0 if bias is None else bias), 0)
    return states


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("bias", [None, B])
def test_states(backwards, bias):
    call, (x,) = call_on((5, 2)), samples((5, 2))
    states, ends = unrolled(call, rows(call, "x0"), cell(bias=bias, backwards=backwards))
    np.testing.assert_allclose(computed(call, stacked(call, states), x), by_hand(x, backwards=backwards, bias=bias))
    assert ends == (states[0 if backwards else -1],)


@pytest.mark.parametrize("bias", [None, B])
def test_a_constant_state(bias):
    call, (x,) = call_on((3, 2)), samples((3, 2))
    states, _ = unrolled(call, rows(call, "x0"), cell(bias=bias), [np.array([1.0, -2.0, 0.5])])
    expected = by_hand(x, bias=bias, start=np.array([[1.0, -2.0, 0.5]]))
    np.testing.assert_allclose(computed(call, stacked(call, states), x), expected)


def test_a_given_state():
    call, (x, h) = call_on((3, 2), (3,)), samples((3, 2), (3,))
    states, _ = unrolled(call, rows(call, "x0"), cell(), [Activation("x1")])
    np.testing.assert_allclose(computed(call, stacked(call, states), x, h), by_hand(x, start=h))


def test_rows_are_found_where_they_were_made():
    call, (x,) = call_on((4, 2)), samples((4, 2))
    parts = rows(call, "x0")
    both = [call.builder.concat("both", pair, 0, call.origin) for pair in zip(parts, reversed(parts), strict=True)]
    moved = call.builder.reshape("apart", stacked(call, both), (4, 2, 2), call.origin)
    turned = call.builder.permute("turned", moved, (0, 2, 1), call.origin)
    found = row(call, turned, 1)
    np.testing.assert_array_equal(computed(call, found, x), np.stack([x[:, 1], x[:, 2]], -1))
    graph = call.builder.finish([found], "net").edited()
    assert sum(n.kind == "Take" for n in graph.nodes.values()) == 2


@pytest.mark.parametrize(("shape", "reason"), [((4,), "expects a sequence"), ((LONGEST + 1, 2), "longer than")])
def test_no_sequences(shape, reason):
    call = call_on(shape)
    with pytest.raises(Refusal, match=reason):
        rows(call, "x0")


def test_weights_that_do_not_fit():
    call = call_on((4, 3))
    with pytest.raises(Refusal, match="do not fit steps of shape"):
        unrolled(call, rows(call, "x0"), cell())


def test_too_much_is_refused_before_it_is_made():
    call = call_on((40, 1))
    units = math.isqrt(MOST_MADE // 40) + 1
    big = cell(np.broadcast_to(0.0, (units, 1)), np.broadcast_to(0.0, (units, units)), None)
    with pytest.raises(GraphError, match="would hold more than"):
        unrolled(call, rows(call, "x0"), big)
