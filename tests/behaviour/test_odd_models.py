"""Models that no simulation can mean: refused by name, by every frontend, whether or not the result is checked."""

import os
import re

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from snntoolbox.conversion.load import load
from snntoolbox.errors import FrontendError, UnsupportedError

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")


def in_keras(weights):
    layers = [keras.layers.Dense(w.shape[1], use_bias=False, name=f"layer{i}") for i, w in enumerate(weights)]
    model = keras.Sequential([keras.Input((len(weights[0]),)), *layers])
    model.set_weights(weights)
    return model


def in_torch(weights):
    model = nn.Sequential(*(nn.Linear(*w.shape, bias=False) for w in weights))
    model.load_state_dict({f"{i}.weight": torch.tensor(w.T.copy()) for i, w in enumerate(weights)})
    return model


def in_onnx(weights):
    names = ["x", *(f"h{i}" for i in range(len(weights)))]
    nodes = [
        helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]], name=f"layer{i}") for i in range(len(weights))
    ]
    sizes = ((names[0], len(weights[0])), (names[-1], weights[-1].shape[1]))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, size]) for n, size in sizes]
    stored = [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


FRAMEWORKS = {"keras": in_keras, "pytorch": in_torch, "onnx": in_onnx}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("check", [True, False])
def test_weights_that_are_no_numbers_are_refused_with_their_layers(framework, check):
    weights = [np.ones(shape, np.float32) for shape in ((4, 5), (5, 3), (3, 2))]
    weights[0][1, 2], weights[2][0, 0] = np.nan, -np.inf
    shape = {"input_shape": (4,)} if framework == "pytorch" else {}
    with pytest.raises(UnsupportedError) as caught:
        load(FRAMEWORKS[framework](weights), check=check, **shape)
    layers = [re.search(r"\d", offender.layer).group() for offender in caught.value.offenders]
    assert layers == ["0", "2"]
    assert all(re.search("NaN, infini|NaN or infini", offender.reason) for offender in caught.value.offenders)


def test_a_variance_below_zero_is_refused():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    model[1].running_var[0] = -1
    with pytest.raises(UnsupportedError, match=r"BatchNorm2d.*NaN"):
        load(model, input_shape=(2, 6, 6))


def test_a_module_without_values_is_refused():
    with pytest.raises(FrontendError, match="'meta'"):
        load(nn.Sequential(nn.Linear(4, 3, device="meta"), nn.ReLU()), input_shape=(4,))
