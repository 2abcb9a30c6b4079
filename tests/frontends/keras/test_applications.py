"""Architectures of keras.applications that gate their channels, with random weights."""

import keras
import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.engine.executor import Executor


@pytest.mark.long
@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0", "EfficientNetV2B0"])
def test_what_is_read_is_the_original(name):
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3), classes=10)
    random = np.random.default_rng(0)
    for weight in model.weights:  # as if it were trained: a fresh normalisation does nothing
        if weight.path.endswith(("moving_mean", "beta")):
            weight.assign(random.normal(0, 0.1, weight.shape))
        if weight.path.endswith(("moving_variance", "gamma")):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    x = random.uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    assert np.abs(Executor(stb.load(model)).run(x) - expected).max() < 1e-5 * np.abs(expected).max()
