"""Codes of the SNN Toolbox: which schedule each is, and how long it runs."""

import pytest

from snntoolbox.errors import ConfigError
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
