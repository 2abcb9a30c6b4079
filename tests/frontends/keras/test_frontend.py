"""Opening models: files, live models, input shapes; and that Keras is imported only when needed."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers as L  # noqa: N812

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.keras import KerasFrontend

FRONTEND = KerasFrontend()


def small():
    x = keras.Input((8, 8, 1), name="image")
    y = L.Conv2D(3, 3, activation="relu", name="conv")(x)
    y = L.Flatten()(L.BatchNormalization()(y))
    return keras.Model(x, L.Dense(4, activation="softmax", name="out")(keras.ops.relu(y * 2.0 - 0.5)), name="small")


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_round_trip(tmp_path, suffix):
    model = small()
    if suffix != ".keras":  # the old format has no place for operations
        model = keras.Sequential([keras.Input((8, 8, 1)), L.Conv2D(3, 3, name="conv"), L.ReLU(), L.Flatten()])
    path = tmp_path / f"model{suffix}"
    model.save(path)
    x = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype("float32")
    opened = FRONTEND.open(path)
    (expected,) = FRONTEND.predict(opened, x)
    graph = FRONTEND.parse(opened)
    assert np.abs(graph.run(x) - expected).max() <= 1e-5 * np.abs(expected).max()
    assert np.allclose(expected, FRONTEND.predict(FRONTEND.open(model), x)[0], atol=1e-6)


def test_importing_the_frontend_does_not_import_keras():
    code = (
        "import sys, snntoolbox.frontends.keras as k; k.KerasFrontend().accepts(3)\n"
        "assert not {'keras', 'torch', 'h5py'} & set(sys.modules), 'imported too early'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- live models ----------------------------------------------------------------------------------------------------


def test_accepts():
    assert FRONTEND.accepts(keras.Sequential([keras.Input((3,)), L.Dense(2)]))
    assert not any(map(FRONTEND.accepts, (3, "model.keras", L.Dense(2), object())))


def test_unbuilt_sequential_needs_a_shape():
    def make():
        return keras.Sequential([L.Conv2D(2, 3), L.Flatten(), L.Dense(3)])

    with pytest.raises(FrontendError, match="input_shape"):
        FRONTEND.open(make())
    graph = FRONTEND.parse(FRONTEND.open(make(), input_shape=(6, 6, 1)))
    assert [graph.shapes[o] for o in graph.outputs] == [(3,)]
    with pytest.raises(FrontendError, match="cannot be built"):
        FRONTEND.open(make(), input_shape=(2, 2, 1))


def test_unknown_sizes_need_a_shape():
    x = keras.Input((None, None, 3), name="x")
    model = keras.Model(x, L.GlobalAveragePooling2D()(L.UpSampling2D()(L.Conv2D(4, 3, padding="same")(x))))
    with pytest.raises(FrontendError, match="unknown sizes"):
        FRONTEND.open(model)
    opened = FRONTEND.open(model, input_shape=(5, 6, 3))
    data = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype("float32")
    assert np.allclose(FRONTEND.parse(opened).run(data), FRONTEND.predict(opened, data)[0], atol=1e-5)


def test_shape_that_does_not_fit():
    with pytest.raises(FrontendError, match=r"\(8, 8, 1\), not \(9, 9, 1\)"):
        FRONTEND.open(small(), input_shape=(9, 9, 1))


def test_subclassed_models_are_told_what_to_do():
    class Plain(keras.Model):
        def call(self, x):
            return x

    class Changed(keras.Model):  # functional by construction, but its call is the user's
        def __init__(self):
            x = keras.Input((3,))
            super().__init__(x, L.Dense(2)(x))

        def call(self, x):
            return super().call(x) * 2

    for model in (Plain(), Changed()):
        with pytest.raises(FrontendError, match="subclassed"):
            FRONTEND.open(model)


def test_not_a_model():
    with pytest.raises(FrontendError, match="not a Keras model"):
        FRONTEND.open(L.Dense(3))
