"""Recurrent networks through the whole house: three frontends, every schedule, one set of spikes."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import snntoolbox as stb
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.load import load
from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.result import Record

keras = pytest.importorskip("keras")

STEPS, FEATURES, UNITS, CLASSES = 4, 2, 5, 3
RANDOM = np.random.default_rng(3)
X = (RANDOM.integers(0, 17, (24, STEPS, FEATURES)) / 16).astype(np.float32)


def grained(*shape, scale=0.5):
    """Weights that are multiples of 1/64, which every framework adds up to the same values."""
    return (np.round(RANDOM.normal(0, scale, shape) * 64) / 64).astype(np.float32)


W, U, B = grained(UNITS, FEATURES), grained(UNITS, UNITS, scale=0.3), grained(UNITS, scale=0.2)
HEAD, SHIFT = grained(CLASSES, UNITS), grained(CLASSES)


def by_keras():
    layers = [keras.layers.SimpleRNN(UNITS, activation="relu"), keras.layers.Dense(CLASSES)]
    model = keras.Sequential([keras.Input((STEPS, FEATURES)), *layers])
    layers[0].set_weights([W.T, U.T, B])
    layers[1].set_weights([HEAD.T, SHIFT])
    return model


class Recurrent(nn.Module):
    """A recurrent layer whose last state is read."""

    input_shape = (STEPS, FEATURES)

    def __init__(self, rnn):
        super().__init__()
        self.rnn, self.head = rnn, nn.Linear(UNITS, CLASSES)

    def forward(self, x):
        return self.head(self.last(x))

    def last(self, x):
        return self.rnn(x)[1][-1]


class Cells(Recurrent):
    """The same, step by step."""

    def last(self, x):
        h = torch.zeros(len(x), UNITS)
        for t in range(STEPS):
            h = self.rnn(x[:, t], h)
        return h


def _with_weights(model):
    values = [W, U, B, np.zeros_like(B), HEAD, SHIFT]
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), values, strict=True):
            parameter.copy_(torch.tensor(value))
    return model


def by_torch():
    return _with_weights(Recurrent(nn.RNN(FEATURES, UNITS, nonlinearity="relu", batch_first=True)))


def by_cells():
    return _with_weights(Cells(nn.RNNCell(FEATURES, UNITS, nonlinearity="relu")))


def by_onnx():
    stored = {
        "w": W[None],
        "r": U[None],
        "b": np.append(B, 0 * B)[None],
        "a": np.array([0]),
        "v": HEAD,
        "c": SHIFT,
    }
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node("RNN", ["t", "w", "r", "b"], ["s", "e"], hidden_size=UNITS, activations=["Relu"]),
        helper.make_node("Squeeze", ["e", "a"], ["h"]),
        helper.make_node("Gemm", ["h", "v", "c"], ["y"], transB=1),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in
            (("x", ["N", STEPS, FEATURES]), ("y", ["N", CLASSES]))]  # fmt: skip
    weights = [numpy_helper.from_array(a, n) for n, a in stored.items()]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


MODELS = {"keras": by_keras, "torch": by_torch, "cells": by_cells, "onnx": by_onnx}
SETTINGS = {
    "rate": {"duration": 8},
    "phased": {"schedule": "phased", "duration": 8},
    "differential": {"schedule": "differential", "duration": 8},
    "grid": {"duration": 8, "weight_bits": 8},
}


def counts(model, **settings):
    result = stb.simulate(stb.convert(model, X, **settings), X)
    return np.concatenate([c.reshape(len(X), -1) for c in result.counts.values()], axis=1)


def by_hand():
    h = np.zeros((len(X), UNITS))
    for t in range(STEPS):
        h = np.maximum(X[:, t] @ W.T + h @ U.T + B, 0)
    return h @ HEAD.T + SHIFT


@pytest.mark.parametrize("model", MODELS)
def test_the_graph_is_the_network(model):
    np.testing.assert_allclose(load(MODELS[model]()).run(X), by_hand(), atol=1e-5)


@pytest.mark.parametrize("settings", SETTINGS)
def test_equal_spikes_from_each_framework(settings):
    first, *others = (counts(make(), **SETTINGS[settings]) for make in MODELS.values())
    assert first.any()
    for other in others:
        np.testing.assert_array_equal(other, first)


@pytest.mark.parametrize("settings", ["rate", "phased", "grid"])
def test_the_simulator_fires_as_the_semantics_say(settings):
    network = stb.convert(by_torch(), X, **SETTINGS[settings])
    steps = stb.simulate(network, X[:2]).steps
    record = Record(spikes=True)
    told = interpret(network, X[:4], steps=steps, record=record)
    with backend_named("INI").build(network) as built:
        ran = built.run(X[:4], steps=steps, record=record)
    for name, raster in told.spikes.items():
        np.testing.assert_array_equal(ran.spikes[name], raster)


def test_bounded_cells_are_exact_and_smooth_ones_on_request():
    hard = keras.Sequential([keras.Input((STEPS, FEATURES)), keras.layers.SimpleRNN(UNITS, activation="hard_sigmoid")])
    assert counts(hard, duration=8).any()
    smooth = keras.Sequential([keras.Input((STEPS, FEATURES)), keras.layers.SimpleRNN(UNITS), keras.layers.Dense(3)])
    with pytest.raises(SNNToolboxError, match="tanh"):
        stb.convert(smooth, X, duration=8)
    network = stb.convert(smooth, X, duration=128, approximate=("tanh",))
    error = np.abs(stb.simulate(network, X).output - keras.ops.convert_to_numpy(smooth(X)))
    assert error.max() < 0.2
