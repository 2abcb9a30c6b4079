"""`snntoolbox compare`, `--force` and `inspect --simulator`: what is printed, written and returned."""

import json
import os
from dataclasses import replace

import pytest
from comparison_fakes import CAN, Changed, Fake

from snntoolbox import plugins
from snntoolbox.backends.brian2.backend import Brian2Backend
from snntoolbox.backends.registry import backend_named
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main

SHORT = ["--samples", "3", "--set", "simulation.duration=8", "--set", "simulation.batch_size=2"]
SHORT += ["--set", "conversion.layer_correction=none"]
GRID = ["--set", "conversion.weight_bits=8"]
CI = bool(os.environ.get("CI"))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """The demo in the current folder."""
    demo.copy_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def add(monkeypatch):
    """A function that makes backends known under their names."""
    real, added = plugins.load, {}
    monkeypatch.setattr(plugins, "load", lambda group, name, *rest: added.get(name) or real(group, name, *rest))

    def register(*backends):
        added.update({b.name: b for b in backends})

    return register


def compare(simulators, *more):
    return main(["compare", "demo_onnx.ini", "--simulators", simulators, *SHORT, *more])


def written(folder):
    return json.loads((folder / "log" / "demo_onnx-compare" / "compare.json").read_text())


def installed(*names):
    """These simulators; where one is missing it is left out, but not in CI."""
    return [n for n in names if CI or backend_named(n).capabilities.installed()]


def identical(workspace, capsys, names):
    assert compare(",".join(names), *GRID) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines()[:-2])) <= 80  # behind them stand paths
    assert f"All rasters are equal: {len(names)} simulators" in out
    found = written(workspace)
    page = (workspace / "log" / "demo_onnx-compare" / "report.html").read_text("utf-8")
    assert "All rasters are equal" in page
    assert (found["equal"], found["complete"], found["weight_bits"], found["samples"]) == (True, True, 8, 3)
    assert [s["simulator"] for s in found["sides"]] == names
    for side in found["sides"]:
        assert side["spikes"] == found["sides"][0]["spikes"]
        assert side["accuracy"] == side["ann_agreement"] == 1.0
    assert sum(found["sides"][0]["spikes"].values()) > 100
    folder = workspace / "log" / "demo_onnx-compare"
    assert {"compare.json", "compare.png", "config.ini", "digits_cnn_INI.npz"} <= set(os.listdir(folder))
    assert (folder / "compare.png").stat().st_size > 10_000


@pytest.mark.long
def test_the_format_of_the_picture(workspace):
    pytest.importorskip("brian2")
    properties = ("--set", "output.plotproperties={'savefig.format': 'svg'}")
    assert compare("INI,brian2", *properties) == 0
    files = os.listdir(workspace / "log" / "demo_onnx-compare")
    assert sorted(name for name in files if name.startswith("compare.")) == ["compare.json", "compare.svg"]


@pytest.mark.long
def test_the_demo_is_the_same_on_brian2_and_nest(workspace, capsys):
    identical(workspace, capsys, ["INI", *installed("brian2", "nest")])


@pytest.mark.long
def test_the_demo_is_the_same_on_pynn(workspace, capsys):
    identical(workspace, capsys, ["INI", *installed("pynn.nest", "pynn.neuron", "pynn.brian2")])


def test_a_difference_on_the_grid_is_exit_code_1(workspace, capsys, add):
    add(Fake("wrong", zero=True))
    assert compare("INI,wrong", *GRID) == 1
    out = " ".join(capsys.readouterr().out.split())
    for text in ("wrong first differs in sample 0", "(onnx Relu)", "class:", "reset rule", "must be equal"):
        assert text in out
    at = written(workspace)["sides"][1]["divergence"]
    assert at["layer"] == "relu1 (onnx Relu)"
    assert at["departs"] == ["wrong"]


def test_rounding_off_the_grid_is_told_and_no_failure(workspace, capsys, add):
    add(Fake("rounds", noise=1e-3))
    assert compare("INI,rounds") == 0
    out = capsys.readouterr().out
    assert "rounding" in out
    assert "weight_bits=8" in out


def test_who_is_missing_is_listed_and_exit_code_2(workspace, capsys, add):
    add(Fake("absent", capabilities=replace(CAN, modules=("no_such_simulator",), extra="absent")), Fake("there"))
    assert compare("absent,INI,there", *GRID) == 2
    out = capsys.readouterr().out
    assert "pip install 'snntoolbox[absent]'" in out
    assert "All rasters are equal: 2 simulators" in out
    assert [s["status"] for s in written(workspace)["sides"]] == ["missing", "ran", "ran"]


def test_who_dies_keeps_its_samples(workspace, capsys, add):
    add(Fake("mortal", dies_at=2))
    assert compare("INI,mortal", *GRID) == 2
    assert "mortal died after 2 of 3 samples" in capsys.readouterr().out
    side = written(workspace)["sides"][1]
    assert (side["status"], side["samples"], side["differing"]["relu1"]) == ("died", 2, 0)


WRONG = {
    "one": ("INI", "two simulators or more"),
    "none": (",", "two simulators or more"),
    "twice": ("INI,INI", "INI is named twice"),
    "unknown": ("INI,nast", "no backend named 'nast'"),
    "the toolbox's name twice": ("neuron,pynn.neuron", "pynn.neuron is named twice"),
}


@pytest.mark.parametrize(("simulators", "message"), WRONG.values(), ids=WRONG)
def test_what_is_refused_before_work(simulators, message, workspace, capsys):
    assert compare(simulators) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert not (workspace / "log").exists()


def test_it_needs_no_convertible_simulator_in_the_settings(workspace, add):
    """What [simulation] simulator cannot run matters to a run, not to a comparison of others."""
    add(Fake("other"))
    options = ["--set", "simulation.simulator=nest", "--set", "conversion.maxpool_type=gate"]
    assert compare("INI,other", *GRID, *options) == 2  # the gate is refused by `other`
    assert [s["status"] for s in written(workspace)["sides"]] == ["ran", "refused"]


@pytest.mark.parametrize("choice", ["conversion.schedule=differential", "cell.spikes=signed", "cell.levels=[1,2,3]"])
@pytest.mark.long
def test_spikes_that_carry_values_are_compared_or_refused(workspace, capsys, add, choice):
    add(Fake("other"), Changed(name="values"))
    assert compare("INI,other", "--set", choice) == 2
    out = capsys.readouterr().out
    assert "Nothing was compared" in out
    assert any(reason in out for reason in ("spikes that carry values", "signed spikes"))
    assert [s["status"] for s in written(workspace)["sides"]] == ["ran", "refused"]
    assert compare("INI,values", "--set", choice, "--set", "output.overwrite=True") == 0
    assert "Nothing" not in capsys.readouterr().out
    assert sum(written(workspace)["sides"][1]["cells"].values()) > 0


# -- a run ----------------------------------------------------------------------------------------------------------


def run(simulator, *more):
    settings = (f"simulation.simulator={simulator}", "simulation.num_to_test=5", "simulation.duration=8")
    batches = ("simulation.batch_size=2", *more)
    return main(["run", "demo_onnx.ini", *(p for s in (*settings, *batches) for p in ("--set", s))])


@pytest.fixture
def known(monkeypatch, add):
    """Settings name simulators that entry points name: the fake takes the place of a real one."""

    def place(**changes):
        add(Fake("brian2", **changes))

    return place


@pytest.mark.long
def test_a_run_whose_simulator_dies_keeps_the_finished_batches(workspace, capsys, known):
    known()
    assert run("brian2") == 0
    earlier = (workspace / "log" / "demo_onnx" / "report.json").read_text()
    known(dies_at=4)
    capsys.readouterr()
    assert run("brian2", "simulation.early_exit=0.9") == 2
    captured = capsys.readouterr()
    assert "SIGKILL" in captured.err
    assert "Traceback" not in captured.err
    assert "demo_onnx-unfinished" in captured.out
    report = json.loads((workspace / "log" / "demo_onnx-unfinished" / "report.json").read_text())
    assert (report["samples"], report["snn_accuracy"]) == (4, 1.0)
    assert "SIGKILL" in report["failure"]
    assert report["early_exit"]["accuracy"] in (0.25, 0.5, 0.75, 1.0), "of the four samples"
    assert (workspace / "log" / "demo_onnx" / "report.json").read_text() == earlier
    assert json.loads(earlier)["samples"] == 5


def test_a_run_whose_simulator_dies_at_once_leaves_nothing(workspace, capsys, known):
    known(dies_at=0)
    assert run("brian2") == 2
    assert "SIGKILL" in capsys.readouterr().err
    assert os.listdir(workspace / "log") == []


def test_a_simulator_that_is_not_installed(workspace, capsys, known):
    known(capabilities=replace(CAN, modules=("no_such_simulator",), extra="sim"))
    assert compare("INI,brian2") == 2
    assert "pip install 'snntoolbox[sim]'" in capsys.readouterr().out


@pytest.mark.parametrize("simulator", ["brian2", "nest", "pynn.neuron"])
def test_time_that_is_no_number_of_steps(simulator, workspace, capsys):
    assert run(simulator, "simulation.dt=0.3") == 2
    assert "8 ms is no whole number of steps of 0.3 ms" in capsys.readouterr().err


@pytest.mark.long
def test_steps_of_half_a_ms_are_kept(workspace, capsys):
    """A step is one of a simulator's own clock, whatever dt: none has to refuse one."""
    if not installed("nest"):
        pytest.skip("nest is not installed")
    assert compare("INI,nest", *GRID, "--set", "simulation.dt=0.5") == 0
    assert written(workspace)["steps"] == 16


@pytest.fixture
def small(monkeypatch):
    """Brian2 as if it took tiny networks alone."""
    pytest.importorskip("brian2") if not CI else None
    cost = replace(Brian2Backend.cost, most_synapses=1000)
    monkeypatch.setattr(Brian2Backend, "cost", cost)
    monkeypatch.setattr("snntoolbox.backends.brian2.backend.COST", cost)


@pytest.mark.long
def test_too_large_a_network_is_refused_unless_forced(workspace, capsys, small):
    assert run("brian2") == 2
    err = capsys.readouterr().err
    assert "too large for backend 'brian2'" in err
    assert "320,704 synapses" in err or "synapses: about" in err
    assert "--force" in err
    forced = ["simulation.simulator=brian2", "simulation.num_to_test=1", "simulation.duration=4"]
    assert main(["demo_onnx.ini", "--force", *(p for s in forced for p in ("--set", s))]) == 0
    assert compare("INI,brian2", *GRID) == 2
    assert "too large" in capsys.readouterr().out
    assert compare("INI,brian2", *GRID, "--force") == 0


# -- inspect --------------------------------------------------------------------------------------------------------


def test_inspect_says_who_can_run_it(workspace, capsys):
    assert main(["inspect", "digits_cnn.onnx"]) == 0
    out = capsys.readouterr().out
    every = "INI, brian2, nest, pynn.brian2, pynn.nest, pynn.neuron."
    assert f"Simulators that can run it: {every}" in " ".join(out.split())
    assert max(map(len, out.splitlines()[1:])) <= 80


def test_inspect_says_for_whom_it_is_too_large(workspace, capsys, small):
    assert main(["inspect", "digits_cnn.onnx"]) == 0
    out = capsys.readouterr().out
    assert "can run it: INI, nest, pynn.brian2, pynn.nest, pynn.neuron.\n" in out
    assert "Too large, without --force, for: brian2." in out
    assert main(["inspect", "digits_cnn.onnx", "--force"]) == 0
    assert "Too large" not in capsys.readouterr().out


def test_inspect_asks_a_simulator(workspace, capsys):
    assert main(["inspect", "digits_cnn.onnx", "--simulator", "nest"]) == 0
    assert "Simulator 'nest' can run it" in capsys.readouterr().out
    assert main(["inspect", "digits_cnn.onnx", "--simulator", "nest", "--maxpool-type", "gate"]) == 2
    captured = capsys.readouterr()
    assert "max_pool (onnx MaxPool): max pooling by a gate" in captured.err
    assert "simulator = INI or brian2 can run all of these, or [conversion] maxpool_type = relu_tree" in captured.err
    assert "relu1" in captured.out, "the summary is there beside the refusal"


def test_inspect_knows_what_is_too_large(workspace, capsys, small):
    assert main(["inspect", "digits_cnn.onnx", "--simulator", "brian2"]) == 2
    assert "too large" in capsys.readouterr().err
    assert main(["inspect", "digits_cnn.onnx", "--simulator", "brian2", "--force"]) == 0


def test_inspect_with_an_unknown_simulator(workspace, capsys):
    assert main(["inspect", "digits_cnn.onnx", "--simulator", "nast"]) == 2
    assert "no backend named 'nast'" in capsys.readouterr().err
