"""A configuration run from Python: what is returned and printed, and that it is what the command does."""

import configparser
import json
import math

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.errors import ConfigError
from snntoolbox.workflow import demo


@pytest.fixture
def config(tmp_path):
    path = demo.copy_to(tmp_path)
    text = path.read_text().replace("duration = 64", "duration = 4").replace("num_to_test = -1", "num_to_test = 20")
    path.write_text(text)
    return path


def parsed(path):
    parser = configparser.ConfigParser()
    parser.read(path)
    parser.set("paths", "path_wd", str(path.parent))
    return parser


@pytest.mark.parametrize("form", [str, lambda path: path, parsed, lambda path: {**parsed(path)}])
@pytest.mark.one_in(2)
def test_it_runs_and_returns_the_accuracy(config, form, capsys):
    (accuracy,) = stb.main(form(config))
    report = json.loads((config.parent / "log" / "demo_onnx" / "report.json").read_text())
    assert accuracy == report["snn_accuracy"] > 0.5
    assert report["samples"] == 20
    assert f"{accuracy:.2%}" in capsys.readouterr().out


@pytest.mark.one_in(2)
def test_each_point_of_a_sweep(config):
    parser = parsed(config)
    parser["parameter_sweep"] = {"param_name": "simulation.duration", "param_values": "[1, 4]"}
    accuracies = stb.main(parser)
    points = json.loads((config.parent / "log" / "demo_onnx" / "sweep.json").read_text())["points"]
    assert accuracies == [point["snn_accuracy"] for point in points]
    assert len(set(accuracies)) == 2


def test_python_values(config):
    done = stb.main(
        {
            "paths": {"path_wd": config.parent, "filename_ann": "digits_cnn.onnx", "runlabel": "of 100%"},
            "simulation": {"duration": 4, "sample_idxs_to_test": [3, 1]},
            "output": {"plot_vars": {"error_t"}, "diagnosis": False},
        }
    )
    assert len(done) == 1
    assert (config.parent / "log" / "of 100%" / "plots" / "error_t.png").is_file()


def test_no_labels_no_accuracy(config):
    (config.parent / "y_test.npz").unlink()
    assert math.isnan(stb.main(config)[0])


def test_what_the_command_prints_is_raised(config, tmp_path):
    with pytest.raises(ConfigError, match="durations: unknown key"):
        stb.main({"simulation": {"durations": 4}})
    with pytest.raises(ConfigError, match="does not exist"):
        stb.main(tmp_path / "none.ini")
    with pytest.raises(ConfigError, match="a configuration is a file"):
        stb.main({"simulation": 4})
    broken = configparser.ConfigParser()
    broken.read_dict({"paths": {"filename_ann": "%(none)s"}})
    with pytest.raises(ConfigError, match="cannot be read"):
        stb.main(broken)
    with pytest.raises(stb.SNNToolboxError, match="main: config"):
        stb.main(np.zeros(3))
