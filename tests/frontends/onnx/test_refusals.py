"""What the frontend refuses: by name, with a reason, and all offenders of a model at once."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from snntoolbox.errors import UnsupportedError
from snntoolbox.frontends.onnx import OnnxFrontend


def ints(*values):
    return np.array(values, np.int64)


def floats(*values):
    return np.array(values, np.float32)


def offenders(model):
    frontend = OnnxFrontend()
    opened = frontend.open(model)
    with pytest.raises(UnsupportedError) as caught:
        frontend.parse(opened)
    return [(o.layer, o.reason) for o in caught.value.offenders]


IMAGE = (4, 6, 6)
REFUSED = [
    ("Softsign", "x", {}, (4,), {}, "activation"),
    ("Elu", "x", {"alpha": float("inf")}, (4,), {}, "malformed"),
    ("Celu", "x", {"alpha": 0.5}, (4,), {}, "only 1 is known"),
    ("Selu", "x", {"gamma": 0.5}, (4,), {}, "are known"),
    ("LeakyRelu", "x", {"alpha": float("nan")}, (4,), {}, "malformed"),
    ("ThresholdedRelu", "x", {}, (4,), {}, "jumps"),
    ("PRelu", "x s", {}, (1, 4), {"s": (3, 1)}, "do not fit"),
    ("Clip", "x lo hi", {}, (4,), {"lo": floats(1).reshape(()), "hi": floats(-1).reshape(())}, "one value"),
    ("Clip", "x lo hi", {}, (4,), {"lo": floats(0).reshape(()), "hi": floats(0).reshape(())}, "one value"),
    ("Clip", "x lo", {}, (4,), {"lo": floats(np.nan).reshape(())}, "not a number"),
    ("Max", "x c", {}, (4,), {"c": floats(0, 1, 2, np.inf)}, "not finite"),
    ("GlobalLpPool", "x", {}, IMAGE, {}, "not supported"),
    ("Einsum", "x x", {"equation": "bi,ci->bc"}, (4,), {}, "mixes samples"),
    ("Pow", "x e", {}, (4,), {"e": floats(0.5)}, "whole numbers from 1 to 4"),
    ("Pow", "x e", {}, (4,), {"e": floats(1, 2, 1, 2)}, "an exponent for each value"),
    ("Pow", "e x", {}, (4,), {"e": floats(2)}, "an exponent that depends on the input"),
    ("Where", "x x c", {}, (4,), {"c": floats(2)}, "chooses by values that depend on the input"),
    ("LayerNormalization", "x g", {"axis": 0}, (4,), {"g": (4,)}, "the batch"),
    ("GroupNormalization", "x g b", {"num_groups": 3}, IMAGE, {"g": (4,), "b": (4,)}, "3 groups"),
    ("Sqrt", "x", {}, (4,), {}, "its own mean square"),
    ("Reciprocal", "x", {}, (4,), {}, "division by an activation"),
    ("LRN", "x", {"size": 3}, IMAGE, {}, "normalisation"),
    ("InstanceNormalization", "x g b", {}, IMAGE, {"g": (3,), "b": (4,)}, "do not fit 4 channels"),
    ("LSTM", "x w r", {"hidden_size": 2}, (3, 4), {"w": (1, 8, 4), "r": (1, 8, 2)}, "where the batch is"),
    ("ConvTranspose", "x w", {}, IMAGE, {"w": (3, 2, 3, 3)}, "does not fit 4 channels"),
    ("ConvTranspose", "x w", {"group": 3}, IMAGE, {"w": (4, 2, 3, 3)}, "in 3 groups"),
    ("ConvTranspose", "x w", {"output_shape": [99, 99]}, IMAGE, {"w": (4, 2, 3, 3)}, "larger than"),
    ("ConvTranspose", "x w", {"strides": [2**20, 2**20]}, IMAGE, {"w": (4, 2, 3, 3)}, "too large"),
    ("ConvTranspose", "x w", {"output_padding": [-1, 0]}, IMAGE, {"w": (4, 2, 3, 3)}, "integers from 0"),
    ("ArgMax", "x", {"axis": 1}, (4,), {}, "not supported"),
    ("MatMul", "x x", {}, (3, 4), {}, "do not fit"),
    ("Div", "c x", {}, (4,), {"c": (4,)}, "division by an activation"),
    ("Div", "x c", {}, (4,), {"c": floats(1, 0, 1, 1)}, "division by zero"),
    ("Dropout", "x r t", {}, (4,), {"r": floats(0.5).reshape(()), "t": np.array(True)}, "training"),
    ("BatchNormalization", "x g b m v", {"training_mode": 1}, IMAGE,
     {"g": (4,), "b": (4,), "m": (4,), "v": floats(1, 1, 1, 1)}, "training"),
    ("Cast", "x", {"to": 7}, (4,), {}, "not a float"),
    ("AveragePool", "x", {"kernel_shape": [2, 2], "dilations": [2, 2]}, IMAGE, {}, "dilation"),
    ("Conv", "x x", {}, IMAGE, {}, "weight is not constant"),
    ("Gather", "x i", {"axis": 1}, (4,), {"i": ints(9)}, "outside"),
    ("Gather", "w x", {}, (4,), {"w": (4, 3)}, "by an activation"),
    ("Resize", "x  s", {"mode": "cubic"}, IMAGE, {"s": floats(1, 1, 2, 2)}, "cubic"),
    ("Resize", "x  s", {"antialias": 1}, IMAGE, {"s": floats(1, 1, 0.5, 0.5)}, "antialias"),
    ("Conv", "x w", {"strides": [0, 1]}, IMAGE, {"w": (2, 4, 3, 3)}, "integers from 1"),
    ("Conv", "x w", {"strides": [1]}, IMAGE, {"w": (2, 4, 3, 3)}, "are not the 2"),
    ("Conv", "x w", {"pads": [2**40] * 4}, IMAGE, {"w": (2, 4, 3, 3)}, "too large"),
    ("Conv", "x w", {}, IMAGE, {"w": (2, 3, 3, 3)}, "channels"),
    ("Gemm", "x w", {}, (4,), {"w": (5, 2)}, "features"),
    ("Reshape", "x s", {}, (4,), {"s": ints(0, 3, -1)}, "does not fit"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "inputs", "attributes", "x", "weights", "reason"), REFUSED)
def test_refused(op, inputs, attributes, x, weights, reason, build):
    opset = {"LeakyRelu": 16, "AveragePool": 19}.get(op, 18)
    ((layer, told),) = offenders(build([(op, inputs, "y", attributes)], x=x, weights=weights, opset=opset))
    assert layer == f"{op}_0 (onnx {op})"
    assert reason in told


def test_every_offender_is_listed_in_order(build):
    nodes = [("Conv", "x w", "c", {}), ("Softsign", "c", "s", {}), ("MaxPool", "s", "p", {"kernel_shape": [2, 2]}),
             ("Sin", "p", "t", {}), ("Flatten", "t", "f", {}), ("ReduceMean", "f", "r", {"axes": [0], "keepdims": 1}),
             ("Cos", "r", "y", {})]  # fmt: skip
    listed = [layer.split()[0] for layer, _ in offenders(build(nodes, x=IMAGE, weights={"w": (2, 4, 3, 3)}))]
    assert listed == ["Softsign_1", "Sin_3", "ReduceMean_5", "Cos_6"]


def test_custom_domains_are_refused_and_what_follows_is_still_read(build):
    nodes = [("Relu", "x", "r", {}), ("Relu", "r", "s", {}), ("Relu", "s", "t", {}), ("Sin", "t", "y", {})]
    model = build(nodes, x=(4,))
    model.graph.node[1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    listed = offenders(model)
    assert [layer for layer, _ in listed] == ["Relu_1 (onnx Relu)", "Sin_3 (onnx Sin)"]
    assert "com.example" in listed[0][1]


def test_hints_say_what_to_do(build):
    model = build([("Dropout", "x r t", "y", {})], x=(4,), opset=13,
                  weights={"r": floats(0.5).reshape(()), "t": np.array(True)})  # fmt: skip
    with pytest.raises(UnsupportedError) as caught:
        OnnxFrontend().parse(OnnxFrontend().open(model))
    assert caught.value.hint.startswith("export the model in evaluation mode")


def test_control_flow_is_refused(build):
    branch = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "branch", [],
                               [helper.make_empty_tensor_value_info("z")])  # fmt: skip
    nodes = [("If", "c", "y", {"then_branch": branch, "else_branch": branch})]
    model = build(nodes, x=(4,), weights={"c": np.array(True)})
    ((layer, reason),) = offenders(model)
    assert (layer, reason) == ("If_0 (onnx If)", "control flow is not supported")


def test_an_output_that_ignores_the_input_is_refused(build):
    model = build([("Relu", "w", "y", {}), ("Relu", "x", "z", {})], x=(4,), weights={"w": (1, 4)}, outputs=("y", "z"))
    assert offenders(model) == [("y (onnx Output)", "does not depend on the input")]


def test_random_numbers_are_not_constants(build):
    model = build([("RandomNormal", "", "r", {"shape": [1, 4]}), ("Add", "x r", "y", {})], x=(4,))
    assert offenders(model) == [("RandomNormal_0 (onnx RandomNormal)", "its output is random")]


def test_a_used_dropout_mask_is_refused(build):
    model = build([("Dropout", "x", "d m", {}), ("Where", "m d x", "y", {})], x=(4,))
    assert offenders(model)[0][0] == "Dropout_0 (onnx Dropout)"


HUGE = {
    "constant of shape": [("ConstantOfShape", "n", "c", {}), ("Add", "x c", "y", {})],
    "expand": [("Expand", "one n", "c", {}), ("Add", "x c", "y", {})],
    "expand an activation": [("Expand", "x n", "y", {})],
    "tile": [("Tile", "x n", "y", {})],
    "pad": [("Pad", "x p", "y", {})],
    "range": [("Range", "zero top step", "c", {}), ("Add", "x c", "y", {})],
    "outer product": [("Expand", "one m", "c", {}), ("Transpose", "c", "d", {"perm": [1, 0]}),
                      ("MatMul", "d c", "e", {}), ("Add", "x e", "y", {})],
    "resize": [("Resize", "x  scales", "y", {"mode": "nearest"})],
}  # fmt: skip


@pytest.mark.parametrize("how", HUGE)
def test_huge_tensors_are_refused_before_they_are_made(how, build):
    weights = {"n": ints(1, 10**11), "m": ints(1, 10**6), "one": floats(1), "p": ints(0, 0, 0, 10**11),
               "zero": np.array(0, np.int64), "top": np.array(10**11, np.int64), "step": np.array(1, np.int64),
               "scales": floats(1, 1e10)}  # fmt: skip
    read = {name for _, inputs, _, _ in HUGE[how] for name in inputs.split()}
    listed = offenders(build(HUGE[how], x=(1,), weights={k: w for k, w in weights.items() if k in read}))
    assert any(word in listed[0][1] for word in ("too large", "cannot be told", "malformed", "pads"))
