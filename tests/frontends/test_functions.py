"""Functions of single values that frontends share, against numpy and torch."""

import numpy as np
import pytest
import torch
from layer_calls import call_on, computed, samples

from snntoolbox.frontends import functions
from snntoolbox.frontends.functions import FUNCTIONS, SELU, of_source
from snntoolbox.frontends.layer_call import Activation, Refusal

INF, NAN = float("inf"), float("nan")
SHAPE = (4, 5)


def check(add, expected, *shapes, kinds=None):
    """What `add` puts behind its inputs computes `expected` of them."""
    shapes = shapes or (SHAPE,)
    call, x = call_on(*shapes), samples(*shapes)
    node = add(call)
    np.testing.assert_allclose(computed(call, node, *x), expected(*x), atol=1e-12)
    if kinds is not None:
        graph = call.builder.finish([node], "net")
        assert [n.kind for n in graph.nodes.values() if n.kind != "Input"] == kinds


TORCH = {
    "relu": torch.relu,
    "relu6": torch.nn.functional.relu6,
    "hard_tanh": torch.nn.functional.hardtanh,
    "hard_sigmoid": torch.nn.functional.hardsigmoid,
    "abs": torch.abs,
    "floor": torch.floor,
    "elu": torch.nn.functional.elu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "exp": torch.exp,
    "silu": torch.nn.functional.silu,
    "mish": torch.nn.functional.mish,
    "selu": torch.selu,
    "softplus": torch.nn.functional.softplus,
    "hard_swish": torch.nn.functional.hardswish,
    "gelu": torch.nn.functional.gelu,
    "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_table(name):
    """Every entry is what torch calls by the name, at values that reach all its pieces."""
    call, (x,) = call_on(SHAPE), samples(SHAPE)
    node = of_source(name)(call)
    np.testing.assert_allclose(
        computed(call, node, 4 * x), TORCH[name](torch.from_numpy(4 * x)).numpy(), rtol=1e-6, atol=1e-6
    )
    assert of_source(name).__doc__ == FUNCTIONS[name].__doc__


BOUNDS = [(0.0, None), (None, 0.3), (-0.4, 0.3), (0.1, 0.3), (-0.4, -0.1), (None, None), (-INF, 0.2), (-3.5e38, INF)]


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_clipping(low, high):
    check(
        lambda c: functions.clipped(c, c.source(), low, high),
        lambda x: np.clip(x, -INF if low is None else low, INF if high is None else high),
    )


def test_behind_a_rectifier_a_bound_below_zero_is_zero():
    def add(call):
        return functions.clipped(call, functions.relu(call, call.source()), -1.0, 0.5)

    check(add, lambda x: np.clip(x, 0, 0.5), kinds=["ReLU", "ReLU"])


NOTHING_LEFT = [(1.0, -1.0), (0.5, 0.5), (INF, None), (None, -INF), (3.5e38, None)]


@pytest.mark.parametrize(("low", "high"), NOTHING_LEFT)
def test_bounds_that_leave_one_value(low, high):
    call = call_on(SHAPE)
    with pytest.raises(Refusal, match=r"clips to \[.*\]: only one value is left"):
        functions.clipped(call, call.source(), low, high)


@pytest.mark.parametrize(("low", "high"), [(NAN, None), (0.0, NAN)])
def test_bounds_that_are_no_numbers(low, high):
    call = call_on(SHAPE)
    with pytest.raises(Refusal, match="not a number"):
        functions.clipped(call, call.source(), low, high)


LEVELS = [np.full((), 0.2), np.full(5, 0.2), np.linspace(-1, 1, 5), np.linspace(-1, 1, 4)[:, None], np.full((), INF)]


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("level", LEVELS, ids=lambda a: str(a.shape))
def test_bounds_that_vary_over_the_sample(level, sign):
    if sign > 0 and np.isinf(level).any():
        level = -level
    larger = np.maximum if sign > 0 else np.minimum
    check(lambda c: functions.bounded(c, c.source(), level, sign), lambda x: larger(x, level))


@pytest.mark.parametrize("level", [np.array([0, NAN, 1, 2, 3]), np.array([0, INF, 1, 2, 3])])
def test_bounds_that_are_not_finite(level):
    call = call_on(SHAPE)
    with pytest.raises(Refusal, match="not finite"):
        functions.bounded(call, call.source(), level, 1.0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_largest_and_smallest_of_several(sign):
    larger = np.maximum if sign > 0 else np.minimum
    constants = [np.full((1, 1, 5), 0.3), np.linspace(-1, 0, 5)]
    operands = [Activation("x0"), constants[0], Activation("x1"), constants[1]]
    check(
        lambda c: functions.extreme(c, operands, sign),
        lambda a, b: larger.reduce(np.broadcast_arrays(a, b, *constants)),
        (4, 5),
        (4, 1),
    )


SLOPES = [0.0, 0.2, 1.5, -0.5, np.linspace(0, 1, 5), np.linspace(0, 1, 4)[:, None]]


@pytest.mark.parametrize("slope", SLOPES, ids=str)
def test_slopes_below_zero(slope):
    check(
        lambda c: functions.leaky_relu(c, c.source(), slope),
        lambda x: np.maximum(x, 0) + np.broadcast_to(slope, SHAPE) * np.minimum(x, 0),
    )
    check(
        lambda c: functions.leaky_relu(c, c.source(), slope, 0.4),
        lambda x: np.clip(x, 0, 0.4) + np.broadcast_to(slope, SHAPE) * np.minimum(x, 0),
    )


@pytest.mark.parametrize(
    ("slope", "reason"),
    [(NAN, "not finite"), (np.ones(3), r"\(3,\) do not fit"), (np.ones((2, 4, 5)), r"\(2, 4, 5\) do not fit")],
)
def test_slopes_that_do_not_fit(slope, reason):
    call = call_on(SHAPE)
    with pytest.raises(Refusal, match=reason):
        functions.leaky_relu(call, call.source(), slope)


def test_a_threshold_must_be_the_value_below_it():
    check(lambda c: functions.thresholded_relu(c, c.source(), 0.3, 0.3), lambda x: np.where(x > 0.3, x, 0.3))
    check(lambda c: functions.thresholded_relu(c, c.source(), 0.0), lambda x: np.maximum(x, 0))
    call = call_on(SHAPE)
    with pytest.raises(Refusal, match=r"jumps at its threshold of 0\.5"):
        functions.thresholded_relu(call, call.source(), 0.5)


@pytest.mark.parametrize(("slope", "shift"), [(0.2, 0.5), (1.0, 0.2), (-0.7, 0.5)])
def test_hard_sigmoids(slope, shift):
    check(lambda c: functions.hard_sigmoid(c, c.source(), slope, shift), lambda x: np.clip(slope * x + shift, 0, 1))


@pytest.mark.parametrize("alpha", [1.0, 0.3, 2.0, 0.0])
def test_elu_with_any_alpha(alpha):
    expected = lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))  # noqa: E731
    check(lambda c: functions.elu(c, c.source(), alpha), expected)
    check(lambda c: functions.scaled_elu(c, c.source(), alpha, 1.0), expected)


def test_selu_written_as_a_scaled_elu():
    exported = tuple(float(np.float32(v)) for v in SELU)
    call = call_on(SHAPE)
    node = functions.scaled_elu(call, call.source(), *exported)
    assert call.builder.node(node).function == "selu"
    with pytest.raises(Refusal, match="only those of SELU"):
        functions.scaled_elu(call, call.source(), 1.0, 2.0)


def test_celu_has_no_other_alpha():
    check(lambda c: functions.celu(c, c.source(), 1.0), lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))))
    call = call_on(SHAPE)
    with pytest.raises(Refusal, match=r"alpha = 2\.0; only 1 is known"):
        functions.celu(call, call.source(), 2.0)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax(axis, log):
    function = torch.log_softmax if log else torch.softmax
    check(
        lambda c: functions.softmax(c, c.source(), axis, log=log),
        lambda x: function(torch.from_numpy(x), axis + 1 if axis >= 0 else axis).numpy(),
    )
