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
