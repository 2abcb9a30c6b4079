"""Runs from the command line, end to end: what is reported, what every setting does, what can be loaded again."""

import json
import os
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from snntoolbox.backends.registry import backend_named
from snntoolbox.ir.io import load_graph, load_network
from snntoolbox.ir.nodes import AveragePool, MaxPool
from snntoolbox.ir.operations import synaptic_operations_per_step
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.preparation import ALWAYS_REPORTED
from snntoolbox.workflow.stories.run import run

SHORT = {
    **{"simulation.num_to_test": 50, "simulation.batch_size": 32, "simulation.duration": 16},
    "conversion.layer_correction": "none",  # half the time of a run
}
CORRECTED = {"conversion__layer_correction": "auto"}
LAYERS = ["relu1", "relu2", "max_pool.larger", "max_pool.larger_2", "relu3", "relu4"]
SIZES = [1024, 1024, 512, 256, 512, 64]


@pytest.fixture
def workspace(tmp_path):
    """A folder with the demo's model, data and configuration."""
    demo.copy_to(tmp_path)
    return tmp_path


def results(folder, framework="onnx"):
    return folder / "log" / f"demo_{framework}"


def call(folder, config="demo_onnx.ini", **keys):
    """Run with keys given as ``section__key``; returns the exit code."""
    values = {**SHORT, **{name.replace("__", "."): value for name, value in keys.items()}}
    overrides = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
    return main([str(folder / config), *overrides])


def report(folder, **keys):
    """The report of a run that must succeed."""
    assert call(folder, **keys) == 0
    return json.loads((results(folder) / "report.json").read_text())


def measured(report):
    """The report without what differs from run to run or tells how the run was done."""
    return {k: v for k, v in report.items() if k not in ("seconds", "warnings", "model", "frontend")}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The report of a run as the demo is."""
    folder = tmp_path_factory.mktemp("plain")
    demo.copy_to(folder)
    return report(folder)


# -- the report -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", demo.MODELS)
@pytest.mark.one_in(3)
def test_the_demo_in_every_format(framework, tmp_path, capsys):
    if framework == "keras":
        pytest.importorskip("keras")
    assert main(["demo", "--framework", framework, "--folder", str(tmp_path)]) == 0
    found = json.loads((results(tmp_path, framework) / "report.json").read_text())
    assert found["frontend"] == framework
    assert found["ann_accuracy"] == found["parsed_accuracy"] >= 0.99
    assert found["parsed_difference"] < 1e-5
    assert found["snn_accuracy"] >= found["ann_accuracy"] - 0.002
    assert found["samples"] == 500
    assert "99." in capsys.readouterr().out


def test_what_a_report_holds(workspace):
    found = report(workspace, **CORRECTED)
    assert set(ALWAYS_REPORTED) <= found.keys()
    assert [key for key in ALWAYS_REPORTED if found[key] is None] == []
    assert found["model"] == str(workspace / "digits_cnn.onnx")
    assert (found["simulator"], found["samples"], found["duration"], found["seed"]) == ("INI", 50, 16, 0)
    assert len(found["snn_accuracy_per_step"]) == 16
    assert found["snn_accuracy_per_step"][-1] == found["snn_accuracy"]
    assert found["neurons_per_layer"] == dict(zip(LAYERS, SIZES, strict=True))
    assert found["ann_operations"] == 387_530
    assert found["versions"]["numpy"] == np.__version__
    for layer, spikes in found["spikes_per_layer"].items():
        rate = spikes / found["neurons_per_layer"][layer] / 16
        assert rate == pytest.approx(found["mean_rate_per_layer"][layer])
        assert 0.01 < rate < 0.5
    assert min(found["correlation_per_layer"].values()) > 0.9
    assert found["synaptic_operations"] > found["ann_operations"] / 4


def test_files_of_a_run(workspace):
    report(workspace)
    assert {p.name for p in results(workspace).iterdir() if not p.name.startswith(".")} == {
        *("config.ini", "report.html", "report.json", "digits_cnn_parsed.npz", "digits_cnn_INI.npz")
    }
    assert os.listdir(workspace / "log") == ["demo_onnx"]
    x = np.load(workspace / "x_test.npz")["arr_0"][:20]
    y = np.load(workspace / "y_test.npz")["arr_0"][:20]
    graph = load_graph(results(workspace) / "digits_cnn_parsed.npz")
    assert np.mean(graph.run(x).argmax(axis=1) == y) > 0.9
    assert [p.size for p in load_network(results(workspace) / "digits_cnn_INI.npz").populations.values()] == SIZES


def test_the_written_configuration_repeats_the_run(workspace):
    first = report(workspace, simulation__seed=3, **CORRECTED)
    assert main([str(results(workspace) / "config.ini")]) == 0
    again = json.loads((results(workspace) / "report.json").read_text())
    assert measured(again) == measured(first)


# -- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [{"parse": False}, {"convert": False}, {"parse": False, "convert": False}],
    ids=["parse", "convert", "both"],
)
@pytest.mark.parametrize("settings", [{}, {"conversion__weight_bits": 6}], ids=["float", "grid"])
@pytest.mark.one_in(5)
def test_reloaded_networks_give_the_same(keys, settings, workspace):
    first = report(workspace, **settings)
    again = report(workspace, **settings, **{f"tools__{name}": value for name, value in keys.items()})
    expected = measured(first)
    if not keys.get("convert", True):
        expected.pop("snn_accuracy_unquantized", None)
        expected.pop("weight_bits", None)
        expected.pop("recipe")
    assert measured(again) == expected


def test_a_reloaded_network_alone(workspace):
    """Without the model: nothing of the original is measured, the spiking network runs as before."""
    first = report(workspace)
    (workspace / "digits_cnn.onnx").unlink()
    tools = {f"tools__{name}": False for name in ("parse", "convert", "evaluate_ann")}
    again = report(workspace, **tools)
    for key in ("snn_accuracy_per_step", "spikes_per_layer", "synaptic_operations", "neurons_per_layer"):
        assert again[key] == first[key]
    assert again["ann_accuracy"] is None
    assert again["model"] == "digits_cnn"


def test_a_network_of_another_model_is_refused(workspace, capsys):
    report(workspace)
    assert call(workspace, tools__convert=False, simulation__dt=0.5) == 2
    assert "the saved network has steps of 1.0 ms" in capsys.readouterr().err
    tiny(workspace)
    earlier = results(workspace) / "digits_cnn_INI.npz"
    earlier.rename(workspace / "tiny_INI.npz")
    assert call(workspace, paths__filename_ann="tiny.onnx", tools__convert=False) == 2
    assert "is of another model" in capsys.readouterr().err


def same_but_for_batches(folder, **keys):
    """On an integer grid, where sums are exact in any order: whether batches of 7 and of 32 give the same."""
    first = report(folder, conversion__weight_bits=8, **keys)
    other = report(folder, conversion__weight_bits=8, **keys, simulation__batch_size=7)
    inexact = ("correlation_per_layer", "parsed_difference", "snn_accuracy_unquantized", "synaptic_operations")
    inexact += ("output_error",)
    assert other["synaptic_operations"] == pytest.approx(first["synaptic_operations"])
    assert other["output_error"]["dense2"] == pytest.approx(first["output_error"]["dense2"], rel=1e-5)
    return [{k: v for k, v in measured(r).items() if k not in (*inexact, "batch_size")} for r in (first, other)]


POISSON = {"input__poisson_input": True, "input__input_rate": 500}


@pytest.mark.long
@pytest.mark.parametrize("keys", [{}, POISSON], ids=["constant", "poisson"])
def test_batches_do_not_matter(keys, workspace):
    first, other = same_but_for_batches(workspace, **keys)
    assert first == other


def test_quantised(workspace):
    found = report(workspace, conversion__weight_bits=8)
    plain = report(workspace)
    assert found["weight_bits"] == 8
    assert found["snn_accuracy_unquantized"] == plain["snn_accuracy"]
    assert found["snn_accuracy"] >= plain["snn_accuracy"] - 0.05
    assert found["spikes_per_layer"] != plain["spikes_per_layer"]


def test_the_report_tells_the_recipe(workspace):
    """What was chosen, of what; with a correction that is named nothing is tried."""
    tried = report(workspace, simulation__duration=8, **CORRECTED)["recipe"]
    chosen = (tried["threshold_rule"], tried["layer_correction"])
    assert chosen in [(t["rule"], t["layers"]) for t in tried["tried"]]
    assert tried["judged_on"] >= 32
    named = report(workspace, simulation__duration=8, conversion__layer_correction="both")
    assert named["recipe"] == {"threshold_rule": "mmse", "layer_correction": "both"}


def test_coarsely_quantised(workspace, capsys):
    found = report(workspace, conversion__weight_bits=2, conversion__layer_correction="none")
    assert found["snn_accuracy"] != found["snn_accuracy_unquantized"]
    assert "float weights" in capsys.readouterr().out


def test_poisson_input(workspace):
    keys = {"input__poisson_input": True, "simulation__duration": 64}
    first, other = report(workspace, **keys), report(workspace, **keys, simulation__seed=1)
    assert first["snn_accuracy"] > 0.9
    assert first["spikes_per_layer"] != other["spikes_per_layer"]
    assert measured(report(workspace, **keys)) == measured(first)
    slow = report(workspace, **keys, input__input_rate=250)
    assert slow["snn_accuracy_per_step"][3] < first["snn_accuracy_per_step"][3]
    assert slow["snn_accuracy"] > 0.8


VARIANTS = {
    "gate": {"conversion__maxpool_type": "gate"},
    "the toolbox's gate": {"conversion__maxpool_type": "fir_max"},
    "read-out of spikes": {"conversion__readout": "spikes"},
    "one threshold per layer": {"conversion__threshold_scope": "layer"},
    "maximum": {"normalization__percentile": 100},
    "few calibration samples": {"normalization__num_samples": 20},
    "pools with neurons": {"conversion__avgpool_neurons": True},
    "softmax to relu": {"conversion__softmax_to_relu": True},
    "modulo": {"cell__reset": "Reset by modulo"},
    "leak": {"cell__leak": True, "cell__tau_m": 300},
    "refractory": {"cell__tau_refrac": 1, "normalization__percentile": 100},
    "half a millisecond": {"simulation__dt": 0.5},
    "threshold 2": {"cell__v_thresh": 2},
    "chunks": {"simulation__chunk": 3},
}


@pytest.mark.parametrize("keys", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.one_in(5)
def test_variants_that_classify(keys, workspace):
    found = report(workspace, simulation__duration=32, **CORRECTED, **keys)
    assert found["snn_accuracy"] >= 0.9, found["snn_accuracy"]


CHANGES = {
    "zero": {"cell__reset": "zero"},
    "leak": {"cell__leak": True, "cell__tau_m": 20},
    "refractory": {"cell__tau_refrac": 3},
    "start at zero": {"conversion__initial_potential": 0},
    "percentile": {"normalization__percentile": 90},
    "layer": {"conversion__threshold_scope": "layer"},
    "weights alone": {"tools__normalize": False},
    "dt": {"simulation__dt": 2},
}


@pytest.mark.parametrize("keys", CHANGES.values(), ids=CHANGES)
@pytest.mark.one_in(2)
def test_settings_reach_the_neurons(keys, workspace, plain):
    assert report(workspace, **keys)["spikes_per_layer"] != plain["spikes_per_layer"]


def test_gate_and_average_pooling(workspace):
    gate = report(workspace, conversion__maxpool_type="gate")
    assert gate["neurons_per_layer"].keys() & {"max_pool.larger"} == set()
    average = report(workspace, conversion__max2avg_pool=True)
    assert average["neurons_per_layer"].keys() == set(LAYERS) - {"max_pool.larger", "max_pool.larger_2"}
    wiring = load_network(results(workspace) / "digits_cnn_INI.npz").wiring.nodes.values()
    assert not any(isinstance(node, MaxPool) for node in wiring)
    assert sum(isinstance(node, AveragePool) for node in wiring) == 2


def test_the_recipe_of_the_snn_toolbox(workspace):
    found = report(workspace, conversion__recipe="rueckauer2017", simulation__duration=128)
    names = list(found["neurons_per_layer"])
    assert len(names) == 7  # four rectifiers, both pools, and the output layer
    assert found["snn_accuracy_per_step"][2] < 0.5  # nothing has come through yet
    assert found["snn_accuracy"] > 0.8
    settings = load_config(results(workspace) / "config.ini").conversion
    assert (settings.initial_potential, settings.threshold_scope, settings.readout) == (0.0, "layer", "spikes")
    assert (settings.avgpool_neurons, settings.maxpool_type) == (True, "gate")
    kept = report(workspace, conversion__recipe="rueckauer2017", conversion__maxpool_type="relu_tree")
    assert "max_pool.larger" in kept["neurons_per_layer"]


def test_chosen_samples(workspace):
    found = report(workspace, simulation__sample_idxs_to_test=[4, 4, 9])
    assert found["samples"] == 3


def test_top_k(workspace, capsys):
    plain = report(workspace, simulation__duration=1)
    found = report(workspace, simulation__top_k=2, simulation__duration=1)
    assert {k: found[k] for k in plain if "accuracy" in k} == {k: plain[k] for k in plain if "accuracy" in k}
    assert found["snn_accuracy"] < found["snn_accuracy_top_k"] < 1
    assert found["ann_accuracy_top_k"] == found["parsed_accuracy_top_k"] == 1.0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["network", "accuracy", "top", "2", "right", "samples"] in rows
    snn = [f"{found['snn_accuracy']:.2%}", f"{found['snn_accuracy_top_k']:.2%}", f"{50 * found['snn_accuracy']:.0f}"]
    assert ["SNN,", "1", "ms", "on", "INI", *snn, "50"] in rows
    assert report(workspace, simulation__top_k=10, simulation__duration=1)["snn_accuracy_top_k"] == 1.0


SINGLE = {
    "no axis of samples": (lambda x: x[0], lambda y: y[:1]),
    "a label alone": (lambda x: x[:1], lambda y: y[0]),
    "both": (lambda x: x[0], lambda y: y[0]),
    "one-hot": (lambda x: x[0], lambda y: np.eye(10)[y[0]]),
    "a batch of one": (lambda x: x[:1], lambda y: y[:1]),
}


@pytest.mark.parametrize("case", SINGLE)
def test_a_single_sample(workspace, case, capsys):
    x, y, norm = (np.load(workspace / f"{name}.npz")["arr_0"] for name in ("x_test", "y_test", "x_norm"))
    sample, label = SINGLE[case]
    np.savez(workspace / "x_test.npz", sample(x))
    np.savez(workspace / "y_test.npz", label(y))
    np.savez(workspace / "x_norm.npz", norm[0])
    found = report(workspace, simulation__duration=32, simulation__num_to_test=-1)
    assert (found["samples"], found["snn_accuracy"]) == (1, 1.0)
    assert "100.0% of 1 sample." in capsys.readouterr().out


def test_too_few_steps_warn(workspace, caplog, monkeypatch):
    found = report(workspace, simulation__duration=1)
    assert found["agreement"] < 0.95
    [warning] = found["warnings"]
    assert re.search(r"agrees with the original on only \d+\.\d% .*duration = 2", warning)
    assert report(workspace, simulation__duration=64)["warnings"] == []


def test_without_simulation(workspace, capsys):
    found = report(workspace, tools__simulate=False)
    assert found["snn_accuracy"] is None
    assert found["parsed_accuracy"] > 0.9
    assert found["neurons_per_layer"] == dict(zip(LAYERS, SIZES, strict=True))
    assert (results(workspace) / "digits_cnn_INI.npz").exists()
    assert "SNN" not in capsys.readouterr().out


def test_only_the_original(workspace):
    report(workspace)
    found = report(workspace, tools__simulate=False, tools__convert=False)
    assert found["ann_accuracy"] > 0.9
    assert (results(workspace) / "digits_cnn_INI.npz").exists()  # what the earlier run converted is kept


def test_without_evaluation(workspace):
    found = report(workspace, tools__evaluate_ann=False)
    assert (found["ann_accuracy"], found["parsed_accuracy"]) == (None, None)
    assert found["snn_accuracy"] > 0.9
    assert "agreement" not in found


def test_a_graph_that_differs_from_the_original_stops_the_run(workspace, capsys, monkeypatch):
    from snntoolbox.frontends.onnx import OnnxFrontend

    predict = OnnxFrontend.predict
    monkeypatch.setattr(OnnxFrontend, "predict", lambda *a: tuple(y * 1.0001 for y in predict(*a)))
    assert call(workspace) == 2
    assert re.search(r"the parsed model differs from the original by", capsys.readouterr().err)
    assert not (workspace / "log" / "demo_onnx").exists()


# -- data -----------------------------------------------------------------------------------------------------------


def test_without_labels(workspace, capsys):
    (workspace / "y_test.npz").unlink()
    found = report(workspace)
    assert (found["ann_accuracy"], found["snn_accuracy"], found["snn_accuracy_per_step"]) == (None, None, None)
    assert found["agreement"] > 0.9
    assert "accuracy" not in capsys.readouterr().out


def test_one_hot_labels(workspace):
    plain = report(workspace)
    y = np.load(workspace / "y_test.npz")["arr_0"].astype(int)
    np.savez(workspace / "y_test.npz", np.eye(10)[y])
    assert measured(report(workspace)) == measured(plain)


def test_arrays_as_npy(workspace):
    plain = report(workspace)
    for name in ("x_test", "y_test", "x_norm"):
        np.save(workspace / f"{name}.npy", np.load(workspace / f"{name}.npz")["arr_0"])
        (workspace / f"{name}.npz").unlink()
    assert measured(report(workspace)) == measured(plain)


def test_without_calibration_data(workspace):
    (workspace / "x_norm.npz").unlink()
    found = report(workspace)
    assert [w for w in found["warnings"] if "no x_norm" in w]
    network = load_network(results(workspace) / "digits_cnn_INI.npz")
    assert max(p.scale.max() for p in network.populations.values()) > 10  # bounds that follow from weights are loose


def test_without_normalisation_every_spike_stands_for_one(workspace):
    found = report(workspace, tools__normalize=False)
    network = load_network(results(workspace) / "digits_cnn_INI.npz")
    assert all(np.all(p.scale == 1) for p in network.populations.values())
    assert found["agreement"] > 0.5


def test_regression(workspace, capsys):
    graph_outputs = np.random.default_rng(0).normal(0, 1, (500, 10))
    np.savez(workspace / "y_test.npz", graph_outputs)
    found = report(workspace)
    assert any("taken as targets of a regression" in w for w in found["warnings"])
    assert found["snn_accuracy"] is None
    assert found["snn_error"]["rmse"] == pytest.approx(found["parsed_error"]["rmse"], rel=0.1)
    assert "Error of the spiking network: rmse" in capsys.readouterr().out


def tiny(folder, outputs=1):
    """A net with one hidden layer and `outputs` outputs; returns its function."""
    generator = np.random.default_rng(0)
    w1, w2 = generator.normal(0, 0.3, (64, 12)).astype("f4"), generator.normal(0, 0.5, (12, outputs)).astype("f4")
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"], name="flat"),
        helper.make_node("MatMul", ["f", "w1"], ["h"], name="hidden"),
        helper.make_node("Relu", ["h"], ["r"], name="act"),
        helper.make_node("MatMul", ["r", "w2"], ["y"], name="out"),
    ]
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [None, 8, 8]), ("y", [None, outputs]))
    ]
    stored = [numpy_helper.from_array(w, n) for n, w in (("w1", w1), ("w2", w2))]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "tiny.onnx")
    return lambda x: np.maximum(x.reshape(len(x), -1) @ w1, 0) @ w2


@pytest.mark.parametrize("kind", ["targets", "whole numbers"])
def test_one_output(kind, workspace):
    function = tiny(workspace)
    y = function(np.load(workspace / "x_test.npz")["arr_0"])
    np.savez(workspace / "y_test.npz", y if kind == "targets" else np.rint(np.abs(y)))
    found = report(workspace, paths__filename_ann="tiny.onnx", simulation__duration=128)
    assert (found["snn_accuracy"], found["ann_accuracy"]) == (None, None)
    assert "agreement" not in found
    if kind == "targets":
        assert found["parsed_error"]["rmse"] < 1e-5
        assert found["snn_error"]["rmse"] < 0.05 * np.abs(y).max()


def test_image_folders(workspace):
    pytest.importorskip("PIL")
    from PIL import Image

    x = np.load(workspace / "x_test.npz")["arr_0"][:60]
    y = np.load(workspace / "y_test.npz")["arr_0"][:60].astype(int)
    for i, (image, label) in enumerate(zip(x, y, strict=True)):
        folder = workspace / "images" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(image.reshape(8, 8) * 255).astype(np.uint8)).save(folder / f"{i:03}.png")
    keys = {
        "paths.dataset_path": "images",
        "input.dataset_format": "png",
        "input.datagen_kwargs": {"rescale": 1 / 255},
        "input.dataflow_kwargs": {"color_mode": "grayscale", "target_size": (8, 8)},
    }
    with_channel(workspace)
    found = report(workspace, **keys, paths__filename_ann="channel.onnx", simulation__num_to_test=-1)
    assert found["samples"] == 60
    assert found["ann_accuracy"] > 0.9
    assert found["snn_accuracy"] > 0.9


def with_channel(folder):
    """The demo's model for images (8, 8, 1), as they are read."""
    model = onnx.load(folder / "digits_cnn.onnx")
    graph = model.graph
    old = graph.input[0].name
    graph.input[0].CopyFrom(helper.make_tensor_value_info("with_channel", TensorProto.FLOAT, [None, 8, 8, 1]))
    shape = numpy_helper.from_array(np.array([-1, 8, 8]), "plain")
    graph.initializer.append(shape)
    graph.node.insert(0, helper.make_node("Reshape", ["with_channel", "plain"], [old], name="to_plain"))
    onnx.save(model, folder / "channel.onnx")


# -- recordings -----------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_all_variables_and_plots(workspace):
    everything = {"output__log_vars": "{'all'}", "output__plot_vars": "{'all'}"}
    report(workspace, **everything, output__plotproperties="{'font.size': 9}")
    folder = results(workspace)
    with np.load(folder / "log_vars" / "0.npz") as first, np.load(folder / "log_vars" / "1.npz") as second:
        assert first["input"].shape == (32, 8, 8)
        assert second["input"].shape == (18, 8, 8)
        assert first["synaptic_operations"].shape == (32, 16)
        assert set(first["neuron_operations"].ravel()) == {sum(SIZES)}
        assert first["spiketrains/relu1"].shape == (16, 32, 16, 8, 8)
        assert first["spiketrains/relu1"].dtype == bool
        assert second["membranes/relu3"].shape == (16, 18, 32, 4, 4)
        assert first["activations/relu4"].shape == (32, 64)
        assert first["activations/relu4"].min() >= 0
        names = {name.split("/")[1] for name in first.files if name.startswith("spiketrains/")}
        assert names == set(LAYERS)
    assert not (folder / "log_vars" / "2.npz").exists()
    whole = {p.stem for p in (folder / "plots").glob("*.png")}
    assert whole == {
        *("error_t", "diagnosis", "input_image", "confusion_matrix", "correlation", "spikecounts", "operations")
    }
    each = {"spiketrains", "v_mem", "spikerates", "activations", "correlation", "hist_spikerates_activations"}
    each.add("normalization_activations")
    for layer in LAYERS:
        assert {p.stem for p in (folder / "plots" / layer).glob("*.png")} == each
    assert min(p.stat().st_size for p in (folder / "plots").rglob("*.png")) > 2000


def test_one_plot(workspace):
    report(workspace, output__plot_vars="error_t", output__log_vars="activations_n_b_l")
    assert [p.name for p in (results(workspace) / "plots").rglob("*")] == ["error_t.png"]
    with np.load(results(workspace) / "log_vars" / "0.npz") as logged:
        assert {name.split("/")[0] for name in logged.files} == {"activations"}


def test_poisson_input_is_logged_and_counted(workspace):
    """Its spikes cost operations like any others, batch by batch with the trains that the simulator had."""
    variables = "{'input_b_l_t', 'synaptic_operations_b_t', 'spiketrains_n_b_l_t', 'neuron_operations_b_t'}"
    keys = {"input__poisson_input": True, "simulation__batch_size": 30, "output__log_vars": variables}
    found = report(workspace, **keys)
    batches = [dict(np.load(results(workspace) / "log_vars" / f"{k}.npz")) for k in (0, 1)]
    assert [b["input_spikes/x"].shape for b in batches] == [(16, 30, 8, 8), (16, 20, 8, 8)]
    network = load_network(results(workspace) / "digits_cnn_INI.npz")
    x = np.load(workspace / "x_test.npz")["arr_0"][:50]
    trains = np.concatenate([b["input_spikes/x"] for b in batches], axis=1)
    np.testing.assert_array_equal(trains, network.encodings["x"].train(x, 16, 0, 0))
    operations = np.concatenate([b["synaptic_operations"] for b in batches])
    assert operations.shape == (50, 16)
    assert found["synaptic_operations"] == pytest.approx(operations.sum(axis=1).mean())
    spikes = {name.partition("/")[2]: batches[0][name] for name in batches[0] if name.startswith("spiketrains/")}
    assert np.all(batches[0]["synaptic_operations"] >= synaptic_operations_per_step(network, spikes))
    assert operations.sum() > sum(synaptic_operations_per_step(network, spikes).sum(axis=1))
    assert found["neuron_updates"] == 16 * sum(SIZES)
    assert found["input_operations"] == 0


def test_energy_is_reported_and_shown(workspace, capsys):
    found = report(workspace)
    shown = capsys.readouterr().out
    cost = found["energy"]["devices"]["45 nm CMOS, float32"]
    per_step = 0.9 * (found["synaptic_operations"] + found["neuron_updates"])
    assert cost["spiking"] == pytest.approx(1e-12 * (per_step + 4.6 * found["input_operations"] / 2))
    assert 1e-12 * 0.9 * found["ann_operations"] < cost["original"] < 1e-12 * 2.3 * found["ann_operations"]
    assert "energy per sample" in shown
    assert "An estimate" in shown
    assert all(name in shown for name in found["energy"]["devices"])


@pytest.mark.long
def test_normalised_activations_are_drawn_or_why_not_is_told(workspace):
    keys = {"output__plot_vars": "normalization_activations", "simulation__num_to_test": 4}
    report(workspace, **keys)
    drawn = {p.parent.name for p in (results(workspace) / "plots").rglob("normalization_activations.png")}
    assert drawn == set(LAYERS)
    (workspace / "x_norm.npz").unlink()
    found = report(workspace, **keys)
    assert not (results(workspace) / "plots").exists()
    assert any("normalization_activations could not be drawn: it needs x_norm" in w for w in found["warnings"])


def test_plots_without_labels(workspace):
    (workspace / "y_test.npz").unlink()
    report(workspace, output__plot_vars="{'error_t', 'confusion_matrix', 'input_image'}")
    assert [p.name for p in (results(workspace) / "plots").rglob("*")] == ["input_image.png"]


def test_in_python(workspace):
    found = run(load_config(workspace / "demo_onnx.ini", ["simulation.duration=8", "simulation.num_to_test=10"]))
    assert found.report["samples"] == 10
    assert found.network is not None


@pytest.mark.long
def test_another_simulator_gives_the_same_spikes(workspace):
    if not backend_named("brian2").capabilities.installed():
        assert not os.environ.get("CI"), "Brian2 must be installed here"
        pytest.skip("needs Brian2")
    keys = {"simulation__num_to_test": 4, "simulation__duration": 8, "conversion__weight_bits": 8}
    ours, theirs = report(workspace, **keys), report(workspace, **keys, simulation__simulator="brian2")
    assert theirs["simulator"] == "brian2"
    assert theirs["spikes_per_layer"] == ours["spikes_per_layer"]
    assert theirs["output_error"] == ours["output_error"]


def test_an_option_that_a_simulator_does_not_have(workspace, capsys):
    assert call(workspace, simulation__simulator="brian2", simulation__chunk=4) == 2
    assert "no option chunk" in capsys.readouterr().err


# -- what the SNN Toolbox has too ------------------------------------------------------------------------------------


def test_serialise_only_writes_the_network_and_ends(workspace, monkeypatch):
    monkeypatch.setattr("snntoolbox.workflow.stories.run.simulated", None)  # would be called
    found = report(workspace, tools__serialise_only=True)
    assert found["snn_accuracy"] is None
    assert load_network(results(workspace) / "digits_cnn_INI.npz").populations.keys() == set(LAYERS)


def test_it_is_written_for_the_simulator(workspace, capsys):
    assert call(workspace, tools__serialise_only=True, simulation__simulator="verilog") == 2
    assert "verilog" in capsys.readouterr().err
    assert not results(workspace).exists()


@pytest.mark.long
def test_early_stopping_is_an_early_exit(workspace):
    stopped = report(workspace, simulation__early_stopping=True, simulation__duration=64)
    explicit = report(workspace, simulation__early_exit=0.99, simulation__duration=64)
    assert stopped["early_exit"] == explicit["early_exit"]
    assert stopped["early_exit"]["mean_steps"] < 64
    assert "early_exit" not in report(workspace, simulation__early_stopping=True, simulation__early_exit=0)
    lower = report(workspace, simulation__early_stopping=True, simulation__early_exit=0.9, simulation__duration=64)
    assert lower["early_exit"]["mean_steps"] < stopped["early_exit"]["mean_steps"]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["svg", "pdf", "jpg"])
def test_the_format_of_plots(workspace, kind):
    properties = f"{{'savefig.format': '{kind}', 'savefig.dpi': 40}}"
    report(workspace, output__plot_vars="{'error_t', 'v_mem'}", output__plotproperties=properties)
    files = [p for p in (results(workspace) / "plots").rglob("*") if p.is_file()]
    assert {p.suffix for p in files} == {f".{kind}"}
    assert len(files) == 1 + len(LAYERS)
    begin = {"svg": b"<?xml", "pdf": b"%PDF", "jpg": b"\xff\xd8"}[kind]
    assert all(p.read_bytes().startswith(begin) for p in files)


def test_dots_per_inch_of_plots(workspace):
    sizes = []
    for dpi in (30, 60):
        report(workspace, output__plot_vars="{'error_t'}", output__plotproperties=f"{{'savefig.dpi': {dpi}}}")
        data = (results(workspace) / "plots" / "error_t.png").read_bytes()
        sizes.append(int.from_bytes(data[16:20], "big"))
    assert sizes[1] == 2 * sizes[0]


def test_a_format_that_there_is_not(workspace, capsys):
    assert call(workspace, output__plot_vars="{'error_t'}", output__plotproperties="{'savefig.format': 'bmp2'}") == 2
    assert "bmp2" in capsys.readouterr().err


def test_what_has_no_effect_is_reported(workspace, capsys):
    found = report(workspace, loihi__node=3, restrictions__snn_layers="{'Dense'}", cell__delay=1)
    told = capsys.readouterr().err
    assert len(found["warnings"]) == 3
    for text in ("loihi.node", "restrictions.snn_layers", "cell.delay"):
        assert any(text in warning for warning in found["warnings"])
        assert told.count(text) == 1
