"""What all frontends share of a layer: its values, refusals, sizes and axes."""

import numpy as np
import pytest
from layer_calls import call_on

from snntoolbox.errors import GraphError, UnsupportedError
from snntoolbox.frontends.layer_call import (
    LARGEST,
    LOST,
    MOST_VALUES,
    QUANTISED,
    TREAT_ALONE,
    Activation,
    Refusal,
    broadcast_shape,
    check_size,
    not_supported,
    per_axis,
    refusals_noted,
    stand_in,
)
from snntoolbox.ir.builder import GraphBuilder


def reason_of(function, *arguments, **options):
    with pytest.raises(Refusal) as caught:
        function(*arguments, **options)
    return caught.value.reason


# -- refusals -------------------------------------------------------------------------------------------------------


def test_refusals_are_noted_and_reported_together_with_their_hints():
    builder = GraphBuilder("some")
    first, second, third = (builder.origin("Kind", name) for name in "abc")
    with refusals_noted(builder, first):
        raise Refusal("is too blue", hint="paint it")
    with refusals_noted(builder, second):
        raise GraphError("does not fit")
    for _ in range(2):  # of one layer that is used twice
        with refusals_noted(builder, third):
            raise not_supported("Kind")
    x = builder.input("x", (2,))
    with pytest.raises(UnsupportedError) as caught:
        builder.finish([x], "net")
    assert [(o.layer, o.reason) for o in caught.value.offenders] == [
        ("a (some Kind)", "is too blue"),
        ("b (some Kind)", "does not fit"),
        ("c (some Kind)", "this layer is not supported"),
    ]
    assert caught.value.hint == "paint it"


def test_a_defect_is_no_refusal():
    builder = GraphBuilder("some")
    with pytest.raises(ZeroDivisionError), refusals_noted(builder, builder.origin("Kind", "a")):
        raise ZeroDivisionError


KINDS = {
    "LSTM": "a recurrent layer with gates is not supported",
    "gru": "a recurrent layer with gates is not supported",
    "Masking": "a mask over the steps of a sequence is not supported",
    "LayerNormalization": "this normalisation by the sample's own values is not supported",
    "layer_norm": "this normalisation by the sample's own values is not supported",
    "MultiHeadAttention": "attention is not supported",
    "MultiheadAttention": "attention is not supported",
    "Frobnicate": "this layer is not supported",
}


@pytest.mark.parametrize("kind", KINDS)
def test_well_known_kinds_are_refused_in_the_same_words_whatever_the_framework(kind):
    assert not_supported(kind).reason == KINDS[kind]


def test_the_words_for_an_unknown_kind_may_be_given():
    assert not_supported("frob", "frob (aten.frob)").reason == "frob (aten.frob) is not supported"
    assert not_supported("Dense", QUANTISED).hint == not_supported("QLinearConv").hint is not None


def test_a_stand_in_has_the_shape_and_the_name_of_the_layer():
    builder = GraphBuilder("some")
    origin = builder.origin("Kind", "block/it")
    value = stand_in(builder, origin, (2, 3))
    assert (value, builder.shape(value.name)) == (Activation("block.it"), (2, 3))
    assert stand_in(builder, origin, None) is LOST
    assert stand_in(builder, origin, (MOST_VALUES, 2)) is LOST


# -- sizes ----------------------------------------------------------------------------------------------------------


def test_outputs_that_no_network_has_are_refused():
    check_size((2**20, 2**7))
    assert reason_of(check_size, (2**20, 2**8)) == f"its output of shape {(2**20, 2**8)} is too large"


PER_AXIS = [(3, 2, (3, 3)), ([3], 2, (3, 3)), ((1, 2), 2, (1, 2)), ([0], 1, (0,)), ([], 0, ())]


@pytest.mark.parametrize(("value", "rank", "expected"), PER_AXIS)
def test_one_integer_for_each_axis(value, rank, expected):
    assert per_axis("stride", value, rank) == expected


NOT_PER_AXIS = [
    ((1, 2, 3), 2, "does not fit 2 spatial axes"),
    (-1, 2, "integers from 0 on"),
    (True, 2, "integers from 0 on"),
    (1.5, 2, "integers from 0 on"),
    ("same", 2, "integers from 0 on"),
    (None, 2, "integers from 0 on"),
    ((1, None), 2, "integers from 0 on"),
    (LARGEST + 1, 2, "too large"),
]


@pytest.mark.parametrize(("value", "rank", "reason"), NOT_PER_AXIS)
def test_what_is_no_integer_for_each_axis(value, rank, reason):
    told = reason_of(per_axis, "stride", value, rank)
    assert told.startswith(f"stride = {value}")
    assert reason in told


def test_the_least_size():
    assert "integers from 1 on" in reason_of(per_axis, "kernel", 0, 2, least=1)
    assert per_axis("shift", -2, 1, least=-5) == (-2,)


# -- the layer ------------------------------------------------------------------------------------------------------


def test_the_only_source_and_its_shape():
    call = call_on((4, 5))
    assert (call.source(), call.shape()) == ("x0", (4, 5))
    assert reason_of(call_on((4,), (5,)).source) == "reads 2 tensors instead of one"
    assert call.named("other").name == "other"
    assert call.named("other").source() == "x0"


AXES = {1: 0, 2: 1, -1: 1, -2: 0, (1,): 0}


@pytest.mark.parametrize("axis", AXES)
def test_axes_are_counted_without_the_batch(axis):
    assert call_on((4, 5)).axis(axis) == AXES[axis]


NO_AXES = {0: "the batch", -3: "the batch", 3: "has no axis 3: the tensor has 3", -4: "has no axis", (1, 2): "one axis"}


@pytest.mark.parametrize("axis", [*NO_AXES, None, 1.0])
def test_axes_that_are_not_those_of_a_sample(axis):
    with pytest.raises(Refusal) as caught:
        call_on((4, 5)).axis(axis)
    assert NO_AXES.get(axis, "one axis is expected") in caught.value.reason
    assert (caught.value.hint == TREAT_ALONE) == (axis in (0, -3))


def test_axes_of_another_node_and_of_one_with_axes_added():
    call = call_on((4, 5), (2,))
    assert call.axis(-1, "x1") == 0
    assert call.axis(-1, "x0", added=1) == 2


def test_several_axes():
    call = call_on((4, 5, 6))
    assert call.axes([-1, 1, 1]) == (0, 2)
    assert call.axes(2) == (1,)
    for nothing in (None, [], ()):
        assert "all axes" in reason_of(call.axes, nothing)
    assert "the batch" in reason_of(call.axes, [1, 0])


CONSTANTS = [
    (np.ones(()), None, ()),
    (np.ones((3, 1)), None, (3, 1)),
    (np.ones((1, 2, 3)), None, (2, 3)),
    (np.full((1, 2, 3), np.nan), None, (2, 3)),
    (np.ones((5, 2, 3)), 5, (2, 3)),
]


@pytest.mark.parametrize(("constant", "batch", "shape"), CONSTANTS)
def test_a_constant_meets_samples_without_its_batch_axis(constant, batch, shape):
    assert call_on((2, 3), batch=batch).per_sample(constant, 2).shape == shape


VARYING = [
    (np.ones((1, 1, 2, 3)), None, "more axes than the data"),
    (np.ones((5, 2, 3)), None, "varies over the batch"),
    (np.ones((5, 2, 3)), 4, "varies over the batch"),
    (np.arange(30.0).reshape(5, 2, 3), 5, "varies over the batch"),
]


@pytest.mark.parametrize(("constant", "batch", "reason"), VARYING)
def test_a_constant_that_varies_over_the_batch(constant, batch, reason):
    assert reason in reason_of(call_on((2, 3), batch=batch).per_sample, constant, 2)


def test_broadcasting_repeats_axes_of_length_one():
    call, x = call_on((1, 3, 1)), np.random.default_rng(0).normal(size=(2, 1, 3, 1))
    wide = call.broadcast("x0", (4, 3, 2))
    graph = call.builder.finish([wide], "net")
    np.testing.assert_array_equal(graph.run(x), np.broadcast_to(x, (2, 4, 3, 2)))
    assert call.broadcast("x0", (1, 3, 1)) == "x0"


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((2, 1, 3, 1), "across the batch axis"), ((1, 4, 1), "cannot broadcast"), ((MOST_VALUES, 3, 1), "too large")],
)
def test_what_cannot_be_broadcast(shape, reason):
    assert reason in reason_of(call_on((1, 3, 1)).broadcast, "x0", shape)


def test_operands_are_broadcast_together():
    call = call_on((4, 1), (1, 3))
    constant = np.ones((1, 1, 3))
    names, constants = call.broadcast_together([Activation("x0"), constant, Activation("x1")])
    assert [call.shape(name) for name in names] == [(4, 3), (4, 3)]
    assert [c.shape for c in constants] == [(1, 3)]
    assert "broadcasts the batch axis" in reason_of(
        call_on((4,), (4, 1)).broadcast_together, [Activation("x0"), Activation("x1")]
    )
    assert broadcast_shape([(4, 1), (3,)]) == (4, 3)
    assert "(4,), (3,) do not fit one another" in reason_of(broadcast_shape, [(4,), (3,)])
