"""What is code, foreign to Keras or not supported in a file is refused before Keras sees it, all at once."""

import json
import zipfile

import keras
import pytest
from keras import layers as L  # noqa: N812

from snntoolbox.errors import UnsupportedError
from snntoolbox.frontends.keras import KerasFrontend

FRONTEND = KerasFrontend()


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
    parts.append(L.Masking(name="p"))
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
    keras.Sequential([keras.Input((4, 3)), L.Masking(name="it")]).save(path)
    _edit_config(path, lambda layers: layers[1]["config"].update(time_major=False))
    with pytest.raises(UnsupportedError, match=r"it \(keras Masking\)"):
        FRONTEND.open(path)
