"""LSTM and GRU in windows: the same spikes from each framework, by every engine, on Brian2 and in Verilog."""

import numpy as np
import pytest
from needed import needed

import snntoolbox as stb
from snntoolbox.errors import UnsupportedError
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.result import Record

RNG = np.random.default_rng(5)
STEPS, FEATURES, UNITS, DIGITS = 2, 2, 2, 4
X = RNG.uniform(-1, 1, (60, STEPS, FEATURES)).astype("float32")
GATES = {"LSTM": 4, "GRU": 3}
ORDERS = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2]}
"""The gates of torch in the order of ONNX, which for GRU is that of Keras too."""


def drawn(kind):
    """W, U and both biases as torch has them, and a head."""
    rng, rows = np.random.default_rng(3), GATES[kind] * UNITS
    shapes = [(rows, FEATURES), (rows, UNITS), (rows,), (rows,), (2, UNITS), (2,)]
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def ordered(array, kind):
    return np.concatenate([np.split(array, GATES[kind])[i] for i in ORDERS[kind]])


def from_torch(kind):
    needed("torch")
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = getattr(torch.nn, kind)(FEATURES, UNITS, batch_first=True)
            self.head = torch.nn.Linear(UNITS, 2)

        def forward(self, x):
            return self.head(self.rnn(x)[0][:, -1])

    model = Net()
    for parameter, value in zip(model.parameters(), drawn(kind), strict=True):
        parameter.data = torch.tensor(value)
    return stb.load(model.eval(), input_shape=(STEPS, FEATURES))


def from_keras(kind):
    needed("keras")
    import keras

    w, u, b, d, head, shift = drawn(kind)
    if kind == "GRU":
        values = [ordered(w, kind).T, ordered(u, kind).T, np.stack([ordered(b, kind), ordered(d, kind)])]
    else:
        values = [w.T, u.T, b + d]
    x = keras.Input((STEPS, FEATURES))
    model = keras.Model(x, keras.layers.Dense(2)(getattr(keras.layers, kind)(UNITS)(x)))
    model.set_weights([*values, head.T, shift])
    return stb.load(model)


def from_onnx(kind):
    needed("onnx")
    from onnx import TensorProto, helper, numpy_helper

    w, u, b, d, head, shift = drawn(kind)
    stored = {n: ordered(a, kind)[None] for n, a in (("w", w), ("r", u))}
    stored |= {"b": np.concatenate([ordered(b, kind), ordered(d, kind)])[None], "v": head, "c": shift}
    stored["zero"] = np.array([0])
    after = {"linear_before_reset": 1} if kind == "GRU" else {}
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node(kind, ["t", "w", "r", "b"], ["s", "e"], hidden_size=UNITS, **after),
        helper.make_node("Squeeze", ["e", "zero"], ["h"]),
        helper.make_node("Gemm", ["h", "v", "c"], ["y"], transB=1),
    ]
    shapes = {"x": [None, STEPS, FEATURES], "y": [None, 2]}
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    tensors = [numpy_helper.from_array(np.ascontiguousarray(a), n) for n, a in stored.items()]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], tensors)
    return stb.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8))


def converted(graph, digits, bits, **choices):
    settings = {"schedule": "radix", "T": digits, "readout_correction": 0, "layer_correction": "none", **choices}
    return stb.convert(graph, X[:40], weight_bits=bits, **settings)


@pytest.mark.long
@pytest.mark.parametrize("kind", GATES)
def test_the_same_counts_from_all_frameworks(kind):
    sums = {}
    for name, build in {"torch": from_torch, "keras": from_keras, "onnx": from_onnx}.items():
        graph = build(kind)
        result = stb.simulate(converted(graph, 7, 12), X[40:])
        expected = graph.run(X[40:])
        assert np.sqrt(np.mean((result.output - expected) ** 2)) < 0.15 * expected.std(), name
        sums[name] = sorted(int(count.sum()) for count in result.counts.values())
    assert sums["torch"] == sums["keras"] == sums["onnx"]
    assert sum(count > 0 for count in sums["torch"]) > 8


@pytest.mark.long
@pytest.mark.parametrize("kind", GATES)
def test_the_same_spikes_by_every_engine_on_brian2_and_in_verilog(kind):
    needed("brian2")
    network = converted(from_torch(kind), DIGITS, 8)
    record = Record(spikes=True)
    expected = interpret(network, X[:1], steps=network.schedule.steps, record=record).spikes
    assert sum(int(spikes.sum()) for spikes in expected.values()) > 20
    choices = [{"engine": "counts"}, {"engine": "dense"}, {"simulator": "brian2"}, {"simulator": "verilog"}]
    for choice in choices:
        found = stb.simulate(network, X[:1], record=record, **choice).spikes
        for name, spikes in expected.items():
            np.testing.assert_array_equal(found[name], spikes, err_msg=f"{choice}: {name}")


def test_what_windows_alone_can_do_is_refused_elsewhere_with_the_way_out():
    graph = from_torch("GRU")
    for schedule in ("rate", "differential", "recurrent"):
        with pytest.raises(UnsupportedError, match="rnn") as caught:
            stb.convert(graph, X[:40], schedule=schedule, T=4)
        assert "radix" in str(caught.value), schedule
