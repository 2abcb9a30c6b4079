"""Keys without effect: told, once for each reason, and by which simulator they would be used."""

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.options import options_of


def settings(*overrides):
    return load_config({"paths": {"filename_ann": "net"}}, overrides)


@pytest.mark.parametrize(
    "override",
    [
        "restrictions.snn_layers={'Dense'}", "restrictions.anything=1", "loihi.node=5", "Loihi.NODE=5", "loihi.x=5",
        "cell.e_rev_E=0", "cell.e_rev_i=0",
    ],
)  # fmt: skip
def test_told_and_not_refused(override):
    told = settings(override).without_effect
    assert len(told) == 1
    assert override.partition("=")[0].partition(".")[2].casefold() in told[0].casefold()
    assert "no effect with simulator = INI" in told[0]


def test_one_line_for_each_reason():
    told = settings("loihi.a=1", "loihi.b=2", "cell.e_rev_I=2", "cell.e_rev_E=3").without_effect
    assert [text.partition(": ")[2].partition(" (")[0] for text in told] == [
        "loihi.a, loihi.b", "cell.e_rev_I, cell.e_rev_E",
    ]  # fmt: skip


@pytest.mark.parametrize("simulator", ["nest", "pynn.nest", "pynn.neuron", "neuron", "brian"])
@pytest.mark.parametrize("name", ["e_rev_E", "e_rev_I"])
def test_conductances_are_refused_by_what_they_are(name, simulator):
    with pytest.raises(ConfigError, match=rf"cell\.{name} = 3: is for synapses that change conductances"):
        settings(f"simulation.simulator={simulator}", f"cell.{name}=3")


@pytest.mark.parametrize("simulator", ["INI", "nest", "pynn.nest", "pynn.neuron", "pynn.brian2"])
@pytest.mark.parametrize(("delay", "dt"), [("1", 1), ("1.0", 1), ("0.5", 0.5), ("0", 1)])
def test_a_delay_of_one_step_is_what_simulators_have(simulator, delay, dt):
    told = settings(f"simulation.simulator={simulator}", f"cell.delay={delay}", f"simulation.dt={dt}").without_effect
    assert [text.partition(":")[0] for text in told] == (
        ["cell.delay has no effect"] if simulator == "INI" and delay != "0" else []
    )


@pytest.mark.parametrize("delay", ["0.5", "2.5", "1e-3"])
def test_a_delay_that_is_no_number_of_steps_is_refused(delay):
    with pytest.raises(ConfigError, match=r"cell\.delay = [\d.]+: must be a whole number of steps of 1\.0 ms"):
        settings(f"cell.delay={delay}")


IDLE = {
    "cell.v_thresh=2": "cell.reset=zero",
    "cell.v_reset=-1": "cell.reset=zero",
    "cell.tau_m=20": "cell.leak=True",
    "cell.v_rest=-65": "cell.reset=zero",
    "cell.v_rest=-6": "cell.v_limits=[-10, 10]",
    "cell.cm=0.5": "cell.i_offset=0.1",
    "cell.delay=1": "cell.delay=2",
    "input.input_rate=500": "input.poisson_input=True",
    "input.latency_steps=4": "input.latency_input=True",
    "simulation.num_to_test=7": "simulation.sample_idxs_to_test=[]",
    "parameter_sweep.param_name=cell.tau_refrac": "parameter_sweep.param_values=[1, 2]",
    "parameter_sweep.param_logscale=True": "parameter_sweep.param_values=[1, 2]",
    "normalization.percentile=99": "conversion.threshold_rule=percentile",
    "conversion.maxpool_type=wta": "conversion.max2avg_pool=False",
    "conversion.maxpool_type=gate": "conversion.max2avg_pool=False",
    "tools.serialise_only=True": "tools.convert=True",
    "simulation.early_stopping=True": "tools.simulate=True",
    "simulation.early_exit=0.9": "tools.simulate=True",
}


@pytest.mark.parametrize("override", IDLE)
def test_put_out_of_use_by_other_settings(override):
    out = {
        "num_to_test": ["simulation.sample_idxs_to_test=[1]"],
        "percentile": ["conversion.threshold_rule=mmse"],
        "maxpool_type": ["conversion.max2avg_pool=True"],
        "serialise_only": ["tools.convert=False"],
        "early_stopping": ["tools.simulate=False"],
        "early_exit": ["tools.simulate=False"],
    }
    name = override.partition("=")[0].partition(".")[2]
    (told,) = settings(*out.get(name, []), override).without_effect
    assert f"{name} has no effect: " in told
    swept = ["parameter_sweep.param_name=cell.tau_refrac"] if name == "param_logscale" else []
    assert settings(*out.get(name, []), *swept, override, IDLE[override]).without_effect == ()


def test_an_option_of_one_simulator_says_nothing_to_another():
    chip = "simulation.architecture=truenorth"
    (told,) = settings(chip).without_effect
    assert told == "simulation.architecture has no effect: simulator = INI"
    assert options_of(settings(chip)) == {}
    of_chip = settings(chip, "simulation.simulator=sanafe")
    assert of_chip.without_effect == ()
    assert options_of(of_chip) == {"architecture": "truenorth"}
