"""Data sets made from arrays in memory, and whether they fit a model."""

import numpy as np
import pytest

from snntoolbox.errors import DataError
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.data.load import check_fits

X = np.random.default_rng(0).random((5, 4, 4, 3))
Y = np.array([0, 1, 2, 1, 0])


def test_of_arrays():
    data = Dataset.of(X, np.eye(3)[Y])
    assert len(data) == 5
    np.testing.assert_array_equal(data.x, X.astype(np.float32))
    np.testing.assert_array_equal(data.y, Y)
    assert Dataset.of(X).y is None


def test_of_refuses_what_does_not_belong_together():
    with pytest.raises(DataError, match="images holds 5 samples, but classes holds 4 labels"):
        Dataset.of(X, Y[:4], source="images", labels="classes")


@pytest.mark.parametrize(("size", "sizes"), [(2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_batches_cover_everything_once(size, sizes):
    parts = list(Dataset.of(X, Y).batches(size))
    assert [len(part) for part in parts] == sizes
    np.testing.assert_array_equal(np.concatenate([part.x for part in parts]), X.astype(np.float32))
    np.testing.assert_array_equal(np.concatenate([part.y for part in parts]), Y)


def test_take():
    data = Dataset.of(X, Y).take([4, 1])
    np.testing.assert_array_equal(data.y, Y[[4, 1]])
    np.testing.assert_array_equal(data.x, X[[4, 1]].astype(np.float32))


@pytest.mark.parametrize("shape", [(4, 4, 3), (None, None, 3), (4, None, 3)])
def test_fitting_shapes(shape):
    check_fits(Dataset.of(X, Y), shape, n_classes=3)


@pytest.mark.parametrize(
    ("samples", "shape", "hint"),
    [
        ((4, 4, 3), (3, 4, 4), "only the channel order differs: give np.moveaxis(x, -1, 1)"),
        ((3, 4, 5), (4, 5, 3), "only the channel order differs: give np.moveaxis(x, 1, -1)"),
        ((4, 4, 3), (3, None, None), "only the channel order differs"),
        ((7, 2), (2, 7), "only the channel order differs"),
        ((4, 4), (16,), "give x.reshape(len(x), 16)"),
        ((4, 4), (4, 4, 1), "give x.reshape(len(x), 4, 4, 1)"),
        ((4, 4, 3), (5, 5, 3), "prepare the samples"),
        ((4, 4, 3), (None, 5), "prepare the samples"),
    ],
)
def test_shapes_that_do_not_fit(samples, shape, hint):
    with pytest.raises(DataError, match="samples of x_norm have shape") as caught:
        check_fits(Dataset.of(np.zeros((2, *samples))), shape, source="x_norm")
    assert hint in caught.value.hint


def test_advice_about_the_channel_order_is_right():
    with pytest.raises(DataError) as caught:
        check_fits(Dataset.of(X), (3, 4, 4))
    assert "np.moveaxis(x, -1, 1)" in caught.value.hint
    check_fits(Dataset.of(np.moveaxis(X, -1, 1)), (3, 4, 4))


@pytest.mark.parametrize(
    ("labels", "n_classes", "hint"),
    [([0, 3, 1, 1, 1], 3, "check that"), ([1, 2, 3, 1, 1], 3, "subtract 1"), ([0, 2, 0, 0, 0], 1, "check that")],
)
def test_labels_out_of_range(labels, n_classes, hint):
    with pytest.raises(DataError, match=f"labels reach {max(labels)}, but the model has {n_classes} classes") as caught:
        check_fits(Dataset.of(X, np.array(labels)), (4, 4, 3), n_classes)
    assert hint in caught.value.hint


def test_a_class_more_than_the_model_has_is_refused_though_no_sample_is_of_it():
    columns = np.eye(4)[[1, 2, 1, 2, 1]]
    for dataset in (Dataset.of(X, columns), Dataset.of(X, np.array([1, 1, 2, 2, 3])).take(slice(0, 3))):
        with pytest.raises(DataError, match="labels reach 3, but the model has 3 classes") as caught:
            check_fits(dataset, (4, 4, 3), 3)
        assert "subtract 1" in caught.value.hint
        check_fits(dataset, (4, 4, 3), 4)


@pytest.mark.parametrize(
    ("labels", "n_classes"),
    [([0, 1, 0, 1, 1], 1), ([0, 9, 0, 0, 0], None), ([0.5, 9.0, 1.0, 2.0, 3.0], 1)],
    ids=["one output, two classes", "unknown", "regression"],
)
def test_labels_in_range(labels, n_classes):
    check_fits(Dataset.of(X, np.array(labels)), (4, 4, 3), n_classes)
