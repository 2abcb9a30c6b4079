"""Arrays that are kept small: what is asked for has the values and the types that it had."""

import pickle

import numpy as np
import pytest

from snntoolbox.ir.unfolded import Unfolded, folded

ARRAYS = {
    "bytes": np.array([[0, 255]], np.int32),
    "shorts": np.array([256, 65535]),
    "large": np.array([65536, 1]),
    "negative": np.array([-1, 3]),
    "floats": np.array([0.5, 2.0]),
    "bools": np.array([True, False]),
    "strided": np.arange(24, dtype=np.int64).reshape(2, 3, 4).transpose(0, 2, 1),
    "empty": np.zeros((0, 3), np.int64),
}
TYPES = {"bytes": np.uint8, "shorts": np.uint16, "strided": np.uint8}


@pytest.mark.parametrize("sent", [False, True])
def test_values_and_types_are_kept(sent):
    found = folded(ARRAYS)
    found = pickle.loads(pickle.dumps(found)) if sent else found
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found.small[name].dtype == TYPES.get(name, array.dtype)
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_what_is_small_already_stays():
    small = Unfolded({"a": np.zeros(2, np.uint8)}, {"a": lambda a: a + 1})
    assert folded(small) is small
    assert small["a"] is small["a"]
