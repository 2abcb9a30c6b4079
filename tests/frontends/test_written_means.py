"""What is read as a mean square or a softmax in pieces, and what is not, against numpy."""

import numpy as np
import pytest
from layer_calls import call_on, computed, samples
from scipy.special import softmax

from snntoolbox.frontends import functions, maps, normalising, windows
from snntoolbox.frontends.layer_call import Activation, Refusal

X = Activation("x0")
SHAPE = (4, 4)


def kinds(call, node):
    """Those of the nodes that a node is computed from, its own last."""
    made = call.builder.node(node)
    return [k for source in made.inputs for k in kinds(call, source)] + [made.kind]


def written(call, axis, *, bound=0.0, epsilon=1e-3, kept=True, size=4):
    """The deviation from mean(x^2) - mean(x)^2, sums divided by `size`, axes left out and put in again."""
    total = lambda source: call.builder.affine(  # noqa: E731
        "mean", maps.total(call, source, (axis,), keepdims=kept), np.full((), 1 / size), None, call.origin
    )
    mean, squares = total("x0"), total(maps.multiplied(call, [X, X]))
    squared = maps.multiplied(call, [Activation(mean)] * 2)
    variance = maps.weighted_sum(call, [Activation(squares), Activation(squared)], (1.0, -1.0))
    bounded = functions.clipped(call, variance, bound, None)
    if not kept:
        bounded = call.builder.reshape("wide", bounded, (1, 4) if axis == 0 else (4, 1), call.origin)
        mean = call.builder.reshape("wide", mean, (1, 4) if axis == 0 else (4, 1), call.origin)
    found = call.builder.affine("small", bounded, None, np.full((), epsilon), call.origin)
    off = maps.weighted_sum(call, [X, Activation(mean)], (1.0, -1.0))
    return off, normalising.root(call, found)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("axis", [0, 1])
def test_variance_of_one_pass(axis, kept):
    call, (x,) = call_on(SHAPE), samples(SHAPE)
    off, root = written(call, axis, kept=kept)
    node = maps.quotient(call, Activation(off), Activation(root))
    c = x - x.mean(axis + 1, keepdims=True)
    wanted = c / np.sqrt((c * c).mean(axis + 1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(computed(call, node, x), wanted, atol=1e-12)
    assert kinds(call, node) == ["Input", "Normalise"]


@pytest.mark.parametrize("given", [{"size": 3}, {"bound": 0.1}])
def test_what_is_no_variance(given):
    with pytest.raises(Refusal, match="mean square"):
        written(call_on(SHAPE), 0, **given)


def test_a_mean_put_along_another_axis_is_not_that_of_the_row():
    """Sizes alone do not tell: what was summed over columns is taken off rows."""
    call = call_on(SHAPE)
    mean = maps.mean(call, "x0", (0,), keepdims=False)
    turned = call.builder.reshape("turned", mean, (4, 1), call.origin)
    off = maps.weighted_sum(call, [X, Activation(turned)], (1.0, -1.0))
    squares = maps.mean(call, maps.multiplied(call, [Activation(off)] * 2), (0,), keepdims=True)
    node = maps.quotient(call, Activation(off), Activation(normalising.root(call, squares)))
    (x,) = samples(SHAPE)
    c = x - x.mean(1)[:, :, None]
    np.testing.assert_allclose(computed(call, node, x), c / np.sqrt((c * c).mean(1, keepdims=True)), atol=1e-12)


@pytest.mark.parametrize("least", [None, 1e-12])
def test_lengths(least):
    call, (x,) = call_on((3, 5)), samples((3, 5))
    x[0, 1] = 0  # a row of zeros stays one
    length = normalising.length(call, "x0", (1,), keepdims=True)
    bounded = length if least is None else functions.clipped(call, length, least, None)
    node = maps.quotient(call, X, Activation(bounded))
    wanted = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    np.testing.assert_allclose(computed(call, node, x), wanted, atol=1e-12)
    assert "Normalise" in kinds(call, node)


def test_a_length_with_a_bound_that_data_can_meet_is_none():
    call = call_on((3, 5))
    bounded = functions.clipped(call, normalising.length(call, "x0", (1,), keepdims=True), 0.1, None)
    with pytest.raises(Refusal, match="division by an activation"):
        maps.quotient(call, X, Activation(bounded))


def pieces(call, axis, less, over):
    """exp(x - what is taken off) over its sum along an axis."""
    off = {
        "nothing": lambda: "x0",
        "largest": lambda: _less(call, windows.max_over(call, "x0", (axis,), keepdims=True)),
        "mean of the other axis": lambda: _less(call, maps.mean(call, "x0", (1 - axis,), keepdims=True)),
    }[less]()
    exp = functions.smooth("exp")(call.named("exp"), off)
    return maps.quotient(call, Activation(exp), Activation(maps.total(call, exp, (over,), keepdims=True)))


def _less(call, other):
    return maps.weighted_sum(call, [X, Activation(other)], (1.0, -1.0))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("less", ["nothing", "largest", "mean of the other axis"])
def test_softmax_in_pieces(less, axis):
    call, (x,) = call_on(SHAPE), samples(SHAPE)
    node = pieces(call, axis, less, axis)
    shown = x - x.mean(2 - axis, keepdims=True) if "mean" in less else x
    np.testing.assert_allclose(computed(call, node, x), softmax(shown, axis=axis + 1), atol=1e-12)
    assert ("Add" in kinds(call, node), "MaxPool" in kinds(call, node)) == ("mean" in less, False)


def test_a_sum_over_another_value_is_none():
    call = call_on((3, 5))
    one, other = (functions.smooth("exp")(call, s) for s in ("x0", maps.negative(call, "x0")))
    with pytest.raises(Refusal, match="division by an activation"):
        maps.quotient(call, Activation(one), Activation(maps.total(call, other, (1,), keepdims=True)))


def test_constants_that_float32_keeps_no_values_beside():
    call = call_on((3, 4))
    mask = np.zeros((3, 4))
    mask[1] = -1e9
    with pytest.raises(Refusal, match="rounds the values away"):
        functions.softmax(call, maps.weighted_sum(call, [X, mask], (1.0, 1.0)))
    mask[1, 2] = 0  # one value is left
    functions.softmax(call, maps.weighted_sum(call, [X, mask], (1.0, 1.0)))
