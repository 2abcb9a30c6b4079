"""What we read from a file without Keras is what Keras reads: every case of the catalogue, saved in both formats."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers as L  # noqa: N812

from snntoolbox.errors import NoReferenceError
from snntoolbox.frontends.keras import KerasFrontend
from snntoolbox.frontends.keras.reading import ReadModel

FRONTEND = KerasFrontend()


def _catalogue():
    """The cases of ``test_handlers.py``, loaded by path: test modules are no package."""
    spec = importlib.util.spec_from_file_location("keras_catalogue", Path(__file__).with_name("test_handlers.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CATALOGUE = _catalogue()


@pytest.fixture
def refusing_keras(monkeypatch):
    """A Keras that loads no file, as today's does with old ones."""

    def refuse(*args, **kwargs):
        raise ValueError("it is too old")

    monkeypatch.setattr(keras.saving, "load_model", refuse)


def _same(path, model, *, reference=True):
    """The graph read by us, and the model made anew from it, compute what the saved model does."""
    opened = FRONTEND.open(path)
    assert isinstance(opened, ReadModel)
    live = FRONTEND.open(model)
    x = [np.random.default_rng(0).normal(size=(2, *s)).astype("float32") for s in live.shapes]
    wanted = FRONTEND.predict(live, *x)
    graph = FRONTEND.parse(opened)
    values = graph.values(*(a.astype(np.float64) for a in x))
    found = [[values[o] for o in graph.outputs]]
    if reference:
        found.append(FRONTEND.predict(opened, *x))
    for outputs in found:
        for ours, theirs in zip(outputs, wanted, strict=True):
            assert ours.shape == theirs.shape
            assert np.abs(ours - theirs).max() <= 1e-5 * max(1e-3, np.abs(theirs).max())


# A catalogue of kernel sizes and strides says nothing about files: of each group the first few.
THINNED = ("conv2d_valid", "conv2d_same", "AveragePooling2D_", "MaxPooling2D_", "transposed2d_valid", "transposed2d_same")
SINGLE = [c for c in CATALOGUE.SINGLE if not c.startswith(THINNED)] + ["conv2d_same_k3_s2_n8", "transposed2d_same_k3_s2"]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("case", SINGLE)
def test_layer(tmp_path, refusing_keras, case, suffix):
    if suffix == ".h5" and case in ("dense_elu_layer", "dense_leaky_layer", "dense_activation_layer", "activation_layer"):
        pytest.skip("the format has no place for a layer as activation")
    shape, make = CATALOGUE.SINGLE[case]
    model = CATALOGUE.randomise(CATALOGUE.seq(shape, make()))
    path = tmp_path / f"m{suffix}"
    model.save(path)
    _same(path, model)


@pytest.mark.parametrize("case", CATALOGUE.COMBINED)
def test_combination(tmp_path, refusing_keras, case):
    shapes, build = CATALOGUE.COMBINED[case]
    model = CATALOGUE.randomise(CATALOGUE._functional(*shapes)(build))
    model.save(tmp_path / "m.keras")
    _same(tmp_path / "m.keras", model)


@pytest.mark.parametrize("case", ["residual", "dense_block", "shared_layer", "nested", "two_outputs", "pool_then_norm"])
def test_combination_in_h5(tmp_path, refusing_keras, case):
    shapes, build = CATALOGUE.COMBINED[case]
    model = CATALOGUE.randomise(CATALOGUE._functional(*shapes)(build))
    model.save(tmp_path / "m.h5")
    _same(tmp_path / "m.h5", model)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_nested_models_with_frozen_layers(tmp_path, refusing_keras, suffix):
    parts = [L.Conv2D(3, 3, name="a"), L.BatchNormalization(name="b", trainable=False), L.Conv2D(2, 2, name="c")]
    parts[0].trainable = False
    inner = keras.Sequential([keras.Input((6, 6, 2)), *parts, L.BatchNormalization(name="d")], name="inner")
    outer = keras.Sequential([keras.Input((6, 6, 2)), inner, L.Flatten(), L.Dense(3)])
    CATALOGUE.randomise(outer)
    outer.save(tmp_path / f"m{suffix}")
    _same(tmp_path / f"m{suffix}", outer)


@pytest.mark.parametrize(
    ("architecture", "weights"), [("m.json", "m.h5"), ("m.json", "m_weights.h5"), ("m.json", "m.weights.h5")]
)
@pytest.mark.parametrize("given", [0, 1])
def test_architecture_beside_weights(tmp_path, architecture, weights, given):
    model = CATALOGUE.randomise(keras.Sequential([keras.Input((6,)), L.Dense(5, activation="relu"), L.Dense(3)]))
    (tmp_path / architecture).write_text(model.to_json())
    if weights == "m.weights.h5":
        if given:
            pytest.skip("such a file is weights of Keras 3, which are given with their architecture")
        model.save_weights(tmp_path / weights)
    else:
        model.save(tmp_path / weights)
        import h5py

        with h5py.File(tmp_path / weights, "a") as file:
            del file.attrs["model_config"]
    _same(tmp_path / (architecture, weights)[given], model)


def test_weights_beside_the_architecture_are_missing(tmp_path, refusing_keras):
    model = keras.Sequential([keras.Input((6,)), L.Dense(5)])
    model.save(tmp_path / "m.keras")
    opened = FRONTEND.open(tmp_path / "m.keras")
    object.__setattr__(opened.net, "calls", tuple(opened.net.calls[:0]))
    with pytest.raises(NoReferenceError, match=r"Keras .* cannot run"):
        FRONTEND.predict(opened, np.zeros((2, 6), "float32"))
