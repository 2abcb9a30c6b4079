"""From Python in four lines, and what happens to models and data that do not fit."""

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import snntoolbox as stb
from snntoolbox.errors import ArgumentError, BackendError, DataError, FrontendError, UnsupportedError
from snntoolbox.ir.nodes import Dense, Elementwise, Input
from snntoolbox.ir.samples import checked_arrays

RANDOM = np.random.default_rng(0)
WEIGHTS = {
    "w1": RANDOM.normal(size=(16, 8)) / 3,
    "b1": RANDOM.normal(size=16) / 5,
    "w2": RANDOM.normal(size=(4, 16)) / 4,
    "b2": RANDOM.normal(size=4) / 5,
}
X = RANDOM.random((300, 8)).astype(np.float32)


def reference(x):
    hidden = np.maximum(x @ WEIGHTS["w1"].T + WEIGHTS["b1"], 0)
    return hidden @ WEIGHTS["w2"].T + WEIGHTS["b2"]


Y = reference(X).argmax(1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A perceptron as an ONNX file."""
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w2", "b2"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in WEIGHTS.items()],
    )
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def graph(model):
    return stb.load(model)


@pytest.fixture(scope="module")
def snn(graph):
    return stb.convert(graph, calibration_data=X)


def test_the_graph_is_the_model(graph):
    np.testing.assert_allclose(graph.run(X), reference(X), atol=1e-5)


def test_the_four_lines_of_the_docstring(model, monkeypatch):
    """They are taken from the docstring itself, so that it stays true."""
    monkeypatch.chdir(model.parent)
    lines = re.findall(r"^    (\S.*)$", stb.__doc__, flags=re.MULTILINE)
    assert len(lines) == 5
    names = {"x": X, "x_test": X, "y_test": Y}
    exec("\n".join(lines[:-1]), names)
    assert lines[-1].startswith("result.accuracy(")
    assert eval(lines[-1], names) > 0.97


def test_accuracy_grows_with_time(snn):
    result = stb.simulate(snn, X, duration=64)
    per_step = (result.predictions_per_step == Y).mean(axis=1)
    assert per_step.shape == (64,)
    assert per_step[-1] == result.accuracy(Y) > 0.97
    np.testing.assert_allclose(result.output, reference(X), atol=0.2)


@pytest.mark.parametrize(
    "labels", [Y, Y[:, None], np.eye(4)[Y], Y.tolist()], ids=["indices", "column", "one-hot", "list"]
)
def test_labels_come_in_many_forms(snn, labels):
    assert snn.run(X, duration=32).accuracy(labels) > 0.95


@pytest.mark.parametrize("labels", [Y[:5], np.zeros((300, 4, 1)), 3], ids=["too few", "three axes", "one number"])
def test_labels_that_do_not_fit_are_refused(snn, labels):
    with pytest.raises(DataError, match="labels"):
        snn.run(X, duration=2).accuracy(labels)


def test_networks_run_and_classify(snn):
    result = snn.run(X[:7], duration=20)
    assert result.samples == 7
    assert result.steps == 20
    np.testing.assert_array_equal(snn.classify(X[:7], duration=20), result.predictions)


def test_batches_make_no_difference_and_progress_is_told(snn):
    done = []
    whole = stb.simulate(snn, X[:10], duration=16)
    parts = stb.simulate(snn, X[:10], duration=16, batch_size=4, progress=done.append)
    assert done == [4, 4, 2]
    np.testing.assert_array_equal(whole.predictions, parts.predictions)
    assert parts.outputs_per_step["y"].shape == whole.outputs_per_step["y"].shape == (16, 10, 4)


def test_choices_reach_the_network(graph):
    encoding = stb.Poisson(amplitude=1.0, seed=3)
    net = stb.convert(graph, X, neuron=stb.IF(reset=stb.Reset.ZERO), encoding=encoding, dt=0.5, readout="spikes")
    assert net.encodings == {"x": encoding}
    assert net.dt == 0.5
    assert {p.neuron.reset for p in net.populations.values()} == {stb.Reset.ZERO}
    assert len(net.populations) == 2
    assert stb.simulate(net, X[:2], duration=4).steps == 8


@pytest.mark.parametrize(
    "choices", [{"weight_bits": 8}, {"readout": "spikes"}, {"per_channel": False}, {"percentile": 100}]
)
def test_accuracy_of_other_recipes(graph, choices):
    net = stb.convert(graph, X, **choices)
    expected = reference(X)
    if choices.get("readout") == "spikes":
        expected = np.maximum(expected, 0)
        keep = expected.max(axis=1) > 0
    else:
        keep = np.ones(len(X), bool)
    found = stb.simulate(net, X, duration=256).output
    assert (found.argmax(1) == expected.argmax(1))[keep].mean() > 0.95


def test_without_data_the_weights_give_the_thresholds(graph):
    net = stb.convert(graph)
    assert stb.simulate(net, X[:50], duration=512).accuracy(Y[:50]) > 0.9


def test_saved_networks_run_the_same(snn, graph, tmp_path):
    again = stb.load_network(stb.save(snn, tmp_path / "snn"))
    np.testing.assert_array_equal(again.run(X[:9], duration=8).output, snn.run(X[:9], duration=8).output)
    np.testing.assert_array_equal(stb.load_graph(stb.save(graph, tmp_path / "ann")).run(X), graph.run(X))


# -- what is refused ------------------------------------------------------------------------------------------------

BAD = {
    "NaN": (np.where(np.arange(8) == 3, np.nan, X[:4]), "x: the data hold NaN or infinite"),
    "infinite": (np.where(np.arange(8) == 3, np.inf, X[:4]), "x: the data hold NaN or infinite"),
    "features": (X[:4, :7], r"x: samples have shape \(7,\), the model takes \(8,\)"),
    "images": (X[:4, :, None], r"samples have shape \(8, 1\)"),
    "two inputs": ([X[:4], X[:4]], "2 arrays given, the model has 1 inputs"),
    "no input": ([], "0 arrays given"),
    "text": (X[:4].astype(str), "x: the data are of type <U"),
    "objects": (X[:4].astype(object), "x: the data are of type object"),
    "no samples": (X[:0], "no samples|calibration set is empty"),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("use", ["simulate", "convert"])
def test_bad_data_are_refused(graph, snn, use, data, message):
    with pytest.raises(DataError, match=message):
        stb.simulate(snn, data, duration=2) if use == "simulate" else stb.convert(graph, data)


def test_inputs_must_have_equal_numbers_of_samples():
    shapes = {"a": (2,), "b": (3,)}
    with pytest.raises(DataError, match="b: 5 samples, 4 for the first input"):
        checked_arrays(shapes, [np.zeros((4, 2)), np.zeros((5, 3))])


def test_unknown_names_tell_the_known_ones(snn, model):
    with pytest.raises(BackendError, match=r"no simulator named 'nest3'|no backend named 'nest3'") as caught:
        stb.simulate(snn, X[:1], simulator="nest3")
    assert "INI" in caught.value.hint
    with pytest.raises(FrontendError, match="'theano'") as caught:
        stb.load(model, frontend="theano")
    assert "onnx" in caught.value.hint


def test_layers_without_a_spiking_form_are_listed():
    nodes = [
        Input(name="x", shape=(3,)),
        Elementwise(name="a", inputs=("x",), function="tanh"),
        Dense(name="d", inputs=("a",), weight=np.eye(3)),
        Elementwise(name="b", inputs=("d",), function="gelu"),
    ]
    with pytest.raises(UnsupportedError) as caught:
        stb.convert(stb.Graph(nodes, ["b"]), np.ones((2, 3)))
    assert [o.layer for o in caught.value.offenders] == ["a (Elementwise)", "b (Elementwise)"]


def test_one_sample_needs_no_axis_of_samples(snn):
    alone, first = snn.run(X[0], duration=8), snn.run(X[:1], duration=8)
    np.testing.assert_array_equal(alone.output, first.output)
    assert snn.classify(X[0], duration=64) == snn.classify(X[:1], duration=64)[0]


@pytest.mark.parametrize("steps", [0, -1, 2.5, True, "8"])
def test_a_number_of_steps(snn, graph, steps):
    for call in (lambda: snn.run(X[:1], T=steps), lambda: stb.convert(graph, X, T=steps)):
        with pytest.raises(ArgumentError, match="T = "):
            call()


def test_steps_stand_for_a_duration(snn, graph, model):
    assert stb.convert(graph, X, T=8, dt=0.5).duration == 4.0
    assert stb.convert(model, X, T=8).T == 8
    np.testing.assert_array_equal(snn.run(X[:5], T=8).output, snn.run(X[:5], duration=8).output)
    with pytest.raises(ArgumentError, match="are not duration = 9 ms"):
        snn.run(X[:1], T=8, duration=9)
    with pytest.raises(ArgumentError, match="converted already"):
        stb.convert(snn)
