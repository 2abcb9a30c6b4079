"""Every handler, in every combination of attributes and in several opsets, against the framework's own output."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import pytest

ALL = (7, 9, 11, 13, 17, 21, 26)
I64 = np.int64
F32 = np.float32


def ints(*values):
    return np.array(values, I64)


def scalar(value):
    return np.array(value, F32)


def floats(*values):
    return np.array(values, F32)


@dataclass
class Case:
    """One node reading x (sample shape) and constants, at some opsets; inputs default to x and all constants."""

    op: str
    x: tuple
    weights: dict = field(default_factory=dict)
    attributes: dict = field(default_factory=dict)
    opsets: tuple = ALL
    inputs: str | None = None
    outputs: str = "y"
    batch: int | str = "N"
    kinds: tuple | None = None

    @property
    def nodes(self):
        inputs = " ".join(["x", *self.weights]) if self.inputs is None else self.inputs
        return [(self.op, inputs, self.outputs, self.attributes)]


IMAGE = (4, 7, 6)


def conv(x, w, b=True, opsets=(7, 11, 26), **attributes):
    weights = {"w": w, **({"b": (w[0],)} if b else {})}
    return Case("Conv", x, weights, attributes, opsets)


def transposed(x, w, **attributes):
    bias = {"b": (w[1] * attributes.get("group", 1),)} if attributes else {}
    return Case("ConvTranspose", x, {"w": w, **bias}, attributes, (7, 11, 22))


def pool(op, x=IMAGE, opsets=(11, 19), **attributes):
    return Case(op, x, {}, attributes, opsets)


WEIGHTED = [
    Case("Gemm", (5,), {"w": (5, 3), "b": (3,)}),
    Case("Gemm", (5,), {"w": (3, 5), "b": (1, 3)}, {"transB": 1, "alpha": 0.5, "beta": -2.0}),
    Case("Gemm", (5,), {"w": (3, 5), "b": ()}, {"transB": 1}),
    Case("Gemm", (5,), {"w": (5, 3), "b": (1,)}, {"alpha": 1.5}),
    Case("Gemm", (5,), {"w": (5, 3)}, {}, (11, 13)),
    Case("Gemm", (3,), {"w": (3, 3)}, {"beta": 0.25}, (11, 13), inputs="x w x", kinds=("Dense", "Add")),
    Case("MatMul", (5,), {"w": (5, 3)}),
    Case("MatMul", (4, 5), {"w": (5, 3)}),
    Case("MatMul", (4, 5), {"w": (1, 5, 3)}),
    Case("MatMul", (4, 5), {"w": (5,)}),
    Case("MatMul", (5, 2), {"w": (3, 5)}, inputs="w x"),
    Case("MatMul", (4, 5, 2), {"w": (1, 1, 3, 5)}, inputs="w x"),
    Case("MatMul", (4, 5), {"w": (4,)}, inputs="w x"),
    conv((3, 9), (4, 3, 3)),
    conv((3, 9), (4, 3, 2), b=False, strides=[2], dilations=[3], pads=[1, 2]),
    conv((3, 8, 7), (4, 3, 3, 2), pads=[1, 0, 2, 1], kernel_shape=[3, 2]),
    conv((3, 8, 7), (4, 3, 3, 2), strides=[2, 3], dilations=[2, 1], auto_pad="NOTSET"),
    conv((4, 8, 7), (6, 2, 3, 3), group=2, pads=[1, 1, 1, 1]),
    conv((4, 8, 7), (4, 1, 3, 3), group=4, strides=[2, 2]),
    *(conv((2, 8, 7), (3, 2, 4, 3), auto_pad=a, strides=s)
      for a in ("SAME_UPPER", "SAME_LOWER", "VALID") for s in ([1, 1], [2, 3])),
    conv((2, 5, 6, 4), (3, 2, 2, 3, 2), strides=[1, 2, 1], pads=[1, 0, 1, 0, 1, 1]),
    *(transposed(s, w, **a) for s, w, a in (
        ((4, 5), (4, 3, 3), {"strides": [2], "pads": [1, 0], "output_padding": [1]}),
        (IMAGE, (4, 3, 3, 2), {}),
        (IMAGE, (4, 3, 3, 2), {"strides": [2, 3], "dilations": [2, 1], "pads": [0, 1, 2, 1]}),
        (IMAGE, (4, 3, 2, 2), {"strides": [2, 2], "group": 2, "kernel_shape": [2, 2]}),
        (IMAGE, (4, 1, 4, 3), {"strides": [2, 2], "group": 4, "auto_pad": "VALID"}),
        (IMAGE, (4, 3, 4, 3), {"strides": [2, 2], "output_padding": [1, 1], "pads": [1, 1, 1, 1]}),
        *((IMAGE, (4, 3, 4, 3), {"strides": s, "auto_pad": a, "output_shape": [7 * s[0], 6 * s[1]]})
          for s in ([2, 2], [3, 1]) for a in ("SAME_UPPER", "SAME_LOWER")),
        *((IMAGE, (4, 3, 4, 3), {"strides": s, "auto_pad": a})
          for s in ([2, 2], [3, 1], [1, 1]) for a in ("SAME_UPPER", "SAME_LOWER")),
        (IMAGE, (4, 3, 4, 3), {"strides": [2, 2], "output_shape": [13, 12]}),
        ((2, 3, 4, 3), (2, 3, 2, 2, 3), {"strides": [1, 2, 1], "pads": [0, 1, 0, 0, 0, 1]}))),
    *(Case("BatchNormalization", s, {"g": (4,), "b": (4,), "m": (4,), "v": floats(1, 2, 0.5, 3)}, a, o)
      for s in ((4,), (4, 5), IMAGE) for a, o in (({}, ALL), ({"epsilon": 0.1}, (9, 14)))),
    Case("BatchNormalization", IMAGE, {"g": (4,), "b": (4,), "m": (4,), "v": floats(1, 2, 3, 4)}, {"momentum": 0.1}),
    Case("LayerNormalization", IMAGE, {"g": (6,), "b": (6,)}, {}, (17, 26), kinds=("Normalise", "Scale")),
    Case("LayerNormalization", IMAGE, {"g": (7, 6)}, {"axis": 2, "epsilon": 0.1}, (17,)),
    Case("RMSNormalization", (4, 5), {"g": (5,)}, {"epsilon": 0.1}, (23,)),
    Case("GroupNormalization", IMAGE, {"g": (2,), "b": (2,)}, {"num_groups": 2}, (18,)),
    Case("GroupNormalization", IMAGE, {"g": (4,), "b": (4,)}, {"num_groups": 2, "epsilon": 0.1}, (21,)),
    *(Case("InstanceNormalization", s, {"g": (4,), "b": (4,)}, a, (7, 22))
      for s, a in ((IMAGE, {}), ((4, 5), {"epsilon": 0.1}))),
]  # fmt: skip

POOLS = [
    *(pool(op, x, kernel_shape=k, opsets=(7, 11))
      for op in ("MaxPool", "AveragePool") for x, k in (((2, 9), [3]), (IMAGE, [2, 3]), ((2, 4, 5, 4), [2, 2, 3]))),
    *(pool(op, kernel_shape=[3, 2], strides=[2, 2], pads=p) for op in ("MaxPool", "AveragePool")
      for p in ([1, 0, 0, 1], [1, 1, 1, 1])),
    *(pool(op, (2, h, 8), kernel_shape=[3, 2], strides=[2, 3], pads=[1, 1, 1, 0], ceil_mode=1)
      for op in ("MaxPool", "AveragePool") for h in (5, 6, 7, 8)),
    *(pool(op, kernel_shape=[3, 2], strides=s, auto_pad=a) for op in ("MaxPool", "AveragePool")
      for a in ("SAME_UPPER", "SAME_LOWER", "VALID") for s in ([1, 1], [2, 2])),
    pool("MaxPool", kernel_shape=[2, 3], dilations=[2, 2], strides=[1, 1]),
    pool("MaxPool", kernel_shape=[2, 2], dilations=[2, 1], strides=[2, 3], ceil_mode=1),
    *(pool("AveragePool", (2, h, 8), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1,
           ceil_mode=c) for c in (0, 1) for h in (5, 6, 7)),
    pool("AveragePool", kernel_shape=[3, 3], auto_pad="SAME_UPPER", count_include_pad=1),
    *(pool(op, x, opsets=ALL) for op in ("GlobalAveragePool", "GlobalMaxPool") for x in ((3, 5), IMAGE, (2, 3, 4, 2))),
]  # fmt: skip

REDUCTIONS = [
    *(Case(op, IMAGE, {}, {"axes": a, **k}, (11, 13) if op != "ReduceSum" else (11,))
      for op in ("ReduceMean", "ReduceSum", "ReduceMax") for a in ([2, 3], [-1], [1], [1, -1], [3, 1, 2])
      for k in ({}, {"keepdims": 0})),
    *(Case(op, IMAGE, {"axes": ints(-1, 2)}, k, o)
      for op, o in (("ReduceMean", (18, 26)), ("ReduceMax", (18, 26)), ("ReduceSum", (13, 26)))
      for k in ({}, {"keepdims": 0})),
    Case("ReduceMean", IMAGE, {}, {"noop_with_empty_axes": 1}, (18,)),
]  # fmt: skip

ACTIVATIONS = [
    Case("Relu", IMAGE),
    Case("Clip", (5,), {}, {"min": 0.0, "max": 0.7}, (7, 9), kinds=("ReLU",)),
    Case("Clip", (5,), {}, {"min": 0.0}, (7, 9), kinds=("ReLU",)),
    Case("Clip", (5,), {"lo": floats(0).reshape(()), "hi": floats(6).reshape(())}, {}, (11, 13, 26), kinds=("ReLU",)),
    Case("Clip", (5,), {"lo": floats(0).reshape(())}, {}, (11, 13), kinds=("ReLU",)),
    Case("Clip", (5,), {}, {}, (11, 13), kinds=()),
    Case("Clip", (5,), {}, {"max": -0.2}, (7, 9)),
    *(Case("Clip", IMAGE, {"lo": scalar(lo), "hi": scalar(hi)}, {}, (11, 26))
      for lo, hi in ((-1, 1), (-0.5, -0.1), (0.1, 0.4), (-3.5e38, 0.3), (-0.2, np.inf), (-np.inf, 0.2))),
    Case("Clip", (5,), {"hi": scalar(0.4)}, {}, (11, 13), inputs="x  hi"),
    Case("Clip", (5,), {"lo": scalar(-0.4)}, {}, (11, 13)),
    Case("LeakyRelu", IMAGE, {}, {}, (7, 16)),
    *(Case("LeakyRelu", IMAGE, {}, {"alpha": a}, (7, 16)) for a in (0.3, 1.5, -0.5, 0.0)),
    *(Case("PRelu", IMAGE, {"s": s}, {}, (7, 9, 16)) for s in ((1,), (4, 1, 1), (1, 4, 1, 1), (6,), IMAGE)),
    Case("PRelu", (5,), {"s": (5,)}, {}, (9, 16)),
    Case("ThresholdedRelu", (5,), {}, {"alpha": 0.0}, (10, 22), kinds=("ReLU",)),
    *(Case("HardSigmoid", IMAGE, {}, a, (7, 22)) for a in ({}, {"alpha": 1.0, "beta": 0.2}, {"alpha": -0.7})),
    Case("Abs", IMAGE, {}, {}, (7, 13)),
    *(Case(op, IMAGE, {"c": c}, {}, (8, 13), inputs=i) for op in ("Max", "Min") for c, i in (
        (floats(0.3), "x c"), (scalar(-0.3), "c x"), ((4, 1, 1), "x c"), ((1, 4, 7, 6), "c x"), ((1,), "x c c"))),
    *(Case(op, (5,), {}, {}, (8, 13), inputs=i) for op in ("Max", "Min") for i in ("x", "x x", "x x x")),
    Case("Max", (4, 1, 6), {"c": (7, 6)}, {}, (8, 13)),
    Case("Max", (5,), {"zero": floats(0)}, {}, (8, 13), kinds=("ReLU",)),
    Case("Max", (5,), {"zero": floats(0).reshape(())}, {}, (13,), inputs="zero x", kinds=("ReLU",)),
    *(Case(op, x, {}, a, ALL) for op in ("Softmax", "LogSoftmax")
      for x, a in (((5,), {}), ((5,), {"axis": 1}), ((4, 3), {"axis": 2}), (IMAGE, {}), (IMAGE, {"axis": 2}))),
    *(Case(op, IMAGE, {}, {"axis": a}, (11, 13)) for op in ("Softmax", "LogSoftmax") for a in (-1, -2, 1)),
]  # fmt: skip

SHAPES = [(), (1,), (6,), (7, 1), (4, 1, 1), (4, 7, 6), (1, 4, 1, 1), (1, 4, 7, 6)]
SMOOTH = [
    *(Case(op, IMAGE, {}, {}, o, kinds=("Elementwise",))
      for op, o in (("Sigmoid", (7, 13)), ("Tanh", (7, 13)), ("Erf", (9, 13)), ("Elu", (7, 22)), ("Celu", (12,)),
                    ("Selu", (7, 22)), ("Softplus", (7, 22)), ("Mish", (18, 22)), ("HardSwish", (14, 22)),
                    ("Gelu", (20,)), ("Exp", (7, 13)))),
    Case("Gelu", IMAGE, {}, {"approximate": "tanh"}, (20,), kinds=("Elementwise",)),
    Case("Elu", IMAGE, {}, {"alpha": 1.0}, (7,), kinds=("Elementwise",)),
    Case("Elu", IMAGE, {}, {"alpha": 0.3}, (7, 22), kinds=("Elementwise", "ReLU", "Add")),
    Case("Selu", IMAGE, {}, {"alpha": 1.6732631921768188, "gamma": 1.0507010221481323}, (7,), kinds=("Elementwise",)),
    Case("Swish", IMAGE, {}, {}, (24,), kinds=("Elementwise",)),
    Case("Swish", IMAGE, {}, {"alpha": 1.7}, (24,), kinds=("Scale", "Elementwise", "Scale")),
    Case("Swish", IMAGE, {}, {"alpha": 0.0}, (24,), kinds=("Scale",)),
]  # fmt: skip

ARITHMETIC = [
    *(Case(op, IMAGE, {"c": np.float32(np.random.default_rng(0).uniform(0.5, 2, s))}, inputs=i, opsets=(7, 13))
      for s in SHAPES for op, i in (("Add", "x c"), ("Add", "c x"), ("Sub", "x c"), ("Sub", "c x"), ("Mul", "x c"),
                                    ("Mul", "c x"), ("Div", "x c"))),
    Case("Add", (10,), {"c": (1, 10)}),
    Case("Add", (1, 6), {"c": (4, 1)}),
    Case("Mul", (1, 6), {"c": (1, 4, 6)}),
    Case("Add", (4,), {"c": np.tile(floats(1, 2, 3, 4), (3, 1))}, batch=3),
    *(Case(op, (4,), inputs="x x", kinds=("Add",)) for op in ("Add", "Sum", "Mean")),
    Case("Sum", (4,), {"c": (4,)}, {}, ALL[1:], inputs="x c x c"),
    Case("Mean", (4,), {"c": (1, 4)}, {}, ALL[1:], inputs="x c x"),
    Case("Sum", (4,), {}),
    Case("Neg", IMAGE),
]  # fmt: skip

SHAPING = [
    *(Case("Flatten", s, {}, a, (7, 13)) for s in ((5,), IMAGE) for a in ({}, {"axis": 1})),
    Case("Flatten", IMAGE, {}, {"axis": -3}, (11,)),
    Case("Flatten", (1, 1, 6), {}, {"axis": 3}),
    Case("Flatten", (3, 2), {}, {"axis": 0}, batch=1),
    *(Case("Reshape", IMAGE, {"s": ints(*s)}, opsets=(7, 13))
      for s in ((0, -1), (-1, 168), (-1, 4, 42), (0, 0, -1), (0, 28, 6), (0, 4, -1, 3))),
    *(Case("Reshape", IMAGE, {"s": ints(*s)}, opsets=(13,), batch=b)
      for b in (1, 3) for s in ((b, -1), (b, 168), (-1, 168), (b, 28, 6), (0, 28, 6))),
    Case("Reshape", IMAGE, {"s": ints(-1, 168)}, {"allowzero": 1}, (14,)),
    *(Case("Transpose", IMAGE, {}, {"perm": p}) for p in ([0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 2, 3])),
    Case("Squeeze", (1, 3, 1), {}, {"axes": [1]}, (7, 11)),
    Case("Squeeze", (1, 3, 1), {}, {"axes": [-1, 1]}, (11,)),
    Case("Squeeze", (1, 3, 1), {}, {}, (11, 13)),
    Case("Squeeze", (1, 3, 1), {"a": ints(-1)}, {}, (13, 26)),
    Case("Squeeze", (1,), {"a": ints(1)}, {}, (13,)),
    Case("Unsqueeze", (3, 2), {}, {"axes": [1, 4]}, (7, 11)),
    Case("Unsqueeze", (3, 2), {"a": ints(-1, 2)}, {}, (13, 26)),
    Case("Identity", IMAGE),
    Case("Dropout", (5,), {}, {"ratio": 0.3}, (7, 10)),
    Case("Dropout", (5,), {"r": floats(0.3).reshape(()), "t": np.array(False)}, {}, (12, 13, 22)),
    Case("Dropout", (5,), {"r": floats(0.3).reshape(())}, {}, (12, 13), outputs="y mask"),
    Case("Cast", (5,), {}, {"to": 1}),
    Case("CastLike", (5,), {"t": floats(1)}, {}, (15, 19)),
    *(Case("DepthToSpace", (8, 3, 2), {}, {"blocksize": 2, "mode": m}, (11, 13)) for m in ("DCR", "CRD")),
    Case("DepthToSpace", (8, 3, 2), {}, {"blocksize": 2}, (9,)),
    Case("SpaceToDepth", (2, 4, 6), {}, {"blocksize": 2}, (7, 13)),
]  # fmt: skip

MOVING = [
    *(Case("Concat", IMAGE, {}, {"axis": a}, inputs="x x x") for a in (1, 2, 3)),
    Case("Concat", IMAGE, {}, {"axis": -1}, (11, 13), inputs="x x"),
    *(Case("Pad", IMAGE, {}, {"pads": [0, 0, 1, 2, 0, 0, 2, 1], "mode": m}, (7, 9))
      for m in ("constant", "reflect", "edge")),
    Case("Pad", IMAGE, {}, {"pads": [0, 1, 1, 2, 0, 0, 2, 1], "value": 1.5}, (7, 9)),
    *(Case("Pad", IMAGE, {"p": ints(0, 0, 1, 2, 0, 0, 2, 1)}, {"mode": m}, (11, 13, 21))
      for m in ("constant", "reflect", "edge")),
    Case("Pad", IMAGE, {"p": ints(0, 0, 1, 2, 0, 0, 2, 1)}, {"mode": "wrap"}, (19,)),
    Case("Pad", IMAGE, {"p": ints(0, 0, -1, 2, 0, 1, 2, -1), "v": floats(-0.5).reshape(())}, {}, (11, 13)),
    Case("Pad", IMAGE, {"p": ints(1, 2, 1, 2), "a": ints(-1, 2)}, {}, (18, 26), inputs="x p  a"),
    Case("Slice", IMAGE, {}, {"starts": [1, -4], "ends": [3, 100], "axes": [1, 3]}, (7, 9)),
    Case("Slice", IMAGE, {}, {"starts": [0, 1], "ends": [2**31 - 1, 3]}, (7, 9)),
    *(Case("Slice", IMAGE, {"s": ints(*s), "e": ints(*e), "a": ints(*a), "t": ints(*t)}, {}, (10, 13))
      for s, e, a, t in (
          ((0, 0), (100, 100), (2, 3), (2, 2)), ((-1,), (-100,), (3,), (-1,)), ((-2,), (0,), (2,), (-2,)),
          ((1,), (-1,), (-1,), (1,)), ((100,), (-(2**63),), (2,), (-3,)), ((0, 1), (2**63 - 1, 3), (0, 1), (1, 1)))),
    Case("Slice", IMAGE, {"s": ints(1), "e": ints(3), "a": ints(2)}, {}, (10, 13)),
    Case("Gather", IMAGE, {"i": ints(2, 0, -1)}, {"axis": 1}),
    Case("Gather", IMAGE, {"i": np.array(1, I64)}, {"axis": 2}),
    Case("Gather", IMAGE, {"i": ints(0, 1, 2, 3).reshape(2, 2)}, {"axis": -1}, (11, 13)),
    Case("Expand", (4, 1, 6), {"s": ints(1, 1, 7, 1)}, {}, (8, 13)),
    Case("Expand", (4, 1, 6), {"s": ints(5, 6)}, {}, (8, 13)),
    Case("Tile", (3, 2), {"r": ints(1, 2, 3)}, {}, (7, 13)),
]  # fmt: skip

RULES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
SMALL = (2, 4, 5)
RESIZING = [
    *(Case("Upsample", SMALL, {}, {"scales": [1.0, 1.0, 2.0, 3.0], "mode": m}, (7,)) for m in ("nearest", "linear")),
    *(Case("Upsample", SMALL, {"s": floats(1, 1, 2, 2)}, {"mode": m}, (9,)) for m in ("nearest", "linear")),
    *(Case("Resize", SMALL, {"s": floats(1, 1, *s)}, {"mode": m}, (10,))
      for m in ("nearest", "linear") for s in ((2, 3), (0.5, 0.6), (1.5, 1))),
    *(Case("Resize", SMALL, {"r": floats(), "s": floats(1, 1, *s)},
           {"mode": "nearest", "coordinate_transformation_mode": c, "nearest_mode": n}, (11, 13))
      for s in ((2, 3), (0.5, 1.7)) for c in RULES for n in ROUNDINGS),
    *(Case("Resize", SMALL, {"r": floats(), "e": floats(), "s": ints(2, *s)},
           {"mode": m, "coordinate_transformation_mode": c}, (11,), batch=2, inputs="x r e s")
      for m in ("nearest", "linear") for c in RULES for s in ((2, 8, 10), (2, 3, 11), (2, 1, 5))),
    *(Case("Resize", SMALL, {"s": floats(1, 1, *s)}, {"mode": "linear", "coordinate_transformation_mode": c}, (13, 19),
           inputs="x  s") for c in RULES for s in ((2, 3), (0.75, 1.6))),
    Case("Resize", SMALL, {"s": floats(2, 2)}, {"mode": "linear", "axes": [2, 3]}, (18, 19), inputs="x  s"),
    Case("Resize", SMALL, {"s": floats(2, 1.5)}, {"mode": "nearest", "axes": [-1, 2]}, (19,), inputs="x  s"),
    Case("Resize", SMALL, {"s": ints(8, 7)}, {"mode": "nearest", "axes": [2, 3]}, (18,), inputs="x   s"),
    Case("Resize", SMALL, {"s": floats(1, 1, 1.3, 0.7)},
         {"mode": "nearest", "coordinate_transformation_mode": "half_pixel_symmetric"}, (19,), inputs="x  s"),
    Case("Resize", SMALL, {"r": floats(), "s": floats(1, 1, 2, 3)},
         {"mode": "nearest", "coordinate_transformation_mode": "tf_half_pixel_for_nn"}, (11,)),
]  # fmt: skip

TABLES = (WEIGHTED, POOLS, REDUCTIONS, ACTIVATIONS, SMOOTH, ARITHMETIC, SHAPING, MOVING, RESIZING)
CASES = [
    pytest.param(case, opset, id=f"{i}-{case.op}-{opset}")
    for i, case in enumerate(chain(*TABLES))
    for opset in case.opsets
]


@pytest.mark.parametrize(("case", "opset"), CASES)
@pytest.mark.one_in(3)
def test_equals_the_framework(case, opset, build, compare):
    model = build(case.nodes, x=case.x, weights=case.weights, opset=opset, batch=case.batch)
    graph = compare(model)
    if case.kinds is not None:
        assert tuple(node.kind for node in graph.nodes.values())[1:] == case.kinds


WRITTEN_OUT = {
    "silu": ([("Sigmoid", "x", "s", {}), ("Mul", "x s", "y", {})], "silu"),
    "silu turned": ([("Sigmoid", "x", "s", {}), ("Mul", "s x", "y", {})], "silu"),
    "hard swish": ([("HardSigmoid", "x", "s", {"alpha": 1 / 6, "beta": 0.5}), ("Mul", "x s", "y", {})], "hard_swish"),
    "hard swish by clip": ([("Add", "x three", "a", {}), ("Clip", "a zero six", "c", {}), ("Div", "c six", "d", {}),
                            ("Mul", "x d", "y", {})], "hard_swish"),
    "hard swish, divided last": ([("Add", "x three", "a", {}), ("Clip", "a zero six", "c", {}), ("Mul", "x c", "m", {}),
                                  ("Div", "m six", "y", {})], "hard_swish"),
    "mish": ([("Softplus", "x", "s", {}), ("Tanh", "s", "t", {}), ("Mul", "x t", "y", {})], "mish"),
    "gelu": ([("Div", "x root", "d", {}), ("Erf", "d", "e", {}), ("Add", "e one", "a", {}), ("Mul", "x a", "m", {}),
              ("Mul", "m half", "y", {})], "gelu"),
    "gelu, halved first": ([("Mul", "x half", "h", {}), ("Div", "x root", "d", {}), ("Erf", "d", "e", {}),
                            ("Add", "one e", "a", {}), ("Mul", "a h", "y", {})], "gelu"),
}  # fmt: skip


@pytest.mark.parametrize("how", WRITTEN_OUT)
def test_functions_written_out(how, build, compare):
    nodes, function = WRITTEN_OUT[how]
    weights = {"three": scalar(3), "zero": scalar(0), "six": scalar(6), "one": floats(1), "half": scalar(0.5),
               "root": scalar(2**0.5)}  # fmt: skip
    read = {name for _, inputs, _, _ in nodes for name in inputs.split()}
    model = build(nodes, x=IMAGE, weights={k: w for k, w in weights.items() if k in read}, opset=13)
    graph = compare(model, x=[F32(np.random.default_rng(0).normal(size=(3, *IMAGE)) * 4)])
    assert [n.function for n in graph.nodes.values() if n.kind == "Elementwise"] == [function]


NORMALISED = {
    "layer norm": [("ReduceMean", "x", "m", {"axes": [-1]}), ("Sub", "x m", "c", {}), ("Pow", "c two", "s", {}),
                   ("ReduceMean", "s", "v", {"axes": [-1]}), ("Add", "v small", "e", {}), ("Sqrt", "e", "r", {}),
                   ("Div", "c r", "y", {})],
    "rms norm": [("Mul", "x x", "s", {}), ("ReduceMean", "s", "v", {"axes": [2, 3]}), ("Add", "v small", "e", {}),
                 ("Pow", "e half", "r", {}), ("Div", "one r", "i", {}), ("Mul", "i x", "y", {})],
    "rms norm, reciprocal": [("Pow", "x two", "s", {}), ("ReduceMean", "s", "v", {"axes": [1]}),
                             ("Sqrt", "v", "r", {}), ("Reciprocal", "r", "i", {}), ("Mul", "x i", "y", {})],
    "layer norm, differences twice": [
        ("ReduceMean", "x", "m", {"axes": [1]}), ("Sub", "x m", "c", {}), ("Sub", "x m", "d", {}),
        ("Pow", "c two", "s", {}),
        ("ReduceMean", "s", "v", {"axes": [1]}), ("Sqrt", "v", "r", {}), ("Div", "d r", "y", {})],
    "layer norm, factors on both sides": [
        ("ReduceMean", "x", "m", {"axes": [-1]}), ("Sub", "x m", "c", {}), ("Mul", "c c", "s", {}),
        ("ReduceMean", "s", "v", {"axes": [-1]}), ("Sqrt", "v", "r", {}), ("Mul", "gains c", "a", {}),
        ("Mul", "r two", "b", {}), ("Div", "a b", "y", {})],
    "rms norm, factors of the inverse": [
        ("Mul", "x x", "s", {}), ("ReduceMean", "s", "v", {"axes": [-1]}), ("Sqrt", "v", "r", {}),
        ("Reciprocal", "r", "i", {}), ("Mul", "i gains", "g", {}), ("Mul", "x g", "y", {})],
}  # fmt: skip


@pytest.mark.parametrize("how", NORMALISED)
def test_normalisations_written_out(how, build, compare):
    weights = {"two": scalar(2), "small": scalar(1e-3), "half": scalar(0.5), "one": scalar(1)}
    weights["gains"] = np.linspace(-2, 3, IMAGE[-1], dtype=F32)
    read = {name for _, inputs, _, _ in NORMALISED[how] for name in inputs.split()}
    model = build(NORMALISED[how], x=IMAGE, weights={k: w for k, w in weights.items() if k in read}, opset=13)
    kinds = [n.kind for n in compare(model).nodes.values()]
    assert kinds.count("Normalise") == 1
    assert not {"Multiply", "RootMeanSquare", "Mean", "Add"} & {*kinds}  # a mean taken off is part of it


def test_the_largest_of_several(build, compare):
    nodes = [("Neg", "x", "n", {}), ("Max", "x n c", "m", {}), ("Min", "m x n c", "y", {})]
    compare(build(nodes, x=IMAGE, weights={"c": (4, 1, 1)}))


@pytest.mark.parametrize("nodes", [
    [("Where", "n zero s", "y", {})], [("Not", "n", "k", {}), ("Where", "k s zero", "y", {})]
])  # fmt: skip
def test_no_activation_is_not_a_number(nodes, build, compare):
    """As torch writes attention for the sake of rows that are masked altogether."""
    asked = [("Softmax", "x", "s", {}), ("IsNaN", "s", "n", {}), *nodes]
    graph = compare(build(asked, x=(4, 5), weights={"zero": scalar(0)}))
    assert "Affine" not in [n.kind for n in graph.nodes.values()]


SPLITS = [
    ({}, {}, (7, 11, 13), "a b", IMAGE),
    ({}, {"split": [1, 3]}, (7, 11), "a b", IMAGE),
    ({"s": ints(1, 2, 1)}, {}, (13, 17), "a b c", IMAGE),
    ({}, {"num_outputs": 3}, (18, 26), "a b c", (7, 2)),
]


@pytest.mark.parametrize(("weights", "attributes", "opset", "outputs", "x"),
                         [(w, a, o, n, x) for w, a, opsets, n, x in SPLITS for o in opsets])  # fmt: skip
def test_split(weights, attributes, opset, outputs, x, build, compare):
    nodes = [("Split", " ".join(["x", *weights]), outputs, {"axis": 1, **attributes})]
    compare(build(nodes, x=x, weights=weights, opset=opset, outputs=outputs.split()))
    compare(build(nodes, x=x, weights=weights, opset=opset, outputs=outputs.split()[1:2]))


SEEN = np.tri(3, dtype=bool)
ATTENDING = {
    "scores": (("Einsum", "x x", "y", {"equation": "bhid,bhjd->bhij"}), {}, 13),
    "matrix": (("Einsum", "w x", "y", {"equation": "ed,bhid->bhie"}), {"w": (5, 4)}, 13),
    "where": (("Where", "c x l", "y", {}), {"c": SEEN[:, [0, 1, 2, 2]], "l": scalar(-2)}, 17),
    "where_of_a_batch": (("Where", "c l x", "y", {}), {"c": SEEN[None, None, :, :1], "l": scalar(-2)}, 17),
    "square": (("Pow", "x e", "y", {}), {"e": scalar(2)}, 13),
    "cube": (("Pow", "x e", "y", {}), {"e": ints(3)}, 13),
    "attention": (("Attention", "x x x", "y", {}), {}, 23),
    "causal": (("Attention", "x x x", "y", {"is_causal": 1, "scale": 0.3}), {}, 23),
    "seen": (("Attention", "x x x m", "y", {}), {"m": SEEN}, 23),
    "added": (("Attention", "x x x m", "y", {"is_causal": 1}), {"m": (2, 3, 3)}, 23),
}


@pytest.mark.parametrize("case", ATTENDING)
def test_attention_and_its_parts(case, build, compare):
    node, weights, opset = ATTENDING[case]
    compare(build([node], x=(2, 3, 4), weights=weights, opset=opset))


def test_attention_of_joint_heads_and_masks_by_choice(build, compare):
    heads = {"q_num_heads": 2, "kv_num_heads": 2}
    compare(build([("Attention", "x x x", "y", heads)], x=(3, 4), opset=23))
    halves = ("Slice", "x zero two one", "h", {})
    weights = {"zero": ints(0), "two": ints(2), "one": ints(1)}
    compare(build([halves, ("Attention", "x h h", "y", {})], x=(4, 3, 5), weights=weights, opset=23))
    scores = ("Einsum", "x x", "s", {"equation": "bhid,bhjd->bhij"})
    compare(build([scores, ("Attention", "x x x s", "y", {"is_causal": 1})], x=(2, 3, 4), opset=23))
    nodes = [("Where", "c x l", "a", {}), ("Softmax", "a", "y", {"axis": -1})]
    for least in (-1e9, -np.inf):
        compare(build(nodes, x=(3, 3), weights={"c": SEEN, "l": scalar(least)}, opset=17))
