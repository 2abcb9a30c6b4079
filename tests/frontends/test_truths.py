"""Truth values that depend on the input, against numpy."""

import operator

import numpy as np
import pytest
from layer_calls import call_on, computed, samples

from snntoolbox.frontends import truths
from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.frontends.truths import RELATIONS

SHAPE = (3, 4)
RANDOM = np.random.default_rng(0)
M, N = (RANDOM.random((5, *SHAPE)) < 0.5 for _ in range(2))
CONSTANT = RANDOM.random((1, 4)) < 0.5


def call_of_truths(*shapes):
    call = call_on(*shapes)
    for source in call.sources:
        call.builder.take_truths(source)
    return call


def moved(call):
    """The input as 7 - 3 m with its axes in another order and a row of tens behind them."""
    turned = call.builder.permute("turned", "x0", (1, 0))
    scaled = call.builder.affine("scaled", turned, np.full((), -3.0), np.full((), 7.0))
    return Activation(call.builder.pad("padded", scaled, [(0, 1), (0, 0)], value=10.0))


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("level", [-1.0, 4.0, 5.0, 7.0, 10.0, 12.0])
@pytest.mark.parametrize("first", [True, False])
def test_comparisons(relation, level, first):
    call, constant = call_on(SHAPE), np.full((1, 1), level)
    value = moved(call)
    operands = (value, constant) if first else (constant, value)
    if len({bool(RELATIONS[relation](*((v, level) if first else (level, v)))) for v in (4.0, 7.0)}) == 1:
        with pytest.raises(Refusal, match="do not tell 0 from 1"):
            truths.compared(call, *operands, relation)
        return
    found = truths.compared(call, *operands, relation)
    assert truths.are_truths(call.builder, found)
    assert call.builder.node("x0").truths
    numbers = np.pad(7.0 - 3.0 * M.swapaxes(1, 2), [(0, 0), (0, 1), (0, 0)], constant_values=10.0)
    expected = RELATIONS[relation](*((numbers, level) if first else (level, numbers)))
    graph = call.builder.finish([found], "net")
    np.testing.assert_array_equal(graph.run(M), expected)


def test_what_is_compared_with_one_number_each():
    call, levels = call_on((4,)), np.array([0.25, 0.0, 0.5, 0.75])
    found = truths.compared(call, Activation("x0"), levels, "greater")
    np.testing.assert_array_equal(computed(call, found, M[:, 0]), M[:, 0] > levels)
    with pytest.raises(Refusal, match="such as lengths"):
        truths.compared(call_on((4,)), Activation("x0"), np.arange(4.0), "greater")


@pytest.mark.parametrize(
    ("join", "expected"),
    [(truths.both, operator.and_), (truths.either, operator.or_), (truths.differing, operator.xor)],
)
def test_truths_are_joined(join, expected):
    call = call_of_truths(SHAPE, SHAPE)
    if join is not truths.differing:
        found = join(call, Activation("x0"), Activation("x1"))
        assert truths.are_truths(call.builder, found)
        np.testing.assert_array_equal(call.builder.finish([found], "net").run(M, N), expected(M, N))
        wide = call_of_truths((3, 1), (1, 4))
        each = join(wide, Activation("x0"), Activation("x1"))
        np.testing.assert_array_equal(computed(wide, each, M[:, :, :1], N[:, :1]), expected(M[:, :, :1], N[:, :1]))
    for constant in (CONSTANT, np.ones((1, 1), bool), np.zeros((1, 1), bool)):
        call = call_of_truths(SHAPE)
        found = join(call, Activation("x0"), constant)
        assert truths.are_truths(call.builder, found)
        np.testing.assert_array_equal(computed(call, found, M), expected(M, constant))


def test_joining_one_with_itself_adds_nothing():
    call = call_of_truths(SHAPE)
    assert truths.both(call, Activation("x0"), Activation("x0")) == "x0"
    assert truths.either(call, Activation("x0"), Activation("x0")) == "x0"
    assert truths.both(call, Activation("x0"), np.ones((1, 1))) == "x0"


def test_not_twice():
    call = call_of_truths(SHAPE)
    found = truths.negated(call, truths.negated(call, "x0"))
    assert truths.are_truths(call.builder, found)
    np.testing.assert_array_equal(computed(call, found, M), M)


BRANCH, OTHER = Activation("x1"), Activation("x2")
NUMBERS = RANDOM.normal(size=(3, 1))
CHOICES = {
    "branches": (BRANCH, OTHER),
    "a branch or a number": (BRANCH, np.full((), 0.3)),
    "numbers or a branch": (NUMBERS, BRANCH),
    "a branch or 0": (BRANCH, np.zeros(())),
    "numbers": (np.full((), 5.0), NUMBERS),
    "a number or minus infinity": (np.full((), 5.0), np.full((), -np.inf)),
    "a branch or minus infinity": (BRANCH, np.full((), -np.inf)),
    "0": (np.zeros(()), np.zeros(())),
}


@pytest.mark.parametrize("case", CHOICES)
def test_choices(case):
    call = call_on(SHAPE, SHAPE, SHAPE)
    call.builder.take_truths("x0")
    x, y = samples(SHAPE, SHAPE, count=5)
    found = truths.chosen_by(call, "x0", *CHOICES[case])
    first, second = ({"x1": x, "x2": y}[c.name] if isinstance(c, Activation) else c for c in CHOICES[case])
    expected = np.where(M, first, second)
    ours = call.builder.finish([found], "net").values(M, x, y)[found]
    np.testing.assert_allclose(ours[np.isfinite(expected)], expected[np.isfinite(expected)], atol=1e-12)
    assert np.all(ours[np.isneginf(expected)] == -1e30)


def test_choices_among_more_values_than_truths():
    call = call_on((1, 4), SHAPE)
    call.builder.take_truths("x0")
    (x,) = samples(SHAPE, count=5)
    found = truths.chosen_by(call, "x0", BRANCH, np.full((), -2.0))
    np.testing.assert_allclose(computed(call, found, M[:, :1], x), np.where(M[:, :1], x, -2.0), atol=1e-12)


def rectified(call):
    return Activation(call.builder.dense("d", "x0", np.ones((4, 4)), None))


REFUSED = {
    "compares values": lambda c: truths.compared(c, rectified(c), np.zeros(()), "equal"),
    "compares with one another": lambda c: truths.compared(c, Activation("x0"), Activation("x1"), "equal"),
    "chooses by values": lambda c: truths.chosen_by(c, "x0", np.zeros(()), Activation("x1")),
    "do not fit": lambda c: truths.chosen_by(c, c.sources[2], np.zeros(()), Activation("x0")),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refusals(reason):
    call = call_on(SHAPE, SHAPE, (4,))
    call.builder.take_truths("x2")
    with pytest.raises(Refusal, match=reason) as caught:
        REFUSED[reason](call)
    assert caught.value.hint is not None or reason == "do not fit"


def test_sums_of_truths_are_none():
    call = call_of_truths(SHAPE, SHAPE)
    from snntoolbox.ir.nodes import Add, ReLU

    added = call.builder.add(Add(name="a", inputs=("x0", "x1")))
    half = call.builder.add(Add(name="h", inputs=("x0", "x1"), coefficients=(0.5, 0.5)))
    assert not truths.are_truths(call.builder, added)
    for source, expected in ((added, True), (half, False)):
        bounded = call.builder.add(ReLU(name="r", inputs=(source,), max_value=1.0))
        assert truths.are_truths(call.builder, bounded) is expected
    assert not truths.are_truths(call.builder, call.builder.add(ReLU(name="s", inputs=(added,))))
