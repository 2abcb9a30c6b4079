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


JOINT = {  # of samples (3, 4)
    "heads behind the batch": (
        [("Reshape", "x s", "a", {}), ("Transpose", "a", "b", {"perm": [1, 0, 2]}), ("Reshape", "b t", "y", {})],
        {"s": ints(-1, 3, 2), "t": ints(-1, 4, 3)},
    ),
    "steps before the batch": (
        [("Transpose", "x", "t", {"perm": [1, 0, 2]}), ("Reshape", "t s", "a", {}), ("MatMul", "a w", "b", {}),
         ("Add", "b v", "c", {}), ("Relu", "c", "d", {}), ("Reshape", "d r", "e", {}),
         ("Transpose", "e", "y", {"perm": [1, 0, 2]})],
        {"s": ints(-1, 4), "w": (4, 5), "v": (5,), "r": ints(3, -1, 5)},
    ),
    "a dense layer": (
        [("Reshape", "x s", "a", {}), ("Gemm", "a w v", "b", {"transB": 1}), ("Reshape", "b r", "y", {})],
        {"s": ints(-1, 4), "w": (5, 4), "v": (5,), "r": ints(-1, 3, 5)},
    ),
    "products of matrices": (
        [("Reshape", "x s", "a", {}), ("Transpose", "a", "b", {"perm": [0, 2, 1]}), ("MatMul", "a b", "c", {}),
         ("Add", "c m", "d", {}), ("Softmax", "d", "e", {"axis": -1}), ("MatMul", "e a", "f", {}),
         ("Reshape", "f r", "y", {})],
        {"s": ints(-1, 2, 2), "m": (1, 2, 2), "r": ints(-1, 3, 4)},
    ),
    "a shape that is read": (
        [("Reshape", "x s", "a", {}), ("Shape", "a", "h", {}), ("Relu", "a", "b", {}), ("Reshape", "b h", "c", {}),
         ("Reshape", "c r", "y", {})],
        {"s": ints(-1, 2), "r": ints(-1, 12)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("batch", ["N", 1, 5])
@pytest.mark.parametrize("case", JOINT)
def test_a_batch_that_is_joined_with_other_axes(case, batch, build, compare):
    nodes, weights = JOINT[case]
    if case == "heads behind the batch":
        with pytest.raises(UnsupportedError):  # transposed it stands behind
            compare(build(nodes, x=(3, 4), weights=weights, batch=batch))
        return
    compare(build(nodes, x=(3, 4), weights=weights, batch=batch), samples=5)


KEPT_TOGETHER = {
    "another axis": [("Reshape", "x s", "a", {}), ("Softmax", "a", "b", {"axis": 1}), ("Reshape", "b r", "y", {})],
    "a constant for each": [("Reshape", "x s", "a", {}), ("Add", "a m", "b", {}), ("Reshape", "b r", "y", {})],
    "from the left": [("Reshape", "x s", "a", {}), ("MatMul", "n a", "b", {}), ("Reshape", "b r", "y", {})],
    "summed": [("Reshape", "x s", "a", {}), ("ReduceSum", "a", "b", {}), ("Reshape", "b r", "y", {})],
    "with the axes apart": [("Reshape", "x s", "a", {}), ("Reshape", "x r", "b", {}), ("Mul", "a b", "y", {})],
    "an output": [("Reshape", "x s", "y", {})],
}


@pytest.mark.parametrize("case", KEPT_TOGETHER)
def test_what_would_mix_the_samples_of_a_joint_batch_is_refused(case, build):
    nodes = KEPT_TOGETHER[case]
    read = {name for _, inputs, _, _ in nodes for name in inputs.split()}
    weights = {"s": ints(-1, 3, 2), "r": ints(-1, 3, 4), "m": (2, 3, 2), "n": (1, 3, 3)}
    model = build(nodes, x=(3, 4), weights={n: w for n, w in weights.items() if n in read})
    with pytest.raises(UnsupportedError) as caught:
        OnnxFrontend().parse(OnnxFrontend().open(model))
    assert any("mixes the batch with other axes" in o.reason for o in caught.value.offenders), caught.value.offenders
