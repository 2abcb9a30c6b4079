"""The benchmark of sentence transformers: a small one is cut at its embeddings, and keeps what it says."""

import json
import re
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
    import sentences

    sys.path.remove(str(BENCHMARKS))
    return sentences


@pytest.fixture
def vocabulary(benchmark, tmp_path):
    said = " ".join([benchmark.PATTERN, *benchmark.WORDS.values()]).split()
    words = {word: i for i, word in enumerate(dict.fromkeys(["[CLS]", "[SEP]", *said]))}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"model": {"vocab": words}}))
    return path


@pytest.fixture
def model(tmp_path):
    """Embeddings, a normalisation, attention, rectifiers, a normalisation; sizes of batch and sentence are open."""
    random = np.random.default_rng(0)
    values = {"words": random.normal(0, 1, (100, 8)), "ones": np.ones(8), "w": random.normal(0, 0.5, (8, 8))}
    weights = {name: value.astype(np.float32) for name, value in values.items()}
    weights |= {"eight": np.array([8], np.int64), "heads": np.array([1], np.int64)}
    weights |= {"one": np.float32(1), "least": np.float32(-1e4)}
    nodes = [
        helper.make_node("Gather", ["words", "ids"], ["rows"]),
        helper.make_node("LayerNormalization", ["rows", "ones"], ["a"], axis=-1),
        helper.make_node("Shape", ["ids"], ["size"]),
        helper.make_node("Concat", ["size", "eight"], ["back"], axis=0),
        helper.make_node("Transpose", ["a"], ["k"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["a", "k"], ["scores"]),
        helper.make_node("Unsqueeze", ["attention_mask", "heads"], ["wide"]),
        helper.make_node("Cast", ["wide"], ["there"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "there"], ["not"]),
        helper.make_node("Mul", ["not", "least"], ["mask"]),
        helper.make_node("Add", ["scores", "mask"], ["seen"]),
        helper.make_node("Softmax", ["seen"], ["shares"], axis=-1),
        helper.make_node("MatMul", ["shares", "a"], ["o"]),
        helper.make_node("MatMul", ["o", "w"], ["m"]),
        helper.make_node("Relu", ["m"], ["r"]),
        helper.make_node("Reshape", ["r", "back"], ["f"]),
        helper.make_node("Add", ["a", "f"], ["s"]),
        helper.make_node("LayerNormalization", ["s", "ones"], ["y"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes, "encoder",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "t"]) for n in ("ids", "attention_mask")],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", "t", 8])],
        [numpy_helper.from_array(v, n) for n, v in weights.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


@pytest.mark.parametrize(("known", "padded"), [(True, False), (False, False), (True, True)])
def test_what_a_small_encoder_says_stays(known, padded, benchmark, model, vocabulary, monkeypatch, capsys):
    words = ["--vocabulary", str(vocabulary)] if known else []
    words += ["--padded"] if padded else []
    counts = ["--bits", "3,8", "--samples", "12", "--calibration", "12"]
    monkeypatch.setattr(sys, "argv", ["sentences.py", str(model), *words, *counts])
    benchmark.main()
    told = capsys.readouterr().out
    assert float(re.search(r"as read: (\S+) from", told)[1]) < 1e-5
    assert ("5 to 13 tokens" in told) == padded
    few, many = map(float, re.findall(r"Pearson ([\d.-]+)", told))
    assert few < many
    assert many > 0.95


def test_figures_compare_directions(benchmark):
    random = np.random.default_rng(0)
    one = random.normal(0, 1, (20, 16))
    assert benchmark.compared(one, 3 * one) == pytest.approx({"cosine": 1, "Pearson": 1, "same nearest": 1})
    other = benchmark.compared(one, random.normal(0, 1, one.shape))
    assert all(value < 0.5 for value in other.values())
