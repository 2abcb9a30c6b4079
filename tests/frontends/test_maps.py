"""Linear maps that frontends share, against numpy and torch."""

import numpy as np
import pytest
import torch
from layer_calls import call_on, computed, samples

from snntoolbox.frontends import maps
from snntoolbox.frontends.functions import smooth
from snntoolbox.frontends.layer_call import MOST_VALUES, Activation, Refusal

X, Y = Activation("x0"), Activation("x1")
RNG = np.random.default_rng(1)


def check(add, expected, *shapes, kinds=None):
    """What `add` puts behind its inputs computes `expected` of them."""
    call, x = call_on(*shapes), samples(*shapes)
    node = add(call)
    np.testing.assert_allclose(computed(call, node, *x), expected(*x), atol=1e-12)
    if kinds is not None:
        assert [n.kind for n in call.builder.finish([node], "net").nodes.values() if n.kind != "Input"] == kinds


def refused(add, reason, *shapes):
    with pytest.raises(Refusal, match=reason):
        add(call_on(*shapes))


CONSTANT = RNG.normal(size=(4, 1))
SUMS = {
    "two": ([X, Y], (1.0, 1.0), lambda x, y: x + y, ["Add"]),
    "difference": ([X, Y], (1.0, -1.0), lambda x, y: x - y, ["Add"]),
    "constant": ([X, CONSTANT], (1.0, 1.0), lambda x, y: x + CONSTANT, ["Scale"]),
    "constant minus": ([CONSTANT, X], (1.0, -1.0), lambda x, y: CONSTANT - x, ["Scale"]),
    "one": ([X], (1.0,), lambda x, y: x, []),
    "mean": ([X, CONSTANT, Y], (1 / 3,) * 3, lambda x, y: (x + CONSTANT + y) / 3, ["Add", "Scale"]),
    "constants": ([CONSTANT, X, CONSTANT], (2.0, 1.0, 3.0), lambda x, y: x + 5 * CONSTANT, ["Scale"]),
}


@pytest.mark.parametrize("case", SUMS)
def test_sums(case):
    operands, coefficients, expected, kinds = SUMS[case]
    check(lambda c: maps.weighted_sum(c, operands, coefficients), expected, (4, 5), (4, 5), kinds=kinds)


def test_sums_are_broadcast():
    check(lambda c: maps.weighted_sum(c, [X, Y], (1.0, 2.0)), lambda x, y: x + 2 * y, (4, 1), (1, 5))
    check(lambda c: maps.weighted_sum(c, [X, np.ones(5)], (1.0, 1.0)), lambda x: x + np.ones(5), (4, 1))


@pytest.mark.parametrize("turned", [False, True])
def test_products_with_constants(turned):
    operands = (CONSTANT, X) if turned else (X, CONSTANT)
    check(lambda c: maps.product(c, *operands), lambda x: x * CONSTANT, (4, 5), kinds=["Scale"])
    check(lambda c: maps.product(c, *operands), lambda x: x * CONSTANT, (1, 5))


def test_products_of_two_activations():
    check(lambda c: maps.product(c, X, Y), lambda x, y: x * y, (4,), (4,), kinds=["Multiply"])
    check(lambda c: maps.product(c, X, Y), lambda x, y: x * y, (3, 4), (3, 1), kinds=["Take", "Multiply"])
    check(lambda c: maps.multiplied(c, [X, Y, X]), lambda x, y: x * y * x, (4,), (4,))
    refused(lambda c: maps.product(c, X, Y), "do not fit one another", (4,), (3,))

    def silu(call):
        return maps.product(call, X, Activation(smooth("sigmoid")(call, "x0")))

    check(silu, lambda x: x / (1 + np.exp(-x)), (4,))


def test_quotients():
    check(lambda c: maps.quotient(c, X, CONSTANT), lambda x: x / CONSTANT, (4, 5))
    refused(lambda c: maps.quotient(c, X, np.zeros(5)), "division by zero", (4, 5))
    refused(lambda c: maps.quotient(c, np.ones(5), X), "division by an activation", (4, 5))
    check(lambda c: maps.negative(c, c.source()), lambda x: -x, (4, 5))


LEFT, RIGHT, VECTOR = RNG.normal(size=(3, 4)), RNG.normal(size=(5, 3)), RNG.normal(size=5)
MATRICES = {
    "right": (X, RIGHT, (4, 5), lambda x: x @ RIGHT),
    "right of a vector": (X, RIGHT, (5,), lambda x: x @ RIGHT),
    "left": (LEFT, X, (4, 5), lambda x: LEFT @ x),
    "vector": (X, VECTOR, (4, 5), lambda x: x @ VECTOR),
    "vector, left": (VECTOR, X, (5, 2), lambda x: np.einsum("i,bij->bj", VECTOR, x)),
    "stack of one": (X, RIGHT[None], (4, 5), lambda x: x @ RIGHT),
}


@pytest.mark.parametrize("case", MATRICES)
def test_matrix_products(case):
    left, right, shape, expected = MATRICES[case]
    check(lambda c: maps.matrix_product(c, left, right), expected, shape)


@pytest.mark.parametrize("shapes", [((4, 5), (5, 3)), ((2, 4, 5), (2, 5, 3)), ((2, 4, 5), (1, 5, 3)), ((1, 5), (5, 1))])
def test_matrix_products_of_two_activations(shapes):
    check(lambda c: maps.matrix_product(c, X, Y), lambda x, y: x @ y, *shapes)


def test_matrix_products_that_are_refused():
    refused(lambda c: maps.matrix_product(c, X, Y), "do not fit", (4, 5), (4, 5))
    refused(lambda c: maps.matrix_product(c, X, Y), "a product of samples of shapes", (2, 4, 5), (5, 3))
    refused(lambda c: maps.matrix_product(c, X, Y), "a product of samples of shapes", (5,), (5,))
    refused(lambda c: maps.matrix_product(c, LEFT, X), "mixes samples", (4,))
    refused(lambda c: maps.matrix_product(c, X, RIGHT), "mixes samples", ())


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axes", [(0,), (1, 2), (0, 1, 2)])
def test_means_and_sums_over_axes(axes, keepdims):
    behind = tuple(a + 1 for a in axes)
    options = {"keepdims": keepdims}
    check(lambda c: maps.mean(c, "x0", axes, **options), lambda x: x.mean(behind, **options), (3, 4, 5))
    check(lambda c: maps.total(c, "x0", axes, **options), lambda x: x.sum(behind, **options), (3, 4, 5))


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_padding(mode):
    pads = [(0, 0), (1, 2), (0, 3)]
    check(lambda c: maps.padded(c, "x0", pads, mode=mode), lambda x: np.pad(x, [(0, 0), *pads], mode), (2, 4, 5))


def test_padding_by_a_value_and_cropping():
    check(
        lambda c: maps.padded(c, "x0", [(1, -1), (-2, 0)], value=0.5),
        lambda x: np.pad(x[:, :-1, 2:], [(0, 0), (1, 0), (0, 0)], constant_values=0.5),
        (4, 5),
    )


@pytest.mark.parametrize(
    ("pads", "options", "reason"),
    [
        ([(-2, -3)], {}, "leave nothing"),
        ([(-5, 6)], {}, "leave nothing"),
        ([(0, MOST_VALUES)], {}, "too large"),
        ([(1, 1)], {"mode": "linear_ramp"}, "linear_ramp"),
        ([(1, 1)], {"value": float("nan")}, "value nan"),
    ],
)
def test_padding_that_is_refused(pads, options, reason):
    refused(lambda c: maps.padded(c, "x0", pads, **options), reason, (5,))


def test_regrouping_is_a_pixel_shuffle():
    check(
        lambda c: maps.regrouped(c, "x0", (2, 2, 2, 3, 4), (0, 3, 1, 4, 2), (2, 6, 8)),
        lambda x: torch.nn.functional.pixel_shuffle(torch.from_numpy(x), 2).numpy(),
        (8, 3, 4),
    )


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("factor", [2, 3])
def test_interpolation_is_linear_between_the_centres_of_pixels(size, factor):
    line = RNG.normal(size=size)
    matrix = maps.interpolation((np.arange(size * factor) + 0.5) / factor - 0.5, size)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(line)[None, None], scale_factor=factor, mode="linear", align_corners=False
    )
    np.testing.assert_allclose(matrix @ line, expected.numpy().ravel(), atol=1e-12)
