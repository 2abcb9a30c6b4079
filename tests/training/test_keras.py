"""QCFS in Keras: its values, its gradients, files there and back, and that the frontend reads it."""

import json
import zipfile

import numpy as np
import pytest

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")

import snntoolbox as stb  # noqa: E402
from snntoolbox.errors import ConversionError, UnsupportedError  # noqa: E402
from snntoolbox.ir.nodes import ReLU  # noqa: E402
from snntoolbox.training.keras import QCFS  # noqa: E402
from snntoolbox.training.pytorch import QCFS as TorchQCFS  # noqa: E402, N811


def test_it_is_that_of_pytorch_in_values_and_gradients():
    if keras.backend.backend() != "torch":
        pytest.skip("gradients are taken with torch")
    random = np.random.default_rng(0)
    x, gradient = (torch.tensor(random.normal(size=(50, 3)), dtype=torch.float32) for _ in range(2))
    layers = QCFS(4, 0.8, per_channel=True), TorchQCFS(4, 0.8, channels=3)
    layers[0].build((None, 3))
    found = []
    for layer, threshold in zip(layers, (layers[0].threshold.value, layers[1].threshold), strict=True):
        given = x.clone().requires_grad_()
        y = layer(given)
        y.backward(gradient)
        found.append([v.detach().numpy() for v in (y, given.grad, threshold.grad)])
    np.testing.assert_array_equal(found[0][0], found[1][0])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("levels", [0, -1, 2.5, 4.0, "4", True, None], ids=repr)
def test_levels_are_a_whole_number(levels):
    with pytest.raises(ConversionError, match="integer >= 1") as caught:
        QCFS(levels)
    assert repr(levels) in str(caught.value)


@pytest.mark.parametrize("levels", [0, 2.5, True], ids=repr)
def test_levels_that_were_set_later_are_refused_by_the_frontend(levels):
    model = net()
    model.get_layer("first").levels = levels
    with pytest.raises(UnsupportedError, match=rf"first.*levels = {levels}"):
        stb.load(model)


def net(per_channel=False):
    keras.utils.set_random_seed(0)
    parts = [keras.layers.Conv2D(3, 3), keras.layers.BatchNormalization(), QCFS(4, 0.5, per_channel, name="first")]
    inner = keras.Sequential([keras.Input((48,)), keras.layers.Dense(6), QCFS(8, 0.5, name="second")], name="inner")
    model = keras.Sequential([keras.Input((6, 6, 2)), *parts, keras.layers.Flatten(), inner, keras.layers.Dense(2)])
    threshold = parts[2].threshold
    threshold.assign(np.linspace(0.3, 0.9, 3) if per_channel else 0.7)
    return model


@pytest.mark.parametrize("suffix", [None, "keras", "h5"])
@pytest.mark.parametrize("per_channel", [False, True], ids=["one", "each"])
def test_the_frontend_reads_models_and_files(tmp_path, suffix, per_channel):
    model = net(per_channel)
    if suffix:
        model.save(tmp_path / f"net.{suffix}")
    graph = stb.load(tmp_path / f"net.{suffix}" if suffix else model)
    first, second = (n for n in graph.nodes.values() if isinstance(n, ReLU))
    np.testing.assert_allclose(np.ravel(first.max_value), np.linspace(0.3, 0.9, 3) if per_channel else 0.7, rtol=1e-6)
    assert (first.levels, second.levels, second.max_value) == (4, 8, 0.5)
    assert (first.name, str(second.origin)) == ("first", "inner/second (keras snntoolbox>QCFS)")


def test_our_own_reader_reads_it_without_keras(tmp_path):
    """Where Keras would not load the file, the layer is made anew from its config and weights."""
    from snntoolbox.frontends.keras import open_file

    net().save(tmp_path / "net.keras")
    saved = open_file.read_saved(tmp_path / "net.keras")
    model = open_file.FileModel(open_file._checked_net(keras, saved, None, []))
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 2)).astype(np.float32)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model.model(x)), keras.ops.convert_to_numpy(net()(x)), atol=1e-6
    )


def test_another_layer_of_this_name_is_foreign(tmp_path):
    net().save(tmp_path / "net.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    next(e for e in config["config"]["layers"] if e["class_name"] == "QCFS")["module"] = "theirs"
    files["config.json"] = json.dumps(config)
    with zipfile.ZipFile(tmp_path / "theirs.keras", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(UnsupportedError, match=r"'theirs.QCFS' is not part of Keras"):
        stb.load(tmp_path / "theirs.keras")


def test_hostile_settings_are_refused(tmp_path):
    net().save(tmp_path / "net.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    for levels in (0, -3, 1.5, 4.0, "4", True, None):
        config = json.loads(files["config.json"])
        next(e for e in config["config"]["layers"] if e["class_name"] == "QCFS")["config"]["levels"] = levels
        with zipfile.ZipFile(tmp_path / "hostile.keras", "w") as archive:
            for name, content in {**files, "config.json": json.dumps(config)}.items():
                archive.writestr(name, content)
        with pytest.raises(UnsupportedError, match=f"levels = {levels!r}, which is no integer"):
            stb.load(tmp_path / "hostile.keras")
