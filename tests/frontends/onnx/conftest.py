"""Makes small ONNX models from short descriptions, and the one comparison that every test of this frontend rests on."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from snntoolbox.frontends.onnx import OnnxFrontend


def build(
    nodes, *, x, weights=None, opset=13, seed=0, outputs=("y",), batch="N", dtype=TensorProto.FLOAT, listed=False
):
    """A model of `nodes` (operator, inputs, outputs, attributes) reading `x`, sample shapes by name (or one for 'x').

    `weights` are arrays, or shapes of random ones; `listed` puts them among the graph's inputs too, as old files do.
    """
    rng = np.random.default_rng(seed)
    shapes = x if isinstance(x, dict) else {"x": x}
    stored = {
        name: np.float32(rng.normal(size=w) * 0.5) if isinstance(w, tuple) else np.asarray(w)
        for name, w in (weights or {}).items()
    }
    protos = [numpy_helper.from_array(a, name) for name, a in stored.items()]
    inputs = [helper.make_tensor_value_info(n, dtype, [batch, *s]) for n, s in shapes.items()]
    if listed:
        inputs += [helper.make_tensor_value_info(p.name, p.data_type, p.dims) for p in protos]
    made = [
        helper.make_node(op, ins.split(" ") if ins else [], outs.split(), name=f"{op}_{i}", **attributes)
        for i, (op, ins, outs, attributes) in enumerate(nodes)
    ]
    ends = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph(made, "net", inputs, ends, protos)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7 if opset < 20 else 10)
    try:
        inferred = onnx.shape_inference.infer_shapes(model).graph.output
    except onnx.shape_inference.InferenceError:
        return model
    for end, told in zip(model.graph.output, inferred, strict=True):
        end.CopyFrom(told)
        if not told.type.tensor_type.elem_type:
            end.type.tensor_type.elem_type = TensorProto.FLOAT
    return model


def compare(model, *, samples=3, seed=1, input_shape=None, tolerance=1e-5, x=None):
    """Assert that the graph's outputs equal the model's own on random samples; returns the graph."""
    frontend = OnnxFrontend()
    opened = frontend.open(model, input_shape=input_shape)
    graph = frontend.parse(opened)
    rng = np.random.default_rng(seed)
    if x is None:
        x = [np.float32(rng.normal(size=(samples, *spec.shape))) for spec in opened.inputs]
    expected = frontend.predict(opened, *x)
    values = graph.values(*x)
    assert len(expected) == len(graph.outputs)
    for name, wanted in zip(graph.outputs, expected, strict=True):
        assert values[name].shape == wanted.shape
        scale = max(float(np.abs(wanted).max()), 1e-3)
        assert np.abs(values[name] - wanted).max() <= tolerance * scale
    return graph


@pytest.fixture(name="build")
def _build():
    return build


@pytest.fixture(name="compare")
def _compare():
    return compare


@pytest.fixture
def model():
    """A small convolutional net."""
    nodes = [("Conv", "x w b", "c", {}), ("Relu", "c", "r", {}), ("MaxPool", "r", "p", {"kernel_shape": [2, 2]}),
             ("Reshape", "p s", "f", {}), ("Gemm", "f v", "y", {})]  # fmt: skip
    weights = {"w": (2, 1, 3, 3), "b": (2,), "s": np.array([0, -1], np.int64), "v": (32, 3)}
    return build(nodes, x=(1, 7, 7), weights=weights)
