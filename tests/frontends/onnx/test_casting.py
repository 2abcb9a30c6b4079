"""Inputs of whole numbers that the model casts first, and weights that are stored as 8-bit numbers with a scale."""

import numpy as np
import pytest
from onnx import TensorProto

from snntoolbox.backends.simulate import simulate
from snntoolbox.conversion.convert import convert
from snntoolbox.conversion.load import load
from snntoolbox.errors import UnsupportedError

RNG = np.random.default_rng(4)
FLOAT = {"to": TensorProto.FLOAT}


def images(dtype):
    """Bytes are cast, scaled and classified, as exporters write for images."""
    nodes = [("Cast", "x", "f", FLOAT), ("Mul", "f k", "d", {}), ("MatMul", "d w", "h", {}), ("Relu", "h", "r", {}),
             ("MatMul", "r v", "y", {})]  # fmt: skip
    return nodes, {"k": np.float32(1 / 255), "w": (5, 6), "v": (6, 3)}, dtype


@pytest.mark.parametrize("dtype", [TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32])
def test_a_cast_of_the_input_is_nothing(dtype, build, compare):
    nodes, weights, dtype = images(dtype)
    whole = RNG.integers(0, 128, (6, 5)).astype(np.float32)
    model = build(nodes, x=(5,), weights=weights, dtype=dtype)
    graph = compare(model, x=[whole])
    compare(model, x=[whole + 0.5])  # what a sample holds, not what the input's type would leave of it
    found = simulate(convert(load(model), whole), whole, duration=64).output
    wanted = graph.run(whole.astype(np.float64))
    assert np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()


def test_an_input_that_is_used_as_a_whole_number_stays_one(build):
    model = build([("Gather", "w x", "y", {})], x=(4,), weights={"w": (4, 3)}, dtype=TensorProto.INT32)
    with pytest.raises(UnsupportedError, match="works on integers"):
        load(model)


@pytest.mark.parametrize("opset", [13, 19, 21])
@pytest.mark.parametrize("per_channel", [False, True])
def test_weights_of_eight_bits_are_what_they_stand_for(opset, per_channel, build, compare):
    count = (4,) if per_channel else ()
    weights = {
        "q": RNG.integers(-127, 128, (4, 5)).astype(np.int8),
        "s": RNG.uniform(0.01, 0.02, count).astype(np.float32),
        "z": RNG.integers(-3, 4, count).astype(np.int8),
        "b": (4,),
    }
    axis = {"axis": 0} if per_channel else {}
    nodes = [("DequantizeLinear", "q s z", "w", axis), ("Gemm", "x w b", "g", {"transB": 1}), ("Relu", "g", "y", {})]
    compare(build(nodes, x=(5,), weights=weights, opset=opset))
