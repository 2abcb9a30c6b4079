"""The two files of a model: where they are looked for, HDF5, damage, and files that ask for what they do not hold."""

import tracemalloc

import h5py
import numpy as np
import pytest
from caffe_files import data, layer, random, stored, write

import snntoolbox as stb
from snntoolbox.errors import FrontendError, SNNToolboxError
from snntoolbox.frontends.caffe import CaffeFrontend
from snntoolbox.frontends.caffe.schema import new_message
from snntoolbox.frontends.registry import frontend_for

FRONTEND = CaffeFrontend()
DENSE = (
    data(1, 6)
    + layer("InnerProduct", "data", "ip", "inner_product_param { num_output: 4 }")
    + layer("ReLU", "ip", "ip", name="r")
)
WEIGHTS = {"ip": [random(4, 6), random(4, seed=1)]}


@pytest.mark.parametrize("name", ["net", "net-1.2.3"])
def test_both_files_are_found_by_either(name, tmp_path):
    write(tmp_path, DENSE, WEIGHTS, name=name)
    for path in (f"{name}.prototxt", f"{name}.caffemodel", name):
        net = FRONTEND.open(tmp_path / path)
        assert (net.name, len(FRONTEND.parse(net))) == (name, 3)
    assert frontend_for(tmp_path / f"{name}.caffemodel").name == "caffe"
    assert FRONTEND.accepts(net)
    assert FRONTEND.open(net) is net


@pytest.mark.parametrize("name", ["net.caffemodel.h5", "net.caffemodel"])
@pytest.mark.parametrize("slash", ["", "in/"])
def test_weights_in_hdf5(name, slash, tmp_path):
    text = DENSE.replace('name: "ip"', f'name: "{slash}ip"')
    (tmp_path / "net.prototxt").write_text(text)
    with h5py.File(tmp_path / name, "w") as file:
        for i, array in enumerate(WEIGHTS["ip"]):
            file[f"data/{slash}ip/{i}"] = array
        file.create_group("data/r")
    assert np.allclose(FRONTEND.parse(FRONTEND.open(tmp_path / name)).run(np.ones((1, 6))), expected())


def expected():
    return np.maximum(np.ones(6) @ WEIGHTS["ip"][0].T + WEIGHTS["ip"][1], 0)


def test_weights_in_double_precision(tmp_path):
    path = write(tmp_path, DENSE, {"ip": [w.astype(np.float64) for w in WEIGHTS["ip"]]})
    assert np.allclose(FRONTEND.parse(FRONTEND.open(path)).run(np.ones((1, 6))), expected())


def test_a_missing_file_is_named(tmp_path):
    path = write(tmp_path, DENSE, WEIGHTS)
    (tmp_path / "net.caffemodel").rename(tmp_path / "other.caffemodel")
    with pytest.raises(FrontendError, match=r"no 'net\.caffemodel' or 'net\.caffemodel\.h5'"):
        FRONTEND.open(path)
    with pytest.raises(FrontendError, match=r"no 'other\.prototxt'"):
        FRONTEND.open(tmp_path / "other.caffemodel")
    with pytest.raises(FrontendError, match="is a folder"):
        FRONTEND.open(tmp_path)
    with pytest.raises(FrontendError, match="a list is not a Caffe model"):
        FRONTEND.open([1])


def test_it_is_checked_against_the_second_reading(tmp_path, monkeypatch):
    from snntoolbox.frontends.caffe import handlers

    path = write(tmp_path, DENSE, WEIGHTS)
    stb.load(path)
    monkeypatch.setitem(handlers.HANDLERS, "ReLU", handlers.HANDLERS["AbsVal"])
    with pytest.raises(SNNToolboxError, match="differs from the original"):
        stb.load(path)


TEXTS = {
    "empty": b"",
    "noise": bytes(range(256)),
    "prose": b"this is no net\n",
    "cut": DENSE.encode()[:-40],
    "unbalanced": DENSE.encode() + b"}",
    "wrong type": DENSE.replace("num_output: 4", 'num_output: "four"').encode(),
    "negative": DENSE.replace("num_output: 4", "num_output: -4").encode(),
    "too large": DENSE.replace("dim: 6", "dim: 99999999999999999999").encode(),
    "unknown choice": (DENSE + layer("Pooling", "ip", "p", "pooling_param { pool: MEDIAN }")).encode(),
    "unknown setting": DENSE.replace("num_output: 4", "num_output: 4 secret: 1").encode(),
    "a solver": b'net: "train.prototxt" base_lr: 0.01\n',
    "deep": b"layer { " + b"input_param { " * 20000,
    "deep unknown": b"layer { " + b"a { " * 20000,
    "pickle": b"\x80\x04\x95",
}


@pytest.mark.parametrize("case", TEXTS)
def test_damaged_text(case, tmp_path):
    path = write(tmp_path, "", WEIGHTS)
    path.write_bytes(TEXTS[case])
    with pytest.raises(FrontendError, match=r"net\.prototxt|nested too deeply"):
        FRONTEND.parse(FRONTEND.open(path))


def test_what_a_text_says_that_nobody_knows_is_told_by_line(tmp_path):
    path = write(tmp_path, DENSE.replace("num_output: 4", "num_output: 4 secret: 1"), WEIGHTS)
    with pytest.raises(FrontendError, match=r"line 2:.*InnerProductParameter.*'?secret"):
        FRONTEND.parse(FRONTEND.open(path))


def blob(shape, count, **old):
    net = new_message("StoredNet")
    added = net.layer.add(name="ip").blobs.add(**old)
    added.shape.dim.extend(shape)
    added.data.extend([1.0] * count)
    return net.SerializeToString()


GOOD = stored(WEIGHTS)
BINARIES = {
    "empty": (b"", "no layer with weights"),
    "cut": (GOOD[:-9], "is no .caffemodel, or is damaged"),
    "noise": (np.random.default_rng(0).bytes(500), "damaged"),
    "text": (DENSE.encode(), "damaged"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(60), "damaged"),
    "no weights": (new_message("StoredNet").SerializeToString(), "no layer with weights"),
    "more declared": (blob([10**6, 10**6], 3), "declares 1,000,000,000,000 values"),
    "fewer declared": (blob([2], 3), "declares 2 values for a blob and holds 3"),
    "overflow": (blob([2**32, 2**32], 0), "declares"),
    "negative": (blob([-1, -3], 3), "shape"),
    "many axes": (blob([1] * 40, 1), "shape"),
    "old sizes": (blob([], 3, num=2, channels=2**31 - 1), "declares"),
    "deep": (b"\xa2\x06\x84\x80\x80\x00" + b"\x3a\x80\x80\x80\x00" * 1000, "damaged"),
}


@pytest.mark.parametrize("case", BINARIES)
def test_damaged_weights(case, tmp_path):
    content, message = BINARIES[case]
    path = write(tmp_path, DENSE, WEIGHTS)
    (tmp_path / "net.caffemodel").write_bytes(content)
    with pytest.raises(FrontendError, match=rf"net\.caffemodel'.*{message}"):
        FRONTEND.open(path)


HUGE = {
    "input": data(1, 10**12),
    "images": data(1, 10**4, 10**4, 10**4),
    "batch": data(10**12, 6) + layer("Reshape", "data", "r", "reshape_param { shape { dim: 1000000000000 dim: 7 } }"),
    "filters": data(1, 6) + layer("InnerProduct", "data", "y", "inner_product_param { num_output: 4294967295 }"),
    "kernel": data(1, 2, 8, 8)
    + layer("Convolution", "data", "y", "convolution_param { num_output: 1 kernel_size: 2147483647 }"),
    "padding": data(1, 2, 8, 8)
    + layer("Pooling", "data", "y", "pooling_param { kernel_size: 16777216 pad: 16777215 }"),
    "tile": data(1, 2, 8, 8) + layer("Tile", "data", "y", "tile_param { tiles: 2147483647 }"),
    "tiles": data(1, 1024)
    + "".join(layer("Tile", t, f"t{i}", "tile_param { tiles: 64 }") for i, t in enumerate(("data", "t0", "t1", "t2"))),
    "deconvolution": data(1, 2, 8, 8)
    + layer("Deconvolution", "data", "y", "convolution_param { num_output: 1 kernel_size: 2 stride: 4294967295 }"),
}


@pytest.mark.parametrize("case", HUGE)
def test_a_small_file_cannot_ask_for_much(case, tmp_path):
    text = HUGE[case] if "bottom" in HUGE[case] else HUGE[case] + layer("ReLU", "data", "y")
    path = write(tmp_path, text, {"y": [random(2, 1, 2, 2), random(1)]})
    tracemalloc.start()
    try:
        with pytest.raises(SNNToolboxError):
            FRONTEND.parse(FRONTEND.open(path))
        assert tracemalloc.get_traced_memory()[1] < 2**27
    finally:
        tracemalloc.stop()


CONV = (
    data(1, 2, 6, 6)
    + layer("Convolution", "data", "c", "convolution_param { num_output: 3 kernel_size: 3 pad: 1 stride: 1 }")
    + layer("ReLU", "c", "c", name="r")
    + layer("Pooling", "c", "p", "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
    + layer("InnerProduct", "p", "ip", "inner_product_param { num_output: 4 }")
    + layer("Softmax", "ip", "prob")
)


@pytest.mark.parametrize("seed", range(60))
def test_fuzz(seed, tmp_path):
    """Whatever happens to the bytes of either file, only our own errors come out."""
    rng = np.random.default_rng(seed)
    path = write(tmp_path, CONV, {"c": [random(3, 2, 3, 3), random(3)], "ip": [random(4, 27), random(4)]})
    file = path if seed % 2 else path.with_suffix(".caffemodel")
    content = bytearray(file.read_bytes())
    if seed % 3 == 0:
        content = content[: rng.integers(1, len(content))]
    else:
        places = min(len(content), 300) if file != path and seed % 5 else len(content)
        for place in rng.integers(0, places, rng.integers(1, 6)):
            content[place] ^= 1 << rng.integers(0, 8)
    file.write_bytes(content)
    try:
        graph = FRONTEND.parse(FRONTEND.open(path))
        if max(map(graph.size, graph.nodes)) < 10**5:
            graph.run(*(np.zeros((1, *graph.shapes[name]), np.float32) for name in graph.inputs))
    except SNNToolboxError:
        pass
