"""Models that other people trained, on real data: parsed exactly, and as accurate when they spike.

They are not part of the repository: SNNTOOLBOX_ZOO names their folder, by default ``shared`` beside the checkout.
"""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from snntoolbox.backends.simulate import simulate
from snntoolbox.conversion.compare_outputs import compare_outputs
from snntoolbox.conversion.load import load, simplify
from snntoolbox.conversion.stages import convert
from snntoolbox.frontends.registry import frontend_named

FOLDER = Path(os.environ.get("SNNTOOLBOX_ZOO", Path(__file__).parents[3] / "shared"))
STEPS = 128
POINTS = 0.005
"""The spiking network may lose this share of accuracy, or one sample."""

MODELS = {
    "keras_mnist_mlp_keras3": 500,
    "keras_mnist_cnn_valid_bn_gap": 500,
    "keras_cifar_resnet8_mlperftiny": 500,
    "keras_fashion_cnn": 500,
    "onnx_mnist_lenet_torch13": 500,
    "onnx_mnist_torch25": 500,
    "onnx_mnist_avgpool": 500,
    "onnx_cifar_resnet2b": 500,
    "torch_mnist_cnn_r4hulr": 500,
    "torch_sinabs_mnist_avgpool": 500,
    "torch_resnet20_akamaster": 100,
}
"""How many samples of each model are simulated: fewer of the larger networks."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not (FOLDER / "zoo.py").is_file(), reason=f"there is no zoo of models in {FOLDER}"),
]


@pytest.fixture(scope="module")
def zoo():
    spec = importlib.util.spec_from_file_location("model_zoo", FOLDER / "zoo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "samples"), MODELS.items())
def test_converts_without_loss(name, samples, zoo):
    sample = zoo.sample(name, 500)
    frontend = frontend_named(sample.framework)
    opened = frontend.open(sample.file)
    graph = simplify(frontend.parse(opened))

    parsed = graph_outputs(graph, sample.x_test)
    predictions = parsed.argmax(axis=1)
    assert_same_classes(predictions, sample.pred)
    if sample.outputs is not None:
        assert_close(parsed[: len(sample.outputs)], sample.outputs)
    [original] = frontend.predict(opened, sample.x_test[:samples])
    assert compare_outputs([parsed[:samples]], [original]) <= 1e-5

    network = convert(graph, sample.x_cal, duration=STEPS)
    result = simulate(network, sample.x_test[:samples], duration=STEPS, batch_size=50)
    labels = sample.y_test[:samples]
    lost = np.sum(predictions[:samples] == labels) - np.sum(result.predictions == labels)
    assert lost <= max(1, POINTS * len(labels)), f"{lost} of {len(labels)} samples lost"


def test_a_caffe_model_is_the_onnx_form_that_another_converter_made_of_it(zoo):
    sample = zoo.sample("onnx_mnist_lenet_caffe", 1000)
    text = next(Path(sample.file).parent.glob("*.prototxt"))
    frontend = frontend_named("caffe")
    net = frontend.open(text)
    graphs = [load(text), load(sample.file)]
    ours, theirs = (graph_outputs(graph, sample.x_test) for graph in graphs)
    assert_close(ours, theirs)
    assert_close(frontend.predict(net, sample.x_test)[0], theirs)
    assert_same_classes(ours.argmax(axis=1), sample.pred)


def graph_outputs(graph, x):
    from snntoolbox.engine.executor import Executor

    return Executor.double(graph).run(x).reshape(len(x), -1)


def assert_same_classes(found, wanted):
    assert wanted is not None
    np.testing.assert_array_equal(found[: len(wanted)], wanted)


def assert_close(found, wanted):
    """Equal to 1e-5 of the scale; what the zoo keeps may be the softmax of what the graph gives."""
    wanted = np.asarray(wanted, np.float64).reshape(len(wanted), -1)
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
