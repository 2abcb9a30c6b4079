"""A sigmoid at the output: dropped or made two classes, with the decisions that it made; elsewhere it stays."""

import numpy as np
import pytest

from snntoolbox.conversion.lowering.lower_logits import LowerLogits
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.nodes import Dense, Elementwise, Input, ReLU, Reshape

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(50, 6))


def net(outputs, shape=None, function="sigmoid", behind=False):
    """A rectified layer, `outputs` logits and a function of them, in a shape; `behind` it another layer."""
    nodes = [Input(name="x", shape=(6,)), Dense(name="h", inputs=("x",), weight=RANDOM.normal(size=(8, 6)))]
    nodes += [ReLU(name="r", inputs=("h",)), Dense(name="z", inputs=("r",), weight=RANDOM.normal(size=(outputs, 8)))]
    nodes.append(Elementwise(name="s", inputs=("z",), function=function))
    if shape is not None:
        nodes.append(Reshape(name="out", inputs=("s",), shape=shape))
    if behind:
        nodes.append(Dense(name="out", inputs=("s",), weight=RANDOM.normal(size=(2, outputs))))
    return Graph(nodes, [nodes[-1].name])


@pytest.mark.parametrize("shape", [None, (1, 1), (1, 1, 1)])
def test_one_output_becomes_two_classes(shape):
    graph = net(1, shape)
    assert graph.heads == (Head(kind="logits", threshold=0.5),)
    lowered, probability = LowerLogits()(graph), graph.run(X).reshape(-1)
    found = lowered.run(X)
    assert lowered.outputs == graph.outputs
    assert found.shape == (50, 2)
    np.testing.assert_array_equal(found[:, 0], -found[:, 1])
    np.testing.assert_allclose(1 / (1 + np.exp(found[:, 0] - found[:, 1])), probability, rtol=1e-12)
    np.testing.assert_array_equal(found.argmax(1), probability > 0.5)
    assert 5 < (probability > 0.5).sum() < 45, "both classes are there"
    assert lowered.heads == (Head(kind="classes"),)
    for each in (graph, lowered):
        decided = probability != 0.5  # where no rectifier is active nothing is decided
        decisions = each.heads[0].decisions(each.run(X))
        np.testing.assert_array_equal(decisions[decided], probability[decided] > 0.5)


def test_of_several_outputs_it_is_dropped():
    graph = net(3)
    found = LowerLogits()(graph).run(X)
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), graph.run(X), rtol=1e-12)
    np.testing.assert_array_equal(found.argmax(1), graph.run(X).argmax(1))


STAYS = {
    "between layers": lambda: net(3, behind=True),
    "another function": lambda: net(1, function="tanh"),
    "a map in space": lambda: net(4, (1, 2, 2)),
    "read twice": lambda: Graph([*net(1).nodes.values(), ReLU(name="t", inputs=("s",))], ["s", "t"]),
}


@pytest.mark.parametrize("name", STAYS)
def test_elsewhere_it_stays(name):
    graph = STAYS[name]()
    lowered = LowerLogits()(graph)
    assert list(lowered.nodes) == list(graph.nodes)


def test_a_logit_without_a_sigmoid_becomes_two_classes_where_that_is_said():
    nodes = [n for n in net(1).nodes.values() if n.name != "s"]
    unsaid = Graph(nodes, ["z"])
    assert LowerLogits()(unsaid).outputs == ("z",)
    graph = unsaid.with_heads({"z": "logits"})
    lowered = LowerLogits()(graph)
    np.testing.assert_array_equal(lowered.run(X), graph.run(X) * [[-0.5, 0.5]])
    np.testing.assert_array_equal(lowered.heads[0].decisions(lowered.run(X)), graph.run(X)[:, 0] > 0)


@pytest.mark.parametrize("shape", [(4,), (1, 2, 2)])
def test_several_logits_lose_their_sigmoid_where_that_is_said(shape):
    """Each value keeps its yes or no: above 1/2 before, above 0 behind."""
    graph = net(4, shape)
    graph = graph.with_heads({graph.outputs[0]: "logits"})
    lowered = LowerLogits()(graph)
    assert (graph.heads[0].threshold, lowered.heads[0].threshold) == (0.5, 0.0)
    before, behind = (g.heads[0].decisions(g.run(X)) for g in (graph, lowered))
    np.testing.assert_array_equal(before, behind)
    np.testing.assert_array_equal(behind, lowered.run(X) > 0)


def test_values_that_are_asked_for_are_kept():
    graph = net(1)
    assert list(LowerLogits(keep_sigmoid=True)(graph).nodes) == list(graph.nodes)


def test_the_whole_way():
    """Converted without `approximate`, with it the probability itself is there; elsewhere it is refused as before."""
    import snntoolbox as stb

    graph = net(1)
    snn = stb.convert(graph, X, duration=64)
    wanted = graph.run(X).reshape(-1) > 0.5
    result = stb.simulate(snn, X, duration=64)
    assert result.output.shape == (50, 2)
    assert np.mean(result.predictions == wanted) >= 0.95
    assert result.accuracy(wanted.astype(int)) == np.mean(result.predictions == wanted)
    spiking = stb.simulate(stb.convert(graph, X, duration=64, readout="spikes"), X, duration=64)
    assert np.mean(spiking.predictions == wanted) >= 0.9
    values = stb.convert(graph, X, duration=64, approximate=frozenset({"sigmoid"}))
    found = stb.simulate(values, X, duration=64).output
    assert np.abs(found - graph.run(X)).max() < 0.2
    with pytest.raises(UnsupportedError, match="sigmoid"):
        stb.convert(net(3, behind=True), X, duration=8)


@pytest.mark.parametrize("kind", ["onnx", "keras", "pytorch"])
@pytest.mark.one_in(3)
def test_binary_classifiers_by_configuration(kind, tmp_path):
    """Each framework's own sigmoid, labels 0 and 1: the accuracies of the original, of the graph and of the spikes."""
    import json

    import snntoolbox as stb
    from snntoolbox.workflow.cli import main

    file = MODELS[kind](tmp_path)
    probability = stb.load(tmp_path / file).run(X).reshape(-1)
    labels = (probability > 0.5).astype(np.int64)
    labels[:5] = 1 - labels[:5]
    assert 0 < labels.mean() < 1
    for name, array in {"x_test": X.astype(np.float32), "y_test": labels, "x_norm": X.astype(np.float32)}.items():
        np.savez(tmp_path / f"{name}.npz", array)
    config = f"[paths]\npath_wd = {tmp_path}\ndataset_path = {tmp_path}\nfilename_ann = {file}\n"
    config += "[input]\ndataset_format = npz\n[simulation]\nduration = 32\nnum_to_test = -1\nearly_exit = 0.9\n"
    (tmp_path / "config.ini").write_text(config)
    assert main(["run", str(tmp_path / "config.ini")]) == 0
    report = json.loads(next((tmp_path / "log").rglob("report.json")).read_text())
    assert report["parsed_difference"] < 1e-5
    assert report["ann_accuracy"] == report["parsed_accuracy"] == 0.9
    assert report["agreement"] >= 0.9
    assert report["snn_accuracy"] >= 0.8
    assert any("class 1 where its logit is above 0" in w for w in report["warnings"])


def _keras(folder):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(3)
    hidden, last = keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1, activation="sigmoid")
    keras.Sequential([keras.Input((6,)), hidden, last]).save(folder / "net.keras")
    return "net.keras"


def _torch_net():
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    nn = torch.nn
    return torch, nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())


def _pytorch(folder):
    torch, net = _torch_net()
    dynamic = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(net.eval(), (torch.zeros(2, 6),), dynamic_shapes=dynamic), folder / "net.pt2")
    return "net.pt2"


def _onnx(folder):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    weights = {"a": RANDOM.normal(size=(6, 16)), "b": RANDOM.normal(size=(16, 1))}
    steps = [("MatMul", ["x", "a"], "h"), ("Relu", ["h"], "r"), ("MatMul", ["r", "b"], "z"), ("Sigmoid", ["z"], "y")]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", s]) for n, s in (("x", 6), ("y", 1))]
    arrays = [numpy_helper.from_array(w.astype(np.float32), n) for n, w in weights.items()]
    graph = helper.make_graph([helper.make_node(o, i, [n]) for o, i, n in steps], "g", [ends[0]], [ends[1]], arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "net.onnx")
    return "net.onnx"


MODELS = {"keras": _keras, "pytorch": _pytorch, "onnx": _onnx}
