"""TensorFlow and JAX themselves, in an environment of their own: what is read of their models is what they compute."""

import subprocess

import numpy as np
import pytest
from needed import needed

import snntoolbox as stb

needed("onnx")

MADE = """
import sys
import numpy as np, tensorflow as tf
draw = np.random.default_rng(0)
class Net(tf.Module):
    def __init__(self):
        shapes = [(3, 3, 2, 4), (3, 3, 4, 6), (54, 3)]
        self.weights = [tf.Variable(draw.normal(0, 0.5, s).astype(np.float32)) for s in shapes]
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 2], tf.float32, name="picture")])
    def __call__(self, x):
        x = tf.nn.relu(tf.nn.conv2d(x, self.weights[0], 1, "SAME"))
        x = tf.nn.avg_pool2d(tf.nn.relu(tf.nn.conv2d(x, self.weights[1], 1, "VALID")), 2, 2, "SAME")
        return {"scores": tf.nn.softmax(tf.reshape(x, [-1, 54]) @ self.weights[2])}
net = Net()
tf.saved_model.save(net, "saved", signatures=net.__call__)
for name in ("quantised", "bytes"):
    converter = tf.lite.TFLiteConverter.from_concrete_functions([net.__call__.get_concrete_function()], net)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([draw.random((1, 8, 8, 2), np.float32)] for _ in range(20))
    if name == "bytes":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    open(name + ".tflite", "wb").write(converter.convert())
"""
FUNCTION = """
import jax
from weights import *
input_shape = (8, 8, 1)
def model(x):
    x = jax.lax.conv_general_dilated(x, KERNEL, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return jax.nn.relu(x).reshape(x.shape[0], -1) @ MATRIX
"""
WEIGHTS = """
import numpy as np
draw = np.random.default_rng(0)
KERNEL, MATRIX = (draw.normal(size=s).astype(np.float32) for s in ((3, 3, 1, 2), (128, 3)))
"""


@pytest.fixture(scope="module")
def models(converters_python, tmp_path_factory):
    """A folder with a network of TensorFlow in several formats."""
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([converters_python, "-c", MADE], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.long
@pytest.mark.parametrize("name", ["saved", "quantised.tflite", "bytes.tflite"])
def test_models_of_tensorflow(name, models, converters_python):
    """The comparison with the original's own outputs is part of `load`: it must see what is wrong."""
    graph = stb.load(models / name, converter=converters_python)
    assert graph.shapes[graph.inputs[0]] == (8, 8, 2)
    assert graph.shapes[graph.outputs[0]] == (3,)
    assert bool(graph.jumps) == name.endswith(".tflite")
    if graph.jumps:  # and the softmax is dropped with the grid behind it
        assert stb.convert(graph, calibration_data=np.random.default_rng(0).integers(0, 100, (9, 8, 8, 2))).readouts


@pytest.mark.long
def test_a_function_of_jax(converters_python, tmp_path):
    (tmp_path / "net.py").write_text(FUNCTION)
    (tmp_path / "weights.py").write_text(WEIGHTS)
    graph = stb.load(tmp_path / "net.py", converter=converters_python)
    x = np.random.default_rng(1).random((5, 8, 8, 1))
    assert graph.values(x)[graph.outputs[0]].shape == (5, 3)
