"""Architectures of keras.applications that gate or normalise their channels, with random weights."""

import keras
import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.quantized import QuantizedRun


def trained(name):
    """A model with random weights, as if it were trained: a fresh normalisation does nothing."""
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3), classes=10)
    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.path.endswith(("moving_mean", "beta")):
            weight.assign(random.normal(0, 0.1, weight.shape))
        if weight.path.endswith(("moving_variance", "gamma")):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return model


@pytest.mark.long
@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny"])
def test_what_is_read_is_the_original(name):
    model = trained(name)
    x = np.random.default_rng(1).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    assert np.abs(Executor(stb.load(model)).run(x) - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.long
@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0"])
def test_in_windows_it_is_its_quantised_network(name):
    """Gates are products of counts, and swish, sigmoid and hard swish tables; with spikes and without time."""
    x = np.random.default_rng(1).uniform(0, 255, (8, 32, 32, 3)).astype(np.float32)
    network = stb.convert(stb.load(trained(name)), x, schedule="radix", T=6, layer_correction="none")
    assert network.circuit.latched
    assert sum(p.neuron.table is not None for p in network.populations.values()) > 30
    result, run = stb.simulate(network, x[:2], T=6, dtype="float64"), QuantizedRun(network)
    unequal = sum(np.count_nonzero(result.counts[n] != counts) for n, counts in run.counts([x[:2]]).items())
    assert unequal < 0.001 * 2 * network.neurons  # sums that tie with a level
    np.testing.assert_allclose(result.output, run.outputs([x[:2]])[0], atol=0.01 * np.abs(result.output).max())
