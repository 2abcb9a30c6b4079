"""Keras files that are not what they should be: each is refused with its name and the reason."""

import pickle
import zipfile

import h5py
import keras
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


def _zip_without_model(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


def _zip_with_bad_json(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{" * 10)


def _zip_with_deep_json(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "[" * 100_000)


def _zip_with_other_json(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '["a"]')


def _h5_with_other_data(path):
    with h5py.File(path, "w") as file:
        file["x"] = [1, 2]


def _cut(suffix):
    def write(path):
        whole = path.with_name(f"whole{suffix}")
        keras.Sequential([keras.Input((20,)), L.Dense(50)]).save(whole)
        content = whole.read_bytes()
        path.write_bytes(content[: len(content) // 2])

    return write


BAD = {
    "missing.keras": (None, "cannot read"),
    "missing.h5": (None, "cannot read"),
    "empty.keras": (lambda p: p.write_bytes(b""), "is empty"),
    "empty.h5": (lambda p: p.write_bytes(b""), "is empty"),
    "text.h5": (lambda p: p.write_text("hello, world"), "not a Keras file"),
    "garbage.keras": (lambda p: p.write_bytes(bytes(range(256)) * 9), "not a Keras file"),
    "pickle.h5": (lambda p: p.write_bytes(pickle.dumps({"a": 1})), "pickle"),
    "pickle.keras": (lambda p: p.write_bytes(pickle.dumps([1, 2])), "pickle"),
    "config.json": (lambda p: p.write_text("hello"), "not a Keras file"),
    "alone.json": (lambda p: p.write_text('{"class_name": "Sequential", "config": []}'), "without weights"),
    "folder.keras": (lambda p: p.mkdir(), "is a folder"),
    "other.keras": (_zip_without_model, "without a Keras model"),
    "json.keras": (_zip_with_bad_json, "damaged"),
    "deep.keras": (_zip_with_deep_json, "damaged"),
    "list.keras": (_zip_with_other_json, "does not describe"),
    "data.h5": (_h5_with_other_data, "no architecture"),
    "cut.keras": (_cut(".keras"), "damaged or cut short"),
    "cut.h5": (_cut(".h5"), "damaged or cut short"),
    "model.weights.h5": (lambda p: small().save_weights(p), "weights only"),
    "zip.h5": (lambda p: (small().save(p.with_suffix(".keras")), p.with_suffix(".keras").rename(p)), "rename it"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file(tmp_path, name):
    write, message = BAD[name]
    path = tmp_path / name
    if write:
        write(path)
    with pytest.raises(FrontendError, match=message) as caught:
        FRONTEND.open(path)
    assert name in str(caught.value)
