"""Variables that a simulator cannot give: left out of all, refused by name, before the run."""

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.schema import keys
from snntoolbox.workflow.report.variables import OF_RECORDINGS, kept_variables, record_of


def settings(simulator, **output):
    sets = [f"output.{name}={value}" for name, value in output.items()]
    return load_config({"paths": {"filename_ann": "net"}, "simulation": {"simulator": simulator}}, sets)


@pytest.mark.parametrize("key", ["log_vars", "plot_vars"])
def test_all_is_what_there_is(key):
    kept, told = kept_variables(settings("verilog", **{key: "{'all'}"}), key)
    assert set(keys()[f"output.{key}"].all_of) - kept == {"mem_n_b_l_t" if key == "log_vars" else "v_mem"}
    assert "verilog gives no recording of potentials; left out" in told
    everything, nothing = kept_variables(settings("INI", **{key: "{'all'}"}), key)
    assert everything == set(keys()[f"output.{key}"].all_of)
    assert nothing == ""


@pytest.mark.parametrize(("key", "name"), [("log_vars", "mem_n_b_l_t"), ("plot_vars", "v_mem")])
def test_what_is_named_is_refused(key, name):
    chosen = settings("verilog", **{key: f"{{'{name}', 'spiketrains'}}" if key == "plot_vars" else f"{{'{name}'}}"})
    with pytest.raises(ConfigError, match=rf"output\.{key}: {name}: verilog gives no") as caught:
        kept_variables(chosen, key)
    assert "INI" in caught.value.hint
    assert "verilog" not in caught.value.hint


def test_nothing_is_refused_where_nothing_is_simulated():
    chosen = load_config({"paths": {"filename_ann": "net"}}, [
        "simulation.simulator=verilog", "tools.simulate=False", "output.plot_vars={'v_mem'}",
    ])  # fmt: skip
    assert kept_variables(chosen, "plot_vars") == ({"v_mem"}, "")


def test_every_variable_of_a_recording_is_one_of_a_key():
    known = {*keys()["output.log_vars"].all_of, *keys()["output.plot_vars"].all_of}
    for names in OF_RECORDINGS.values():
        assert names <= known
    assert record_of(frozenset({"v_mem"})).potentials
    assert not record_of(frozenset({"error_t"})).spikes
