"""Shorter steps: the same neurons, solved more finely."""

import itertools

import numpy as np
import pytest
import torch

import snntoolbox as stb
from snntoolbox.errors import ConversionError
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.special_parts import special_parts

X = np.random.default_rng(0).random((40, 12)).astype(np.float32)
SECTIONS = {
    "plain": {},
    "nothing corrected": {"layer_correction": "none", "readout_correction": 0},
    "integer grid": {"weight_bits": 8},
    "spikes counted": {"readout": "spikes"},
    "largest values": {"threshold_rule": "max", "headroom": 0.5},
}
DURATION = 32


def model(last=torch.nn.ReLU()):  # noqa: B008 - without state
    torch.manual_seed(0)
    layers = [torch.nn.Linear(12, 16), torch.nn.ReLU6(), torch.nn.Linear(16, 16), last, torch.nn.Linear(16, 4)]
    net = torch.nn.Sequential(*layers).eval()
    for parameter in net.parameters():
        parameter.data *= 4
    return net


def converted(dt, **choices):
    return stb.convert(model(), X, duration=DURATION, dt=dt, input_shape=(12,), **choices)


def figures(dt, **choices):
    """Spikes of all samples, and the error of the read-out as a share of its values."""
    result = stb.simulate(converted(dt, **choices), X, duration=DURATION)
    (output,) = result.outputs.values()
    expected = model()(torch.tensor(X)).detach().numpy()
    if choices.get("readout") == "spikes":
        expected = np.maximum(expected, 0)
    return sum(c.sum() for c in result.counts.values()), np.sqrt(np.mean((output - expected) ** 2)) / expected.std()


@pytest.mark.parametrize("choices", SECTIONS.values(), ids=SECTIONS)
@pytest.mark.one_in(2)
def test_the_same_duration_has_as_many_spikes_and_the_same_accuracy(choices):
    spikes, error = figures(1.0, **choices)
    for dt in (0.5,) if "weight_bits" in choices else (0.5, 0.125):  # currents are rounded once a step
        finer = figures(dt, **choices)
        assert finer[0] == pytest.approx(spikes, rel=0.06)
        assert finer[1] < 1.7 * error + 0.005


def test_poisson_input_of_one_rate_in_hz():
    coding = {dt: stb.Poisson(amplitude=1 / (0.5 * dt)) for dt in (1.0, 0.25)}
    (spikes, _), (finer, _) = (figures(dt, encoding=coding[dt]) for dt in coding)
    assert finer == pytest.approx(spikes, rel=0.2)


def online(dt):
    config = {"paths": {"filename_ann": "net"}, "normalization": {"online_normalization": "True"}}
    settings = load_config({**config, "simulation": {"dt": str(dt), "duration": str(DURATION)}})
    return stb.IF(special=special_parts(settings), initial=0.25)


def test_thresholds_that_follow_the_rates_follow_those_per_ms():
    """So the spikes stay about as many; rates per step would fall with dt, and the thresholds with them."""
    choices = {"layer_correction": "none", "readout_correction": 0, "threshold_rule": "max"}
    spikes = []
    for dt in (1.0, 0.5, 0.125):
        result = stb.simulate(converted(dt, neuron=online(dt), **choices), X, duration=DURATION)
        spikes.append(sum(events.sum() for events in result.events.values()))
    assert spikes == pytest.approx([spikes[0]] * 3, rel=0.15)
    with pytest.raises(ConversionError, match=r"follow the rates have per_step = 1, which dt = 0.5 makes 0.5"):
        converted(0.5, neuron=online(1.0))


@pytest.mark.parametrize("tau", [2.0, 4.0])
@pytest.mark.one_in(2)
def test_refractory_periods_last_as_long(tau):
    counts = []
    for dt in (1.0, 0.5, 0.125):
        neuron = stb.IF(initial=0.5, refractory=round(tau / dt) - 1)
        result = stb.simulate(converted(dt, neuron=neuron), X, duration=DURATION)
        counts.append(sum(c.sum() for c in result.counts.values()))
    assert counts == pytest.approx([counts[0]] * 3, rel=0.15)


def test_leaks_take_as_much():
    """Of a potential that only a current moves, and that never fires, within the error of a step."""
    potentials = []
    for dt in (0.25, 0.125, 0.0625):
        network = converted(dt, neuron=stb.IF(leak=float(np.exp(-dt / 20))), layer_correction="none")
        first = next(iter(network.populations))
        quiet = network.with_neurons(threshold=1e6)
        result = stb.simulate(quiet, X[:2], duration=8, record=stb.Record(potentials=True))
        potentials.append(result.potentials[first][-1])
    largest = np.abs(potentials[-1]).max()
    steps = [np.abs(a - b).max() / largest for a, b in itertools.pairwise(potentials)]
    assert steps[1] < steps[0] < 0.02


def test_longer_steps_hold_one_spike_each():
    assert figures(2.0)[0] == pytest.approx(figures(1.0)[0] / 2, rel=0.06)


def test_a_bound_is_kept_where_neurons_may_fire_faster():
    network = converted(0.125)
    assert all(p.bound is None for p in network.populations.values())
    values = stb.simulate(network, 3 * X, duration=DURATION).outputs
    expected = model()(torch.tensor(3 * X)).detach().numpy()
    (output,) = values.values()
    assert np.sqrt(np.mean((output - expected) ** 2)) < 0.1 * expected.std()


def test_windows_consist_of_steps():
    """Those of other schedules: a step is a step, whatever its length."""
    one, half = (stb.convert(model(), X, T=8, dt=dt, schedule="phased", input_shape=(12,)) for dt in (1.0, 0.5))
    a, b = (stb.simulate(n, X, duration=8 * n.dt) for n in (one, half))
    assert {n: c.tolist() for n, c in a.counts.items()} == {n: c.tolist() for n, c in b.counts.items()}
