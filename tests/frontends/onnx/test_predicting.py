"""The model's own output: by onnxruntime or the reference evaluator, for any number of samples."""

import os
import subprocess
import sys

import numpy as np
import pytest

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.onnx import OnnxFrontend

FRONTEND = OnnxFrontend()


@pytest.mark.parametrize("samples", [0, 1, 4, 5, 11])
@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_any_number_of_samples(samples, batch, build):
    model = build([("Relu", "x", "y", {}), ("Neg", "x", "z", {})], x=(3,), batch=batch, outputs=("y", "z"))
    frontend = OnnxFrontend()
    x = np.float32(np.random.default_rng(0).normal(size=(samples, 3)))
    y, z = frontend.predict(frontend.open(model), x)
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    np.testing.assert_array_equal(z, -x)


def test_predict_without_onnxruntime(model, monkeypatch, compare):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    compare(model, tolerance=1e-5)


def test_same_padding_with_dilation_by_the_reference(build, compare, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for how in ("SAME_UPPER", "SAME_LOWER"):
        attributes = {"auto_pad": how, "dilations": [2, 2]}
        compare(build([("Conv", "x w", "y", attributes)], x=(2, 9, 8), weights={"w": (3, 2, 3, 2)}))


def test_wrong_shapes_are_told(model):
    opened = FRONTEND.open(model)
    with pytest.raises(FrontendError, match="expects samples"):
        FRONTEND.predict(opened, np.zeros((2, 7, 7, 1), np.float32))
    with pytest.raises(FrontendError, match="1 inputs, got 2"):
        FRONTEND.predict(opened, np.zeros((2, 1, 7, 7)), np.zeros((2, 1, 7, 7)))


LEAVING = """
import sys
from pathlib import Path
from snntoolbox.frontends.onnx import OnnxFrontend
from snntoolbox.workflow import demo
import numpy as np
frontend = OnnxFrontend()
model = frontend.open(demo.folder() / "digits_cnn.onnx")
frontend.predict(model, np.zeros((1, 8, 8), "f4"))
"""


def test_nothing_is_left_among_temporary_files(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", LEAVING], env=environment, check=True)
    assert os.listdir(tmp_path) == []
