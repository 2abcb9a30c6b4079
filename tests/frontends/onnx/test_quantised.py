"""Quantised models: weights and activations as what their integers stand for, value by value; or refused by node."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from snntoolbox.conversion.load import load
from snntoolbox.conversion.stages import convert
from snntoolbox.errors import FrontendError, SNNToolboxError, UnsupportedError
from snntoolbox.frontends.onnx import OnnxFrontend
from snntoolbox.ir.nodes import Conv, Dense, ReLU

RNG = np.random.default_rng(3)


def scalar(value, kind=np.float32):
    return np.array(value, kind)


def integers(*shape, low=-127, high=128, kind=np.int8):
    return RNG.integers(low, high, shape).astype(kind)


# Scales that are no powers of two apart: no sum lies half-way between two levels.
WEIGHTS = {
    "w": integers(4, 2, 3, 3), "ws": scalar(0.0071), "wz": scalar(0, np.int8),
    "v": integers(3, 4), "vs": np.float32([0.0031, 0.0052, 0.0073]), "vz": np.zeros(3, np.int8),
    "s": scalar(0.0237), "z": scalar(0, np.uint8), "t": scalar(0.0173), "tz": scalar(-128, np.int8),
    "u": scalar(0.0411), "uz": scalar(17, np.int8), "shape": np.array([0, -1], np.int64),
}  # fmt: skip
BOTH_SIDES = [
    ("QuantizeLinear", "x s z", "q", {}), ("DequantizeLinear", "q s z", "d", {}),
    ("DequantizeLinear", "w ws wz", "k", {}), ("Conv", "d k", "c", {}), ("Relu", "c", "r", {}),
    ("QuantizeLinear", "r t tz", "rq", {}), ("DequantizeLinear", "rq t tz", "rd", {}),
    ("MaxPool", "rd", "p", {"kernel_shape": [4, 4]}),
    ("QuantizeLinear", "p t tz", "pq", {}), ("Reshape", "pq shape", "f", {}), ("DequantizeLinear", "f t tz", "fd", {}),
    ("DequantizeLinear", "v vs vz", "m", {"axis": 0}), ("Gemm", "fd m", "g", {"transB": 1}),
    ("QuantizeLinear", "g u uz", "gq", {}), ("DequantizeLinear", "gq u uz", "y", {}),
]  # fmt: skip


def levels(graph):
    return [node.levels for node in graph.nodes.values() if isinstance(node, ReLU) and node.levels]


def test_weights_and_activations_on_their_grids(build, compare):
    model = build(BOTH_SIDES, x=(2, 6, 6), weights=WEIGHTS)
    x = [np.float32(np.random.default_rng(1).random((9, 2, 6, 6)) * 4)]
    graph = compare(model, x=x)
    conv, dense = (next(n for n in graph.nodes.values() if isinstance(n, kind)) for kind in (Conv, Dense))
    assert np.array_equal(conv.weight, np.float32(WEIGHTS["w"] * np.float32(0.0071)))
    assert np.array_equal(dense.weight, np.float32(WEIGHTS["v"] * WEIGHTS["vs"][:, None]))
    # the input and the rectifier have one side each; what is moved since stays on its grid; the output has both sides
    assert levels(graph) == [255, 255, 110, 145]


def test_half_way_between_two_levels(build, caplog):
    nodes = [("QuantizeLinear", "x s z", "q", {}), ("DequantizeLinear", "q s z", "y", {})]
    model = build(nodes, x=(8,), weights={"s": scalar(0.5), "z": scalar(3, np.int8)})
    frontend = OnnxFrontend()
    opened = frontend.open(model)
    x = np.float32([[-70, -1.26, -1.24, -0.25, 0.25, 0.76, 1.25, 99]])
    ours = frontend.parse(opened).run(x)
    assert np.array_equal(ours, [[-65.5, -1.5, -1.0, 0.0, 0.0, 1.0, 1.0, 62]])
    assert np.array_equal(ours, frontend.predict(opened, x)[0])
    convert(load(model), np.float32(x), duration=8)
    assert caplog.text.count("half-way between two levels go to the even one in the model") == 1


@pytest.mark.parametrize("bias", [True, False])
def test_operators_on_integers(build, compare, bias):
    weights = {**WEIGHTS, "cs": scalar(0.021), "cz": scalar(100, np.uint8), "b": integers(4, high=900, kind=np.int32)}
    weights |= {"ws": np.float32([0.003, 0.004, 0.005, 0.006]), "wz": np.zeros(4, np.int8)}
    weights |= {"vt": weights["v"].T.copy(), "o": scalar(0.05), "oz": scalar(90, np.uint8)}
    nodes = [
        ("QuantizeLinear", "x s z", "q", {}),
        ("QLinearConv", "q s z w ws wz cs cz" + " b" * bias, "c", {"pads": [1, 1, 1, 1]}),
        ("MaxPool", "c", "p", {"kernel_shape": [6, 6]}), ("Flatten", "p", "f", {}),
        ("QLinearMatMul", "f cs cz vt vs vz o oz", "m", {}), ("DequantizeLinear", "m o oz", "y", {}),
    ]  # fmt: skip
    x = [np.float32(np.random.default_rng(1).random((9, 2, 6, 6)) * 4)]
    compare(build(nodes, x=(2, 6, 6), weights=weights), x=x)


def test_data_and_outputs_that_are_integers(build, compare):
    nodes = [("DequantizeLinear", "x s z", "d", {}), ("DequantizeLinear", "v vs vz", "m", {"axis": 0}),
             ("Gemm", "d m", "g", {"transB": 1}), ("QuantizeLinear", "g u uz", "y", {})]  # fmt: skip
    model = build(nodes, x=(4,), weights={**WEIGHTS, "z": scalar(7, np.uint8)}, dtype=TensorProto.UINT8)
    compare(model, x=[integers(9, 4, low=0, high=256, kind=np.uint8)])
    load(model)  # which compares both on integers that it draws
    with pytest.raises(FrontendError, match=r"x \(onnx Input\): the model takes whole .*0 to 255.*\n.*zero point"):
        OnnxFrontend().predict(OnnxFrontend().open(model), np.full((2, 4), 0.5))


MISSED = {
    "a scale for each channel": (
        [("QuantizeLinear", "x c cz", "y", {})], {"c": np.ones(4, np.float32), "cz": np.zeros(4, np.uint8)},
        "by a scale for each channel"),
    "another grid": (
        [("QuantizeLinear", "x s z", "q", {}), ("DequantizeLinear", "q t z", "y", {})], {}, "of another grid"),
    "arithmetic of integers": (
        [("QuantizeLinear", "x s z", "q", {}), ("AveragePool", "q", "y", {"kernel_shape": [1]})], {},
        "works on quantised integers"),
    "different grids": (
        [("QuantizeLinear", "x s z", "q", {}), ("QuantizeLinear", "x u z", "r", {}),
         ("Concat", "q r", "y", {"axis": 1})], {}, "different grids"),
    "integers from elsewhere": (
        [("QLinearMatMul", "x s z n vs vz u uz", "y", {})], {"n": integers(4, 3)}, "that no QuantizeLinear has made"),
    "a scale of the sample": ([("DynamicQuantizeLinear", "x", "y a b", {})], {}, "from each sample's own values"),
    "a scale of zero": ([("QuantizeLinear", "x o z", "y", {})], {"o": scalar(0)}, "its scale of 0 is not above zero"),
    "a scale that is no number": (
        [("QuantizeLinear", "x o z", "y", {})], {"o": scalar(np.nan)}, "its scale of nan is not above zero"),
    "a scale beyond all": ([("QuantizeLinear", "x o z", "y", {})], {"o": scalar(1e38)}, "leaves float32 no room"),
    "zero points that do not fit": (
        [("QuantizeLinear", "x s z", "q", {}), ("DequantizeLinear", "q s z", "d", {}),
         ("DequantizeLinear", "v vs o", "m", {"axis": 0}), ("Gemm", "d m", "y", {"transB": 1})],
        {"o": np.zeros((1, 3), np.int8)}, "its constant output cannot be computed"),
    "other integers": (
        [("QuantizeLinear", "x s o", "y", {})], {"o": scalar(0, np.int32)}, "quantises to int32"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISSED)
def test_what_is_refused(case, build):
    nodes, more, told = MISSED[case]
    model = build(nodes, x=(4,) if case != "arithmetic of integers" else (1, 4), weights={**WEIGHTS, **more})
    with pytest.raises(UnsupportedError, match=told):
        OnnxFrontend().parse(OnnxFrontend().open(model))


ODD = (
    *(lambda v: v[None], lambda v: np.stack([v, v]), lambda v: np.full_like(v, -1), lambda v: np.zeros(0, v.dtype)),
    *(lambda v: v.astype(np.float32) * np.nan, lambda v: v.astype(np.float32) * 0, lambda v: v.astype(np.float64)),
    *(lambda v: v.astype(np.int64), lambda v: v.astype(np.uint8), lambda v: v.astype(bool), lambda v: v.astype("c8")),
    *(lambda v: np.float32(3e38) * np.ones(v.shape, np.float32), lambda v: np.array(["a"], object)),
)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_odd_scales_zero_points_and_weights_end_in_errors_of_ours(build):
    ended = {"read": 0, "refused": 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        model = build(BOTH_SIDES, x=(2, 6, 6), weights=WEIGHTS)
        for place in rng.choice(len(model.graph.initializer), 1 + seed % 2, replace=False):
            tensor = model.graph.initializer[place]
            changed = ODD[rng.integers(len(ODD))](numpy_helper.to_array(tensor))
            tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
        try:
            graph = OnnxFrontend().parse(OnnxFrontend().open(model))
            graph.run(np.ones((2, 2, 6, 6)))
            ended["read"] += 1
        except SNNToolboxError:
            ended["refused"] += 1
    assert ended["refused"] >= 20
    assert ended["read"] >= 3


@pytest.mark.parametrize(
    ("behind", "weights"),
    [
        ([("QuantizeLinear", "d n z", "p", {}), ("DequantizeLinear", "p n z", "y", {})], {"n": scalar(0.0519)}),
        (
            [
                ("Pad", "d pads fill", "e", {}),
                ("QuantizeLinear", "e s z", "p", {}),
                ("DequantizeLinear", "p s z", "y", {}),
            ],
            {"pads": np.array([0, 0, 0, 1]), "fill": scalar(0.333)},
        ),
    ],
    ids=["onto another grid", "a constant beside it"],
)
def test_put_on_a_grid_twice(build, behind, weights):
    front = [("QuantizeLinear", "x s z", "q", {}), ("DequantizeLinear", "q s z", "d", {})]
    model = build([*front, *behind], x=(5,), weights={**WEIGHTS, **weights})
    graph = load(model)  # compared with onnxruntime
    assert len(levels(graph)) == 2


@pytest.mark.parametrize(("kind", "steps"), [(TensorProto.UINT4, [14, 1]), (TensorProto.INT4, [6, 9])])
def test_integers_of_four_bits(kind, steps, build, compare):
    nodes = [("QuantizeLinear", "x s zero", "q", {}), ("DequantizeLinear", "q s zero", "y", {})]
    model = build(nodes, x=(5,), weights={"s": scalar(0.0237), "zero": scalar(1, np.uint8)}, opset=21)
    model.graph.initializer[1].CopyFrom(helper.make_tensor("zero", kind, [], [1]))
    assert levels(compare(model)) == steps
