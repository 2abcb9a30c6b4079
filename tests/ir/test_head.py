"""What an output says: its classes, where they are undecided, and what it refuses."""

import numpy as np
import pytest

from snntoolbox.errors import ArgumentError, DataError
from snntoolbox.ir.head import Head, usual_head

RNG = np.random.default_rng(0)
CLASSES, LOGITS, VALUES = Head(kind="classes"), Head(kind="logits"), Head()


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((10,), "classes"), ((10, 1, 1), "classes"), ((1, 2), "classes"), ((1,), "values"), ((), "values"),
     ((3, 4), "values"), ((3, 4, 4), "values")],
)  # fmt: skip
def test_a_vector_of_two_or_more_has_one_value_a_class(shape, kind):
    assert usual_head(shape).kind == kind


def test_the_class_is_the_largest_value():
    values = RNG.normal(size=(20, 5))
    np.testing.assert_array_equal(CLASSES.decisions(values), values.argmax(axis=1))
    np.testing.assert_array_equal(CLASSES.decisions(values.reshape(20, 5, 1, 1)), values.argmax(axis=1))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_map_has_a_class_for_each_place(axis):
    values = RNG.normal(size=(6, 3, 4, 5))
    head = Head(kind="classes", axis=axis)
    np.testing.assert_array_equal(head.decisions(values), values.argmax(axis=axis + 1))
    assert head.decisions(values).shape[1:] == head.places((3, 4, 5))
    assert head.classes((3, 4, 5)) == (3, 4, 5)[axis]
    assert not head.decides_once((3, 4, 5))


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_logits_say_yes_or_no(threshold):
    head, values = Head(kind="logits", threshold=threshold), RNG.normal(size=(9, 4))
    np.testing.assert_array_equal(head.decisions(values), values > threshold)
    np.testing.assert_array_equal(head.decisions(values[:, :1]), values[:, 0] > threshold)
    np.testing.assert_array_equal(head.scores(values).argmax(axis=-1), values > threshold)
    assert (head.places((4,)), head.places((1,)), head.classes((4,))) == ((4,), (), 2)


def test_equal_values_decide_nothing():
    np.testing.assert_array_equal(CLASSES.decisions(np.array([[0, 0, 0], [0, 1, 1.0]])), [-1, 1])
    values = np.zeros((1, 2, 2))
    values[0, 1, 1] = 1
    np.testing.assert_array_equal(Head(kind="classes", axis=0).decisions(values), [[-1, 1]])


@pytest.mark.parametrize(("shape", "match"), [((1,), "logit or a target"), ((2, 3, 3), "no class per sample")])
def test_plain_values_say_no_class_and_what_to_do(shape, match):
    for call in (VALUES.decisions, VALUES.scores):
        with pytest.raises(DataError, match=match) as caught:
            call(np.zeros((4, *shape)))
        assert "head" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("head", "shape", "expected"),
    [(Head(kind="classes", axis=-1), (4, 4, 3), Head(kind="classes", axis=2)),
     (Head(kind="classes", axis=0), (3, 1, 1), CLASSES), (LOGITS, (2, 2), LOGITS), (VALUES, (5,), VALUES)],
)  # fmt: skip
def test_a_head_is_fitted_to_its_output(head, shape, expected):
    assert head.check(shape, "out") == expected


@pytest.mark.parametrize(
    ("head", "shape"), [(CLASSES, (1,)), (Head(kind="classes", axis=3), (2, 2)), (Head(kind="classes", axis=0), (1, 5))]
)
def test_or_refused(head, shape):
    with pytest.raises(ArgumentError, match="out"):
        head.check(shape, "out")


def test_in_words():
    heads = (CLASSES, Head(kind="classes", axis=1), Head(kind="logits", threshold=0.5), VALUES)
    assert [str(h) for h in heads] == ["classes", "classes along axis 1", "class 1 above 0.5", "values"]


def test_unknown_kinds_are_refused():
    with pytest.raises(ArgumentError, match="'softmax' is unknown"):
        Head(kind="softmax")
    with pytest.raises(ArgumentError, match="no axis"):
        Head(kind="logits", axis=1)


STEPS = np.array(
    [[[1.0, 2.0], [5.0, 3.0], [0.0, 4.0]], [[2.0, 1.0], [0.0, 1.0], [7.0, 7.0]]]
)  # samples, steps, classes


@pytest.mark.parametrize(
    ("place", "expected"), [(None, [[1, 0, 1], [0, 1, -1]]), (0, [1, 0]), (1, [0, 1]), (-1, [1, -1])]
)
def test_a_class_for_each_step_or_for_one(place, expected):
    head = Head(kind="classes", axis=1, place=place)
    np.testing.assert_array_equal(head.decisions(STEPS), expected)
    assert head.places((3, 2)) == np.shape(expected)[1:]
    assert head.decides_once((3, 2)) == (place is not None)


def test_a_place_is_counted_from_the_first():
    assert Head(kind="classes", axis=-1, place=-1).check((3, 2), "y") == Head(kind="classes", axis=1, place=2)
    assert str(Head(kind="classes", axis=1, place=2)) == "classes along axis 1, at place 2"
    assert Head(kind="classes", axis=1, place=0).check((1, 4), "y") == Head(kind="classes")


@pytest.mark.parametrize(
    ("settings", "reason"), [({"axis": 1, "place": 3}, "3 places"), ({"axis": 1, "place": -4}, "none is -4")]
)
def test_places_that_are_none(settings, reason):
    with pytest.raises(ArgumentError, match=reason):
        Head(kind="classes", **settings).check((3, 2), "y")


def test_a_place_needs_an_axis():
    with pytest.raises(ArgumentError, match="without an axis"):
        Head(kind="classes", place=0)
