"""Models that begin at a tensor in their middle, against the file's own outputs."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from snntoolbox.errors import FrontendError, UnsupportedError
from snntoolbox.frontends.onnx import OnnxFrontend

RNG = np.random.default_rng(3)
TOKENS, WIDTH = 4, 6


def encoder(*, echo=False):
    """Rows of two tables and a mask of tokens in front of a layer that mixes them; sizes are named, not fixed."""
    weights = {"table": RNG.normal(size=(9, WIDTH)), "kinds": RNG.normal(size=(2, WIDTH)),
               "w": RNG.normal(size=(WIDTH, 3)), "one": np.ones(()), "many": np.full((), 3.0)}  # fmt: skip
    stored = [numpy_helper.from_array(np.float32(v), k) for k, v in weights.items()]
    stored += [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in (("at", [2]), ("last", [1]), ("zero", 0))]
    nodes = [
        ("Gather", "table ids", "rows", {}), ("Shape", "ids", "size", {}),
        ("ConstantOfShape", "size", "same", {"value": numpy_helper.from_array(np.array([1], np.int64))}),
        ("Gather", "kinds same", "added", {}), ("Add", "rows added", "tokens", {}),
        ("Cast", "mask", "float", {"to": TensorProto.FLOAT}), ("Sub", "one float", "absent", {}),
        ("Mul", "absent many", "less", {}), ("Unsqueeze", "less at", "wide", {}),
        ("Sub", "tokens wide", "seen", {}), ("Tanh", "seen", "t", {}), ("MatMul", "t w", "m", {}),
        ("ReduceMean", "m", "y", {"axes": [1], "keepdims": 0}), ("Identity", "mask", "back", {}),
    ]  # fmt: skip
    made = [helper.make_node(op, i.split(), o.split(), name=f"{op}_{k}", **a) for k, (op, i, o, a) in enumerate(nodes)]
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "tokens"]) for n in ("ids", "mask")]
    ends = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])]
    ends += [helper.make_tensor_value_info("back", TensorProto.INT64, ["batch", "tokens"])] if echo else []
    graph = helper.make_graph(made, "net", inputs, ends, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), weights


def read(model, tensor="", shape=None, **constants):
    frontend = OnnxFrontend(tensor, constants)
    opened = frontend.open(model, input_shape=shape)
    return frontend, opened, frontend.parse(opened)


@pytest.mark.parametrize("mask", [1, np.array([[1, 0, 1, 0]])], ids=["number", "array"])
@pytest.mark.parametrize("tensor", ["rows", "tokens"])
def test_rows_of_a_table_are_the_input(tensor, mask):
    model, weights = encoder()
    identities = RNG.integers(0, 9, (5, TOKENS))
    rows = weights["table"][identities] + (weights["kinds"][1] if tensor == "tokens" else 0)
    frontend, opened, graph = read(model, tensor, (TOKENS, WIDTH), mask=mask)
    seen = rows - 3 * (1 - np.broadcast_to(mask, (1, TOKENS)))[..., None]
    seen = seen + weights["kinds"][1] if tensor == "rows" else seen
    wanted = (np.tanh(seen) @ weights["w"]).mean(axis=1)
    assert [graph.shapes[name] for name in graph.inputs] == [(TOKENS, WIDTH)]
    np.testing.assert_allclose(graph.run(rows), wanted, atol=1e-6)
    np.testing.assert_allclose(frontend.predict(opened, np.float32(rows))[0], wanted, atol=1e-5)


def test_the_refusal_says_where_to_begin():
    with pytest.raises(UnsupportedError, match="works on integers") as caught:
        read(encoder()[0], shape=(TOKENS,), mask=1)
    assert "input_tensor = rows" in str(caught.value)


def test_outputs_without_the_tensor_are_left_out(caplog):
    with caplog.at_level(logging.WARNING):
        graph = read(encoder(echo=True)[0], "tokens", (TOKENS, WIDTH), mask=1)[2]
    assert len(graph.outputs) == 1
    assert "'back'" in caplog.text


@pytest.mark.parametrize(
    ("given", "reason", "way"),
    [
        ({"tensor": "token", "shape": (TOKENS, WIDTH)}, "no tensor 'token'", "tokens"),
        ({"tensor": "tokens", "shape": (TOKENS, WIDTH)}, "still reads 'mask'", "constant_inputs"),
        ({"tensor": "same", "shape": (TOKENS,), "mask": 1}, "whole numbers", "begin behind"),
        ({"tensor": "tokens", "mask": 1}, "sizes of mask open", "array"),
        ({"tensor": "tokens", "shape": (TOKENS, WIDTH), "mask": np.ones(4)}, "the shape", ""),
        ({"masks": 1}, "no input 'masks'", "mask"),
        ({"shape": (TOKENS,)}, "has 2", "constant_inputs"),
    ],
)
def test_what_cannot_be_begun(given, reason, way):
    with pytest.raises(FrontendError, match=reason) as caught:
        read(encoder()[0], **given)
    assert way in (caught.value.hint or "")
