"""Options of simulators: every key that is one reaches every simulator that has it, in every story that simulates."""

import json

import pytest

from snntoolbox.analysis.comparison import side
from snntoolbox.backends import simulate
from snntoolbox.backends.inisim import backend as inisim
from snntoolbox.backends.lava import backend as lava
from snntoolbox.backends.registry import exporter_named
from snntoolbox.backends.sanafe import backend as sanafe
from snntoolbox.backends.spinnaker import backend as spinnaker
from snntoolbox.workflow import commands, demo, preparation
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.schema import Settings, keys
from snntoolbox.workflow.options import option_keys, options_of
from snntoolbox.workflow.stories import export

pytestmark = pytest.mark.usefixtures("process_clock")

BUILT_IN = {"INI.device": "cpu", "INI.chunk": 3, "INI.engine": "dense"}
CHANGED = {
    **BUILT_IN,
    "sanafe.architecture": "truenorth",
    "lava.python": "/opt/lava/bin/python",
    "pynn.spiNNaker.board": "virtual",
    "pynn.spiNNaker.python": "/opt/spinnaker/bin/python",
    "pynn.spiNNaker.number_of_neurons_per_core": 128,
}
"""A value of each that is not its default."""

STORIES = {
    "run": ["run"],
    "early exit": ["run", "--set", "simulation.early_exit=0.9"],
    "unquantised": ["run", "--set", "conversion.weight_bits=8"],
    "sweep": ["run", "--set", "parameter_sweep.param_name=reset", "--set", "parameter_sweep.param_values=['zero']"],
    "compare": ["compare", "--simulators", "INI,brian2"],
    "tune": ["tune", "--steps", "2", "--budget", "0.5"],
    "diagnose": ["diagnose", "--seconds", "2"],
    "deploy": ["deploy", "--target", "generic", "-o", "out", "--sim-seconds", "0", "--synth-seconds", "0"],
}
NONE_SIMULATED = {"completion", "gui", "init", "inspect", "capabilities", "export"}
"""Commands that run no network; that of the demo is a run."""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    demo.copy_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def built(monkeypatch):
    """(simulator, options) of every network that a story runs; what a conversion itself simulates is not among them."""
    seen = []
    for module in (simulate, side):

        def build(backend, network, options=None, *, real=module.build_network, **more):
            seen.append((backend.name, dict(options or {})))
            return real(backend, network, options, **more)

        monkeypatch.setattr(module, "build_network", build)
    return seen


def test_every_option_has_a_value_here():
    assert option_keys().keys() == CHANGED.keys()
    assert all(option_keys()[name].default != value for name, value in CHANGED.items())


def test_every_command_that_simulates_is_here():
    assert {words[0] for words in STORIES.values()} == set(commands.COMMANDS) - NONE_SIMULATED - {"demo"}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.one_in(2)
def test_all_options_reach_every_story(story, workspace, built):
    command, *words = STORIES[story]
    short = {"simulation.num_to_test": 4, "simulation.duration": 4, "normalization.num_samples": 40}
    chosen = {option_keys()[name].path: value for name, value in BUILT_IN.items()}
    sets = [word for key, value in {**short, **chosen}.items() for word in ("--set", f"{key}={value}")]
    main([command, "demo_onnx.ini", *words, *sets])
    ours = [options for name, options in built if name == "INI"]
    assert ours
    assert ours == len(ours) * [{name.split(".")[1]: value for name, value in BUILT_IN.items()}]
    assert [options for name, options in built if name != "INI"] in ([], [{}])


def test_only_what_is_set_is_passed_on(tmp_path):
    config = demo.copy_to(tmp_path)
    assert options_of(load_config(config)) == {}
    settings = load_config(config, ["simulation.engine=event", "simulation.device=auto"])
    assert options_of(settings) == options_of(settings, "INI") == {"engine": "event"}
    assert options_of(settings, "brian2") == {}


def test_a_simulator_says_itself_what_it_does_not_have(workspace, capsys):
    assert main(["demo_onnx.ini", "--set", "simulation.simulator=brian2", "--set", "simulation.engine=event"]) == 2
    assert "backend 'brian2' has no option engine" in capsys.readouterr().err


def test_an_engine_that_cannot_be_is_refused_before_any_work(workspace, capsys, monkeypatch):
    keys = ("engine=counts", "num_to_test=4", "duration=4")
    words = [word for key in keys for word in ("--set", f"simulation.{key}")]
    assert main(["demo_onnx.ini", *words, "--set", "conversion.schedule=radix"]) == 0
    paths = json.loads((workspace / "log" / "demo_onnx" / "report.json").read_text())["engine_paths"]
    assert all("counts" in ways for ways in paths.values())
    monkeypatch.setattr(preparation, "lower", None)
    assert main(["demo_onnx.ini", "--set", "simulation.engine=counts"]) == 2
    assert "engine = counts cannot take" in capsys.readouterr().err


def test_options_are_those_of_the_simulator():
    kinds = {"INI": inisim.Options, "sanafe": sanafe.Options, "lava": lava.Options, "pynn.spiNNaker": spinnaker.Options}
    for name, row in option_keys().items():
        owner, _, option = name.rpartition(".")
        assert getattr(kinds[owner](), option) == row.default, name
        assert row.value_in(Settings()) == row.default
        assert keys()[row.path] is row


@pytest.mark.long
def test_the_architecture_reaches_the_chip(workspace, built):
    changes = {"simulator": "sanafe", "architecture": "truenorth", "num_to_test": 1, "duration": 2}
    sets = [word for key, value in changes.items() for word in ("--set", f"simulation.{key}={value}")]
    assert main(["demo_onnx.ini", "--set", "conversion.weight_bits=8", *sets]) == 0
    assert ("sanafe", {"architecture": "truenorth"}) in built
    report = json.loads((workspace / "log" / "demo_onnx" / "report.json").read_text())
    assert "hardware_per_sample" not in report  # its file has no figures, that of Loihi has


def test_the_section_of_a_simulator_is_for_that_one_alone(tmp_path):
    config, python = demo.copy_to(tmp_path), "lava.python=/opt/lava/bin/python"
    settings = load_config(config, [python])
    assert settings.without_effect == ()
    assert [options_of(settings, name) for name in ("", "INI", "lava")] == [{}, {}, {"python": "/opt/lava/bin/python"}]
    of_lava = load_config(config, [python, "simulation.simulator=lava"])
    assert options_of(of_lava) == {"python": "/opt/lava/bin/python"}


def test_keys_of_spinnaker_are_for_that_one_alone(tmp_path):
    """Its section is called otherwise than the simulator, whose own name has a dot."""
    config, here = demo.copy_to(tmp_path), {"board": "arithmetic", "number_of_neurons_per_core": 128}
    sets = [f"spinnaker.{name}={value}" for name, value in here.items()]
    settings = load_config(config, sets)
    assert settings.without_effect == ("spinnaker.number_of_neurons_per_core has no effect: simulator = INI",)
    assert [options_of(settings, name) for name in ("", "INI", "pynn.spiNNaker")] == [{}, {}, here]
    told = load_config(config, [*sets, "simulation.simulator=spiNNaker"])
    assert told.simulation.simulator == "pynn.spiNNaker"
    assert told.without_effect == (
        "spinnaker.number_of_neurons_per_core has no effect: board = arithmetic has no cores",
    )
    assert options_of(told) == {"board": "arithmetic"}


@pytest.mark.parametrize("name", ["pynn.spiNNaker", "lava", "nir"])
def test_options_of_a_simulator_are_those_of_the_exporter_of_its_name(name, tmp_path, monkeypatch):
    sets = ["spinnaker.python=/a/python", "spinnaker.board=virtual", "spinnaker.number_of_neurons_per_core=9"]
    settings = load_config(demo.copy_to(tmp_path), [*sets, "lava.python=/b/python"])
    monkeypatch.setattr(export, "prepared_for", lambda *given: given[0])
    monkeypatch.setattr(export, "written", lambda *given: (given[0].without_effect, given[-1]))
    told, options = export.export_settings(settings, exporter_named(name), tmp_path)
    own = {"python": "/a/python", "number_of_neurons_per_core": 9}
    assert options == {"pynn.spiNNaker": own, "lava": {"python": "/b/python"}}.get(name, {})
    assert (told == ()) == (name == "pynn.spiNNaker")
    _, options = export.export_settings(settings, exporter_named("lava"), tmp_path, python="/c/python")
    assert options == {"python": "/c/python"}


@pytest.mark.long
def test_options_of_a_simulator_that_is_compared_are_not_told_to_have_no_effect(workspace, built, capsys, monkeypatch):
    monkeypatch.setattr("snntoolbox.backends.spinnaker.backend.interpreter_for", lambda *given: "")
    monkeypatch.setattr("snntoolbox.backends.spinnaker.simulation.figures_of", lambda *given: {"cores": 3})
    words = ["simulation.duration=2", "simulation.num_to_test=1", "cell.reset=zero", "conversion.weight_bits=8"]
    words += ["simulation.architecture=truenorth", "spinnaker.board=virtual", "spinnaker.number_of_neurons_per_core=9"]
    sets = [part for word in words for part in ("--set", word)]
    assert main(["compare", "demo_onnx.ini", "--simulators", "INI,spiNNaker", *sets]) == 0
    assert ("pynn.spiNNaker", {"board": "virtual", "number_of_neurons_per_core": 9}) in built
    said = " ".join(capsys.readouterr().err.split())
    assert "simulation.architecture has no effect: simulator = INI" in said
    assert "per_core has no effect" not in said
    assert "nothing ran on SpiNNaker: with board = virtual the spikes are those of a model" in said
    found = json.loads((workspace / "log" / "demo_onnx-compare" / "compare.json").read_text())
    assert any("nothing ran on SpiNNaker" in text for text in found["warnings"])
    assert (found["equal"], found["complete"]) == (True, True)
