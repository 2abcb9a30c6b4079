"""What a file computes without its input is worked out: weights, constants and the arithmetic of shapes."""

import numpy as np
import pytest

RNG = np.random.default_rng(4)


def ints(*values):
    return np.array(values, np.int64)


NETS = {
    "constant expanded to the batch": (
        [("Shape", "x", "s", {}), ("Expand", "c s", "cc", {}), ("Add", "x cc", "y", {})], (4,), {"c": (1, 4)}),
    "size of the sample": (
        [("Shape", "x", "s", {"start": 1}), ("Concat", "m s", "t", {"axis": 0}), ("Expand", "c t", "cc", {}),
         ("Mul", "x cc", "y", {})], (3, 4), {"c": (1, 1, 4), "m": ints(1)}),
    "resize by computed sizes": (
        [("Shape", "x", "s", {"end": 2}), ("Concat", "s hw", "t", {"axis": 0}), ("Resize", "x   t", "y", {})],
        (2, 3, 4), {"hw": ints(6, 8)}),
    "weights worked out by the file": (
        [("Transpose", "w", "wt", {"perm": [1, 0]}), ("Mul", "wt two", "w2", {}), ("MatMul", "x w2", "y", {})],
        (5,), {"w": (3, 5), "two": np.float32(2)}),
    "constant of shape": (
        [("ConstantOfShape", "n", "ones", {}), ("Add", "x ones", "y", {})], (4,), {"n": ints(1, 4)}),
    "unused refused node": (
        [("Sigmoid", "x", "unused", {}), ("Relu", "x", "y", {})], (4,), {}),
}  # fmt: skip


@pytest.mark.parametrize("batch", ["N", 1, 4])
@pytest.mark.parametrize("net", NETS)
def test_folding(net, batch, build, compare):
    nodes, x, weights = NETS[net]
    compare(build(nodes, x=x, weights=weights, opset=15, batch=batch))


CONSTANTS = [{"value_float": 1.5}, {"value_floats": [1.0, 2.0, 3.0]}, {"value_int": 3}, {"value_ints": [1, 2, 3]}]


@pytest.mark.parametrize("attribute", CONSTANTS)
def test_constant_nodes(attribute, build, compare):
    nodes = [("Constant", "", "i", attribute), ("Cast", "i", "c", {"to": 1}), ("Add", "x c", "y", {})]
    compare(build(nodes, x=(3,), opset=13))


def test_constant_nodes_with_tensors(build, compare):
    from onnx import helper, numpy_helper

    dense = numpy_helper.from_array(np.float32([1, 2, 3]), "c")
    values, indices = numpy_helper.from_array(np.float32([5]), "v"), numpy_helper.from_array(ints(1), "i")
    sparse = helper.make_sparse_tensor(values, indices, [3])
    nodes = [("Constant", "", "a", {"value": dense}), ("Constant", "", "b", {"sparse_value": sparse}),
             ("Mul", "x a", "z", {}), ("Add", "z b", "y", {})]  # fmt: skip
    compare(build(nodes, x=(3,), opset=13))


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
