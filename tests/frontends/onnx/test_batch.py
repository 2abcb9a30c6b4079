"""The batch axis: fixed in the file, free, or carried through computed shapes; and what mixes it with others."""

from __future__ import annotations

import numpy as np
import pytest

from snntoolbox.errors import UnsupportedError
from snntoolbox.frontends.onnx import OnnxFrontend


def ints(*values):
    return np.array(values, np.int64)


FLATTEN = {
    "gather": [("Shape", "x", "s", {}), ("Gather", "s zero", "n", {}), ("Unsqueeze", "n", "n1", {"axes": [0]}),
               ("Concat", "n1 rest", "target", {"axis": 0}), ("Reshape", "x target", "y", {})],
    "slice": [("Shape", "x", "s", {}), ("Slice", "s zeros ones", "n1", {}),
              ("Concat", "n1 rest", "target", {"axis": 0}), ("Reshape", "x target", "y", {})],
    "halves": [("Shape", "x", "s", {}), ("Slice", "s zeros twos", "front", {}), ("Slice", "s twos fours", "back", {}),
               ("ReduceProd", "back", "size", {"keepdims": 1}), ("Concat", "front size", "target", {"axis": 0}),
               ("Reshape", "x target", "y", {})],
    "arithmetic": [("Shape", "x", "s", {}), ("Slice", "s zeros ones", "n1", {}), ("Mul", "n1 twos", "d", {}),
                   ("Div", "d twos", "n2", {}), ("Cast", "n2", "n3", {"to": 6}), ("Cast", "n3", "n4", {"to": 7}),
                   ("Concat", "n4 rest", "target", {"axis": 0}), ("Reshape", "x target", "y", {})],
}  # fmt: skip
INDICES = {"zero": np.array(0, np.int64), "zeros": ints(0), "ones": ints(1), "twos": ints(2), "fours": ints(4),
           "rest": ints(-1)}  # fmt: skip


@pytest.mark.parametrize("batch", ["N", 1, 4])
@pytest.mark.parametrize("how", FLATTEN)
def test_a_computed_reshape_is_one_node(how, batch, build, compare):
    read = {name for _, inputs, _, _ in FLATTEN[how] for name in inputs.split()}
    weights = {name: a for name, a in INDICES.items() if name in read}
    graph = compare(build(FLATTEN[how], x=(2, 3, 4), weights=weights, opset=11, batch=batch))
    assert [n.kind for n in graph.nodes.values()] == ["Input", "Reshape"]


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


def test_initializers_among_the_inputs_are_no_inputs(build, compare):
    graph = compare(build([("Gemm", "x w b", "y", {})], x=(4,), weights={"w": (4, 2), "b": (2,)}, opset=8, listed=True))
    assert graph.inputs == ("x",)


@pytest.mark.parametrize("samples", [0, 1, 4, 5, 11])
@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_any_number_of_samples(samples, batch, build):
    model = build([("Relu", "x", "y", {}), ("Neg", "x", "z", {})], x=(3,), batch=batch, outputs=("y", "z"))
    frontend = OnnxFrontend()
    x = np.float32(np.random.default_rng(0).normal(size=(samples, 3)))
    y, z = frontend.predict(frontend.open(model), x)
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    np.testing.assert_array_equal(z, -x)


def test_a_free_batch_reshaped_to_one_sample(build, compare):
    graph = compare(build([("Reshape", "x s", "y", {})], x=(2, 3), weights={"s": ints(1, 6)}))
    assert graph.shapes[graph.outputs[0]] == (6,)


MIXING = [
    ("Transpose", "x", {"perm": [1, 0, 2]}, (3, 2), {}, "N"),
    ("Transpose", "x", {}, (3, 2), {}, "N"),
    ("Flatten", "x", {"axis": 0}, (3, 2), {}, "N"),
    ("Flatten", "x", {"axis": 2}, (3, 2), {}, "N"),
    ("Reshape", "x s", {}, (3, 2), {"s": ints(-1)}, "N"),
    ("Reshape", "x s", {}, (3, 2), {"s": ints(-1, 2)}, "N"),
    ("Reshape", "x s", {}, (3, 2), {"s": ints(3, -1)}, "N"),
    ("Reshape", "x s", {}, (3, 2), {"s": ints(3, 2)}, 1),
    ("Reshape", "x s", {}, (3, 2), {"s": ints(1, 1, -1)}, 4),
    ("Squeeze", "x", {}, (3, 1), {}, 1),
    ("Squeeze", "x a", {}, (3, 1), {"a": ints(0)}, 1),
    ("Unsqueeze", "x a", {}, (3, 1), {"a": ints(0)}, "N"),
    ("ReduceMean", "x", {}, (3, 2), {}, "N"),
    ("ReduceMean", "x", {"axes": [0, 1]}, (3, 2), {}, "N"),
    ("ReduceMax", "x", {"axes": [-3]}, (3, 2), {}, "N"),
    ("ReduceSum", "x a", {}, (3, 2), {"a": ints(0)}, "N"),
    ("Concat", "x x", {"axis": 0}, (3, 2), {}, "N"),
    ("Softmax", "x", {"axis": 0}, (3, 2), {}, "N"),
    ("Slice", "x s e a", {}, (3, 2), {"s": ints(1), "e": ints(9), "a": ints(0)}, "N"),
    ("Slice", "x s e a", {}, (3, 2), {"s": ints(0), "e": ints(2), "a": ints(0)}, 4),
    ("Gather", "x i", {}, (3, 2), {"i": ints(0)}, "N"),
    ("Split", "x", {}, (3, 2), {}, "N"),
    ("Pad", "x p", {}, (3, 2), {"p": ints(1, 0, 0, 0, 0, 0)}, "N"),
    ("Expand", "x s", {}, (3, 2), {"s": ints(2, 1, 3, 2)}, "N"),
    ("Tile", "x r", {}, (3, 2), {"r": ints(2, 1, 1)}, "N"),
    ("Gemm", "x w", {"transA": 1}, (4,), {"w": (4, 2)}, 4),
    ("MatMul", "w x", {}, (4,), {"w": (3, 3)}, 3),
    ("Add", "x c", {}, (4,), {"c": (3, 4)}, 3),
    ("Add", "x c", {}, (4,), {"c": (2, 1, 4)}, "N"),
    ("Mul", "x c", {}, (4,), {"c": (3, 1)}, "N"),
    ("Gemm", "x w c", {}, (4,), {"w": (4, 2), "c": (3, 2)}, 3),
]  # fmt: skip


@pytest.mark.parametrize(("op", "inputs", "attributes", "x", "weights", "batch"), MIXING)
def test_mixing_the_batch_is_refused_by_name(op, inputs, attributes, x, weights, batch, build):
    frontend = OnnxFrontend()
    model = frontend.open(build([(op, inputs, "y", attributes)], x=x, weights=weights, batch=batch))
    with pytest.raises(UnsupportedError) as caught:
        frontend.parse(model)
    assert [o.layer for o in caught.value.offenders] == [f"{op}_0 (onnx {op})"]
    assert "malformed" not in str(caught.value)


def test_a_multiple_of_the_batch_is_no_batch(build):
    nodes = [("Shape", "x", "s", {}), ("Mul", "s twice", "t", {}), ("Reshape", "x t", "y", {})]
    frontend = OnnxFrontend()
    model = frontend.open(build(nodes, x=(3, 2), weights={"twice": ints(2, 1, 1)}, opset=13))
    with pytest.raises(UnsupportedError, match=r"Reshape_2.*mixes the batch"):
        frontend.parse(model)


def test_a_sample_of_the_batch_size_is_refused(build):
    nodes = [("Shape", "x", "s", {}), ("Gather", "s back", "t", {}), ("Reshape", "x t", "y", {})]
    frontend = OnnxFrontend()
    model = frontend.open(build(nodes, x=(3, 2), weights={"back": ints(2, 1, 0)}, opset=13))
    with pytest.raises(UnsupportedError, match="mixes the batch"):
        frontend.parse(model)
