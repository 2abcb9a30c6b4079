"""Keras layers whose weights alone are integers: read as what these stand for; other quantisation is refused."""

import keras
import numpy as np
import pytest
from keras import layers

from snntoolbox.conversion.load import load
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.nodes import Dense

X = np.random.default_rng(0).random((5, 8), dtype=np.float32)


def quantised(bias=True, lora=False, **config):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(6, activation="relu", use_bias=bias), layers.Dense(2, name="last")]
    )
    if lora:
        model.layers[0].enable_lora(2)
    model.quantize(config=keras.quantizers.Int8QuantizationConfig(**config))
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.one_in(3)
@pytest.mark.parametrize("form", ["live", "keras", "h5"])
@pytest.mark.parametrize("bias", [True, False])
def test_integer_weights_are_what_they_stand_for(bias, form, tmp_path):
    model = quantised(bias, activation_quantizer=None)
    source = model if form == "live" else tmp_path / f"net.{form}"
    if form != "live":
        model.save(source)
    graph = load(source)
    assert np.abs(graph.run(X) - model.predict(X, verbose=0)).max() < 1e-6
    _, last = (n for n in graph.nodes.values() if isinstance(n, Dense))
    whole = last.weight * np.asarray(model.layers[1].kernel_scale)[:, None]
    assert np.abs(whole - np.rint(whole)).max() < 1e-4
    assert np.abs(whole).max() == pytest.approx(127)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("changed", [{}, {"lora": True, "activation_quantizer": None}])
def test_activations_that_are_rounded_by_sample_are_refused(changed):
    with pytest.raises(UnsupportedError, match=r"(?s)quantised arithmetic.*activation_quantizer=None") as error:
        load(quantised(**changed))
    assert error.value.offenders
