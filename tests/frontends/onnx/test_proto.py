"""Reading models: paths, bytes, live objects, old files, external data; and everything that is not a model."""

from __future__ import annotations

import pickle

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from snntoolbox.errors import FrontendError, SNNToolboxError
from snntoolbox.frontends.onnx import OnnxFrontend

FRONTEND = OnnxFrontend()


def test_path_string_bytes_and_live_model_are_the_same(model, tmp_path, compare):
    path = tmp_path / "small.onnx"
    onnx.save(model, path)
    for source in (path, str(path), path.read_bytes(), model):
        assert len(compare(source)) == 7 - 1
    assert FRONTEND.parse(FRONTEND.open(path)).name == "small"
    assert FRONTEND.accepts(model)
    assert FRONTEND.accepts(FRONTEND.open(path))
    assert not FRONTEND.accepts(np.zeros(3))


def test_opening_does_not_change_the_users_model(model):
    before = model.SerializeToString(deterministic=True)
    FRONTEND.parse(FRONTEND.open(model))
    assert model.SerializeToString(deterministic=True) == before


GARBAGE = {
    "empty": b"",
    "text": b"this is not a model at all\n" * 9,
    "pickle": pickle.dumps({"weights": [1, 2, 3]}),
    "zip": b"PK\x03\x04" + bytes(60),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(60),
    "zeros": bytes(100),
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
    "no graph": onnx.ModelProto(ir_version=7).SerializeToString(),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_what_is_no_model_is_refused(kind, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(GARBAGE[kind])
    with pytest.raises(FrontendError, match=r"model\.onnx"):
        FRONTEND.open(path)


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(FrontendError, match="cannot read"):
            FRONTEND.open(path)
    with pytest.raises(FrontendError, match="list"):
        FRONTEND.open([1])


def test_pickle_is_named(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(pickle.dumps([1]))
    with pytest.raises(FrontendError, match="a pickle"):
        FRONTEND.open(path)


def test_external_data_beside_the_model(model, tmp_path, compare):
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    compare(tmp_path / "m.onnx")
    with pytest.raises(FrontendError, match="another file"):
        FRONTEND.open((tmp_path / "m.onnx").read_bytes())
    data = (tmp_path / "m.data").read_bytes()
    (tmp_path / "m.data").write_bytes(data[:20])
    with pytest.raises(FrontendError, match="more external data than"):
        FRONTEND.open(tmp_path / "m.onnx")
    (tmp_path / "m.data").unlink()
    with pytest.raises(FrontendError, match="missing"):
        FRONTEND.open(tmp_path / "m.onnx")


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "link.bin", ""])
def test_external_data_elsewhere_are_refused(location, model, tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(1000))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(FrontendError, match="outside its own folder"):
        FRONTEND.open(folder / "m.onnx")


def test_declared_sizes_are_checked(build):
    model = build([("Add", "x c", "y", {})], x=(4,), weights={"c": (4,)})
    model.graph.initializer[0].dims[:] = [1, 10**11]
    with pytest.raises(FrontendError, match="holds no data"):
        FRONTEND.open(model)
    with pytest.raises(FrontendError, match="cannot be"):
        FRONTEND.open(build([("Relu", "x", "y", {})], x=(10**6, 10**6)))


def test_old_opsets_are_converted_or_refused(build):
    model = build([("Relu", "x", "y", {})], x=(4,), opset=6)
    graph = FRONTEND.parse(FRONTEND.open(model))
    assert [n.kind for n in graph.nodes.values()] == ["Input", "ReLU"]
    strange = build([("Pad", "x", "y", {"paddings": [0, 0, 0, 0, 1, 1]})], x=(4, 2), opset=1)
    with pytest.raises(FrontendError, match="older than 7, and cannot be converted"):
        FRONTEND.open(strange)


def test_future_opsets_are_refused(model):
    model.opset_import[0].version = 999
    with pytest.raises(FrontendError, match="opset 999"):
        FRONTEND.open(model)


def test_local_functions_are_inlined(build, compare):
    model = build([("Relu", "x", "h", {}), ("Neg", "h", "y", {})], x=(4,), opset=17)
    body = [helper.make_node("Neg", ["a"], ["b"]), helper.make_node("Relu", ["b"], ["c"])]
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "NegRelu", ["a"], ["c"], body, opsets))
    model.graph.node[0].domain, model.graph.node[0].op_type = "own", "NegRelu"
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.ir_version = 8
    graph = compare(model)
    assert [n.kind for n in graph.nodes.values()] == ["Input", "Scale", "ReLU", "Scale"]


def test_nodes_in_any_order(build, compare):
    model = build([("Relu", "x", "h", {}), ("Neg", "h", "y", {})], x=(4,))
    nodes = list(model.graph.node)[::-1]
    opened = FRONTEND.open(model)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    assert list(FRONTEND.parse(FRONTEND.open(model)).nodes) == list(FRONTEND.parse(opened).nodes)


@pytest.mark.parametrize("seed", range(60))
def test_fuzz(seed, model):
    """Whatever happens to the bytes, only our own errors come out."""
    rng = np.random.default_rng(seed)
    content = bytearray(model.SerializeToString())
    if seed % 3 == 0:
        content = content[: rng.integers(1, len(content))]
    else:
        for place in rng.integers(0, len(content), rng.integers(1, 6)):
            content[place] ^= 1 << rng.integers(0, 8)
    try:
        graph = FRONTEND.parse(FRONTEND.open(bytes(content)))
        if max(map(graph.size, graph.nodes)) < 10**5:
            graph.run(*(np.zeros((1, *graph.shapes[name]), np.float32) for name in graph.inputs))
    except SNNToolboxError:
        pass
