"""Gated linear units and squares: the same spiking network from PyTorch, Keras and ONNX."""

import numpy as np
import pytest
from needed import needed

import snntoolbox as stb

RNG = np.random.default_rng(8)
SIZES = {"up": (8, 6), "gate": (8, 6), "down": (3, 8)}
WEIGHTS = {name: RNG.normal(size=size).astype("float32") * 0.5 for name, size in SIZES.items()}
X = RNG.uniform(-1, 1, size=(60, 6)).astype("float32")
UNITS = ("glu", "swiglu", "square")


def from_torch(unit):
    needed("torch")
    import torch
    from torch.nn import functional

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, weight in WEIGHTS.items():
                self.register_buffer(name, torch.tensor(weight))

        def forward(self, x):
            up, gate = x @ self.up.T, x @ self.gate.T
            if unit == "glu":
                hidden = functional.glu(torch.cat([up, gate], 1), 1)
            else:
                hidden = up * functional.silu(gate) if unit == "swiglu" else up.relu() ** 2
            return hidden @ self.down.T

    return stb.load(Net(), input_shape=(6,))


def from_keras(unit):
    needed("keras")
    import keras

    x = keras.Input((6,))
    up, gate = (keras.ops.matmul(x, WEIGHTS[name].T) for name in ("up", "gate"))
    if unit == "glu":
        hidden = keras.ops.glu(keras.ops.concatenate([up, gate], 1), 1)
    else:
        hidden = up * keras.ops.silu(gate) if unit == "swiglu" else keras.ops.square(keras.ops.relu(up))
    return stb.load(keras.Model(x, keras.ops.matmul(hidden, WEIGHTS["down"].T)))


ONNX = {
    "glu": [("Sigmoid", "g", "s"), ("Mul", "u s", "h")],
    "swiglu": [("Sigmoid", "g", "s"), ("Mul", "g s", "t"), ("Mul", "u t", "h")],
    "square": [("Relu", "u", "r"), ("Pow", "r two", "h")],
}


def from_onnx(unit):
    needed("onnx")
    from onnx import TensorProto, helper, numpy_helper

    steps = [("MatMul", "x up", "u"), ("MatMul", "x gate", "g"), *ONNX[unit], ("MatMul", "h down", "y")]
    nodes = [helper.make_node(op, inputs.split(), [output]) for op, inputs, output in steps]
    shapes = {"x": [None, 6], "y": [None, 3]}
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    stored = {name: np.ascontiguousarray(weight.T) for name, weight in WEIGHTS.items()} | {"two": np.float32(2)}
    tensors = [numpy_helper.from_array(np.asarray(a), name) for name, a in stored.items()]
    graph = helper.make_graph(nodes, unit, ends[:1], ends[1:], tensors)
    return stb.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


@pytest.mark.long
@pytest.mark.parametrize(
    ("unit", "schedule", "steps"), [*((u, "radix", 6) for u in UNITS), ("swiglu", "first-spike", 24)]
)
def test_the_same_counts_from_all_frameworks(unit, schedule, steps):
    sums = {}
    for name, build in {"torch": from_torch, "keras": from_keras, "onnx": from_onnx}.items():
        graph = build(unit)
        network = stb.convert(graph, X, schedule=schedule, T=steps, weight_bits=10, readout_correction=0)
        result = stb.simulate(network, X[40:], T=steps)
        expected = graph.run(X[40:])
        assert np.sqrt(np.mean((result.output - expected) ** 2)) < 0.2 * expected.std()
        exact = stb.simulate(network, X[40:41], T=steps, engine="reference")
        for population, counts in exact.counts.items():
            np.testing.assert_array_equal(result.counts[population][:1], counts, err_msg=f"{name}: {population}")
        sums[name] = sorted(int(count.sum()) for count in result.counts.values())
    assert sums["torch"] == sums["keras"] == sums["onnx"]
    assert sum(count > 0 for count in sums["torch"]) >= (1 if unit == "square" else 4)
