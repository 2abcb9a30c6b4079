"""Labels in all forms that people have them in, and what is no label."""

import logging

import numpy as np
import pytest

from snntoolbox.errors import DataError
from snntoolbox.ir.head import Head
from snntoolbox.ir.labels import class_labels, top_k_share

RNG = np.random.default_rng(0)
CLASSES, MAP, LOGITS = Head(kind="classes"), Head(kind="classes", axis=0), Head(kind="logits")
INDICES = np.array([2, 0, 1, 1])
ROWS = np.eye(3)[INDICES]
PLACES = RNG.integers(0, 3, (4, 5, 5))

GOOD = {
    "indices": (CLASSES, (3,), INDICES, INDICES),
    "a column": (CLASSES, (3,), INDICES[:, None], INDICES),
    "whole floats": (CLASSES, (3,), INDICES.astype(np.float32), INDICES),
    "unsigned bytes": (CLASSES, (3,), INDICES.astype(np.uint8), INDICES),
    "one-hot rows": (CLASSES, (3,), ROWS, INDICES),
    "one-hot rows of truths": (CLASSES, (3,), ROWS.astype(bool), INDICES),
    "one-hot rows of an output with axes of length one": (CLASSES, (3, 1, 1), ROWS, INDICES),
    "smoothed rows": (CLASSES, (3,), 0.9 * ROWS + 0.1 / 3, INDICES),
    "True and False of two classes": (CLASSES, (2,), INDICES > 0, [1, 0, 1, 1]),
    "a map": (MAP, (3, 5, 5), PLACES, PLACES),
    "a map of one channel": (MAP, (3, 5, 5), PLACES[:, None], PLACES),
    "a map of one-hot columns": (MAP, (3, 5, 5), np.moveaxis(np.eye(3)[PLACES], -1, 1), PLACES),
    "a map with the classes last": (Head(kind="classes", axis=2), (5, 5, 3), np.eye(3)[PLACES], PLACES),
    "several labels": (LOGITS, (3,), ROWS.astype(int), ROWS),
    "several labels, as floats": (LOGITS, (3,), 1 - ROWS, 1 - ROWS),
    "one logit": (LOGITS, (1,), [0, 1, 1, 0], [0, 1, 1, 0]),
    "one logit, as floats in a column": (LOGITS, (1,), [[0.0], [1.0], [1.0], [0.0]], [0, 1, 1, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_labels_are_read(name):
    head, shape, labels, expected = GOOD[name]
    read = class_labels(np.asarray(labels), head, shape, 4)
    np.testing.assert_array_equal(read, expected)
    assert read.dtype == np.int64


BAD = {
    "too few": (CLASSES, (3,), INDICES[:3], "3 labels for 4 samples"),
    "a number": (CLASSES, (3,), 2, "1 labels for 4 samples"),
    "beyond the classes": (CLASSES, (2,), INDICES, "from 0 to 1"),
    "negative": (CLASSES, (3,), INDICES - 1, "from 0 to 2"),
    "fractions": (CLASSES, (3,), INDICES + 0.5, "whole numbers"),
    "NaN": (CLASSES, (3,), INDICES * np.nan, "whole numbers"),
    "words": (CLASSES, (3,), np.array(["cat"] * 4), "values"),
    "complex numbers": (CLASSES, (3,), INDICES + 0j, "complex128"),
    "several ones a row": (CLASSES, (3,), np.ones((4, 3), int), "none or several ones"),
    "rows of zeros": (CLASSES, (3,), np.zeros((4, 3)), "none or several ones"),
    "targets": (CLASSES, (3,), RNG.normal(size=(4, 3)), "neither one-hot nor shares"),
    "rows with NaN": (CLASSES, (3,), ROWS * np.nan, "NaN"),
    "too wide rows": (CLASSES, (3,), np.eye(4), "have shape"),
    "True and False of three classes": (CLASSES, (3,), INDICES > 0, "True and False"),
    "one label for a map": (MAP, (3, 5, 5), INDICES, "have shape"),
    "a map of another size": (MAP, (3, 5, 5), PLACES[:, :4], "have shape"),
    "a map that is not one-hot": (MAP, (3, 5, 5), np.ones((4, 3, 5, 5)), "several ones"),
    "shares for logits": (LOGITS, (3,), ROWS / 2, "whole numbers from 0 to 1"),
    "one class for several logits": (LOGITS, (3,), INDICES, "have shape"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_label_is_refused(name):
    head, shape, labels, match = BAD[name]
    with pytest.raises(DataError, match=match):
        class_labels(labels, head, shape, 4)


def test_rows_of_probabilities_are_told(caplog):
    with caplog.at_level(logging.WARNING):
        class_labels(0.9 * ROWS + 0.1 / 3, CLASSES, (3,), 4)
    assert "probabilities" in caplog.text


def test_plain_values_have_no_labels():
    with pytest.raises(DataError, match="logit or a target"):
        class_labels([0, 1, 1, 0], Head(), (1,), 4)


SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.1, 0.4], [0.3, 0.3, 0.3], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    ("labels", "k", "expected"),
    [([1, 0, 0, 2], 1, 1.0), ([1, 2, 1, 2], 1, 0.5), ([1, 2, 1, 2], 2, 1.0), ([0, 1, 2, 0], 2, 0.25),
     ([0, 1, 2, 1], 3, 1.0)],
)  # fmt: skip
def test_top_k(labels, k, expected):
    assert top_k_share(SCORES, np.array(labels), CLASSES, k) == expected
    assert top_k_share(SCORES, np.eye(3)[labels], CLASSES, k) == expected


def test_top_one_is_the_largest_output_everywhere():
    scores, labels = RNG.integers(0, 4, (200, 5, 2)), RNG.integers(0, 5, (200, 2))
    assert top_k_share(scores, labels, MAP, 1) == np.mean(scores.argmax(axis=1) == labels)


@pytest.mark.parametrize("k", [0, 4])
def test_a_k_that_does_not_exist_is_refused(k):
    with pytest.raises(DataError, match="does not exist"):
        top_k_share(SCORES, INDICES, CLASSES, k)


def test_no_samples_have_no_share():
    with pytest.raises(DataError, match="no samples"):
        top_k_share(SCORES[:0], INDICES[:0], CLASSES, 1)
