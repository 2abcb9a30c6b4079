"""The memory of a whole run does not grow with its samples, but for the samples and a class for each."""

import gc
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.stories.run import run

CONFIG = """[paths]
filename_ann = net.onnx
log_dir_of_current_run = log

[simulation]
duration = {steps}
batch_size = {batch}
num_to_test = -1
top_k = 2
early_exit = 0.9

[conversion]
layer_correction = none

[output]
overwrite = True
verbose = 0
"""


def prepared(folder, samples, steps, batch):
    """A configuration with a tiny network, and so many tiny samples with labels."""
    random = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(random.normal(size=size).astype(np.float32), name)
        for name, size in (("w", (4, 6)), ("v", (6, 3)))
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["d"]),
        helper.make_node("Relu", ["d"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, size]) for n, size in (("x", 4), ("y", 3)))
    graph = helper.make_graph(nodes, "net", [x], [y], weights)
    folder.mkdir()
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "net.onnx")
    x = random.random((samples, 4), dtype=np.float32)
    np.save(folder / "x_test.npy", x)
    np.save(folder / "y_test.npy", x[:, :3].argmax(axis=1))
    np.save(folder / "x_norm.npy", x[:100])
    (config := folder / "run.ini").write_text(CONFIG.format(steps=steps, batch=batch))
    return config


def peak(config):
    """The most bytes that are allocated at once in a run."""
    gc.collect()
    tracemalloc.start()
    try:
        run(load_config(config))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.long
def test_nothing_is_kept_of_the_steps_of_samples(tmp_path):
    few, many = (prepared(tmp_path / str(n), n, steps=200, batch=100) for n in (300, 900))
    peak(few)  # what is made once
    grown = peak(many) - peak(few)
    # Classes after each step would take 200 * 8 bytes a sample.
    assert grown < 600 * 200


@pytest.mark.long
def test_a_million_samples_take_the_room_of_ten_thousand(tmp_path):
    peaks = []
    for samples in (10_000, 1_000_000):
        config = prepared(tmp_path / str(samples), samples, steps=32, batch=1000)
        command = [sys.executable, "-m", "snntoolbox", str(config)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        assert status == 0
        peaks.append(used.ru_maxrss / 1024)
    # The samples themselves are 16 MB, their labels 8, and the classes of the original 4.
    assert peaks[1] - peaks[0] < 64
