"""The benchmark of classifiers of others: a small one of bytes, cut behind its table, keeps its answers."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark."""
    sys.path.insert(0, str(BENCHMARKS))
    import real_models

    sys.path.remove(str(BENCHMARKS))
    return real_models


@pytest.fixture
def model(tmp_path):
    """Which third of a file is largest: signs, other bytes, or none; rows of a table are chosen by a product."""
    byte = np.arange(257, dtype=np.int32)
    weights = {"places": byte[None, None], "at": np.array([2], np.int64), "last": np.float32(4 * np.eye(3))}
    weights["table"] = np.float32(np.stack([(byte > 9) & (byte < 127), (byte > 126) & (byte < 256), byte == 256], 1))
    nodes = [
        helper.make_node("Unsqueeze", ["bytes", "at"], ["wide"]),
        helper.make_node("Equal", ["wide", "places"], ["same"]),
        helper.make_node("Cast", ["same"], ["one"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["one", "table"], ["rows"]),
        helper.make_node("Relu", ["rows"], ["r"]),
        helper.make_node("ReduceMean", ["r"], ["m"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["m", "last"], ["l"]),
        helper.make_node("Softmax", ["l"], ["y"], axis=1),
    ]
    graph = helper.make_graph(
        nodes, "kinds", [helper.make_tensor_value_info("bytes", TensorProto.INT32, ["b", 2048])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 3])],
        [numpy_helper.from_array(v, n) for n, v in weights.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_answers_of_a_small_classifier(benchmark, model, monkeypatch, capsys):
    counts = ["--samples", "bytes", "--bits", "8", "--count", "6", "--calibration", "4"]
    monkeypatch.setattr(sys, "argv", ["real_models.py", str(model), *counts])
    benchmark.main()
    read, line = capsys.readouterr().out.strip().splitlines()
    assert read.endswith("input (2048, 3)")
    assert float(read.split()[2]) < 1e-5
    found = json.loads(line)
    assert found["same answers"] == 1
    assert found["neurons"] > 2048


def test_samples_differ_and_stay(benchmark):
    one, other = benchmark.files(30), benchmark.files(30)
    assert np.array_equal(one, other)
    assert len(np.unique(one, axis=0)) == 30
    assert (one.min(), one.max()) == (0, 256)
