"""The files of a model: where they are looked for, the order of parameters, damage, and what they do not hold."""

import io
import os
import pickle
import tracemalloc
import zipfile
from contextlib import suppress

import h5py
import numpy as np
import pytest
from lasagne_files import random, write

from snntoolbox.errors import FrontendError, SNNToolboxError
from snntoolbox.frontends.lasagne import LasagneFrontend
from snntoolbox.frontends.registry import frontend_for
from snntoolbox.workflow.models import find_model

FRONTEND = LasagneFrontend()
BODY = "net = DenseLayer(net, 4)\nnet = DenseLayer(net, 3)"
PARAMETERS = [random(6, 4), random(4), random(4, 3), random(3)]
SHAPE = (None, 6)


@pytest.fixture
def path(tmp_path):
    return write(tmp_path, BODY, PARAMETERS, shape=SHAPE)


def outputs(path):
    return FRONTEND.parse(FRONTEND.open(path)).run(np.ones((1, 6)))


def expected():
    hidden = np.maximum(np.ones(6) @ PARAMETERS[0] + PARAMETERS[1], 0)
    return np.maximum(hidden @ PARAMETERS[2] + PARAMETERS[3], 0)


@pytest.mark.parametrize("name", ["net.py", "net.npz", "net"])
def test_both_files_are_found_by_either(name, path):
    assert np.allclose(outputs(path.with_name(name)), expected())


@pytest.mark.parametrize("ending", [".h5", ".hdf5"])
def test_parameters_of_the_toolbox_in_hdf5(ending, path):
    path.with_suffix(".npz").unlink()
    with h5py.File(path.with_suffix(ending), "w") as file:
        for i, array in enumerate(PARAMETERS):
            file[f"param_{i:03d}"] = array
    assert np.allclose(outputs(path), expected())


@pytest.mark.parametrize("names", ["arr_{}", "param_{:03d}", "{}", "layer{}"])
def test_more_than_ten_parameters_are_in_order(names, tmp_path):
    body = "\n".join(["net = DenseLayer(net, 6, nonlinearity=None)"] * 6)
    arrays = [a for i in range(6) for a in (random(6, 6, seed=i), random(6, seed=i))]
    path = write(tmp_path, body, [], shape=SHAPE)
    np.savez(tmp_path / "net.npz", **{names.format(i): a for i, a in enumerate(arrays)})
    value = np.ones(6)
    for weight, bias in zip(arrays[::2], arrays[1::2], strict=True):
        value = value @ weight + bias
    assert np.allclose(outputs(path), value, atol=1e-5)


def test_who_reads_a_file_of_python_is_told_by_its_words(path, tmp_path):
    assert frontend_for(path).name == "lasagne"
    assert find_model(tmp_path, "net", "auto")[0].name == "lasagne"
    assert find_model(tmp_path, "net", "lasagne")[1] == path
    (tmp_path / "other.py").write_text("import torch\nclass Model(torch.nn.Module): pass\n")
    (tmp_path / "other.pth").write_bytes(b"")
    assert frontend_for(tmp_path / "other.py").name == "pytorch"
    assert find_model(tmp_path, "other", "auto")[0].name == "pytorch"


def test_a_file_of_python_that_cannot_be_asked(tmp_path):
    with pytest.raises(FrontendError, match=r"cannot read '.*none\.py': No such file"):
        frontend_for(tmp_path / "none.py")
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(FrontendError, match="is a pipe, not a file"):
        frontend_for(tmp_path / "pipe.py")


def test_missing_files_are_named(path):
    with pytest.raises(FrontendError, match=r"there is no 'none\.py'"):
        FRONTEND.open(path.with_name("none.py"))
    parameters = path.with_suffix(".npz")
    parameters.unlink()
    with pytest.raises(FrontendError, match=r"(?s)no 'net\.npz' or 'net\.h5'.*get_all_param_values"):
        FRONTEND.open(path)
    path.with_suffix(".pkl").write_bytes(pickle.dumps({"param values": PARAMETERS}))
    with pytest.raises(FrontendError, match=r"(?s)a pickle can run any code.*numpy\.savez\('net\.npz'"):
        FRONTEND.open(path)
    with pytest.raises(FrontendError, match="is a folder"):
        FRONTEND.open(path.parent)


MISFITS = {
    "fewer": (PARAMETERS[:3], "has 4 parameters, and 3 are given"),
    "more": ([*PARAMETERS, np.ones(2)], "has 4 parameters, and 5 are given"),
    "other shape": ([PARAMETERS[0].T, *PARAMETERS[1:]], r"shape \(6, 4\), and \(4, 6\) is given"),
    "words": ([np.array(["a"]), *PARAMETERS[1:]], "no array of numbers"),
    "objects": ([np.array([{}], object), *PARAMETERS[1:]], "no array of numbers"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_parameters_that_do_not_fit(case, path):
    arrays, message = MISFITS[case]
    np.savez(path.with_suffix(".npz"), *arrays)
    with pytest.raises(FrontendError, match=message):
        FRONTEND.open(path)


def entry(shape, data=b""):
    """An .npz with one array of a declared shape and other data."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": shape})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("arr_0.npy", head.getvalue() + data)
    return file.getvalue()


def bomb():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("arr_0.npy", "w") as inner:
        for _ in range(64):
            inner.write(bytes(2**20))
    return file.getvalue()


FILES = {
    "empty": (b"", "damaged"),
    "noise": (np.random.default_rng(0).bytes(500), "damaged"),
    "pickle": (pickle.dumps([1]), "damaged"),
    "head alone": (entry((10**6, 10**6)), "declares 1,000,000,000,000 values"),
    "fewer": (entry((4,), bytes(8)), "declares 4 values"),
    "more": (entry((1,), bytes(8)), "declares 1 values"),
    "bomb": (bomb(), "does not hold them"),
}


@pytest.mark.parametrize("case", FILES)
def test_damaged_parameters(case, path):
    content, message = FILES[case]
    path.with_suffix(".npz").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(FrontendError, match=rf"net\.npz'.*{message}"):
            FRONTEND.open(path)
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("seed", range(40))
def test_fuzz(seed, path):
    """Whatever happens to the bytes of the parameters, only our own errors come out."""
    rng = np.random.default_rng(seed)
    file = path.with_suffix(".npz")
    content = bytearray(file.read_bytes())
    if seed % 3 == 0:
        content = content[: rng.integers(1, len(content))]
    else:
        for place in rng.integers(0, len(content), rng.integers(1, 6)):
            content[place] ^= 1 << rng.integers(0, 8)
    file.write_bytes(content)
    with suppress(SNNToolboxError):
        outputs(path)
