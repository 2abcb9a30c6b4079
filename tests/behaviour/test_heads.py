"""What an output means is read the same by Python calls, the command line, compare, tune and early exit; or refused."""

import json

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.errors import DataError, SNNToolboxError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Conv, Dense, Elementwise, Input, Permute, ReLU, Reshape, Softmax, Take
from snntoolbox.workflow.cli import main

pytestmark = pytest.mark.usefixtures("process_clock")

RNG = np.random.default_rng(0)
X = RNG.random((60, 6)).astype(np.float32)
MAPS = RNG.random((40, 1, 6, 6)).astype(np.float32)
T = 256
BIAS = np.array([0.1, -0.1, 0.2]).reshape(3, 1, 1)
WINDOW = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}


def vector(outputs, *ends):
    """A rectified layer and logits, with an offset that puts the last ones in front, and what `ends` the model."""
    weight = RNG.normal(size=(outputs, 16))
    offset = np.linspace(0, 3, outputs)
    nodes = [
        Input(name="x", shape=(6,)),
        Dense(name="hidden", inputs=("x",), weight=RNG.normal(size=(16, 6))),
        ReLU(name="relu", inputs=("hidden",)),
        Dense(name="logits", inputs=("relu",), weight=weight, bias=offset),
    ]
    for i, end in enumerate(ends):
        nodes.append(end(name=f"end{i}", inputs=(nodes[-1].name,)))
    return Graph(nodes, [nodes[-1].name])


def pixels(*ends):
    """A convolution, a rectifier, three classes for each pixel, and what `ends` the model."""
    nodes = [
        Input(name="x", shape=(1, 6, 6)),
        Conv(name="c1", inputs=("x",), weight=RNG.normal(size=(4, 1, 3, 3)), **WINDOW),
        ReLU(name="relu", inputs=("c1",)),
        Conv(name="c2", inputs=("relu",), weight=RNG.normal(size=(3, 4, 1, 1)), bias=BIAS, **WINDOW),
    ]
    for i, end in enumerate(ends):
        nodes.append(end(name=f"end{i}", inputs=(nodes[-1].name,)))
    return Graph(nodes, [nodes[-1].name])


def softmax(axis):
    return lambda **names: Softmax(axis=axis, **names)


def reshape(*shape):
    return lambda **names: Reshape(shape=shape, **names)


def permute(*axes):
    return lambda **names: Permute(axes=axes, **names)


TAKEN = {
    "whole sample": vector(4, softmax(0)),
    "heads as an axis": vector(4, reshape(2, 2), softmax(1)),
    "heads behind the classes": vector(4, reshape(2, 2), softmax(0)),
    "three heads of two": vector(6, reshape(3, 2), softmax(1)),
    "heads with a group axis": vector(6, reshape(1, 3, 2), softmax(2)),
    "the only axis that is not one": vector(4, reshape(1, 4), softmax(1), reshape(4)),
    "pixels": pixels(softmax(0)),
    "pixels, channels last": pixels(softmax(0), permute(1, 2, 0)),
    "pixels in a row": pixels(permute(1, 2, 0), reshape(16, 3), softmax(1)),
}


def data_for(graph):
    return X if graph.shapes["x"] == (6,) else MAPS


@pytest.mark.parametrize("name", TAKEN)
def test_each_class_is_that_of_the_original(name):
    graph = TAKEN[name]
    x = data_for(graph)
    expected = graph.heads[0].decisions(graph.run(x))
    result = stb.convert(graph, x).run(x, duration=T)
    assert np.mean(result.predictions == expected) > 0.95
    assert result.accuracy(expected) == np.mean(result.predictions == expected)
    np.testing.assert_array_equal(result.predictions_per_step[-1], result.predictions)


REFUSED = {
    "two heads in one axis": (vector(4, reshape(2, 2), softmax(1), reshape(4)), "2 of the 4 values"),
    "classes in front, in one axis": (vector(4, reshape(2, 2), softmax(0), reshape(4)), "2 of the 4 values"),
    "an axis of length one": (vector(4, reshape(1, 4), softmax(0), reshape(4)), "axis of length one"),
    "a single output": (vector(1, softmax(0)), "axis of length one"),
    "pixels in one axis": (pixels(softmax(0), reshape(48)), "3 of the 48 values"),
    "pixels and classes mixed": (pixels(softmax(0), reshape(4, 12)), "3 of the 48 values"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("to_relu", [False, True])
def test_a_softmax_whose_classes_have_no_axis_at_the_output_is_refused(name, to_relu):
    graph, match = REFUSED[name]
    with pytest.raises(SNNToolboxError, match=match) as caught:
        stb.convert(graph, data_for(graph), softmax_to_relu=to_relu)
    assert "between layers" not in str(caught.value)


def test_probabilities_that_are_wanted_as_values_are_refused():
    graph = vector(4, softmax(0))
    with pytest.raises(SNNToolboxError, match="wants its values"):
        stb.convert(graph.with_heads({graph.outputs[0]: "values"}), X)


# -- outputs that share what they say ------------------------------------------------------------------------------


def ends(graph, *more):
    """The graph with further outputs that read its last node."""
    last = graph.outputs[0]
    nodes = [end(name=f"more{i}", inputs=(last,)) for i, end in enumerate(more)]
    return graph.edited(nodes, outputs=[last, *(n.name for n in nodes)])


def sigmoid(**names):
    return Elementwise(function="sigmoid", **names)


SHARED = {
    "pixels and their shares": (ends(pixels(), softmax(0)), ["values", "classes along axis 0"]),
    "shares over two axes": (
        pixels().edited([softmax(a)(name=f"s{a}", inputs=("c2",)) for a in (0, 1)], outputs=["s0", "s1"]),
        ["classes along axis 0", "classes along axis 1"],
    ),
    "logits and their shares": (ends(vector(4), softmax(0)), ["classes", "classes"]),
    "a logit and its probability": (ends(vector(1), sigmoid), ["values", "class 1 above 0.5"]),
    "an output twice": (vector(4).edited(outputs=["logits", "logits"]), ["classes", "classes"]),
}


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("backwards", [False, True])
def test_each_output_keeps_its_own_meaning_and_its_name(name, backwards):
    graph, heads = SHARED[name]
    if backwards:
        graph = graph.edited(outputs=graph.outputs[::-1], heads=graph.heads[::-1])
        heads = heads[::-1]
    assert [str(h) for h in graph.heads] == heads
    x = data_for(graph)
    result = stb.convert(graph, x).run(x, duration=T)
    assert len(result.outputs) == len(graph.outputs)
    for output, read_out, head in zip(graph.outputs, result.outputs, graph.heads, strict=True):
        if name != "a logit and its probability" and name != "an output twice":
            assert read_out == output
        if head.decides:
            decided = head.decisions(graph.values(x)[output])
            agree = result.classes(read_out) == decided
            assert np.mean(agree[decided >= 0]) > 0.9


def test_several_labels_beside_their_logits():
    """What is said of one output is not lost to another that becomes the same values."""
    graph = ends(vector(4), sigmoid)
    labels = (graph.values(X)["logits"] > 0).astype(int)
    for named in ({"logits": "logits"}, {"more0": "logits"}, {"logits": "logits", "more0": "logits"}):
        result = stb.convert(graph.with_heads(named), X).run(X, duration=T)
        for output in named:
            assert result.accuracy(labels, output) > 0.9


@pytest.mark.parametrize("probability", [0.02, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("outputs", [1, 4])
def test_other_thresholds_of_probabilities_are_kept(probability, outputs):
    graph = vector(outputs, sigmoid)
    last = graph.nodes["logits"]
    graph = graph.edited([last.with_bias(last.bias - np.median(graph.values(X, keep=["logits"])["logits"], axis=0))])
    said = graph.with_heads({"end0": stb.Head(kind="logits", threshold=probability)})
    labels = (graph.run(X) > probability).astype(int)
    assert stb.convert(said, X).run(X, duration=T).accuracy(labels) > 0.9
    with pytest.raises(SNNToolboxError, match=r"never on both sides of 1\.5"):
        graph.with_heads({"end0": stb.Head(kind="logits", threshold=1.5)})


def test_one_of_several_probabilities():
    graph = vector(4, sigmoid, lambda **names: Take(axis=0, indices=(1,), **names))
    labels = (graph.run(X)[:, 0] > 0.5).astype(int)
    assert stb.convert(graph, X).run(X, duration=T).accuracy(labels) > 0.9


@pytest.mark.parametrize("shift", [0, -9])
def test_what_spikes_cannot_say_is_said(shift, caplog):
    graph = vector(4, softmax(0))
    graph = graph.edited([graph.nodes["logits"].with_bias(graph.nodes["logits"].bias + shift)])
    result = stb.convert(graph, X, readout="spikes").run(X, duration=T)
    assert ("readout = linear keeps them" in caplog.text) == bool(np.any(result.predictions == -1))
    assert (shift == 0) == bool(np.all(result.predictions >= 0))


def test_masked_labels_are_refused():
    graph = vector(4)
    y = np.ma.masked_array(np.zeros(60, int), mask=np.arange(60) < 5)
    with pytest.raises(DataError, match="masked"):
        stb.convert(graph, X).run(X, duration=4).accuracy(y)


# -- one value: a logit where that is said, else nothing is guessed ----------------------------------------------


def centred(graph):
    """The graph with its single output moved so that half of the samples lie above zero."""
    last = graph.nodes["logits"]
    return graph.edited([last.with_bias(last.bias - np.median(graph.run(X)))])


@pytest.mark.parametrize("shape", [(1,), (1, 1), ()])
def test_one_value_says_no_class_unless_that_is_said(shape):
    unsaid = centred(vector(1, reshape(*shape)))
    labels = (unsaid.run(X).reshape(-1) > 0).astype(int)
    result = stb.convert(unsaid, X).run(X, duration=T)
    calls = {
        "accuracy": lambda: result.accuracy(labels),
        "targets": lambda: result.accuracy(labels.astype(np.float32)),
        "predictions": lambda: result.predictions,
        "per step": lambda: result.predictions_per_step,
        "classes": lambda: result.classes(),
        "classify": lambda: stb.convert(unsaid, X).classify(X, duration=T),
        "early exit": lambda: stb.simulate(stb.convert(unsaid, X), X, duration=8, early_exit=0.9, calibration_data=X),
    }
    for name, call in calls.items():
        with pytest.raises(DataError) as caught:
            call()
        assert "logit" in str(caught.value) or name == "early exit"
    said = stb.convert(unsaid.with_heads({unsaid.outputs[0]: "logits"}), X)
    assert said.run(X, duration=T).accuracy(labels) > 0.95
    assert set(said.classify(X, duration=T)) == {0, 1}
    ended = said.run(X, duration=T, early_exit=0.9, calibration_data=X)
    assert ended.early_exit.accuracy(labels) > 0.85


def test_several_labels_are_scored_each():
    graph = vector(4)
    values = graph.run(X)
    graph = graph.edited([graph.nodes["logits"].with_bias(graph.nodes["logits"].bias - np.median(values, axis=0))])
    labels = (graph.run(X) > 0).astype(int)
    with pytest.raises(DataError, match="none or several ones") as caught:
        stb.convert(graph, X).run(X, duration=T).accuracy(labels)
    assert "head='logits'" in caught.value.hint
    said = graph.with_heads({graph.outputs[0]: "logits"})
    assert stb.convert(said, X).run(X, duration=T).accuracy(labels) > 0.95
    with pytest.raises(SNNToolboxError, match="several labels"):
        stb.convert(said, X, readout="spikes")


def test_pixels_without_a_softmax_need_their_axis():
    graph = pixels()
    expected = graph.run(MAPS).argmax(axis=1)
    with pytest.raises(DataError, match="no class per sample"):
        stb.convert(graph, MAPS).run(MAPS, duration=T).accuracy(expected)
    said = graph.with_heads({graph.outputs[0]: stb.Head(kind="classes", axis=0)})
    result = stb.convert(said, MAPS).run(MAPS, duration=T)
    assert result.accuracy(expected) > 0.95
    assert result.accuracy(np.moveaxis(np.eye(3)[expected], -1, 1)) == result.accuracy(expected)


def test_of_several_outputs_one_is_named(caplog):
    graph = vector(4)
    boxes = Dense(name="boxes", inputs=("relu",), weight=RNG.normal(size=(5, 16)))
    graph = graph.edited([boxes], outputs=["boxes", "logits"])
    labels = graph.values(X, keep=["logits"])["logits"].argmax(axis=1)
    result = stb.convert(graph, X).run(X, duration=T)
    assert result.accuracy(labels, "logits") > 0.95
    np.testing.assert_array_equal(result.classes("logits"), result.outputs["logits"].argmax(axis=1))
    assert "output=" not in caplog.text
    assert result.accuracy(labels % 4) < 0.9
    assert "'boxes' decides" in caplog.text
    with pytest.raises(DataError, match="no output 'classes'") as caught:
        result.accuracy(labels, "classes")
    assert "logits" in caught.value.hint


def test_saved_networks_keep_what_their_outputs_mean(tmp_path):
    network = stb.convert(TAKEN["pixels, channels last"], MAPS)
    loaded = stb.load_network(stb.save(network, tmp_path / "net.npz"))
    assert loaded.heads == network.heads == {"end1": stb.Head(kind="classes", axis=2)}


@pytest.mark.long
def test_compare_and_tune_read_it():
    graph = TAKEN["pixels"]
    expected = graph.heads[0].decisions(graph.run(MAPS))
    network = stb.convert(graph, MAPS, weight_bits=8)
    sides = stb.compare(network, MAPS[:3], simulators=("INI", "verilog"), duration=16, labels=expected[:3]).sides
    assert sides[0].accuracy is not None
    tuning = stb.tune(graph, MAPS, duration=16, budget=3)
    assert tuning.best.measured.outcome.agreement is not None
    with pytest.raises(SNNToolboxError, match="early_exit needs one"):
        stb.tune(graph, MAPS, duration=16, budget=3, early_exit=0.9)


# -- the command line ---------------------------------------------------------------------------------------------


def onnx_file(folder, graph):
    """The graph as an ONNX file, with all of its outputs."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    steps, arrays = [], []
    for node in graph.nodes.values():
        if isinstance(node, Dense):
            arrays += [numpy_helper.from_array(node.weight.T.astype(np.float32), f"{node.name}.w")]
            bias = np.zeros(len(node.weight)) if node.bias is None else node.bias
            arrays += [numpy_helper.from_array(bias.astype(np.float32), f"{node.name}.b")]
            weights = [f"{node.name}.w", f"{node.name}.b"]
            steps.append(helper.make_node("Gemm", [*node.inputs, *weights], [node.name], node.name))
        elif isinstance(node, Conv):
            bias = np.zeros(len(node.weight)) if node.bias is None else node.bias.ravel()
            arrays.append(numpy_helper.from_array(node.weight.astype(np.float32), f"{node.name}.w"))
            arrays.append(numpy_helper.from_array(bias.astype(np.float32), f"{node.name}.b"))
            weights = [f"{node.name}.w", f"{node.name}.b"]
            steps.append(helper.make_node("Conv", [*node.inputs, *weights], [node.name], node.name))
        elif isinstance(node, Softmax):
            steps.append(helper.make_node("Softmax", node.inputs, [node.name], node.name, axis=node.axis + 1))
        elif isinstance(node, (ReLU, Elementwise)):
            kind = "Relu" if isinstance(node, ReLU) else "Sigmoid"
            steps.append(helper.make_node(kind, node.inputs, [node.name], node.name))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *graph.shapes["x"]])
    outputs = [helper.make_tensor_value_info(o, TensorProto.FLOAT, ["n", *graph.shapes[o]]) for o in graph.outputs]
    model = helper.make_model(
        helper.make_graph(steps, "g", [x], outputs, arrays), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(model, folder / "net.onnx")


def run(folder, graph, y, *settings):
    """Exit code and report of a run on the command line."""
    onnx_file(folder, graph)
    x = data_for(graph)
    for name, array in {"x_test": x, "x_norm": x, "y_test": y}.items():
        np.savez(folder / f"{name}.npz", array)
    text = "[paths]\nfilename_ann = net.onnx\n[simulation]\nduration = 64\nbatch_size = 60\nnum_to_test = -1\n"
    (folder / "c.ini").write_text(text)
    code = main(["run", str(folder / "c.ini"), *(part for s in settings for part in ("--set", s))])
    reports = list((folder / "log").rglob("report.json"))
    return code, json.loads(reports[0].read_text()) if reports else None


@pytest.mark.parametrize("shift", [0, -40, 7])
@pytest.mark.parametrize("kind", [int, np.float32])
def test_whole_numbers_are_targets_of_a_single_output(shift, kind, tmp_path):
    graph = vector(1)
    y = np.round(graph.run(X)[:, 0] * 4).astype(kind) + kind(shift)
    code, report = run(tmp_path, graph, y)
    assert code == 0
    assert report["snn_accuracy"] is None
    assert report["snn_error"]["rmse"] > 0
    assert any("taken as targets" in w and "head = logits" in w for w in report["warnings"])


def test_the_command_line_reads_a_logit_where_that_is_said(tmp_path):
    graph = centred(vector(1))
    code, report = run(tmp_path, graph, (graph.run(X)[:, 0] > 0).astype(int), "input.head=logits")
    assert code == 0
    assert report["ann_accuracy"] == report["parsed_accuracy"] == 1
    assert report["snn_accuracy"] > 0.9
    assert report["agreement"] == report["snn_accuracy"]


@pytest.mark.parametrize("rows", [False, True])
def test_the_command_line_scores_maps(rows, tmp_path):
    graph = pixels(softmax(0))
    y = graph.run(MAPS).argmax(axis=1)
    code, report = run(tmp_path, graph, np.moveaxis(np.eye(3)[y], -1, 1) if rows else y)
    assert code == 0
    assert report["ann_accuracy"] == report["parsed_accuracy"] == 1
    assert 0.9 < report["snn_accuracy"] == report["agreement"] == report["snn_accuracy_per_step"][-1]


def test_maps_without_a_softmax_by_the_axis_of_the_settings(tmp_path, capsys):
    graph = pixels()
    y = graph.run(MAPS).argmax(axis=1)
    assert run(tmp_path, graph, y)[0] == 2
    assert "class_axis" in capsys.readouterr().err
    code, report = run(tmp_path, graph, y, "input.class_axis=0")
    assert (code, report["ann_accuracy"]) == (0, 1)


def test_one_place_of_several_by_the_settings(tmp_path, capsys):
    graph = pixels()
    y = graph.run(MAPS).argmax(axis=1)
    last = y.reshape(len(y), -1)[:, -1]
    code, report = run(tmp_path, graph, last, "input.class_axis=0", "input.class_place=-1")
    assert (code, report["ann_accuracy"]) == (0, 1)
    code, report = run(tmp_path, graph, 1 - np.minimum(last, 1), "input.class_axis=0", "input.class_place=-1")
    assert report["ann_accuracy"] < 0.9
    for wrong, told in (("input.class_place=9999", "none is 9999"), ("input.class_axis=none", "class_axis")):
        assert run(tmp_path, graph, last, "input.class_axis=0", "input.class_place=-1", wrong)[0] == 2
        assert told in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "boxes", "logits"])
def test_which_of_several_outputs_is_scored_is_said(name, tmp_path):
    graph = vector(4)
    boxes = Dense(name="boxes", inputs=("relu",), weight=RNG.normal(size=(5, 16)))
    graph = graph.edited([boxes], outputs=["boxes", "logits"])
    y = graph.values(X)["logits"].argmax(axis=1)
    code, report = run(tmp_path, graph, y, *([f"input.scored_output={name}"] if name else []))
    assert code == 0
    assert (report["ann_accuracy"] == 1) == (name == "logits")
    assert report["parsed_accuracy"] == report["ann_accuracy"]
    assert any("'boxes'" in w and "scored_output" in w for w in report["warnings"]) == (not name)
    assert report["output_error"].keys() == {"boxes", "logits"}
    if name == "logits":
        assert report["snn_accuracy"] > 0.9


def test_outputs_of_onnx_files_are_called_as_they_are_there(tmp_path):
    """Exporters name nodes otherwise than the tensors that are the outputs."""
    import onnx

    graph = vector(4)
    onnx_file(tmp_path, graph.edited([ReLU(name="cut", inputs=("logits",))], outputs=["logits", "cut"]))
    model = onnx.load(tmp_path / "net.onnx")
    names = {"logits": "boxes", "cut": "classes"}
    for node in model.graph.node:
        node.input[:] = [names.get(i, i) for i in node.input]
        node.output[:] = [names.get(o, o) for o in node.output]
    for output in model.graph.output:
        output.name = names[output.name]
    loaded = stb.load(model, head={"boxes": "values"})
    assert loaded.outputs == ("boxes", "classes")
    assert [str(h) for h in loaded.heads] == ["values", "classes"]
    x = RNG.random((5, 6)).astype(np.float32)
    np.testing.assert_array_equal(loaded.values(x)["classes"], np.maximum(loaded.values(x)["boxes"], 0))
    assert list(stb.convert(loaded, X).run(X[:2], duration=8).outputs) == ["boxes", "classes/output"]


def test_an_output_that_is_not_there_is_refused(tmp_path, capsys):
    assert run(tmp_path, vector(4), np.zeros(60, int), "input.scored_output=classes")[0] == 2
    assert "outputs: logits" in capsys.readouterr().err
    assert run(tmp_path, vector(4), np.zeros(60, int), "input.head=logits", "input.class_axis=0")[0] == 2
    assert "class_axis goes with" in capsys.readouterr().err


def test_several_labels_on_the_command_line(tmp_path, capsys):
    graph = vector(4, lambda **names: Elementwise(function="sigmoid", **names))
    y = (graph.run(X) > 0.5).astype(int)
    assert run(tmp_path, graph, y)[0] == 2
    assert "head = logits" in capsys.readouterr().err
    code, report = run(tmp_path, graph, y, "input.head=logits")
    assert (code, report["ann_accuracy"], report["parsed_accuracy"]) == (0, 1, 1)
    assert report["snn_accuracy"] > 0.9
