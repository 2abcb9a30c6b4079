"""The scale of least squared error: its sum against the plain formula, and cases whose best scale is known."""

import numpy as np
import pytest

from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.thresholds.mmse import MMSEThresholds, squared_errors
from snntoolbox.conversion.thresholds.rules import RuleSettings, rule_for
from snntoolbox.conversion.thresholds.thresholds import PercentileThresholds
from snntoolbox.errors import ConversionError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input, ReLU


def plain(values, weights, scale, steps, initial):
    """The equation as it stands."""
    spikes = np.clip(np.floor(steps * values / scale + initial), 0, steps)
    return np.sum(weights * (values - scale / steps * spikes) ** 2)


@pytest.mark.parametrize("steps", [1, 2, 7, 64])
@pytest.mark.parametrize("initial", [0.0, 0.5, 0.25])
def test_the_sum_is_that_of_the_equation(steps, initial):
    random = np.random.default_rng(0)
    values, weights = np.sort(random.exponential(size=50)), random.integers(1, 9, 50)
    scales = np.geomspace(0.02, 1, 40) * values[-1] * 0.9917
    found = squared_errors(values, weights, scales, steps, initial)
    np.testing.assert_allclose(found, [plain(values, weights, s, steps, initial) for s in scales], atol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 7, 20])
@pytest.mark.parametrize("refractory", [1, 2, 5])
@pytest.mark.parametrize("initial", [0.0, 0.5])
def test_refractory_neurons_send_what_the_sum_takes_them_to_send(steps, refractory, initial):
    random = np.random.default_rng(1)
    values, weights = np.sort(random.exponential(size=40)), random.integers(1, 9, 40)
    scales = np.geomspace(0.05, 4, 12) * values[-1] * 0.9917
    graph, _ = rectifiers(values[:, None])
    neuron = IF(initial=initial, refractory=refractory)
    errors = []
    for scale in scales:
        network = Convert(neuron=neuron)(graph, {"r": np.array([scale])})
        rates = interpret(network, values[:, None], steps=steps).rates("r")[:, 0]
        errors.append(np.sum(weights * (values - scale * rates) ** 2))
    sums = squared_errors(values, weights, scales, steps, initial, refractory)
    np.testing.assert_allclose(sums, errors, rtol=1e-9)


def test_refractory_neurons_get_higher_scales():
    """A rate bends the less the lower it is, so in many steps lower ones are better."""
    graph, x = rectifiers(np.linspace(0.01, 1, 200)[:, None])
    settings = [RuleSettings(steps=t, refractory=k) for k in (0, 2) for t in (8, 64)]
    plain_few, plain_many, few, many = (float(rule_for("mmse", s)(graph, x)["r"][0]) for s in settings)
    assert few > plain_few
    assert many > 1.5 * plain_many
    assert many > few


def rectifiers(values):
    """A graph that hands each sample's values through, one channel each, and the samples."""
    x = np.asarray(values, np.float32)
    n = x.shape[1]
    return Graph([Input(name="x", shape=(n,)), Dense(name="d", inputs=("x",), weight=np.eye(n)),
                  ReLU(name="r", inputs=("d",))], ["r"]), [x]  # fmt: skip


def test_one_step_takes_the_value_itself():
    """All activations are 0 or a: with one step the error is zero at s = a alone."""
    graph, x = rectifiers([[0.0, 0.0], [3.0, 0.25]] * 10)
    scales = MMSEThresholds(1)(graph, x)["r"]
    np.testing.assert_allclose(scales, [3.0, 0.25], rtol=1e-3)


def test_a_rare_outlier_is_cut_off_at_few_steps_and_kept_at_many():
    """999 values spread over (0, 1) and one of 10: with 4 steps 10 / 4 would round all of them to 0 or 2.5."""
    values = np.append(np.linspace(0.001, 1, 999), 10.0)[:, None]
    graph, x = rectifiers(values)
    few, many = (float(MMSEThresholds(t)(graph, x)["r"][0]) for t in (4, 256))
    weights, exact = np.ones(1000), values[:, 0]
    for steps, scale in ((4, few), (256, many)):
        grid = np.geomspace(0.3, 10, 400)
        least = min(plain(exact, weights, s, steps, 0.5) for s in grid)
        assert plain(exact, weights, scale, steps, 0.5) <= 1.05 * least
    assert few < 3
    assert many > 9


def test_per_layer_is_one_scale():
    graph, x = rectifiers([[0.0, 0.0], [3.0, 0.25]] * 10)
    assert MMSEThresholds(4, per_channel=False)(graph, x)["r"].shape == (1,)


def test_channels_that_never_fire_take_the_layers_scale():
    graph, x = rectifiers([[0.0, -1.0], [3.0, -2.0]] * 10)
    scales = MMSEThresholds(2)(graph, x)["r"]
    np.testing.assert_allclose(scales, 3.0, rtol=1e-3)


def test_auto_weighs_few_steps_and_takes_a_percentile_at_many():
    assert rule_for("auto", RuleSettings(steps=64)) == MMSEThresholds(64)
    assert rule_for("auto", RuleSettings(steps=65)) == PercentileThresholds(99.9)
    assert rule_for("auto", RuleSettings(steps=None)) == PercentileThresholds(99.9)
    assert rule_for("auto", RuleSettings(steps=8, percentile=99.0)) == PercentileThresholds(99.0)
    assert rule_for("max", RuleSettings(steps=4)) == PercentileThresholds(100.0)
    with pytest.raises(ConversionError, match="needs the number of steps"):
        rule_for("mmse", RuleSettings(steps=None))
