"""The same network with the same weights, told by Keras, PyTorch and ONNX, becomes the same spiking network."""


import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from snntoolbox.backends.simulate import simulate
from snntoolbox.conversion.load import load
from snntoolbox.conversion.stages import convert

keras = pytest.importorskip("keras")

SHAPE = (2, 8, 8)  # channels first; Keras gets the channels last
SAMPLES = 40
STEPS = 32
EPSILON = 1e-3
# Weights are multiples of 1/64 and data of 1/16, so that only BN and the thresholds bring in rounding at all.
GRAIN = 64


@pytest.fixture(scope="module")
def weights():
    generator = np.random.default_rng(5)

    def array(*shape, scale=0.25):
        return (np.round(generator.normal(0, scale, shape) * GRAIN) / GRAIN).astype(np.float32)

    return {
        "dense1": (array(24, 128, scale=0.1), array(24)),
        "dense2": (array(5, 24), array(5)),
        "conv1": (array(6, 2, 3, 3), array(6)),
        "conv2": (array(6, 6, 3, 3, scale=0.15), array(6)),
        "bn": (1 + np.abs(array(6)), array(6), array(6), 0.5 + np.abs(array(6))),  # gamma, beta, mean, variance
        "out": (array(5, 96, scale=0.1), array(5)),
        "mean": (array(5, 8), array(5)),
        "squeeze": (array(3, 6, scale=0.5), array(3)),
        "excite": (array(6, 3, scale=1.0), array(6)),
        "classes": (array(5, 6, scale=0.5), array(5)),
        **{name: (array(8, 8), array(8)) for name in ("query", "key", "value")},
        "attended": (array(5, 128, scale=0.1), array(5)),
        "norm": (1 + np.abs(array(8)), array(8)),
    }


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(6)
    return (generator.integers(0, 17, (2 * SAMPLES, *SHAPE)) / 16).astype(np.float32)


# -- Keras ----------------------------------------------------------------------------------------------------------


def keras_dense(name, w, inputs, width, **options):
    layer = keras.layers.Dense(width, name=name, **options)
    outputs = layer(inputs)
    layer.set_weights([w[name][0].T, w[name][1]])
    return outputs


def keras_conv(name, w, inputs):
    layer = keras.layers.Conv2D(6, 3, padding="same", name=name)
    outputs = layer(inputs)
    layer.set_weights([w[name][0].transpose(2, 3, 1, 0), w[name][1]])
    return outputs


def keras_flat(inputs):
    """Flatten in the order of channels first, as the weights of the others expect."""
    return keras.layers.Flatten()(keras.layers.Permute((3, 1, 2))(inputs))


def keras_mlp(w, x):
    return keras_dense("dense2", w, keras_dense("dense1", w, keras_flat(x), 24, activation="relu"), 5)


def keras_cnn(w, x):
    norm = keras.layers.BatchNormalization(epsilon=EPSILON)
    x = norm(keras_conv("conv1", w, x))
    norm.set_weights(list(w["bn"]))
    x = keras.layers.MaxPooling2D(2)(keras.layers.ReLU()(x))
    x = keras.layers.Activation("relu")(keras_conv("conv2", w, x))
    x = keras.layers.Softmax()(keras_dense("out", w, keras_flat(x), 5))
    return x


def keras_residual(w, x):
    x = keras.layers.AveragePooling2D(2)(keras.layers.ReLU()(keras_conv("conv1", w, x)))
    x = keras.layers.ReLU()(keras.layers.Add()([keras_conv("conv2", w, x), x]))
    return keras_dense("out", w, keras_flat(x), 5)


def keras_joined(w, x):
    """The input itself goes on beside what was made of it."""
    x = keras.layers.ReLU()(keras.layers.Concatenate()([keras_conv("conv1", w, x), x]))
    return keras_dense("mean", w, keras.layers.GlobalAveragePooling2D()(x), 5)


def keras_gated(w, x):
    """Squeeze and excitation between convolutions, as in EfficientNet."""
    x = keras.layers.Activation("silu")(keras_conv("conv1", w, x))
    mean = keras.layers.GlobalAveragePooling2D()(x)
    gate = keras_dense("excite", w, keras_dense("squeeze", w, mean, 3, activation="silu"), 6, activation="sigmoid")
    x = keras.layers.Multiply()([x, keras.layers.Reshape((1, 1, 6))(gate)])
    x = keras.layers.Activation("silu")(keras_conv("conv2", w, x))
    return keras_dense("classes", w, keras.layers.GlobalAveragePooling2D()(x), 5)


def keras_attention(w, x):
    """One head over the rows of both channels, with a smooth layer behind it."""
    rows = keras.layers.Reshape((16, 8))(keras.layers.Permute((3, 1, 2))(x))
    query, key, value = (keras_dense(name, w, rows, 8) for name in ("query", "key", "value"))
    found = keras.ops.matmul(query, keras.ops.transpose(key, (0, 2, 1))) * 0.25
    said = keras.ops.matmul(keras.ops.softmax(found), value)
    return keras_dense("attended", w, keras.layers.Flatten()(keras.layers.Activation("gelu")(said)), 5)


def keras_normed(w, x):
    """Rows normalised, changed by a layer with a residual, and normalised again by their root mean square."""
    rows = keras.layers.Reshape((16, 8))(keras.layers.Permute((3, 1, 2))(x))
    rows = keras_dense("query", w, rows, 8)
    norm, rms = keras.layers.LayerNormalization(epsilon=EPSILON), keras.layers.RMSNormalization(epsilon=EPSILON)
    inner = keras_dense("value", w, keras_dense("key", w, norm(rows), 8, activation="relu"), 8)
    last = rms(keras.layers.Add()([rows, inner]))
    norm.set_weights(list(w["norm"]))
    rms.set_weights(list(w["norm"][:1]))
    return keras_dense("attended", w, keras.layers.Flatten()(last), 5)


def from_keras(build, weights):
    inputs = keras.Input((*SHAPE[1:], SHAPE[0]))
    return keras.Model(inputs, build(weights, inputs))


# -- PyTorch --------------------------------------------------------------------------------------------------------


class TorchNet(nn.Module):
    """All layers that any of the three networks needs."""

    def __init__(self, weights):
        super().__init__()
        self.dense1, self.dense2, self.out = nn.Linear(128, 24), nn.Linear(24, 5), nn.Linear(96, 5)
        self.conv1, self.conv2 = nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.mean = nn.Linear(8, 5)
        self.query, self.key, self.value, self.attended = *(nn.Linear(8, 8) for _ in range(3)), nn.Linear(128, 5)
        self.squeeze, self.excite, self.classes = nn.Linear(6, 3), nn.Linear(3, 6), nn.Linear(6, 5)
        self.bn = nn.BatchNorm2d(6, eps=EPSILON)
        self.norm = nn.LayerNorm(8, eps=EPSILON)
        names = {"bn": ("weight", "bias", "running_mean", "running_var")}
        state = {
            f"{layer}.{name}": torch.tensor(value)
            for layer, values in weights.items()
            for name, value in zip(names.get(layer, ("weight", "bias")), values, strict=True)
        }
        self.load_state_dict(state, strict=False)
        self.eval()


class TorchMLP(TorchNet):
    def forward(self, x):
        return self.dense2(torch.relu(self.dense1(x.flatten(1))))


class TorchCNN(TorchNet):
    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn(self.conv1(x))), 2)
        return torch.softmax(self.out(torch.relu(self.conv2(x)).flatten(1)), 1)


class TorchJoined(TorchNet):
    def forward(self, x):
        return self.mean(torch.relu(torch.cat([self.conv1(x), x], 1)).mean((2, 3)))


class TorchResidual(TorchNet):
    def forward(self, x):
        x = nn.functional.avg_pool2d(torch.relu(self.conv1(x)), 2)
        return self.out(torch.relu(self.conv2(x) + x).flatten(1))


class TorchGated(TorchNet):
    def forward(self, x):
        x = nn.functional.silu(self.conv1(x))
        gate = torch.sigmoid(self.excite(nn.functional.silu(self.squeeze(x.mean((2, 3))))))
        x = nn.functional.silu(self.conv2(x * gate[:, :, None, None]))
        return self.classes(x.mean((2, 3)))


class TorchAttention(TorchNet):
    def forward(self, x):
        rows = x.flatten(1, 2)
        query, key, value = self.query(rows), self.key(rows), self.value(rows)
        said = nn.functional.scaled_dot_product_attention(query, key, value, scale=0.25)
        return self.attended(nn.functional.gelu(said).flatten(1))


class TorchNormed(TorchNet):
    def forward(self, x):
        rows = self.query(x.flatten(1, 2))
        rows = rows + self.value(torch.relu(self.key(self.norm(rows))))
        return self.attended(nn.functional.rms_norm(rows, (8,), self.norm.weight, EPSILON).flatten(1))


# -- ONNX -----------------------------------------------------------------------------------------------------------

PADDED = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
HALVED = {"kernel_shape": [2, 2], "strides": [2, 2]}
ONNX_NETS = {
    "mlp": [
        ("Flatten", ["x"], {}),
        ("Gemm", ["dense1"], {"transB": 1}),
        ("Relu", [], {}),
        ("Gemm", ["dense2"], {"transB": 1}),
    ],
    "cnn": [
        ("Conv", ["x", "conv1"], PADDED),
        ("BatchNormalization", ["bn"], {"epsilon": EPSILON}),
        ("Relu", [], {}),
        ("MaxPool", [], HALVED),
        ("Conv", ["conv2"], PADDED),
        ("Relu", [], {}),
        ("Flatten", [], {}),
        ("Gemm", ["out"], {"transB": 1}),
        ("Softmax", [], {"axis": 1}),
    ],
    "joined": [
        ("Conv", ["x", "conv1"], PADDED),
        ("Concat", ["x"], {"axis": 1}),
        ("Relu", [], {}),
        ("ReduceMean", [], {"axes": [2, 3], "keepdims": 0}),
        ("Gemm", ["mean"], {"transB": 1}),
    ],
    "gated": [
        ("Conv", ["x", "conv1"], PADDED),
        ("Sigmoid", [], {}),
        ("Mul", ["node0"], {}),
        ("GlobalAveragePool", [], {}),
        ("Conv", ["squeeze"], {}),
        ("Sigmoid", [], {}),
        ("Mul", ["node4"], {}),
        ("Conv", ["excite"], {}),
        ("Sigmoid", [], {}),
        ("Mul", ["node2"], {}),
        ("Conv", ["conv2"], PADDED),
        ("Sigmoid", [], {}),
        ("Mul", ["node10"], {}),
        ("ReduceMean", [], {"axes": [2, 3], "keepdims": 0}),
        ("Gemm", ["classes"], {"transB": 1}),
    ],
    "residual": [
        ("Conv", ["x", "conv1"], PADDED),
        ("Relu", [], {}),
        ("AveragePool", [], HALVED),
        ("Conv", ["conv2"], PADDED),
        ("Add", ["node2"], {}),
        ("Relu", [], {}),
        ("Flatten", [], {}),
        ("Gemm", ["out"], {"transB": 1}),
    ],
}
"""Operators in a row: each reads the one before it (the first reads x), then the weights or nodes named."""


def from_onnx(name, weights):
    nodes, last = [], []
    for i, (kind, others, attributes) in enumerate(ONNX_NETS[name]):
        named = [f"{o}.{j}" for o in others if o in weights for j in range(len(weights[o]))]
        plain = [o for o in others if o not in weights]
        nodes.append(helper.make_node(kind, [*last, *plain, *named], [f"node{i}"], name=f"node{i}", **attributes))
        last = [f"node{i}"]
    stored = [numpy_helper.from_array(a, f"{n}.{j}") for n, arrays in weights.items() for j, a in enumerate(arrays)]
    used = {i for node in nodes for i in node.input}
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [None, *SHAPE]), (last[0], [None, 5]))
    ]
    graph = helper.make_graph(nodes, name, ends[:1], ends[1:], [t for t in stored if t.name in used])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


BUILDERS = {
    "mlp": (keras_mlp, TorchMLP),
    "cnn": (keras_cnn, TorchCNN),
    "residual": (keras_residual, TorchResidual),
    "joined": (keras_joined, TorchJoined),
}


@pytest.fixture(scope="module", params=BUILDERS)
def graphs(request, weights):
    """The graph that each frontend makes of the same network."""
    in_keras, in_torch = BUILDERS[request.param]
    return {
        "keras": load(from_keras(in_keras, weights)),
        "pytorch": load(in_torch(weights), input_shape=SHAPE),
        "onnx": load(from_onnx(request.param, weights)),
    }


def laid_out(framework, x):
    return x.transpose(0, 2, 3, 1) if framework == "keras" else x


def all_equal(values):
    """Whether the values of all frameworks are equal to those of the first."""
    first, *others = values.values()
    return all(other == first for other in others)


def test_outputs(graphs, data):
    outputs = {name: graph.run(laid_out(name, data)) for name, graph in graphs.items()}
    scale = np.abs(outputs["onnx"]).max()
    assert scale > 0.1
    for name, output in outputs.items():
        assert np.abs(output - outputs["onnx"]).max() <= 1e-5 * scale, name


@pytest.mark.parametrize("choices", [{}, {"max_pool": "gate"}, {"weight_bits": 6}], ids=["tree", "gate", "grid"])
def test_spiking_networks(graphs, data, choices):
    calibration, test = data[:SAMPLES], data[SAMPLES:]
    networks, counts, outputs = {}, {}, {}
    for name, graph in graphs.items():
        networks[name] = convert(graph, laid_out(name, calibration), duration=STEPS, **choices)
        result = simulate(networks[name], laid_out(name, test), duration=STEPS)
        counts[name] = [int(count.sum()) for count in result.counts.values()]
        outputs[name] = result.output
    assert all_equal({n: [p.size for p in network.populations.values()] for n, network in networks.items()})
    assert min(counts["onnx"]) > 0
    assert all_equal(counts), counts
    for name, output in outputs.items():
        np.testing.assert_allclose(output, outputs["onnx"], atol=1e-5 * np.abs(outputs["onnx"]).max(), err_msg=name)


def onnx_attention(weights):
    """The same by its pieces, with weights that are multiplied from the right."""
    stored = {f"{n}.{k}": (a.T if a.ndim > 1 else a) for n in ("query", "key", "value", "attended")
              for k, a in enumerate(weights[n])}  # fmt: skip
    stored |= {"rows": np.array([0, 16, 8]), "flat": np.array([0, 128]), "gain": np.float32(0.25)}
    nodes = [helper.make_node("Reshape", ["x", "rows"], ["r"])]
    for n in ("query", "key", "value"):
        nodes += [helper.make_node("MatMul", ["r", f"{n}.0"], [f"{n}0"]),
                  helper.make_node("Add", [f"{n}0", f"{n}.1"], [n])]  # fmt: skip
    nodes += [
        helper.make_node("Transpose", ["key"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["query", "turned"], ["found"]),
        helper.make_node("Mul", ["found", "gain"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["shares"], axis=-1),
        helper.make_node("MatMul", ["shares", "value"], ["said"]),
        helper.make_node("Gelu", ["said"], ["smooth"]),
        helper.make_node("Reshape", ["smooth", "flat"], ["f"]),
        helper.make_node("MatMul", ["f", "attended.0"], ["y0"]),
        helper.make_node("Add", ["y0", "attended.1"], ["y"]),
    ]
    shapes = {"x": [None, *SHAPE], "y": [None, 5]}
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    tensors = [numpy_helper.from_array(np.ascontiguousarray(a), n) for n, a in stored.items()]
    graph = helper.make_graph(nodes, "attention", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


@pytest.fixture(scope="module")
def attending(weights):
    """The graph that each frontend makes of the same attention."""
    return {
        "keras": load(from_keras(keras_attention, weights)),
        "pytorch": load(TorchAttention(weights), input_shape=SHAPE),
        "onnx": load(onnx_attention(weights)),
    }


def onnx_normed(weights):
    """The same with normalisations by their pieces."""
    stored = {f"{n}.{k}": (a.T if a.ndim > 1 else a) for n in ("query", "key", "value", "attended")
              for k, a in enumerate(weights[n])}  # fmt: skip
    stored |= {"rows": np.array([0, 16, 8]), "flat": np.array([0, 128]), "small": np.float32(EPSILON)}
    stored |= {"two": np.float32(2), "gain": weights["norm"][0], "shift": weights["norm"][1]}

    def mapped(name, source):
        return [("MatMul", [source, f"{name}.0"], f"{name}0", {}), ("Add", [f"{name}0", f"{name}.1"], name, {})]

    def normalised(stem, source):
        kept = {"axes": [-1], "keepdims": 1}
        return [
            ("Pow", [source, "two"], f"{stem}2", {}),
            ("ReduceMean", [f"{stem}2"], f"{stem}v", kept),
            ("Add", [f"{stem}v", "small"], f"{stem}e", {}),
            ("Sqrt", [f"{stem}e"], f"{stem}r", {}),
            ("Div", [source, f"{stem}r"], f"{stem}n", {}),
            ("Mul", [f"{stem}n", "gain"], f"{stem}g", {}),
        ]

    nodes = [("Reshape", ["x", "rows"], "r", {}), *mapped("query", "r")]
    nodes += [("ReduceMean", ["query"], "m", {"axes": [-1], "keepdims": 1}), ("Sub", ["query", "m"], "c", {})]
    nodes += [*normalised("a", "c"), ("Add", ["ag", "shift"], "as", {}), *mapped("key", "as")]
    nodes += [("Relu", ["key"], "k", {}), *mapped("value", "k"), ("Add", ["query", "value"], "sum", {})]
    nodes += [*normalised("b", "sum"), ("Reshape", ["bg", "flat"], "f", {})]
    nodes += [("MatMul", ["f", "attended.0"], "y0", {}), ("Add", ["y0", "attended.1"], "y", {})]
    made = [helper.make_node(kind, read, [name], **more) for kind, read, name, more in nodes]
    shapes = {"x": [None, *SHAPE], "y": [None, 5]}
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    tensors = [numpy_helper.from_array(np.ascontiguousarray(a), n) for n, a in stored.items()]
    graph = helper.make_graph(made, "normed", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def normed(weights):
    """The graph that each frontend makes of the same normalisations."""
    return {
        "keras": load(from_keras(keras_normed, weights)),
        "pytorch": load(TorchNormed(weights), input_shape=SHAPE),
        "onnx": load(onnx_normed(weights)),
    }


@pytest.fixture(scope="module")
def gated(weights):
    """The graph that each frontend makes of the same gates; ONNX has them as convolutions."""
    wide = {name: (weights[name][0][:, :, None, None], weights[name][1]) for name in ("squeeze", "excite")}
    return {
        "keras": load(from_keras(keras_gated, weights)),
        "pytorch": load(TorchGated(weights), input_shape=SHAPE),
        "onnx": load(from_onnx("gated", {**weights, **wide})),
    }


@pytest.mark.parametrize(
    ("made", "schedule", "steps", "bits"),
    [
        ("gated", "radix", 6, 8),
        ("gated", "phased", 15, 0),
        pytest.param("attending", "radix", 6, 10, marks=pytest.mark.long),
        ("normed", "radix", 6, 12),
    ],
)
def test_products_and_smooth_functions_in_windows(request, made, data, schedule, steps, bits):
    graphs, test, outputs, sums = request.getfixturevalue(made), data[SAMPLES : SAMPLES + 4], {}, {}
    for name, graph in graphs.items():
        calibration = laid_out(name, data[:SAMPLES])
        network = convert(graph, calibration, duration=steps, schedule=schedule, weight_bits=bits)
        result = simulate(network, laid_out(name, test), duration=steps)
        reference = simulate(network, laid_out(name, test[:1]), duration=steps, engine="reference")
        for population, counts in reference.counts.items():
            np.testing.assert_array_equal(result.counts[population][:1], counts, err_msg=f"{name}: {population}")
        outputs[name] = result.output
        sums[name] = sorted(int(count.sum()) for count in result.counts.values())
        expected = graph.run(laid_out(name, test))
        assert np.sqrt(np.mean((result.output - expected) ** 2)) < 0.1 * expected.std()
    assert sum(count > 0 for count in sums["onnx"]) > 5
    assert all_equal(sums), sums
    for name, output in outputs.items():
        np.testing.assert_allclose(output, outputs["onnx"], atol=1e-5 * np.abs(outputs["onnx"]).max(), err_msg=name)
