"""`snntoolbox tune` from a configuration to a configuration, without the test set."""

import json

import numpy as np
import pytest

from snntoolbox.conversion.lowering.shared_values import as_neurons
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.workflow import demo
from snntoolbox.workflow.choices import recipe_of
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.config.load import load_config

pytestmark = pytest.mark.usefixtures("process_clock")


@pytest.fixture
def workspace(tmp_path):
    """The demo without its test set."""
    demo.copy_to(tmp_path)
    for name in ("x_test.npz", "y_test.npz"):
        (tmp_path / name).unlink()
    return tmp_path


def call(folder, *options, **keys):
    overrides = [p for name, value in keys.items() for p in ("--set", f"{name.replace('__', '.')}={value}")]
    return main(["tune", str(folder / "demo_onnx.ini"), *options, *overrides])


SHORT = ("--steps", "2,4", "--budget", "5")


@pytest.mark.long
def test_end_to_end_without_a_test_set(workspace, capsys):
    assert call(workspace, *SHORT, normalization__num_samples=120) == 0
    out = capsys.readouterr().out
    table = out.partition("\n\nReport: ")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "The test set was not read." in " ".join(out.split())

    assert (workspace / "log" / "demo_onnx-tune" / "report.html").read_text("utf-8").count('class="chart"') == 5
    found = json.loads((workspace / "log" / "demo_onnx-tune" / "tune.json").read_text())
    assert found["reached"] is True
    assert found["samples"]["held_back"] == 30
    assert found["seconds"] <= 6
    assert found["best"]["duration_steps"] in (2, 4)
    assert found["best"]["choices"] in [point["choices"] for point in found["front"]]

    tuned = load_config(workspace / "tuned.ini")
    assert tuned.simulation.duration == found["best"]["duration_steps"]
    assert tuned.normalization.num_samples == 120
    assert tuned.paths.runlabel == "demo_onnx-tuned"
    assert tuned.paths.path_wd == workspace
    chosen, recipe = found["best"]["choices"], recipe_of(tuned, 1.0, (0.0, 1.0))
    assert recipe.threshold_rule == chosen["rule"]
    assert recipe.per_channel == (chosen["scope"] == "channel")
    assert recipe.layer_correction == chosen["correction"]
    assert recipe.neuron.initial == float(chosen["start"])
    assert recipe.readout_correction == int(chosen["readout"])
    assert recipe.max_pool == chosen["pool"]
    assert recipe.neurons_per_value == as_neurons(int(chosen["neurons"]))
    default = Recipe()
    for field in ("percentile", "avgpool_neurons", "readout", "weight_bits", "correction_samples"):
        assert getattr(recipe, field) == getattr(default, field)


def test_the_written_configuration_runs(workspace, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "best.ini"
    assert call(workspace, "--steps", "2", "--budget", "1", "-o", str(other), normalization__num_samples=60) == 0
    demo.copy_to(workspace)  # with the test set
    assert main(["run", str(other), "--set", "simulation.num_to_test=20"]) == 0
    report = json.loads((workspace / "log" / "demo_onnx-tuned" / "report.json").read_text())
    assert report["duration"] == 2
    assert report["agreement"] > 0.7


def test_more_neurons_for_each_value_are_a_setting_and_a_cost_in_text_and_json(workspace, capsys):
    keys = {"conversion__schedule": "radix", "conversion__neurons_per_value": 2, "normalization__num_samples": 60}
    kept = ",".join(("coding", "rule", "scope", "start", "correction", "readout", "pool", "neurons"))
    assert call(workspace, "--steps", "2", "--budget", "20", "--keep", kept, **keys) == 0
    out = capsys.readouterr().out
    assert "neurons a value 2" in " ".join(out.split())
    assert "[conversion] neurons_per_value = 2" in out
    found = json.loads((workspace / "log" / "demo_onnx-tune" / "tune.json").read_text())
    assert found["best"]["choices"]["neurons"] == "2"
    assert found["best"]["settings"]["conversion.neurons_per_value"] == 2
    assert f"{found['best']['neurons']:,}" in out.partition("\n\n")[0]
    assert load_config(workspace / "tuned.ini").conversion.neurons_per_value == "2"
    assert call(workspace, "--steps", "2", "--budget", "20", "--keep", kept, "--force", "--json", **keys) == 0
    again = json.loads(capsys.readouterr().out)
    assert {**again["best"], "seconds": 0} == {**found["best"], "seconds": 0}


def test_a_code_of_the_toolbox_is_written_as_keys_that_may_change(workspace):
    code = {"conversion__spike_code": "temporal_pattern", "conversion__num_bits": 3}
    assert call(workspace, "--steps", "2", "--budget", "1", normalization__num_samples=60, **code) == 0
    tuned = load_config(workspace / "tuned.ini")
    assert tuned.conversion.spike_code == "temporal_mean_rate"
    assert tuned.simulation.duration in (2, 3)  # two digits tell as many values apart as three steps
    found = json.loads((workspace / "log" / "demo_onnx-tune" / "tune.json").read_text())
    coding = found["best"]["choices"]["coding"]
    assert tuned.conversion.schedule == ("rate" if coding in ("plain", "signed", "several levels") else coding)


def test_a_test_set_that_is_there_is_not_read(workspace, monkeypatch):
    from snntoolbox.workflow import inputs
    from snntoolbox.workflow.data import load

    def fail(*args, **options):
        pytest.fail("the test set was read")

    np.savez(workspace / "x_test.npz", np.full((4, 8, 8), np.nan))  # it would be refused
    monkeypatch.setattr(inputs, "load_test", fail)
    read, files = load.read_array, []
    monkeypatch.setattr(load, "read_array", lambda file: files.append(file.name) or read(file))
    assert call(workspace, "--steps", "2", "--budget", "1", normalization__num_samples=60) == 0
    assert files == ["x_norm.npz"]


def test_a_target_that_is_not_reached_is_exit_code_1(workspace, capsys):
    options = ("--steps", "1", "--budget", "1", "--operations", "10")
    assert call(workspace, *options, normalization__num_samples=60) == 1
    assert "NOT REACHED" in capsys.readouterr().out
    assert (workspace / "tuned.ini").is_file()


REFUSED = {
    "no steps": (("--steps", "0"), {}, "whole number"),
    "agreement": (("--agreement", "99"), {}, "agreement = 99 is not above 0 and at most 1"),
    "sweep": (
        (),
        {"parameter_sweep__param_name": "simulation.duration", "parameter_sweep__param_values": "[1, 2]"},
        "[parameter_sweep]",
    ),
    "a current": ((), {"cell__i_offset": 0.1}, "i_offset"),
    "normalize": ((), {"tools__normalize": False}, "normalize = True"),
    "too few": ((), {"normalization__num_samples": 8}, "too few"),
    "folder": (("-o", "nowhere/at/all.ini"), {}, "there is no folder"),
    "simulator": ((), {"simulation__simulator": "nest", "cell__reset": "modulo"}, "modulo"),
    "images that test": ((), {"input__dataset_format": "png"}, "must not see"),
    "films": ((), {"simulation__reset_between_nth_sample": -1}, "resets before each sample"),
    "signed spikes in windows": ((), {"conversion__schedule": "phased", "cell__spikes": "signed"}, "spikes = unsigned"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_long_work(case, workspace, capsys, monkeypatch):
    from snntoolbox.analysis.tuning import tune

    options, keys, text = REFUSED[case]
    if case == "images that test":
        (workspace / "x_norm.npz").unlink()
    monkeypatch.setattr(tune, "search", lambda *a: pytest.fail("it began"))
    assert call(workspace, *options, **keys) == 2
    assert text in " ".join(capsys.readouterr().err.split())
    assert not (workspace / "tuned.ini").exists()
    assert not (workspace / "log" / "demo_onnx-tune").exists()


def test_without_calibration_samples_it_says_what_to_do(workspace, capsys):
    (workspace / "x_norm.npz").unlink()
    assert call(workspace) == 2
    message = capsys.readouterr().err
    assert "no calibration samples" in message
    assert "x_norm.npz" in message.partition("hint:")[2]


def test_nothing_is_overwritten_without_force(workspace, capsys):
    (workspace / "tuned.ini").write_text("mine")
    assert call(workspace, "--budget", "1") == 2
    assert "--force" in capsys.readouterr().err
    assert (workspace / "tuned.ini").read_text() == "mine"
    forced = ("--force", "--steps", "1", "--budget", "0.5")
    assert call(workspace, *forced, normalization__num_samples=60) == 0
    assert "duration = 1" in (workspace / "tuned.ini").read_text()
    own = workspace / "demo_onnx.ini"
    before = own.read_text()
    assert call(workspace, *forced, "-o", str(own)) == 2
    assert own.read_text() == before


def test_the_front_is_drawn(workspace):
    pytest.importorskip("matplotlib")
    assert call(workspace, "--steps", "1", "--budget", "0.5", normalization__num_samples=60) == 0
    assert (workspace / "log" / "demo_onnx-tune" / "tune.png").read_bytes().startswith(b"\x89PNG")
