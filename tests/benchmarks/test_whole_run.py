"""The benchmark of whole runs: it runs the command and the stages of the same configuration."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from needed import needed

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def whole_run():
    sys.path.insert(0, str(BENCHMARKS))
    import whole_run

    sys.path.remove(str(BENCHMARKS))
    return whole_run


def test_the_table_takes_the_least(whole_run):
    owns = [dict.fromkeys(whole_run.STAGES, seconds) for seconds in (2.0, 1.0)]
    wholes = [(9.0, 10.0, {"simulate": 8.0}), (12.0, 20.0, {"simulate": 18.0})]
    text = whole_run.table(wholes, owns)
    assert "| sum | 6.00 |" in text
    assert "| whole | 9.00 (1.50 of the sum) |" in text
    assert "80% to 90%" in text


@pytest.mark.long
def test_it_measures_a_run(whole_run, tmp_path):
    needed("onnx")
    import onnx

    random = np.random.default_rng(0)
    weight = onnx.numpy_helper.from_array(random.normal(size=(4, 3)).astype(np.float32), "w")
    x, y = (onnx.helper.make_tensor_value_info(n, 1, [None, size]) for n, size in (("x", 4), ("y", 3)))
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["a"]), onnx.helper.make_node("Relu", ["a"], ["y"])]
    graph = onnx.helper.make_graph(nodes, "net", [x], [y], [weight])
    model = tmp_path / "net.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), model)
    digits = random.random((20, 4)).astype(np.float32)
    sample = SimpleNamespace(file=model, x_test=digits, y_test=np.arange(20) % 3, x_cal=digits)
    (folder := tmp_path / "run").mkdir()
    config = whole_run.prepared(folder, sample, 30, 8, 10)
    cpu, wall, said = whole_run.whole(config)
    stages = whole_run.own(config)
    assert set(stages) == set(whole_run.STAGES)
    assert cpu > 0
    assert 0 < said["simulate"] < wall
