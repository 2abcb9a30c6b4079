"""Files made to fill the memory or to reach outside themselves, and files that are damaged at random."""

import json
import time
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import old_keras_files as old
import pytest
from keras import layers as L  # noqa: N812

from snntoolbox.errors import FrontendError, SNNToolboxError
from snntoolbox.frontends.keras import KerasFrontend

FRONTEND = KerasFrontend()
HUGE = 2**35


def _dense(units=3):
    return old.sequential(
        old.layer("InputLayer", "in", batch_shape=[None, 4]),
        old.layer("Dense", "d", units=units, use_bias=True, activation="linear"),
    )


def _h5(path, config=None, version="3.8.0"):
    kernel, bias = np.ones((4, 3), "float32"), np.ones(3, "float32")
    return old.write_h5(path, config or _dense(), {"d": {"d/kernel": kernel, "d/bias": bias}}, version)


def _replaced(path, make):
    """The file with its kernel made anew by `make(group, name)`."""
    _h5(path)
    with h5py.File(path, "a") as file:
        group = file["model_weights/d/d"]
        del group["kernel"]
        make(group, "kernel")
    return path


def _virtual(group, name):
    layout = h5py.VirtualLayout((4, 3), "float32")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4, 3))
    group.create_virtual_dataset(name, layout)


def _link(link):
    return lambda group, name: group.__setitem__(name, link)


def _stated(change):
    """A ``.keras`` file of which `change` edits the layers' config."""

    def write(path):
        keras.Sequential([keras.Input((4,)), L.Dense(3, name="d"), L.Reshape((3, 1)), L.UpSampling1D(2)]).save(path)
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(parts["config.json"])
        change([layer["config"] for layer in config["config"]["layers"]])
        parts["config.json"] = json.dumps(config).encode()
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)

    return write


def _bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(_dense()))
        with archive.open("model.weights.h5", "w") as file:
            for _ in range(64):
                file.write(bytes(2**20))


HOSTILE = {
    "dataset.h5": (
        lambda p: _replaced(p, lambda g, n: g.create_dataset(n, (4, HUGE // 4), "float32", chunks=(1, 1024))),
        "does not hold them",
    ),
    "packed.h5": (
        lambda p: _replaced(p, lambda g, n: g.create_dataset(n, data=np.zeros((4, 2**20), "f4"), compression=9)),
        "does not hold them",
    ),
    "external.h5": (lambda p: _replaced(p, _link(h5py.ExternalLink("other.h5", "/x"))), "links are not followed"),
    "soft.h5": (lambda p: _replaced(p, _link(h5py.SoftLink("/model_weights"))), "links are not followed"),
    "virtual.h5": (lambda p: _replaced(p, _virtual), "in another file"),
    "storage.h5": (
        lambda p: _replaced(p, lambda g, n: g.create_dataset(n, (4, 3), "f4", external=[("/etc/hostname", 0, 48)])),
        "in another file",
    ),
    "units.h5": (lambda p: _h5(p, _dense(HUGE)), "is not what the architecture says"),
    "units_old.h5": (lambda p: _h5(p, _dense(HUGE), "2.4.0"), "is not what the architecture says"),
    "units.keras": (_stated(lambda c: c[1].update(units=HUGE)), "is not what the architecture says"),
    "upsampling.keras": (_stated(lambda c: c[3].update(size=2**30)), "too large"),
    "input.keras": (_stated(lambda c: c[0].update(batch_shape=[None, 2**20, 4])), "cannot reshape"),
    "width.keras": (_stated(lambda c: c[0].update(batch_shape=[None, 2**30])), "too large"),
    "batch.keras": (_stated(lambda c: c[0].update(batch_shape=[HUGE, 4])), "samples at once"),
    "bomb.keras": (_bomb, "far more than its size"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file(tmp_path, name):
    write, message = HOSTILE[name]
    write(tmp_path / name)
    assert (tmp_path / name).stat().st_size < 2**20
    tracemalloc.start()
    try:
        with pytest.raises(SNNToolboxError, match=message):
            FRONTEND.parse(FRONTEND.open(tmp_path / name))
        assert tracemalloc.get_traced_memory()[1] < 2**27
    finally:
        tracemalloc.stop()


def test_a_matrix_of_interpolation_is_bounded(tmp_path):
    """Few values, and a factor as large as they are many: their product is what the matrix holds, per value."""
    net = keras.Sequential([keras.Input((64, 64, 1)), L.UpSampling2D(2, interpolation="bilinear")])
    net.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, 4096, 1, 1]
    config["config"]["layers"][1]["config"]["size"] = [2048, 1]
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(SNNToolboxError, match="too large"):
        FRONTEND.open(tmp_path / "m.keras")


def test_loop_of_layers(tmp_path):
    layers = [old.layer("InputLayer", "in", [], batch_input_shape=[None, 4])]
    layers += [old.layer("Add", a, [[[b, 0, 0, {}], ["in", 0, 0, {}]]]) for a, b in (("a", "b"), ("b", "a"))]
    path = old.write_h5(tmp_path / "m.h5", old.functional(layers, ["in"], ["a"]), {})
    with pytest.raises(FrontendError, match="reads its own output"):
        FRONTEND.open(path)


def test_models_within_models_without_end(tmp_path):
    inner = {"class_name": "Sequential", "config": [old.layer("Dense", "d", units=3, batch_input_shape=[None, 4])]}
    for i in range(300):
        inner = {"class_name": "Sequential", "config": {"name": f"m{i}", "layers": [inner]}}
    path = old.write_h5(tmp_path / "m.h5", inner, {})
    with pytest.raises(FrontendError):
        FRONTEND.open(path)


@pytest.mark.parametrize("kind", ["folder", "model.keras"])
def test_saved_model_folder(tmp_path, kind):
    folder = tmp_path / kind
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(FrontendError, match=r"python -m tf2onnx.convert --saved-model .* --output model.onnx"):
        FRONTEND.open(folder)


# -- damage ---------------------------------------------------------------------------------------------------------


def _whole(kind, path):
    if kind == "old.h5":
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        w = {"d": {"d/kernel:0": np.ones((4, 3), "f4"), "d/bias:0": np.ones(3, "f4")}}
        w["b"] = {f"b/{n}:0": np.ones(3, "f4") for n in names}
        parts = [old.layer("Dense", "d", units=3, use_bias=True, activation="relu", batch_input_shape=[None, 4])]
        parts.append(old.layer("BatchNormalization", "b", axis=[1], epsilon=0.001, center=True, scale=True))
        old.write_h5(path, old.sequential(*parts), w)
    else:
        keras.Sequential([keras.Input((4,)), L.Dense(3, name="d"), L.BatchNormalization(), L.ReLU()]).save(path)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["old.h5", "new.h5", "new.keras"])
def test_damage_raises_only_our_errors(tmp_path, kind):
    content = _whole(kind, tmp_path / kind)
    rng, path = np.random.default_rng(0), tmp_path / f"damaged{Path(kind).suffix}"
    start, refused = time.process_time(), 0
    for i in range(60):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), int(rng.choice([1, 8, 64]))):
            damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged[: int(rng.integers(0, len(content) + 1))] if i % 3 == 0 else damaged)
        try:
            opened = FRONTEND.open(path)
            graph = FRONTEND.parse(opened)
            FRONTEND.predict(opened, np.zeros((1, *graph.shapes[graph.inputs[0]]), "float32"))
        except SNNToolboxError:
            refused += 1
    assert refused > 20
    assert time.process_time() - start < 60


@pytest.mark.parametrize("seed", range(3))
def test_damaged_architecture_raises_only_our_errors(tmp_path, seed):
    """Values of the config replaced by others of any kind: damage that no checksum would find."""
    path = tmp_path / "m.h5"
    _whole("old.h5", path)
    with h5py.File(path) as file:
        text = file.attrs["model_config"]
    rng = np.random.default_rng(seed)
    strange = [None, -1, 0, 2**40, 1.5, "x", "", [], {}, [None], ["x", 0], {"class_name": "y"}, True]
    for _ in range(25):
        config = json.loads(text)
        spots = list(_spots(config))
        holder, key = spots[rng.integers(len(spots))]
        holder[key] = strange[rng.integers(len(strange))]
        with h5py.File(path, "a") as file:
            file.attrs["model_config"] = json.dumps(config)
        try:
            FRONTEND.parse(FRONTEND.open(path))
        except SNNToolboxError:
            continue


def _spots(value):
    keys = range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
    for key in keys:
        yield value, key
        yield from _spots(value[key])


# -- links and models in circles -------------------------------------------------------------------------------------


def _weights_edited(path, change):
    """A ``.keras`` file with a Dense layer, after `change` of its weights' HDF5 file."""
    keras.Sequential([keras.Input((4,)), L.Dense(3, name="d"), L.Dense(3, name="e")]).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    inner = path.with_suffix(".inner.h5")
    inner.write_bytes(parts["model.weights.h5"])
    with h5py.File(inner, "a") as file:
        change(file)
    parts["model.weights.h5"] = inner.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def _deep(file):
    group = file
    for _ in range(2000):
        group = group.create_group("g")


def _chunk(file):
    del file["layers/dense/vars/0"]
    kernel = file["layers/dense/vars"].create_dataset(
        "0", (4, 3), "f4", maxshape=(None, None), chunks=(2**12, 2**12), compression=9
    )
    kernel[:] = 1


def _text(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars"].create_dataset("0", data=["text"] * 12)


SECOND = "a second time"
CIRCLES = {
    "root in itself": (lambda f: f.__setitem__("loop", f["/"]), SECOND),
    "root deep inside": (lambda f: f["layers/dense"].__setitem__("loop", f["/"]), SECOND),
    "group in itself": (lambda f: f["layers"].__setitem__("layers", f["layers"]), SECOND),
    "two groups in each other": (
        lambda f: (f["layers/dense"].__setitem__("a", f["layers/dense_1"]),
                   f["layers/dense_1"].__setitem__("b", f["layers/dense"])), SECOND),
    "one dataset many times": (
        lambda f: [f["layers/dense/vars"].__setitem__(str(i), f["layers/dense/vars/0"]) for i in range(2, 99)], SECOND),
    "soft link to a parent": (lambda f: f.__setitem__("loop", h5py.SoftLink("/layers")), "not followed"),
    "link to another file": (lambda f: f.__setitem__("x", h5py.ExternalLink("/etc/hosts", "/")), "not followed"),
    "deep": (_deep, "deep"),
    "large chunk": (_chunk, "does not hold them"),
    "text": (_text, "does not hold numbers"),
}  # fmt: skip


@pytest.mark.parametrize("how", CIRCLES)
def test_links_in_weights(tmp_path, how):
    change, message = CIRCLES[how]
    _weights_edited(tmp_path / "m.keras", change)
    start = time.process_time()
    with pytest.raises(FrontendError, match=message):
        FRONTEND.open(tmp_path / "m.keras")
    assert time.process_time() - start < 5


@pytest.mark.parametrize("key", ["weight_names", "layer_names"])
def test_names_that_come_twice(tmp_path, key):
    path = _h5(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        attributes = file["model_weights" if key == "layer_names" else "model_weights/d"].attrs
        attributes[key] = [*attributes[key]] * 2
    with pytest.raises(FrontendError, match="twice"):
        FRONTEND.open(path)


def test_one_weight_under_two_paths(tmp_path):
    path = _h5(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        file["model_weights/d"].attrs["weight_names"] = ["d/kernel", "/model_weights/d/d/kernel"]
    with pytest.raises(FrontendError, match="twice"):
        FRONTEND.open(path)


@pytest.mark.parametrize("empty", [True, False], ids=["of nothing", "of layers"])
def test_models_that_call_one_another_twice(tmp_path, empty):
    """Forty levels of a model that calls the one inside twice: 2^40 layers in a file of some kilobytes."""
    inside = [] if empty else [old.layer("ReLU", "r", [[["in", 0, 0, {}]]])]
    model = old.functional([old.layer("InputLayer", "in", [], batch_input_shape=[None, 4]), *inside], ["in"],
                           ["in" if empty else "r"])  # fmt: skip
    for i in range(40):
        model["config"]["name"] = f"m{i}"
        inner = {**model, "name": f"m{i}", "inbound_nodes": [[["in", 0, 0, {}]], [[f"m{i}", 0, 0, {}]]]}
        first = old.layer("InputLayer", "in", [], batch_input_shape=[None, 4])
        model = old.functional([first, inner], ["in"], [f"m{i}"])
        model["config"]["output_layers"] = [[f"m{i}", 1, 0]]
    path, start = old.write_h5(tmp_path / "m.h5", model, {}), time.process_time()
    with pytest.raises(FrontendError, match="so often"):
        FRONTEND.open(path)
    assert time.process_time() - start < 10
