"""What we read from a file without Keras is what Keras reads: every case of the catalogue, saved in both formats."""

import h5py
import keras
import keras_catalogue as catalogue
import numpy as np
import pytest
from keras import layers as L  # noqa: N812

import snntoolbox
from snntoolbox.errors import NoReferenceError, UnsupportedError
from snntoolbox.frontends.keras import KerasFrontend
from snntoolbox.frontends.keras.open_file import FileModel
from snntoolbox.frontends.keras.runtime import APPLICATIONS
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.stories.run import run

FRONTEND = KerasFrontend()


@pytest.fixture
def refusing_keras(monkeypatch):
    """A Keras that loads no file, as today's does with old ones."""

    def refuse(*args, **kwargs):
        raise ValueError("it is too old")

    monkeypatch.setattr(keras.saving, "load_model", refuse)


def _same(path, model, *, reference=True):
    """The graph read by us, and the model made anew from it, compute what the saved model does."""
    opened = FRONTEND.open(path)
    assert isinstance(opened, FileModel)
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


def _one_of_each():
    """The first case of each class of layer, in the format of today, and in the older one where it has weights."""
    seen = {}
    for case, (shape, make) in catalogue.SINGLE.items():
        seen.setdefault(type(make()), (case, shape, make))
    cases = [(case, ".keras") for case, _, _ in seen.values()]
    older = [v for kind, v in seen.items() if kind.__name__ not in APPLICATIONS]
    return cases + [(c, ".h5") for c, shape, make in older if catalogue.seq(shape, make()).weights]


@pytest.mark.parametrize(("case", "suffix"), [*_one_of_each(), ("dense_elu_layer", ".keras"), ("dense_gelu", ".h5")])
def test_layer(tmp_path, refusing_keras, case, suffix):
    shape, make = catalogue.SINGLE[case]
    model = catalogue.randomise(catalogue.seq(shape, make()))
    path = tmp_path / f"m{suffix}"
    model.save(path)
    _same(path, model)


@pytest.mark.parametrize("case", catalogue.COMBINED)
def test_combination(tmp_path, refusing_keras, case):
    shapes, build = catalogue.COMBINED[case]
    model = catalogue.randomise(catalogue.functional(*shapes)(build))
    model.save(tmp_path / "m.keras")
    _same(tmp_path / "m.keras", model)


@pytest.mark.parametrize("case", ["residual", "dense_block", "shared_layer", "nested", "two_outputs", "pool_then_norm"])
def test_combination_in_h5(tmp_path, refusing_keras, case):
    shapes, build = catalogue.COMBINED[case]
    model = catalogue.randomise(catalogue.functional(*shapes)(build))
    model.save(tmp_path / "m.h5")
    _same(tmp_path / "m.h5", model)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_nested_models_with_frozen_layers(tmp_path, refusing_keras, suffix):
    parts = [L.Conv2D(3, 3, name="a"), L.BatchNormalization(name="b", trainable=False), L.Conv2D(2, 2, name="c")]
    parts[0].trainable = False
    inner = keras.Sequential([keras.Input((6, 6, 2)), *parts, L.BatchNormalization(name="d")], name="inner")
    outer = keras.Sequential([keras.Input((6, 6, 2)), inner, L.Flatten(), L.Dense(3)])
    catalogue.randomise(outer)
    outer.save(tmp_path / f"m{suffix}")
    _same(tmp_path / f"m{suffix}", outer)


@pytest.mark.parametrize(
    ("weights", "opened"),
    [
        *(("m.h5", "m.json"), ("m.h5", "m.h5")),
        *(("m_weights.h5", "m.json"), ("m_weights.h5", "m_weights.h5")),
        ("m.weights.h5", "m.json"),
    ],
)
def test_architecture_beside_weights(tmp_path, weights, opened):
    model = catalogue.randomise(keras.Sequential([keras.Input((6,)), L.Dense(5, activation="relu"), L.Dense(3)]))
    (tmp_path / "m.json").write_text(model.to_json())
    if weights == "m.weights.h5":
        model.save_weights(tmp_path / weights)
    else:
        model.save(tmp_path / weights)
        with h5py.File(tmp_path / weights, "a") as file:
            del file.attrs["model_config"]
    _same(tmp_path / opened, model)


def test_predicting_what_keras_cannot_run(tmp_path, refusing_keras, monkeypatch):
    model = keras.Sequential([keras.Input((6,)), L.Dense(5)])
    model.save(tmp_path / "m.keras")
    opened = FRONTEND.open(tmp_path / "m.keras")
    monkeypatch.setattr(keras.layers, "Dense", None)
    with pytest.raises(NoReferenceError, match=r"Keras .* cannot run"):
        FRONTEND.predict(opened, np.zeros((2, 6), "float32"))


def test_loading_what_keras_cannot_run_warns(tmp_path, refusing_keras, monkeypatch, caplog):
    model = keras.Sequential([keras.Input((6,)), L.Dense(5)])
    model.save(tmp_path / "m.keras")
    x = np.ones((2, 6), "float32")
    wanted = np.asarray(keras.ops.convert_to_numpy(model(x)))
    monkeypatch.setattr("snntoolbox.frontends.keras.open_file.rebuilt", _cannot)
    graph = snntoolbox.load(tmp_path / "m.keras")
    assert "Keras is too young: parsing was checked for shapes and weights only" in caplog.text
    assert np.allclose(graph.run(x), wanted, atol=1e-6)


def test_a_run_without_reference_says_so(tmp_path, refusing_keras, monkeypatch):
    model = catalogue.randomise(keras.Sequential([keras.Input((6,)), L.Dense(5, activation="relu"), L.Dense(3)]))
    model.save(tmp_path / "m.keras")
    monkeypatch.setattr("snntoolbox.frontends.keras.open_file.rebuilt", _cannot)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x_test.npz", rng.random((8, 6), dtype="float32"))
    np.savez(tmp_path / "x_norm.npz", rng.random((8, 6), dtype="float32"))
    np.savez(tmp_path / "y_test.npz", rng.integers(0, 3, 8))
    lines = ("[paths]", f"path_wd = {tmp_path}", f"dataset_path = {tmp_path}", "filename_ann = m")
    lines += ("[simulation]", "duration = 4", "num_to_test = 8", "[tools]", "evaluate_ann = True")
    (tmp_path / "config.ini").write_text("\n".join(lines))
    report = run(load_config(tmp_path / "config.ini")).report
    assert report["ann_accuracy"] is None
    assert report["parsed_accuracy"] is not None
    assert any("shapes and weights only" in warning for warning in report["warnings"])


def _cannot(keras, net):
    raise NoReferenceError("Keras is too young")


def test_h5_does_not_say_whose_layer_it_is(tmp_path):
    shape, make = catalogue.SINGLE["layer_scale"]
    catalogue.seq(shape, make()).save(tmp_path / "m.h5")
    with pytest.raises(UnsupportedError, match="'LayerScale' is not part of Keras"):
        FRONTEND.open(tmp_path / "m.h5")
