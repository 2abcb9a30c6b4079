"""Models of half precision, and inputs of whole numbers that the model casts first, are computed in float32."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from snntoolbox.backends.simulate import simulate
from snntoolbox.conversion.load import load
from snntoolbox.conversion.stages import convert
from snntoolbox.errors import FrontendError, UnsupportedError

RNG = np.random.default_rng(4)
FLOAT = {"to": TensorProto.FLOAT}


def images(dtype):
    """Bytes are cast, scaled and classified, as exporters write for images."""
    nodes = [("Cast", "x", "f", FLOAT), ("Mul", "f k", "d", {}), ("MatMul", "d w", "h", {}), ("Relu", "h", "r", {}),
             ("MatMul", "r v", "y", {})]  # fmt: skip
    return nodes, {"k": np.float32(1 / 255), "w": (5, 6), "v": (6, 3)}, dtype


@pytest.mark.parametrize("dtype", [TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32, TensorProto.INT64])
def test_a_cast_of_the_input_is_nothing(dtype, build, compare):
    nodes, weights, dtype = images(dtype)
    whole = RNG.integers(0, 128, (6, 5)).astype(np.float32)
    model = build(nodes, x=(5,), weights=weights, dtype=dtype)
    graph = compare(model, x=[whole])
    compare(model, x=[whole + 0.5])  # what a sample holds, not what the input's type would leave of it
    found = simulate(convert(load(model), whole), whole, duration=64).output
    wanted = graph.run(whole.astype(np.float64))
    assert np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()


@pytest.mark.parametrize("dtype", [TensorProto.INT32, TensorProto.INT64])
def test_an_input_may_be_moved_before_its_cast(dtype, build, compare):
    """As masks of tokens are, that numbers of every type move alike."""
    nodes = [("Unsqueeze", "x one", "u", {}), ("Transpose", "u", "t", {"perm": [0, 2, 1]}), ("Cast", "t", "f", FLOAT),
             ("MatMul", "f w", "y", {})]  # fmt: skip
    weights = {"one": np.array([1], np.int64), "w": (1, 3)}
    compare(build(nodes, x=(4,), weights=weights, dtype=dtype), x=[RNG.integers(0, 2, (6, 4)).astype(np.float32)])


def test_an_input_of_truth_values_gets_such(build, compare):
    model = build([("Cast", "x", "f", FLOAT), ("MatMul", "f w", "y", {})], x=(4,), weights={"w": (4, 3)},
                  dtype=TensorProto.BOOL)  # fmt: skip
    load(model)  # and is compared with its original on random ones
    compare(model, x=[RNG.integers(0, 2, (6, 4)).astype(np.float32)])
    with pytest.raises(FrontendError, match="takes whole numbers from 0 to 1"):
        compare(model, x=[np.full((6, 4), 0.5, np.float32)])


def test_an_input_that_is_moved_and_read_as_a_whole_number_stays_one(build):
    nodes = [("Unsqueeze", "x one", "u", {}), ("Cast", "u", "f", FLOAT), ("Add", "u u", "s", {}),
             ("Cast", "s", "g", FLOAT), ("Add", "f g", "y", {})]  # fmt: skip
    model = build(nodes, x=(4,), weights={"one": np.array([1], np.int64)}, dtype=TensorProto.INT64)
    with pytest.raises(UnsupportedError, match="works on integers"):
        load(model)


def test_an_input_that_is_used_as_a_whole_number_stays_one(build):
    model = build([("Gather", "w x", "y", {})], x=(4,), weights={"w": (4, 3)}, dtype=TensorProto.INT32)
    with pytest.raises(UnsupportedError, match="works on integers"):
        load(model)


@pytest.mark.parametrize("batch", ["N", 2])
@pytest.mark.parametrize("kind", ["FLOAT16", "BFLOAT16"])
def test_half_precision_is_computed_in_float32(kind, batch, build, compare):
    number = getattr(onnx.TensorProto, kind)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(number)
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(3, 4, 3, 3)).astype(dtype), "c": np.array(1.1).astype(dtype)}
    nodes = [("Conv", "x w", "h", {}), ("Cast", "h", "s", {"to": number}), ("Mul", "s c", "m", {}),
             ("GlobalAveragePool", "m", "y", {})]  # fmt: skip
    compare(build(nodes, x=(4, 7, 6), weights=weights, dtype=number, batch=batch), samples=2)
