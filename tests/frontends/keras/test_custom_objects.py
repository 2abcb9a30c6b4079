"""Custom objects: a table says what they are, in files of any kind and in any place; nothing of them is run."""

import json

import numpy as np
import pytest

from snntoolbox.errors import FrontendError, UnsupportedError
from snntoolbox.frontends.keras.custom_objects import read_table
from snntoolbox.frontends.keras.frontend import KerasFrontend
from snntoolbox.frontends.keras.runtime import import_keras

keras = import_keras()
X = np.random.default_rng(0).normal(size=(20, 6, 6, 2)).astype(np.float32)
TABLE = {
    "Bounded": {"max_value": 0.5, "negative_slope": 0.0},
    "Filters": "Conv2D",
    "swish_of_mine": "silu",
    "Rectified": {"class_name": "ReLU", "config": {"max_value": 2.0}},
}


class Bounded(keras.layers.ReLU):
    """What the toolbox calls a LimitedReLU."""


class Rectified(keras.layers.ReLU):
    """A rectifier that another layer has as its activation."""


class Filters(keras.layers.Conv2D):
    """A layer with weights."""


def swish_of_mine(x):
    """An activation."""
    return x * keras.ops.sigmoid(x)


def model():
    keras.utils.set_random_seed(0)
    inner = keras.Sequential([keras.layers.Input((4, 4, 3)), Bounded(0.5), keras.layers.Flatten()], name="inner")
    return keras.Sequential(
        [
            keras.layers.Input((6, 6, 2)), Filters(3, 3), inner, keras.layers.Dense(4, activation=swish_of_mine),
            keras.layers.Dense(4, activation=Rectified(2.0)), keras.layers.Dense(3),
        ]
    )  # fmt: skip


@pytest.fixture
def table(tmp_path):
    def write(rows, name="objects.json"):
        path = tmp_path / name
        path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
        return path

    return write


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("package", [None, "Mine"])
def test_the_model_as_it_was(tmp_path, table, suffix, package, caplog):
    """Registered in a package or not; Keras' own model is the oracle."""
    if package:
        for thing in (Bounded, Rectified, Filters, swish_of_mine):
            keras.saving.register_keras_serializable(package)(thing)
    original, path = model(), tmp_path / f"net.{suffix}"
    original.save(path)
    expected = keras.ops.convert_to_numpy(original(X))
    with pytest.raises(UnsupportedError, match="filepath_custom_objects"):
        KerasFrontend().open(path)
    frontend = KerasFrontend().with_custom_objects(table(TABLE))
    opened = frontend.open(path)
    graph = frontend.parse(opened)
    np.testing.assert_allclose(graph.run(X), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(frontend.predict(opened, X)[0], expected, rtol=1e-4, atol=1e-5)
    assert "nothing is put in the place" not in caplog.text


def test_a_name_that_is_nowhere_is_told(tmp_path, table, caplog):
    path = tmp_path / "net.keras"
    keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)]).save(path)
    KerasFrontend().with_custom_objects(table({"Other": "ReLU"})).open(path)
    assert "net.keras has no Other" in caplog.text


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"A": "Conv2d"}, "A: 'Conv2d' is no layer or activation that is supported; did you mean Conv2D"),
        ({"A": 3}, "A: it is neither a name nor a layer with its config"),
        ({"A": {"class_name": "ReLU", "config": 6}}, "A: it is neither"),
        ([], "holds no table of custom objects"),
        ("{", "cannot be read as a table"),
    ],
)
def test_what_is_no_table(table, rows, words):
    with pytest.raises(FrontendError, match=words):
        read_table(table(rows))


def test_code_is_not_run(table, tmp_path):
    with pytest.raises(FrontendError, match=r"objects\.py is code, which is not run"):
        read_table(table("raise SystemExit", "objects.py"))
    with pytest.raises(FrontendError, match="does not exist"):
        read_table(tmp_path / "nothing.json")
