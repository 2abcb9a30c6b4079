"""Data sets from folders of arrays: what is read, and what is refused with which words."""

import numpy as np
import pytest

from snntoolbox.errors import DataError
from snntoolbox.workflow.data.load import check_fits, load_calibration, load_test

X = np.arange(4 * 2 * 3, dtype=np.float32).reshape(4, 2, 3)
LABELS = np.array([2, 0, 1, 2])
ONE_HOT = np.eye(3)[LABELS]
TARGETS = np.array([[0.5, 1.0], [0.0, 1.0], [1.0, 0.0], [2.5, 0.0]])


def save(folder, **arrays):
    for name, array in arrays.items():
        np.savez(folder / f"{name}.npz", array)


@pytest.mark.parametrize(
    "y",
    [
        LABELS,
        LABELS.astype(np.uint8),
        LABELS.astype(np.float64),
        LABELS[:, None],
        ONE_HOT,
        ONE_HOT.astype(bool),
        ONE_HOT.astype(np.int8),
    ],
    ids=["int", "uint8", "float", "column", "one-hot", "bool one-hot", "int one-hot"],
)
def test_classes_become_indices(tmp_path, y):
    save(tmp_path, x_test=X, y_test=y)
    data = load_test(tmp_path)
    assert data.y.dtype == np.int64
    assert not data.regression
    np.testing.assert_array_equal(data.y, LABELS)
    np.testing.assert_array_equal(data.x, X)


@pytest.mark.parametrize(
    "y", [TARGETS, TARGETS[:, :1], X + 0.5, ONE_HOT * 0.9], ids=["rows", "column", "images", "scaled one-hot"]
)
def test_regression_targets_are_kept(tmp_path, y):
    save(tmp_path, x_test=X, y_test=y)
    data = load_test(tmp_path)
    assert data.regression
    assert data.y.dtype == np.float32
    np.testing.assert_array_equal(data.y, np.squeeze(y).astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_of_probabilities_are_classes_and_told(tmp_path, caplog, dtype):
    save(tmp_path, x_test=X, y_test=(ONE_HOT * 0.9 + 0.1 / ONE_HOT.shape[1]).astype(dtype))
    data = load_test(tmp_path)
    assert not data.regression
    np.testing.assert_array_equal(data.y, LABELS)
    assert "rows of probabilities" in caplog.text


def test_a_few_targets_that_look_one_hot_stay_targets(tmp_path):
    save(tmp_path, x_test=X, y_test=TARGETS)
    data = load_test(tmp_path, indices=[1, 2])
    assert data.regression
    np.testing.assert_array_equal(data.y, [[0, 1], [1, 0]])


def test_labels_are_optional(tmp_path):
    save(tmp_path, x_test=X)
    assert load_test(tmp_path).y is None


def test_the_only_array_counts_whatever_its_key(tmp_path):
    np.savez(tmp_path / "x_test.npz", samples=X)
    np.testing.assert_array_equal(load_test(tmp_path).x, X)


def test_arr_0_counts_among_several(tmp_path):
    np.savez(tmp_path / "x_test.npz", X, other=LABELS)
    np.testing.assert_array_equal(load_test(tmp_path).x, X)


def test_large_npy_is_mapped_and_not_copied(tmp_path, monkeypatch):
    monkeypatch.setattr("snntoolbox.workflow.data.arrays.IN_MEMORY", 0)
    np.save(tmp_path / "x_test.npy", X)
    data = load_test(tmp_path, limit=3)
    base = data.x
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    np.testing.assert_array_equal(data.x, X[:3])


@pytest.mark.parametrize("dtype", [np.uint8, np.float64, np.float16, bool])
def test_samples_become_float32(tmp_path, dtype):
    np.save(tmp_path / "x_test.npy", X.astype(dtype))
    x = load_test(tmp_path).x
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, X.astype(dtype).astype(np.float32))


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({"limit": 3}, [0, 1, 2]),
        ({"limit": -1}, [0, 1, 2, 3]),
        ({"limit": 99}, [0, 1, 2, 3]),
        ({"indices": [3, 1]}, [3, 1]),
        ({"indices": [3, 1], "limit": 1}, [3, 1]),
        ({"indices": ()}, [0, 1, 2, 3]),
    ],
)
def test_choice_of_samples(tmp_path, options, chosen):
    save(tmp_path, x_test=X, y_test=ONE_HOT)
    data = load_test(tmp_path, **options)
    np.testing.assert_array_equal(data.x, X[chosen])
    np.testing.assert_array_equal(data.y, LABELS[chosen])


def test_calibration(tmp_path):
    assert load_calibration(tmp_path) is None
    save(tmp_path, x_norm=X)
    data = load_calibration(tmp_path, limit=2)
    assert data.y is None
    np.testing.assert_array_equal(data.x, X[:2])


def with_nan(value):
    x = X.copy()
    x[2, 0, 1] = value
    return x


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (with_nan(np.nan), LABELS, "x_test.npz holds NaN or infinite values, first in sample 2"),
        (with_nan(np.inf), LABELS, "first in sample 2"),
        (np.full((4, 1), 1e300), LABELS, "values beyond the range of float32, first in sample 0"),
        (X, LABELS[:3], "holds 4 samples, but .*y_test.npz holds 3 labels"),
        (X[:0], LABELS[:0], "x_test.npz holds no samples"),
        (np.float32(1), LABELS, "holds 0 samples, but .* 4 labels"),
        (np.float32(1), np.int64(1), "x_test.npz holds no samples"),
        (np.zeros(4), LABELS, r"shape \(4,\), which is not \(samples, ...\)"),
        (np.zeros((4, 0)), LABELS, r"x_test.npz is empty: its shape is \(4, 0\)"),
        (X.astype(str), LABELS, "x_test.npz holds <U"),
        (X * 1j, LABELS, "x_test.npz holds complex"),
        (X, LABELS - 1, "y_test.npz holds the label -1, but classes are counted from 0"),
        (X, LABELS.astype(str), "y_test.npz holds <U"),
        (X, np.array([0, 1, np.nan, 2]), "y_test.npz holds NaN"),
        (X, np.zeros((4, 0)), "y_test.npz is empty"),
        (X, np.ones((4, 3), int), "neither class indices nor one-hot"),
        (X.astype(object), LABELS, "x_test.npz holds Python objects"),
        (X, LABELS.astype(object), "y_test.npz holds Python objects"),
    ],
)
def test_bad_arrays(tmp_path, x, y, words):
    save(tmp_path, x_test=x, y_test=y)
    with pytest.raises(DataError, match=words) as caught:
        load_test(tmp_path)
    assert caught.value.hint


def truncate(data):
    return data[: len(data) // 2]


@pytest.mark.parametrize("end", ["npz", "npy"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: b"", "is empty"),
        (truncate, "is damaged or is no NumPy file"),
        (lambda data: b"not an array", "Python objects|is damaged"),
        (lambda data: b"\x80\x04N.", "Python objects|is damaged"),
        (lambda data: b"PK\x03\x04" + data[:60], "is damaged"),
    ],
    ids=["empty", "truncated", "text", "pickle", "broken zip"],
)
def test_damaged_files(tmp_path, end, damage, words):
    file = tmp_path / f"x_test.{end}"
    (np.savez if end == "npz" else np.save)(file, X)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=words) as caught:
        load_test(tmp_path)
    assert str(file) in caught.value.message
    assert caught.value.hint


def test_damaged_header(tmp_path):
    file = tmp_path / "x_test.npy"
    np.save(file, X)
    file.write_bytes(file.read_bytes().replace(b"(4, 2, 3)", b"(4, 2, 3 "))
    with pytest.raises(DataError, match="is damaged"):
        load_test(tmp_path)


@pytest.mark.parametrize("chunk", [1, 6, 12, 18, 1000])
def test_bad_samples_are_found_in_every_chunk(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr("snntoolbox.ir.large_arrays._VALUES_AT_ONCE", chunk)
    save(tmp_path, x_test=with_nan(np.nan))
    with pytest.raises(DataError, match="first in sample 2"):
        load_test(tmp_path)


def test_changed_bytes_in_an_archive_are_noticed(tmp_path):
    file = tmp_path / "x_test.npz"
    np.savez(file, X)
    content = bytearray(file.read_bytes())
    content[content.index(X[3].tobytes())] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        load_test(tmp_path)


@pytest.mark.parametrize("shape", [(0, 2), (0,), (3, 0)])
def test_empty_npy(tmp_path, shape):
    np.save(tmp_path / "x_test.npy", np.zeros(shape))
    with pytest.raises(DataError, match=r"holds no samples|is empty: its shape"):
        load_test(tmp_path)


def test_several_arrays_are_ambiguous(tmp_path):
    np.savez(tmp_path / "x_test.npz", a=X, b=X)
    with pytest.raises(DataError, match="holds the arrays a, b"):
        load_test(tmp_path)


@pytest.mark.parametrize("load", [load_test, load_calibration])
def test_wrong_folder(tmp_path, load):
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is not a folder"):
        load(tmp_path / "file")


def test_missing_samples(tmp_path):
    with pytest.raises(DataError, match=r"holds no x_test\.npz"):
        load_test(tmp_path)


def test_sample_that_is_not_there(tmp_path):
    save(tmp_path, x_test=X, y_test=LABELS)
    with pytest.raises(DataError, match="holds 4 samples, but sample 4 is asked for"):
        load_test(tmp_path, indices=[0, 4])


def test_fewer_samples_than_asked_for_are_told(tmp_path, caplog):
    save(tmp_path, x_test=X, y_test=LABELS, x_norm=X)
    assert len(load_test(tmp_path, limit=4)) == 4
    assert not caplog.text
    assert len(load_test(tmp_path, limit=9)) == 4
    assert "simulation.num_to_test = 9, but" in caplog.text
    assert len(load_calibration(tmp_path, limit=9).x) == 4
    assert "normalization.num_samples = 9, but" in caplog.text


def test_samples_that_are_chosen_twice_are_told(tmp_path, caplog):
    save(tmp_path, x_test=X, y_test=LABELS)
    assert len(load_test(tmp_path, indices=[3, 1, 3])) == 3
    assert "more than once, each counts as often: 3" in caplog.text


def test_true_and_false_are_no_three_classes(tmp_path):
    save(tmp_path, x_test=X, y_test=LABELS > 0)
    data = load_test(tmp_path)
    assert data.y.tolist() == [1, 0, 1, 1]
    check_fits(data, (2, 3), 2)
    with pytest.raises(DataError, match="the labels are True and False, but the model has 3 classes"):
        check_fits(data, (2, 3), 3)
