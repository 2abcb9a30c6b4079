"""Codes of the SNN Toolbox: which schedule each is, and how long it runs."""

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.choices import recipe_of
from snntoolbox.workflow.config.conversion_keys import schedule_of
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.template import config_text


def settings(**sections):
    return load_config({"paths": {"filename_ann": "net"}, **sections})


def pattern(simulation=None, **conversion):
    return settings(conversion={"spike_code": "temporal_pattern", **conversion}, simulation=simulation or {})


@pytest.mark.parametrize(("bits", "dt", "duration"), [("6", "1", 6), ("1", "1", 1), ("6", "0.5", 3), ("32", "1", 16)])
def test_a_pattern_takes_a_step_for_each_digit(bits, dt, duration):
    chosen = pattern({"dt": dt, "duration": "100"}, num_bits=bits)
    assert (schedule_of(chosen), chosen.simulation.duration) == ("radix", duration)
    assert any("simulation.duration has no effect" in text for text in chosen.without_effect)


def test_as_many_digits_as_can_be_are_told():
    assert any("num_bits has no effect: beyond 16" in text for text in pattern(num_bits="32").without_effect)
    assert pattern().without_effect == ()
    assert pattern({"duration": "8"}, num_bits="8").without_effect == ()


def test_digits_are_those_of_a_pattern_alone():
    assert settings(conversion={"num_bits": "32"}).without_effect == ()  # what the toolbox writes everywhere
    told = settings(conversion={"num_bits": "8", "spike_code": "ttfs"}).without_effect
    assert any("num_bits has no effect: spike_code = ttfs" in text for text in told)


@pytest.mark.parametrize("dt", ["0.3", "0.05"])
def test_a_pattern_of_parts_of_a_ms(dt):
    with pytest.raises(ConfigError, match="num_bits = 5: must make a duration of whole ms"):
        pattern({"dt": dt}, num_bits="5")


def test_a_pattern_is_read_back_as_it_was(tmp_path):
    chosen = pattern(num_bits="5")
    (tmp_path / "config.ini").write_text(config_text(chosen))
    assert load_config(tmp_path / "config.ini").conversion == chosen.conversion
    assert load_config(tmp_path / "config.ini").without_effect == chosen.without_effect


def test_weights_to_quantise_have_eight_bits_unless_they_are_said():
    assert settings(cell={"quantize_weights": "True"}).conversion.weight_bits == 8
    assert settings(cell={"quantize_weights": "True"}, conversion={"weight_bits": "4"}).conversion.weight_bits == 4
    assert settings(cell={"quantize_weights": "False"}).conversion.weight_bits == 0
    with pytest.raises(ConfigError, match=r"quantize_weights = True: conversion\.weight_bits = 0 turns it off"):
        settings(cell={"quantize_weights": "True"}, conversion={"weight_bits": "0"})


def test_a_scaling_factor_is_the_threshold_of_the_grid():
    def threshold(**cell):
        return recipe_of(settings(cell=cell), 1.0, (0.0, 1.0)).grid_threshold

    assert threshold(scaling_factor="64", quantize_weights="True") == 64
    assert threshold(scaling_factor="10000000", quantize_weights="True") == threshold(scaling_factor="64") == 0
    assert any("weight_bits = 0" in text for text in settings(cell={"scaling_factor": "64"}).without_effect)
    assert settings(cell={"scaling_factor": "10000000"}).without_effect == ()


def test_keys_that_are_fields_of_the_recipe():
    cell = {"binarize_weights": "True", "bias_relaxation": "True"}
    recipe = recipe_of(settings(cell=cell, normalization={"normalization_schedule": "True"}), 1.0, (0.0, 1.0))
    assert (recipe.binarize_weights, recipe.bias_relaxation, recipe.percentile_fall) == (True, True, 0.02)
    told = settings(normalization={"normalization_schedule": "True"}, conversion={"threshold_rule": "max"})
    assert any("normalization_schedule has no effect: threshold_rule = max" in text for text in told.without_effect)


def test_a_softmax_is_appended_to_linear_outputs_alone():
    """Which a configuration that spells out every key, as a run leaves it, names beside it."""
    told = r"conversion\.readout = spikes: conversion\.append_softmax = True is readout = softmax; set"
    with pytest.raises(ConfigError, match=told):
        settings(conversion={"append_softmax": "True", "readout": "spikes"})
    assert settings(conversion={"append_softmax": "False", "readout": "spikes"}).conversion.readout == "spikes"
    appended = settings(conversion={"append_softmax": "True", "readout": "linear"})
    assert recipe_of(appended, 1.0, (0.0, 1.0)).readout == "softmax"


@pytest.mark.parametrize("more", [{}, {"recipe": "rueckauer2017"}, {"readout": "softmax"}])
def test_an_appended_softmax_is_read_back_as_it_was(more, tmp_path):
    chosen = settings(conversion={"append_softmax": "True", **more})
    assert recipe_of(chosen, 1.0, (0.0, 1.0)).readout == chosen.conversion.readout == "softmax"
    (tmp_path / "config.ini").write_text(config_text(chosen))
    assert load_config(tmp_path / "config.ini").conversion == chosen.conversion
