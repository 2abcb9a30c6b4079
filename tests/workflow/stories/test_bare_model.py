"""A model file alone is deployed with defaults; data beside it are used, and what is missing is said."""

import json

import numpy as np
import pytest

from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.stories.bare_model import is_bare

torch = pytest.importorskip("torch")

MODULE = """
from torch import nn
class Model(nn.Sequential):
    input_shape = (6,)
    def __init__(self):
        super().__init__(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
"""


@pytest.fixture
def weights(tmp_path):
    """A state dict with its module beside it."""
    (tmp_path / "model_weights.py").write_text(MODULE)
    space = {}
    exec(MODULE, space)
    torch.manual_seed(0)
    torch.save(space["Model"]().state_dict(), tmp_path / "model_weights.pt")
    return tmp_path / "model_weights.pt"


@pytest.fixture(autouse=True)
def no_tools(monkeypatch, tmp_path):
    """What is written is the matter here: no simulator and no synthesis check it again."""
    monkeypatch.setenv("PATH", str(tmp_path))


def deployed(weights, *more):
    folder = weights.parent / "build"
    return main(["deploy", str(weights), "--target", "generic", "-o", str(folder), *more]), folder


@pytest.mark.parametrize("command", ["deploy", "run"])
def test_what_needs_the_grid_does_not_offer_to_leave_it(command, tmp_path, capsys):
    """A project for an FPGA, and the simulator Verilog: neither takes another network than one on the grid."""
    config = demo.copy_to(tmp_path / "demo")
    ours = ["--target", "generic", "-o", str(tmp_path / "out")]
    more = ours if command == "deploy" else ["--set=simulation.simulator=verilog"]
    keys = ["--set=conversion.schedule=recurrent", "--set=conversion.weight_bits=8"]
    assert main([command, str(config), *more, *keys]) == 2
    told = capsys.readouterr().err
    assert "schedule = recurrent needs weight_bits = 0" in told
    assert told.partition("hint: ")[2].strip() == "[conversion] schedule = rate"


def test_nor_for_a_model_alone(weights, capsys):
    assert deployed(weights, "--set=conversion.schedule=recurrent")[0] == 2
    assert capsys.readouterr().err.partition("hint: ")[2].strip() == "[conversion] schedule = rate"


def test_a_state_dict_is_deployed_with_defaults(weights, capsys):
    assert is_bare(weights)
    code, folder = deployed(weights)
    assert code == 0
    assert {"rtl", "sim", "network.npz", "report.html", "report.json"} <= {path.name for path in folder.iterdir()}
    assert "random ones stand for them" in capsys.readouterr().err
    import snntoolbox as stb

    network = stb.load_network(folder / "network.npz")
    assert network.grid.weight_bits == 8
    assert deployed(weights)[0] == 2, "what is there stays"


def test_calibration_samples_beside_it_are_used(weights, capsys):
    x = 5 * np.random.default_rng(0).random((40, 6)).astype(np.float32)
    np.savez(weights.parent / "x_norm.npz", x)
    code, folder = deployed(weights, "--set", "conversion.weight_bits=6")
    assert code == 0
    assert "random ones" not in capsys.readouterr().err
    import snntoolbox as stb

    assert stb.load_network(folder / "network.npz").grid.weight_bits == 6


def test_with_a_test_set_it_is_a_run_with_its_accuracy(weights):
    x = np.random.default_rng(0).random((40, 6)).astype(np.float32)
    for name, array in {"x_norm": x, "x_test": x, "y_test": np.zeros(40, int)}.items():
        np.savez(weights.parent / f"{name}.npz", array)
    assert not is_bare(weights)
    code, folder = deployed(weights, "--set", "simulation.num_to_test=8")
    assert code == 0
    assert json.loads((folder / "report.json").read_text())["accuracy"]["samples"] == 8


def test_without_its_module_it_says_what_is_missing(weights, capsys):
    (weights.parent / "model_weights.py").unlink()
    assert deployed(weights)[0] == 2
    assert "model_weights.py" in capsys.readouterr().err


def test_a_configuration_is_no_model(tmp_path):
    assert not is_bare(tmp_path / "config.ini")
