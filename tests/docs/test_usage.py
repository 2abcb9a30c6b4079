"""docs/usage.md and its neighbours describe what is there: options, keys, files, configurations."""

import argparse
import json
import re
import shutil

import numpy as np
import pytest
from doc_pages import marked, text_of

import snntoolbox as stb
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.workflow import cli, commands, demo
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.presets import PRESETS
from snntoolbox.workflow.config.schema import keys

USAGE = "docs/usage.md"
CONFIGS = [
    (page, i, text)
    for page in (USAGE, "docs/migrating.md", "docs/large_runs.md")
    for i, text in enumerate(marked(page, "config"))
]


@pytest.mark.parametrize("text", [c[2] for c in CONFIGS], ids=[f"{page}-{i}" for page, i, _ in CONFIGS])
def test_configurations_are_accepted(text, tmp_path):
    (tmp_path / "config.ini").write_text(text)
    load_config(tmp_path / "config.ini")


def options():
    """(command, option) of the whole command line."""
    (choices,) = (a for a in commands.parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert set(choices.choices) == set(commands.COMMANDS)
    for name, parser in choices.choices.items():
        for action in parser._actions:
            for option in action.option_strings:
                if option not in ("-h", "--help"):
                    yield name, option


@pytest.mark.parametrize(("command", "option"), sorted(options()))
def test_every_option_is_described(command, option):
    rows = [line for line in text_of(USAGE).splitlines() if line.startswith("| `-")]
    assert [r for r in rows if re.search(rf"`?{re.escape(option)}[ `]", r) and command in r.split("|")[-3]], rows


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a short run that logs and plots what it can."""
    folder = tmp_path_factory.mktemp("run")
    config = demo.copy_to(folder)
    changes = {
        "simulation.num_to_test": 10,
        "simulation.duration": 4,
        "normalization.num_samples": 50,
        "conversion.weight_bits": 8,
        "simulation.early_exit": 0.9,
        "output.log_vars": "{'all'}",
        "output.plot_vars": "{'error_t'}",
        "paths.runlabel": "test",
    }
    assert cli.main(["run", str(config), *(a for k, v in changes.items() for a in ("--set", f"{k}={v}"))]) == 0
    return folder / "log" / "test"


def test_report_keys_are_those_described(finished):
    section = text_of(USAGE).partition("### report.json")[2].partition("###")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    described = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    found = set(json.loads((finished / "report.json").read_text()))
    assert not found - described, "not described"
    only_regression = {"parsed_error", "snn_error"}
    sometimes = {"approximation_errors", "failure"}
    assert not described - found - only_regression - sometimes, "described, but not there"


def test_files_are_those_described(finished):
    names = {path.name for path in finished.iterdir() if not path.name.startswith(".")}
    files = {"report.json", "report.html", "config.ini", "digits_cnn_parsed.npz", "digits_cnn_INI.npz"}
    assert names == {*files, "log_vars", "plots"}


def test_log_vars_are_those_described(finished):
    section = text_of(USAGE).partition("### log_vars")[2].partition("###")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
    assert {row[1].strip(" `") for row in rows} == set(keys()["output.log_vars"].all_of)
    stems = {re.search(r"`([\w/<>]+)`", row[2])[1].replace("<layer>", "relu1") for row in rows}
    with np.load(finished / "log_vars" / "0.npz") as logged:
        shapes = {name: logged[name].shape for name in stems}
    assert shapes["input"] == (10, 8, 8)
    assert shapes["activations/relu1"] == (10, 16, 8, 8)
    assert shapes["spiketrains/relu1"] == shapes["membranes/relu1"] == (4, 10, 16, 8, 8)
    assert shapes["synaptic_operations"] == shapes["neuron_operations"] == (10, 4)


def test_saved_networks_are_simulated_again(finished, tmp_path):
    shutil.copytree(finished.parents[1], tmp_path / "run")  # its results are replaced
    finished = tmp_path / "run" / "log" / "test"
    before = json.loads((finished / "report.json").read_text())
    config = finished.parents[1] / "demo_onnx.ini"
    (config.parent / "digits_cnn.onnx").unlink()
    changes = {"simulation.duration": 8, "simulation.num_to_test": 10, "paths.runlabel": "test"}
    changes["conversion.weight_bits"] = 8  # what it was converted with
    stages = dict.fromkeys(("tools.evaluate_ann", "tools.parse", "tools.convert"), False)
    sets = [a for k, v in {**changes, **stages}.items() for a in ("--set", f"{k}={v}")]
    assert cli.main(["run", str(config), *sets]) == 0
    after = json.loads((finished / "report.json").read_text())
    assert after["snn_accuracy_per_step"][:4] == before["snn_accuracy_per_step"]
    assert len(after["snn_accuracy_per_step"]) == 8
    assert before["ann_accuracy"] is not None
    assert after.get("ann_accuracy") is None


def test_every_plot_is_named():
    section = text_of(USAGE).partition("### plot_vars")[2].partition("##")[0]
    assert not [name for name in keys()["output.plot_vars"].all_of if f"`{name}`" not in section]


def test_saving_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    graph = stb.load(demo.folder() / demo.MODELS["onnx"])
    snn = stb.convert(graph)
    (code,) = marked(USAGE, "save")
    exec(compile(code, USAGE, "exec"), {"stb": stb, "graph": graph, "snn": snn})
    assert capsys.readouterr().out.split() == [*stb.summary(graph).split(), *snn.summary().split()]


def test_recipe_of_2017_is_described():
    text = text_of("docs/conversion.md").partition("## The choices of the 2017 paper")[2].partition("##")[0]
    keys = {name.removeprefix("conversion.") for name in PRESETS["rueckauer2017"]}
    assert set(re.findall(r"`(\w+) = ", text)) - {"recipe"} == keys


def test_choices_shown_in_python_exist():
    calls = re.findall(r"stb\.convert\((.*)\)", text_of(USAGE))
    shown = {name for call in calls for name in re.findall(r"(\w+)=", call)}
    fields = set(Recipe.__dataclass_fields__) | {"calibration_data", "duration", "T"}
    inner = set(stb.IF.__dataclass_fields__) | {"seed", "amplitude"}
    assert shown <= fields | inner
