"""Opening models: paths, bytes, live objects, old files, external data; and everything that is not a model."""

from __future__ import annotations

import pickle

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from snntoolbox.errors import FrontendError, SNNToolboxError
from snntoolbox.frontends.onnx import OnnxFrontend

FRONTEND = OnnxFrontend()


@pytest.fixture
def model(build):
    nodes = [("Conv", "x w b", "c", {}), ("Relu", "c", "r", {}), ("MaxPool", "r", "p", {"kernel_shape": [2, 2]}),
             ("Reshape", "p s", "f", {}), ("Gemm", "f v", "y", {})]  # fmt: skip
    weights = {"w": (2, 1, 3, 3), "b": (2,), "s": np.array([0, -1], np.int64), "v": (32, 3)}
    return build(nodes, x=(1, 7, 7), weights=weights)


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


INPUTS = [
    ([784], "without a batch axis"),
    ([], "without a batch axis"),
    (["N"], "without a batch axis"),
    (["N", 3, "h", "w"], "leaves its sizes open"),
    (None, "leaves its sizes open"),
]


@pytest.mark.parametrize(("dims", "reason"), INPUTS)
def test_inputs_that_are_no_batches(dims, reason):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)
    y = helper.make_empty_tensor_value_info("y")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    with pytest.raises(FrontendError, match=reason):
        FRONTEND.open(helper.make_model(graph))


def test_open_sizes_are_given_by_the_user(build, compare):
    nodes = [("Conv", "x w", "c", {}), ("GlobalAveragePool", "c", "y", {})]
    model = build(nodes, x=(2, 5, 5), weights={"w": (3, 2, 2, 2)})
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_param = "size"
    graph = compare(model, input_shape=(2, 6, 7))
    assert graph.shapes["x"] == (2, 6, 7)
    with pytest.raises(FrontendError, match="does not fit"):
        FRONTEND.open(model, input_shape=(3, 6, 7))


@pytest.mark.parametrize("size", [0, -1])
def test_an_open_batch_written_as_a_number(size, build, compare):
    model = build([("Relu", "x", "y", {})], x=(4,))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = size
    compare(model)


def test_inputs_of_different_fixed_batches(build):
    model = build([("Add", "a b", "y", {})], x={"a": (3,), "b": (3,)}, batch=2)
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_value = 5
    with pytest.raises(FrontendError, match="different sizes"):
        FRONTEND.open(model)


def test_several_inputs_and_outputs(build, compare):
    nodes = [("Gemm", "a w", "h", {}), ("Sub", "h b", "y", {}), ("Relu", "y", "z", {})]
    graph = compare(build(nodes, x={"a": (4,), "b": (3,)}, weights={"w": (4, 3)}, outputs=("z", "y")))
    assert graph.inputs == ("a", "b")
    assert graph.outputs == ("Relu_2", "Sub_1")


def test_integer_images_are_cast_first(build, compare):
    model = build([("Cast", "x", "f", {"to": 1}), ("Relu", "f", "y", {})], x=(4,), dtype=TensorProto.UINT8)
    compare(model, x=[np.arange(12).reshape(3, 4)])


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


DAMAGED = {
    "reads nothing": ([("Relu", "nowhere", "y", {})], "nothing before it makes"),
    "cycle": ([("Add", "x b", "a", {}), ("Relu", "a", "b", {}), ("Relu", "b", "y", {})], "cycle"),
    "made twice": ([("Relu", "x", "y", {}), ("Neg", "x", "y", {})], "made twice"),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_damaged_graphs(how, build):
    nodes, reason = DAMAGED[how]
    with pytest.raises(FrontendError, match=reason):
        FRONTEND.parse(FRONTEND.open(build(nodes, x=(4,))))


def test_predict_without_onnxruntime(model, monkeypatch, compare):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    compare(model, tolerance=1e-5)


def test_same_padding_with_dilation_by_the_reference(build, compare, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for how in ("SAME_UPPER", "SAME_LOWER"):
        attributes = {"auto_pad": how, "dilations": [2, 2]}
        compare(build([("Conv", "x w", "y", attributes)], x=(2, 9, 8), weights={"w": (3, 2, 3, 2)}))


def test_wrong_shapes_are_told(model):
    opened = FRONTEND.open(model)
    with pytest.raises(FrontendError, match="expects samples"):
        FRONTEND.predict(opened, np.zeros((2, 7, 7, 1), np.float32))
    with pytest.raises(FrontendError, match="1 inputs, got 2"):
        FRONTEND.predict(opened, np.zeros((2, 1, 7, 7)), np.zeros((2, 1, 7, 7)))


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
