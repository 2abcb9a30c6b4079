"""Opening models: files of every state, live models, input shapes; and that Keras is imported only when needed."""

import json
import pickle
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers as L  # noqa: N812

from snntoolbox.errors import FrontendError, UnsupportedError
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


@pytest.mark.parametrize(("backend", "text"), [("tensorflow", "tensorflow"), ("nonsense", "nonsense")])
def test_backend_that_is_not_there(backend, text):
    pytest.importorskip("torch")
    code = (
        "import os, sys; os.environ['KERAS_BACKEND'] = sys.argv[1]; sys.modules['tensorflow'] = None\n"
        "from snntoolbox.frontends.keras.runtime import import_keras\n"
        "from snntoolbox.errors import FrontendError\n"
        "try: import_keras()\n"
        "except FrontendError as e: print(e)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, backend], capture_output=True, text=True, check=True)
    assert text in done.stdout
    assert "KERAS_BACKEND=torch" in done.stdout


@pytest.mark.long
def test_torch_is_chosen_where_nobody_chose():
    code = (
        "import os; os.environ.pop('KERAS_BACKEND', None)\n"
        "from snntoolbox.frontends.keras.runtime import import_keras\n"
        "assert import_keras().backend.backend() == 'torch' and 'KERAS_BACKEND' not in os.environ"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_keras_tells_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(FrontendError, match=r"pip install snntoolbox\[keras\]"):
        FRONTEND.predict(None)


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


# -- files that are not what they should be -------------------------------------------------------------------------


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


def _edit_config(path, change):
    """Rewrite the architecture in a ``.keras`` file."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config["config"]["layers"])
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_is_refused_with_all_other_offenders(tmp_path, suffix):
    path = tmp_path / f"m{suffix}"
    parts = [L.Dense(3, activation="softsign", name="t"), L.Lambda(lambda x: x, name="evil")]
    parts.append(L.UnitNormalization(name="p"))
    keras.Sequential([keras.Input((4,)), *parts]).save(path)
    with pytest.raises(UnsupportedError) as caught:
        FRONTEND.open(path)
    assert sorted(o.layer.split()[0] for o in caught.value.offenders) == ["evil", "p", "t"]
    assert "code from a file is never run" in str(caught.value)


FOREIGN = {
    "class": lambda layers: layers[1].update(module="os", class_name="system", registered_name="os>system"),
    "function": lambda layers: layers[1]["config"].update(
        activation={"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    ),
    "keras_function": lambda layers: layers[1]["config"].update(
        activation={"module": "keras.utils", "class_name": "function", "config": "get_file", "registered_name": "x"}
    ),
    "initializer": lambda layers: layers[1]["config"].update(
        kernel_initializer={"module": "mine", "class_name": "Init", "config": {}, "registered_name": "mine>Init"}
    ),
    "lambda": lambda layers: layers[1]["config"].update(
        activation={"class_name": "__lambda__", "config": {"value": ["4wEA", None, None]}}
    ),
    "unknown_activation": lambda layers: layers[1]["config"].update(activation="my_activation"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_objects_in_a_file(tmp_path, case):
    path = tmp_path / "m.keras"
    keras.Sequential([keras.Input((4,)), L.Dense(3, name="it")], name="m").save(path)
    _edit_config(path, FOREIGN[case])
    with pytest.raises(UnsupportedError) as caught:
        FRONTEND.open(path)
    assert {o.layer.split()[0] for o in caught.value.offenders} == {"it"}


def test_custom_layer_in_a_file(tmp_path):
    class Mine(L.Layer):
        def call(self, x):
            return x

    for suffix in (".keras", ".h5"):
        path = tmp_path / f"m{suffix}"
        keras.Sequential([keras.Input((4,)), Mine(name="it"), L.Dense(3)]).save(path)
        with pytest.raises(UnsupportedError, match="is not part of Keras") as caught:
            FRONTEND.open(path)
        assert [o.layer for o in caught.value.offenders] == ["it (keras Mine)"]


def test_unsupported_layer_is_named_where_keras_cannot_rebuild_the_file(tmp_path):
    path = tmp_path / "old.keras"
    keras.Sequential([keras.Input((4, 3)), L.LSTM(3, name="it")]).save(path)
    _edit_config(path, lambda layers: layers[1]["config"].update(time_major=False))
    with pytest.raises(UnsupportedError, match=r"it \(keras LSTM\)"):
        FRONTEND.open(path)
