"""A constant current into every neuron: how large, where it comes from, what holds it."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.errors import ConfigError
from snntoolbox.ir.io import load_network
from snntoolbox.workflow import demo
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.stories.run import run

SHORT = ["simulation.num_to_test=5", "simulation.duration=4", "output.diagnosis=False"]
SHORT += ["conversion.layer_correction=none"]  # half the time of a run


@pytest.fixture
def config(tmp_path):
    return demo.copy_to(tmp_path)


def network(config, *sets):
    done = run(load_config(config, [*SHORT, *sets]))
    return load_network(done.folder / "digits_cnn_INI.npz"), done.report


@pytest.mark.parametrize(
    ("sets", "per_step"),
    [
        (["cell.i_offset=0.25"], 0.25),
        (["cell.i_offset=-0.25"], -0.25),
        (["cell.i_offset=1/2", "cell.v_thresh=4"], 0.125),
        (["cell.i_offset=0.5", "simulation.dt=0.5"], 0.25),
        (["cell.i_offset=0.5", "cell.cm=2"], 0.25),
        (["cell.i_offset=0.5", "cell.v_rest=-3"], 0.125),
    ],
)
@pytest.mark.one_in(3)
def test_it_is_added_to_every_bias(config, sets, per_step):
    dt = [text for text in sets if "dt" in text]
    plain, before = network(config, *dt)
    offset, after = network(config, *sets)
    for name, population in offset.populations.items():
        bias = 0 if plain.populations[name].bias is None else plain.populations[name].bias
        np.testing.assert_allclose(population.bias - bias, per_step * population.neuron.threshold, rtol=1e-6)
    spikes = [sum(report["spikes_per_layer"].values()) for report in (before, after)]
    assert (spikes[1] > spikes[0]) == (per_step > 0)
    assert after["warnings"] == [] or "agrees" in after["warnings"][0]


def test_a_saved_network_fixes_it(config):
    network(config, "cell.i_offset=0.25")
    with pytest.raises(ConfigError, match=r"cell\.i_offset = 0\.0 \(saved with 0\.25\)"):
        network(config, "tools.convert=False")


@pytest.mark.parametrize("other", ["conversion.weight_bits=8", "conversion.schedule=phased"])
def test_where_there_is_no_place_for_it(config, other):
    with pytest.raises(ConfigError, match=r"cell\.i_offset = 0\.25: goes with"):
        network(config, "cell.i_offset=0.25", other)


def test_what_it_costs_is_not_put_down_to_the_steps(config):
    _, report = network(config, "cell.i_offset=0.9", "simulation.num_to_test=20")
    (warning,) = report["warnings"]
    assert "agrees" in warning
    assert "[cell] i_offset = 0.9 adds a current" in warning


@pytest.mark.long
def test_beside_it_the_threshold_can_be_swept(config):
    (low, high) = stb.sweep(config, "v_thresh", [0.2, 5], overrides=[*SHORT, "cell.i_offset=0.1"]).reports
    assert low["spikes_per_layer"] != high["spikes_per_layer"]
