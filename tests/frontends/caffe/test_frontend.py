"""Caffe models from outside: a run by a configuration of the SNN Toolbox, exit codes for what cannot be used."""

import json

import numpy as np
import pytest
from caffe_files import data, layer, random, write

from snntoolbox.workflow.cli import main

NET = (
    data(1, 1, 6, 6)
    + layer("Convolution", "data", "c", "convolution_param { num_output: 3 kernel_size: 3 }")
    + layer("BatchNorm", "c", "c", name="b")
    + layer("ReLU", "c", "c", name="r")
    + layer("Pooling", "c", "p", "pooling_param { pool: AVE kernel_size: 3 stride: 2 }")
    + layer("InnerProduct", "p", "ip", "inner_product_param { num_output: 4 }")
    + layer("Softmax", "ip", "prob")
)
WEIGHTS = {
    "c": [random(3, 1, 3, 3), random(3)],
    "b": [random(3), 1 + np.abs(random(3)), np.ones(1, np.float32)],
    "ip": [random(4, 12), random(4)],
}


@pytest.fixture
def config(tmp_path):
    write(tmp_path, NET, WEIGHTS, name="lenet")
    x = np.random.default_rng(0).random((20, 1, 6, 6), np.float32)
    np.savez(tmp_path / "x_test.npz", x)
    np.savez(tmp_path / "x_norm.npz", x)
    np.savez(tmp_path / "y_test.npz", np.eye(4)[np.arange(20) % 4])
    path = tmp_path / "config.ini"
    path.write_text(
        "[paths]\nfilename_ann = lenet\n[input]\nmodel_lib = caffe\n[simulation]\nduration = 64\nnum_to_test = 20\n"
    )
    return path


@pytest.mark.parametrize("changes", [[], ["input.model_lib=auto"], ["paths.filename_ann=lenet.caffemodel"]])
def test_a_run_by_the_toolbox_configuration(config, changes):
    assert main([str(config), *(word for change in changes for word in ("--set", change))]) == 0
    report = json.loads(next(config.parent.rglob("report.json")).read_text())
    assert report["agreement"] >= 0.9


BAD = {
    "no weights": lambda f: (f / "lenet.caffemodel").unlink(),
    "cut weights": lambda f: (f / "lenet.caffemodel").write_bytes((f / "lenet.caffemodel").read_bytes()[:-5]),
    "cut text": lambda f: (f / "lenet.prototxt").write_text(NET[:-30]),
    "another net": lambda f: (f / "lenet.prototxt").write_text(NET.replace("num_output: 4", "num_output: 5")),
    "cycle": lambda f: (f / "lenet.prototxt").write_text(NET.replace('bottom: "data"', 'bottom: "prob"')),
    "neurons": lambda f: (f / "lenet.prototxt").write_text(NET.replace("dim: 6", "dim: 1000000")),
    "LRN": lambda f: (f / "lenet.prototxt").write_text(NET.replace('"Softmax"', '"LRN"')),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused(case, config, capsys):
    BAD[case](config.parent)
    assert main([str(config)]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not list(config.parent.rglob("report.json"))
