"""The network that ships with the package: its files, that its formats agree, and the demo command."""

import configparser
import fnmatch
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.errors import ConfigError, DataError
from snntoolbox.frontends.registry import frontend_named
from snntoolbox.workflow import cli, demo
from snntoolbox.workflow.config.load import load_config

PACKAGES = {"onnx": "onnx", "pytorch": "torch", "keras": "keras"}
STEPS = 16


def needs(framework):
    """Skip where the package is missing; it is not imported here, as Keras' backend is the frontend's choice."""
    if find_spec(PACKAGES[framework]) is None:
        pytest.skip(f"{PACKAGES[framework]} is not installed")


def arrays():
    return [np.load(demo.folder() / name)["arr_0"] for name in demo.DATA]


@pytest.fixture(scope="module")
def reference():
    """The graph of the ONNX file and its outputs on the test samples."""
    graph = stb.load(demo.folder() / demo.MODELS["onnx"])
    return graph, graph.run(arrays()[0])


# -- files ---------------------------------------------------------------------------------------------------------


def files():
    return [path for path in demo.folder().iterdir() if path.suffix != ".py" and path.is_file()]


def test_files_are_all_there_and_small():
    assert {path.name for path in files()} == {*demo.MODELS.values(), *demo.DATA}
    assert sum(path.stat().st_size for path in files()) < 500_000


def test_files_are_installed_with_the_package():
    settings = configparser.ConfigParser()
    if not settings.read(Path(__file__).parents[3] / "setup.cfg"):
        pytest.skip("the source tree is not here")
    patterns = settings["options.package_data"]["snntoolbox"].split()
    left_out = [p.name for p in files() if not any(fnmatch.fnmatchcase(f"workflow/demo/{p.name}", g) for g in patterns)]
    assert left_out == []


def test_data_are_as_the_toolbox_expects_them():
    x_test, y_test, x_norm = arrays()
    assert x_test.shape == x_norm.shape == (500, 8, 8)
    for x in (x_test, x_norm):
        assert x.dtype == np.float32
        assert (x.min(), x.max()) == (0, 1)
    assert np.bincount(y_test).min() > 40
    assert len(np.bincount(y_test)) == 10


def test_thresholds_are_set_by_other_samples_than_those_tested():
    x_test, _, x_norm = arrays()
    assert {x.tobytes() for x in x_test} & {x.tobytes() for x in x_norm} == set()


# -- the three formats -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", demo.MODELS)
def test_formats_hold_the_same_network(framework, reference):
    needs(framework)
    x_test, y_test, _ = arrays()
    frontend = frontend_named(framework)
    model = frontend.open(demo.folder() / demo.MODELS[framework])
    parsed = frontend.parse(model)
    (own,) = frontend.predict(model, x_test)

    graph, outputs = reference
    scale = np.abs(outputs).max()
    assert np.abs(parsed.run(x_test) - outputs).max() <= 1e-5 * scale
    assert np.abs(own - outputs).max() <= 1e-5 * scale
    assert np.array_equal(own.argmax(1), outputs.argmax(1))
    assert np.mean(own.argmax(1) == y_test) >= 0.99
    assert [n.kind for n in parsed.nodes.values()].count("Scale") == 2  # batch normalisations are there to be folded
    assert [n.kind for n in graph.nodes.values()].count("Scale") == 0


def test_onnx_file_runs_without_onnxruntime(monkeypatch, reference):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    frontend = frontend_named("onnx")
    model = frontend.open(demo.folder() / demo.MODELS["onnx"])
    (own,) = frontend.predict(model, arrays()[0][:50])
    assert np.abs(own - reference[1][:50]).max() <= 1e-5 * np.abs(reference[1]).max()


def test_a_few_steps_suffice(reference):
    x_test, y_test, x_norm = arrays()
    graph, outputs = reference
    result = stb.simulate(stb.convert(graph, calibration_data=x_norm), x_test, duration=STEPS)
    assert result.accuracy(y_test) >= np.mean(outputs.argmax(1) == y_test) - 0.01


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("framework", demo.MODELS)
def test_demo_from_the_command_line(framework, tmp_path, capsys):
    needs(framework)
    assert cli.main(["demo", "--framework", framework, "--folder", str(tmp_path / "new" / "folder")]) == 0
    report = json.loads((tmp_path / "new" / "folder" / "log" / f"demo_{framework}" / "report.json").read_text())
    assert report["samples"] == 500
    assert report["frontend"] == framework
    assert report["ann_accuracy"] == report["parsed_accuracy"] >= 0.99
    assert report["snn_accuracy"] >= report["ann_accuracy"] - 0.005
    assert "SNN" in capsys.readouterr().out


@pytest.mark.parametrize("framework", demo.MODELS)
def test_configuration_is_valid_and_names_what_was_copied(framework, tmp_path):
    settings = load_config(demo.copy_to(tmp_path, framework))
    assert (settings.paths.path_wd / settings.paths.filename_ann).is_file()
    assert settings.paths.filename_ann == demo.MODELS[framework]
    assert settings.simulation.num_to_test == -1
    assert all((settings.paths.dataset_path / name).is_file() for name in demo.DATA)


def test_a_changed_configuration_is_kept(tmp_path):
    path = demo.copy_to(tmp_path)
    path.write_text(path.read_text().replace("duration = 64", "duration = 8"))
    assert load_config(demo.copy_to(tmp_path)).simulation.duration == 8


def test_an_unknown_framework_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="choose one of onnx, pytorch, keras"):
        demo.copy_to(tmp_path / "demo", "caffe")
    assert not (tmp_path / "demo").exists()


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "demo").write_text("mine")
    with pytest.raises(DataError, match=r"cannot be written to .*demo'.*\n.*choose another folder"):
        demo.copy_to(tmp_path / "demo")
    assert (tmp_path / "demo").read_text() == "mine"


def test_its_own_folder_is_refused():
    before = {path: path.stat().st_size for path in files()}
    with pytest.raises(DataError, match="cannot be written"):
        demo.copy_to(demo.folder())
    assert {path: path.stat().st_size for path in files()} == before
