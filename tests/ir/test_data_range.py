"""Ranges of calibration data: what counts as scaled in another way, and who is told."""

import numpy as np
import pytest
import torch
from torch import nn

import snntoolbox as stb
from snntoolbox.backends.registry import backend_named
from snntoolbox.ir.data_range import DataRange, range_of

SHARES = np.random.default_rng(0).random((60, 5)).astype(np.float32)
SIGNED = 2 * SHARES - 1


@pytest.fixture(scope="module")
def graph():
    torch.manual_seed(0)
    return stb.load(nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)), input_shape=(5,))


UNLIKE = {
    "bytes": (SHARES, SHARES * 255),
    "divided twice": (SHARES, SHARES / 255),
    "divided twice, one sample": (SHARES, SHARES[:1] / 255),
    "signed": (SHARES, SIGNED),
    "no longer signed": (SIGNED, SHARES),
    "negative": (SHARES, -SHARES),
    "shifted": (SHARES, SHARES + 1),
    "standardised": (SHARES, (SHARES - 0.5) * 12**0.5),
    "one sample in bytes": (SHARES, SHARES[:1] * 255),
    "whole numbers": (SHARES, (SHARES * 255).astype(np.uint8)),
}
ALIKE = {
    "the same": (SHARES, SHARES),
    "other samples": (SHARES, SHARES[::-1] * 0.9),
    "a small sample": (SHARES, SHARES[:1] * 0.3),
    "a little more": (SHARES, SHARES * 1.4),
    "signed both": (SIGNED, SIGNED * 1.2),
    "black and white": (SHARES, SHARES > 0.5),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_data_scaled_otherwise_are_told_at_every_call(graph, case, caplog):
    calibration, x = UNLIKE[case]
    network = stb.convert(graph, calibration)
    for call in (network.run, network.classify, lambda x, **k: stb.simulate(network, x, **k)):
        caplog.clear()
        call(x, duration=4)
        assert caplog.text.count("scaled in the same way") == 1


@pytest.mark.parametrize("case", ALIKE)
def test_data_scaled_alike_are_not(graph, case, caplog):
    calibration, x = ALIKE[case]
    stb.convert(graph, calibration).run(x, duration=4)
    assert "scaled" not in caplog.text


def test_a_saved_network_knows_its_calibration(graph, tmp_path, caplog):
    network = stb.convert(graph, SHARES)
    loaded = stb.load_network(stb.save(network, tmp_path / "net"))
    assert loaded.calibrated == network.calibrated == {"input": range_of(SHARES)}
    loaded.run(SHARES * 255, duration=4)
    assert "goes from" in caplog.text


def test_without_calibration_data_the_named_range_counts(graph, caplog):
    network = stb.convert(graph, input_range=(0.0, 1.0))
    network.run(SHARES / 10, duration=4)
    assert "scaled" not in caplog.text
    network.run(SHARES * 255, duration=4)
    assert "scaled" in caplog.text


def test_an_input_of_several_is_named(caplog):
    class Sum(nn.Module):
        def forward(self, a, b):
            return torch.relu(a + b)

    network = stb.convert(stb.load(Sum(), input_shape=((5,), (5,))), [SHARES, SHARES])
    network.run([SHARES, SHARES * 255], duration=4)
    assert caplog.text.count("scaled in the same way") == 1
    assert "b: the input" in caplog.text


@pytest.mark.parametrize("bad", [(1.0, 0.0, 3), (np.nan, 1.0, 3), (0.0, 1.0, -1), ("a", "b", 1)])
def test_what_is_no_range_is_refused(bad):
    with pytest.raises(stb.SNNToolboxError):
        DataRange(*bad)


def test_comparisons_and_diagnoses_tell_as_well(graph, caplog):
    network = stb.convert(graph, SHARES, duration=8)
    stb.compare(network, SHARES[:4] * 255, simulators=("INI", Other()), duration=4)
    assert caplog.text.count("scaled in the same way") == 1
    stb.diagnose(graph, SHARES, SHARES[:8] * 255, duration=8, seconds=0)
    assert caplog.text.count("scaled in the same way") == 2


class Other(type(backend_named("INI"))):
    """The built-in simulator under another name."""

    name = "other"
