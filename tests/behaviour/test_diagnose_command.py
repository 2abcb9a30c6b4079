"""`snntoolbox diagnose`, and what a plain run says of its errors."""

import json

import numpy as np
import pytest

from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main

SHORT = {"simulation.num_to_test": 50, "simulation.duration": 4, "normalization.num_samples": 100}
PLAIN = {"conversion__threshold_rule": "percentile", "conversion__layer_correction": "none"}


@pytest.fixture
def workspace(tmp_path):
    demo.copy_to(tmp_path)
    return tmp_path


def call(folder, *command, **keys):
    values = {**SHORT, **{name.replace("__", "."): value for name, value in keys.items()}}
    overrides = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
    return main([*command, str(folder / "demo_onnx.ini"), *overrides])


def report(folder):
    return json.loads((folder / "log" / "demo_onnx" / "report.json").read_text())


def test_the_command_shows_and_reports(workspace, capsys):
    assert call(workspace, "diagnose", normalization__percentile=50, **PLAIN) == 0
    lines = capsys.readouterr().out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("Errors of the rates"))
    last = next(i for i, line in enumerate(lines) if line.startswith("Report: "))
    assert max(map(len, lines[first:last])) <= 80
    assert any(line.startswith("1. [normalization] percentile = 99.9") for line in lines)
    found = report(workspace)["diagnosis"]
    assert (found["samples"], found["steps"]) == (50, 4)
    assert list(found["layers"]) == sorted(report(workspace)["neurons_per_layer"])
    assert found["layers"]["relu2"]["terms"]["clipping"]["rms"] > 0.3
    assert found["local_shares"]["clipping"] > 0.5
    assert found["thresholds"]["relu2"]["samples"] == 100
    assert found["advice"][0]["helps"] is True
    assert found["advice"][0]["gain"] > 0
    assert found["advice"][0]["before"]["agreement"] < found["advice"][0]["after"]["agreement"]
    assert report(workspace)["seconds"]["diagnose"] < 60


def test_the_time_can_be_bounded(workspace, capsys):
    assert call(workspace, "diagnose", "--seconds", "0.000001") == 0
    assert "no time was left" in " ".join(capsys.readouterr().out.split())
    assert call(workspace, "diagnose", "--seconds", "0") == 0
    assert report(workspace)["diagnosis"]["advice"] == []


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
def test_what_is_no_time_is_refused_before_the_run(workspace, capsys, seconds):
    assert call(workspace, "diagnose", f"--seconds={seconds}") == 2
    captured = capsys.readouterr()
    assert f"seconds = {seconds} is not a finite number from 0 on" in captured.err
    assert captured.out == ""
    assert not (workspace / "log").exists()


def test_without_calibration_data_nothing_is_tried(workspace, capsys):
    (workspace / "x_norm.npz").unlink()
    assert call(workspace, "diagnose") == 0
    assert "not tried: there are no calibration data" in capsys.readouterr().out
    assert all(a["after"] is None for a in report(workspace)["diagnosis"]["advice"])


def test_a_saved_network_is_diagnosed(workspace):
    assert call(workspace) == 0
    first = report(workspace)["diagnosis"]
    assert first["advice"] == []
    assert call(workspace, "diagnose", "--seconds", "0", tools__convert=False) == 0
    assert report(workspace)["diagnosis"]["layers"] == first["layers"]


def test_it_needs_the_parsed_network(workspace, capsys):
    assert call(workspace) == 0
    (workspace / "log" / "demo_onnx" / "digits_cnn_parsed.npz").unlink()
    off = dict.fromkeys(("tools__parse", "tools__convert", "tools__evaluate_ann"), False)
    assert call(workspace, "diagnose", **off) == 2
    assert "needs the parsed network" in capsys.readouterr().err


@pytest.mark.parametrize("key", [{"tools__simulate": False}, {"tools__serialise_only": True}])
def test_it_simulates_whatever_the_configuration_says(workspace, key):
    assert call(workspace, "diagnose", "--seconds", "0", **key) == 0
    assert report(workspace)["diagnosis"]["samples"] == 50


def test_a_current_that_it_cannot_try(workspace, capsys):
    assert call(workspace, "diagnose", cell__i_offset=0.1) == 2
    assert "without [cell] i_offset" in capsys.readouterr().err
    assert not (workspace / "log").exists()


def test_it_can_be_turned_off(workspace):
    assert call(workspace, output__diagnosis=False, simulation__duration=1) == 0
    found = report(workspace)
    assert "diagnosis" not in found
    assert "more steps may help ([simulation] duration = 2)" in found["warnings"][0]


def test_no_steps_are_promised_to_mend_what_neurons_lose(workspace):
    lossy = {"cell__tau_refrac": 4, "simulation__duration": 3}
    assert call(workspace, output__diagnosis=False, **lossy) == 0
    (warning,) = [w for w in report(workspace)["warnings"] if "agrees with" in w]
    assert "lose input" in warning
    assert "duration" not in warning


WARNINGS = {
    "saturation": (
        {"normalization__percentile": 50, "simulation__duration": 4, **PLAIN}, "clipping", "percentile = 99.9"
    ),
    "too few steps": ({"conversion__initial_potential": 0, **PLAIN}, "quantisation", "initial_potential = 0.5"),
    "one step": ({"simulation__duration": 1}, "quantisation", "[simulation] duration = 2"),
}


@pytest.mark.parametrize("case", WARNINGS)
def test_a_warning_tells_saturation_from_too_few_steps(case, workspace, capsys):
    keys, cause, setting = WARNINGS[case]
    assert call(workspace, **keys) == 0
    (warning,) = report(workspace)["warnings"]
    assert "agrees with the original on only" in warning
    assert f"; {cause} " in warning
    assert setting in warning.partition(f"; {cause} ")[2]
    assert warning.endswith("may help (`snntoolbox diagnose` tries what does)")
    assert ("percentile = 99.9" in warning) == (case == "saturation")


def test_the_plot_is_drawn(workspace):
    pytest.importorskip("matplotlib")
    assert call(workspace, output__plot_vars="{'diagnosis'}") == 0
    assert (workspace / "log" / "demo_onnx" / "plots" / "diagnosis.png").read_bytes().startswith(b"\x89PNG")


def test_many_test_samples_are_not_all_diagnosed(workspace, monkeypatch):
    from snntoolbox.workflow import collecting

    monkeypatch.setattr(collecting, "DIAGNOSED", 10)
    assert call(workspace, simulation__batch_size=8) == 0
    assert report(workspace)["diagnosis"]["samples"] == 16
    assert np.isfinite(report(workspace)["diagnosis"]["layers"]["relu1"]["total"]["rms"])
