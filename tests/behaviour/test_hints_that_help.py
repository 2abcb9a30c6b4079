"""Models that cannot be taken as they are: what is refused says what is the matter, and what to do about it."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional

import snntoolbox as stb
from snntoolbox.errors import SNNToolboxError

keras = pytest.importorskip("keras")
L = keras.layers
W = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)


def saved(model, folder, form):
    if form == "live":
        return model
    model.save(folder / f"model.{form}")
    return folder / f"model.{form}"


def refusal(load, *words):
    with pytest.raises(SNNToolboxError) as caught:
        load()
    for word in words:
        assert word in str(caught.value)


# -- layers that several models share ---------------------------------------------------------------------------------


def shared_with_the_outer_model(first):
    dense, source = L.Dense(4, activation="relu", name="same"), keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), dense, L.Dense(4)], name="inner")
    out = inner(dense(source)) if first else dense(inner(source))
    return keras.Model(source, L.Dense(2)(out))


def shared_by_two_inner_models():
    dense, source = L.Dense(4, name="same"), keras.Input((4,))
    inner = [keras.Sequential([keras.Input((4,)), dense, L.Dense(n)], name=f"inner{n}") for n in (3, 4)]
    return keras.Model(source, L.Concatenate()([model(source) for model in inner]))


FORMS = [(form, first) for form in ("live", "keras", "h5") for first in (True, False)]


@pytest.mark.parametrize(("form", "first"), [case for case in FORMS if case != ("keras", False)])
def test_a_layer_shared_with_an_inner_model(tmp_path, form, first):
    model = shared_with_the_outer_model(first)
    graph = stb.load(saved(model, tmp_path, form))
    x = np.random.default_rng(0).random((5, 4), dtype=np.float32)
    np.testing.assert_allclose(graph.run(x), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", ["live", "h5"])
def test_a_layer_shared_by_inner_models(tmp_path, form):
    stb.load(saved(shared_by_two_inner_models(), tmp_path, form))


@pytest.mark.parametrize("make", [shared_by_two_inner_models, lambda: shared_with_the_outer_model(first=False)])
def test_a_file_that_keras_cannot_load_either(tmp_path, make):
    file = saved(make(), tmp_path, "keras")
    with pytest.raises(ValueError, match="could not be loaded"):
        keras.saving.load_model(file)
    refusal(lambda: stb.load(file), "same (keras Dense)", "several models share", "save the model as .h5")


# -- integers, training, statistics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["live", "keras", "h5"])
@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
@pytest.mark.one_in(4)
def test_quantised_keras_models(tmp_path, form, mode):
    model = keras.Sequential([keras.Input((8,)), L.Dense(6, activation="relu", name="a"), L.Dense(2, name="b")])
    model.quantize(mode)
    file = saved(model, tmp_path, form)
    both = ("a (keras Dense): quantised", "b (keras Dense): quantised")
    refusal(lambda: stb.load(file), *both, "before its quantisation")


@pytest.mark.filterwarnings("ignore")
def test_quantised_pytorch_modules():
    module = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 2)), {nn.Linear})
    refusal(lambda: stb.load(module, input_shape=(4,)), "quantised arithmetic", "before its quantisation")


class Forced(nn.Module):
    """Computes as in training, whatever its mode."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


STATISTICS = (torch.zeros(4), torch.ones(4))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: functional.dropout(x, 0.5, training=True),
        lambda x: functional.alpha_dropout(x, 0.5, training=True),
        lambda x: functional.rrelu(x, training=True),
        lambda x: functional.batch_norm(x, *(s.clone() for s in STATISTICS), training=True),
    ],
    ids=["dropout", "alpha dropout", "rrelu", "batch norm"],
)
def test_training_that_code_forces_on(function):
    refusal(lambda: stb.load(Forced(function), input_shape=(4,)), "training")


def test_the_hint_of_forced_dropout():
    dropout = Forced(lambda x: functional.dropout(x, 0.5, training=True))
    refusal(lambda: stb.load(dropout, input_shape=(4,)), "write training=self.training")


def test_statistics_of_the_batch():
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False))
    refusal(lambda: stb.load(module, input_shape=(4,)), "statistics of the batch", "track_running_stats=True")


# -- complex numbers, and such as float32 has no place for ------------------------------------------------------------


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def onnx_file(folder, nodes, outputs=("y",), kind=TensorProto.FLOAT, **stored):
    x = helper.make_tensor_value_info("x", kind, [None, 4])
    out = [helper.make_tensor_value_info(name, kind, [None, 2]) for name in outputs]
    tensors = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = helper.make_graph([helper.make_node(*n[:3], **n[3]) for n in nodes], "g", [x], out, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "m.onnx")
    return folder / "m.onnx"


COMPLEX_ONNX = {
    "MatMul": [("MatMul", ["x", "c"], ["y"], {})],
    "Gemm": [("Gemm", ["x", "c"], ["y"], {})],
    "Cast": [("Cast", ["c"], ["w"], {"to": 1}), ("MatMul", ["x", "w"], ["y"], {})],
    "Transpose, Cast": [
        ("Transpose", ["c"], ["t"], {"perm": [1, 0]}),
        ("Cast", ["t"], ["w"], {"to": 1}),
        ("Gemm", ["x", "w"], ["y"], {"transB": 1}),
    ],
    "bias": [("MatMul", ["x", "w"], ["h"], {}), ("Add", ["h", "b"], ["y"], {})],
}


@pytest.mark.parametrize("case", COMPLEX_ONNX)
def test_complex_numbers_in_onnx(tmp_path, case):
    stored = {"c": (W + 1j).astype(np.complex64), "w": W, "b": np.array([1j, 2], np.complex64)}
    nodes = COMPLEX_ONNX[case]
    used = {name for node in nodes for name in node[1]} - {name for node in nodes for name in node[2]}
    file = onnx_file(tmp_path, nodes, **{name: array for name, array in stored.items() if name in used})
    refusal(lambda: stb.load(file, check=False), "complex numbers are not supported", "real and imaginary")


@pytest.mark.parametrize(
    "module",
    [nn.Linear(4, 2, dtype=torch.complex64), Times(1 + 2j), Times(torch.tensor([1j] * 4)), Times(torch.tensor(1j))],
    ids=["weights", "number", "vector", "scalar"],
)
def test_complex_numbers_in_pytorch(module):
    refusal(lambda: stb.load(module, input_shape=(4,), check=False), "complex numbers are not supported")


@pytest.mark.parametrize("factor", [1 + 2j, np.array([1j, 1, 1, 1])], ids=["number", "vector"])
def test_complex_numbers_in_keras(factor):
    source = keras.Input((4,))
    model = keras.Model(source, keras.ops.multiply(source, factor))
    refusal(lambda: stb.load(model, check=False), "complex")


def test_weights_that_float32_has_no_place_for(tmp_path):
    nodes = [("MatMul", ["x", "w"], ["y"], {})]
    file = onnx_file(tmp_path, nodes, kind=TensorProto.DOUBLE, w=W.astype(np.float64) * 1e300)
    refusal(lambda: stb.load(file, check=False), "y (onnx MatMul): its weights hold", "float32 has no place for")


def test_two_outputs_of_one_name(tmp_path):
    file = onnx_file(tmp_path, [("MatMul", ["x", "w"], ["y"], {})], outputs=("y", "y"), w=W)
    refusal(lambda: stb.load(file, check=False), "two outputs are called 'y'")
