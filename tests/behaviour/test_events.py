"""Recordings of event cameras from a configuration to a report: each key moves a figure, files are refused early."""

import json

import event_files as files
import numpy as np
import pytest
import torch

from snntoolbox.workflow.cli import main
from snntoolbox.workflow.config.load import load_config

SHAPE = (1, 6, 8)
CLASSES = ("left", "right")
FAST = ["simulation.duration=24", "simulation.batch_size=8", "simulation.num_to_test=-1", "input.chip_size=(8, 6)"]
RESCALE = "input.datagen_kwargs={'rescale': 0.25}"


def recorded(folder, seed, count=60, width=8):
    """A recording of each class: events in one half of the image, and a few all over."""
    for side, name in enumerate(CLASSES):
        rng = np.random.default_rng(seed + side)
        t, _, y, on = files.events(count, seed=seed + side)
        half = rng.integers(0, width // 2, count) + side * width // 2
        x = np.where(rng.random(count) < 0.8, half, rng.integers(0, width, count))
        path = folder / name / f"{seed}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files.nmnist(t, x, y, on))


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    for seed in (0, 2, 4):
        recorded(folder / "x_test", seed)
        recorded(folder / "x_norm", seed + 10)
    torch.manual_seed(0)
    layers = (torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(72, 2))
    batch = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(torch.nn.Sequential(*layers).eval(), (torch.zeros(2, *SHAPE),), dynamic_shapes=batch)
    torch.export.save(program, str(folder / "net.pt2"))
    (folder / "c.ini").write_text("[paths]\nfilename_ann = net\n[input]\ndataset_format = aedat\n")
    return folder


def run(work, *settings, command="run", code=0):
    chosen = [part for text in (*FAST, *settings) for part in ("--set", text)]
    assert main([command, str(work / "c.ini"), *chosen]) == code
    return json.loads((work / "log" / "test" / "report.json").read_text())


@pytest.fixture(scope="module")
def plain(work):
    return run(work, RESCALE)


FIGURES = ("spikes_per_layer", "samples", "synaptic_operations", "output_error")


@pytest.mark.parametrize(
    "setting",
    ["num_dvs_events_per_sample=20", "eventframe_width=5", "frame_gen_method=signed_sum", "chip_size=(16, 12)",
     "is_x_flipped=True", "is_y_flipped=True", "do_clip_three_sigma=False", "datagen_kwargs={'rescale': 0.5}",
     "poisson_input=True"],
)  # fmt: skip
def test_each_key_moves_a_figure(setting, work, plain):
    report = run(work, RESCALE, f"input.{setting}")
    assert any(report[name] != plain[name] for name in FIGURES)


def test_labels(work, plain):
    other = run(work, RESCALE, "input.label_dict={'left': 1, 'right': 0}")
    assert other["ann_accuracy"] == pytest.approx(1 - plain["ann_accuracy"])
    run(work, "input.label_dict={'left': 1}", code=2)
    run(work, "input.label_dict={'left': 'a', 'right': 0}", code=2)


def test_samples_of_the_network_are_the_frames(work, plain):
    assert plain["samples"] == 6
    assert plain["parsed_difference"] < 1e-5
    assert max(plain["correlation_per_layer"].values()) > 0.8
    assert run(work, RESCALE, "input.num_dvs_events_per_sample=25")["samples"] == 18


def test_what_an_event_counts_follows_from_the_calibration_recordings(work, capsys):
    run(work)
    told = capsys.readouterr().err
    assert "events count 1/3 in frames" in told
    assert "x_norm" in told


@pytest.mark.parametrize("simulator", ["brian2", "nest", "pynn.neuron"])
def test_other_simulators_fire_the_same_spikes(simulator, work):
    pytest.importorskip({"pynn.neuron": "neuron"}.get(simulator, simulator))
    chosen = [part for text in (*FAST, RESCALE, "conversion.weight_bits=8", "simulation.num_to_test=2")
              for part in ("--set", text)]  # fmt: skip
    assert main(["compare", str(work / "c.ini"), "--simulators", f"INI,{simulator}", *chosen]) == 0
    report = json.loads((work / "log" / "test-compare" / "compare.json").read_text())
    assert report["equal"]
    assert report["sides"][1]["status"] == "ran"


def test_a_simulator_without_given_spikes_refuses_them(work, capsys):
    run(work, RESCALE, "simulation.simulator=verilog", "conversion.weight_bits=8", code=2)
    assert "spike-time input" in capsys.readouterr().err


def test_a_saved_network_is_run_again(work, plain, capsys):
    before = run(work)
    assert run(work, "tools.convert=False")["spikes_per_layer"] == before["spikes_per_layer"]
    run(work, RESCALE, "tools.convert=False", code=2)
    assert "input.datagen_kwargs" in capsys.readouterr().err
    run(work, "simulation.duration=12", "tools.convert=False", code=2)
    assert "simulation.duration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [("cut.bin", files.nmnist(*files.events())[:-1], "is cut"), ("empty.bin", b"", "empty"),
     ("wide.bin", files.nmnist(*files.events(width=30)), "a chip of 8 x 6"), ("a.dat", b"PK\3\4" * 9, "is no .dat")],
)  # fmt: skip
def test_damaged_recordings_are_refused_before_the_model_is_converted(name, data, reason, work, tmp_path, capsys):
    for seed in (0, 2):
        recorded(tmp_path, seed)
    (tmp_path / "left" / name).write_bytes(data)
    run(work)
    before = (work / "log" / "test" / "report.json").read_bytes()
    run(work, f"paths.dataset_path={tmp_path}", code=2)
    assert reason in capsys.readouterr().err
    assert (work / "log" / "test" / "report.json").read_bytes() == before


@pytest.mark.parametrize("command", ["tune", "diagnose"])
def test_trials_on_frames_are_refused(command, work, capsys):
    chosen = [part for text in FAST for part in ("--set", text)]
    assert main([command, str(work / "c.ini"), *chosen]) == 2
    assert "cannot present events" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["datagen_kwargs={'zoom_range': 1}", "dataflow_kwargs={'target_size': (3, 3)}"])
def test_options_of_images_are_refused(option, work, capsys):
    run(work, f"input.{option}", code=2)
    assert "does not go with recordings" in capsys.readouterr().err


def test_keys_of_events_have_no_effect_on_arrays(tmp_path):
    (tmp_path / "c.ini").write_text("[paths]\nfilename_ann = none\n[input]\nchip_size = (3, 4)\n")
    assert load_config(tmp_path / "c.ini").without_effect == ("input.chip_size has no effect: dataset_format = npz",)
