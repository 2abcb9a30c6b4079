"""Names in any case, and the nearest one to a name that is none."""

import configparser

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.naming import known_key, known_sections
from snntoolbox.workflow.config.refusals import refused
from snntoolbox.workflow.config.schema import Settings, keys
from snntoolbox.workflow.config.template import config_text


def config(more=None):
    return {"paths": {"filename_ann": "net"}, **(more or {})}


@pytest.mark.parametrize("row", [*keys().values(), *refused().values()], ids=lambda row: row.path)
@pytest.mark.parametrize("write", [str.lower, str.upper, str.title])
def test_every_key_in_any_case(row, write):
    assert known_key(row.section, write(row.name)) == row.name
    assert known_key(write(row.section), row.name) == row.name


@pytest.mark.parametrize(
    "override", ["simulation.DURATION=7", "Simulation.duration=7", "SIMULATION.Duration=7", "simulation.duration=7"]
)
def test_in_overrides(override):
    assert load_config(config(), [override]).simulation.duration == 7


@pytest.mark.parametrize("name", ["evaluate_ann", "evaluateANN", "evaluateann", "Evaluate_ANN"])
def test_other_names(name):
    assert load_config(config(), [f"tools.{name}=False"]).tools.evaluate_ann is False


def test_in_references(tmp_path):
    (tmp_path / "c.ini").write_text("[Paths]\nFilename_ANN = net\nrunlabel = of_%(FILENAME_ann)s\n")
    assert load_config(tmp_path / "c.ini").paths.runlabel == "of_net"


def test_a_swept_key_in_any_case():
    sweep = {"param_name": "Simulation.DURATION", "param_values": [1, 2]}
    assert load_config(config({"parameter_sweep": sweep})).parameter_sweep.param_values == (1, 2)


@pytest.mark.parametrize(
    ("first", "second"), [("dt", "DT"), ("evaluate_ann", "evaluateANN"), ("tau_syn_E", "tau_syn_e")]
)
def test_twice_in_different_cases(tmp_path, first, second):
    section = {"dt": "simulation", "evaluate_ann": "tools", "tau_syn_E": "cell"}[first]
    (tmp_path / "c.ini").write_text(f"[paths]\nfilename_ann = net\n[{section}]\n{first} = 1\n{second} = 1\n")
    with pytest.raises(ConfigError, match=rf"{section}\.{second}: is set again, as {section}\.{first}"):
        load_config(tmp_path / "c.ini")


def test_the_last_override_counts_whatever_its_case():
    assert load_config(config(), ["simulation.duration=ten", "Simulation.DURATION=4"]).simulation.duration == 4


def test_an_override_in_another_case_overrides():
    assert load_config(config({"simulation": {"Duration": 3}}), ["simulation.dUration=4"]).simulation.duration == 4


NEAREST = {
    "conversion.percentil": "did you mean normalization.percentile?",
    "cell.durations": "did you mean simulation.duration?",
    "normalization.percentil": "did you mean percentile?",
    "normalization.Percentil": "did you mean percentile?",
    "simulation.tau_refract": "did you mean cell.tau_refrac?",
    "input.percentile": r"it belongs to \[normalization\]",
    "tools.batchsize": "did you mean simulation.batch_size?",
    "cell.TAU_SYN": "did you mean tau_syn_",
}


@pytest.mark.parametrize("name", NEAREST)
def test_the_nearest_name_in_any_section(name):
    with pytest.raises(ConfigError, match=f"unknown key; {NEAREST[name]}"):
        load_config(config(), [f"{name}=1"])


def test_far_names_have_no_nearest():
    with pytest.raises(ConfigError, match=r"cell\.qqqq: unknown key$"):
        load_config(config(), ["cell.qqqq=1"])


def test_all_at_their_defaults_as_configparser_writes_them(tmp_path):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(config_text(Settings()))
    for row in refused().values():
        parser.read_dict({row.section: {row.name: "" if row.default in ({}, None) else str(row.default)}})
    parser.read_dict({"paths": {"filename_ann": "net"}})
    for name in ("path_wd", "dataset_path", "log_dir_of_current_run"):
        parser.remove_option("paths", name)
    with (tmp_path / "lower.ini").open("w") as file:
        parser.write(file)
    assert "tau_syn_e" in (tmp_path / "lower.ini").read_text()
    (tmp_path / "short.ini").write_text("[paths]\nfilename_ann = net\n")
    lower, short = load_config(tmp_path / "lower.ini"), load_config(tmp_path / "short.ini")
    assert lower == short
    assert lower.without_effect == ()


def test_sections_are_told():
    assert {"restrictions", "loihi", "spinnaker", "simulation"} <= set(known_sections())
