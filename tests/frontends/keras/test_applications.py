"""Architectures of keras.applications that gate their channels, with random weights."""

import keras
import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.engine.executor import Executor


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
@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0", "EfficientNetV2B0"])
def test_what_is_read_is_the_original(name):
    model = trained(name)
    x = np.random.default_rng(1).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    assert np.abs(Executor(stb.load(model)).run(x) - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.long
@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0"])
def test_in_windows_of_digits_it_is_nearly_the_original(name):
    """Gates are products of counts, and swish, sigmoid and hard swish tables."""
    model = trained(name)
    x = np.random.default_rng(1).uniform(0, 255, (16, 32, 32, 3)).astype(np.float32)
    network = stb.convert(stb.load(model), x[2:], schedule="radix", T=6, readout_correction=0)
    assert network.circuit.latched
    assert sum(p.neuron.table is not None for p in network.populations.values()) > 30
    output, expected = stb.simulate(network, x[:2], T=6).output, Executor(network.original).run(x[:2])
    assert np.sqrt(np.mean((output - expected) ** 2)) < 0.05 * expected.std()
