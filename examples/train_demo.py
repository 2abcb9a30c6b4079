"""Train the network of `snntoolbox demo` on scikit-learn's digits and write it with its data into snntoolbox/demo.

    python examples/train_demo.py [FOLDER]

It takes about a minute on a CPU. The same trained weights are saved from PyTorch, ONNX and Keras. Samples are images
of 8 x 8 pixels without a channel axis, which each model adds in its own layout: so one set of arrays serves all three.
"""

import copy
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

FOLDER = Path(__file__).resolve().parents[1] / "snntoolbox" / "demo"
NAME = "digits_cnn"
EPOCHS = 60
SAMPLES = 500  # so many to test with, and as many of those trained with to set thresholds


class Net(nn.Module):
    """Three convolutions, two of them with batch normalisation, max and average pooling, two dense layers."""

    input_shape = (8, 8)

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(16)
        self.conv3 = nn.Conv2d(16, 32, 3, padding=1)
        self.dense1 = nn.Linear(128, 64)
        self.dense2 = nn.Linear(64, 10)

    def forward(self, x):
        x = x.unsqueeze(1)
        x = functional.relu(self.norm1(self.conv1(x)))
        x = functional.max_pool2d(functional.relu(self.norm2(self.conv2(x))), 2)
        x = functional.avg_pool2d(functional.relu(self.conv3(x)), 2).flatten(1)
        return self.dense2(functional.relu(self.dense1(x)))


def split():
    """Images in [0, 1] and classes to train with, then to test with."""
    digits = load_digits()
    x = (digits.images / 16).astype(np.float32)
    x_train, x_test, y_train, y_test = train_test_split(
        x, digits.target, test_size=SAMPLES, random_state=0, stratify=digits.target
    )
    return x_train, y_train, x_test, y_test


def shifted(x):
    """Each image moved by up to one pixel along both axes, with zeros from outside."""
    padded = functional.pad(x, (1, 1, 1, 1))
    rows = torch.randint(3, (len(x), 1, 1)) + torch.arange(8)[:, None]
    columns = torch.randint(3, (len(x), 1, 1)) + torch.arange(8)
    return padded[torch.arange(len(x))[:, None, None], rows, columns]


def train(x, y):
    """The network trained on samples `x` (samples, 8, 8) and classes `y`, in evaluation mode."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # sums in one order, whatever the machine
    net = Net()
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(net(shifted(x[batch])), y[batch], label_smoothing=0.05).backward()
            optimizer.step()
        schedule.step()
    return net.eval()


def save_torch(net, path):
    """An exported program with a free batch size."""
    free = {0: torch.export.Dim("batch", min=1)}
    program = torch.export.export(net, (torch.zeros(2, *net.input_shape),), dynamic_shapes=(free,))
    for node in program.graph.nodes:  # where the source code lay is nobody's business
        node.meta.pop("stack_trace", None)
    torch.export.save(program, path)


def save_onnx(net, path):
    """The same network of operators of opset 17 with a free batch size."""
    norm = ["weight", "bias", "running_mean", "running_var"]
    window = {"kernel_shape": [2, 2], "strides": [2, 2]}
    steps = [  # operator, its module in the network, that module's tensors, attributes
        ("Reshape", "image", ["shape"], {}),
        ("Conv", "conv1", ["weight", "bias"], {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", "norm1", norm, {"epsilon": net.norm1.eps}),
        ("Relu", "relu1", [], {}),
        ("Conv", "conv2", ["weight", "bias"], {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", "norm2", norm, {"epsilon": net.norm2.eps}),
        ("Relu", "relu2", [], {}),
        ("MaxPool", "max_pool", [], window),
        ("Conv", "conv3", ["weight", "bias"], {"pads": [1, 1, 1, 1]}),
        ("Relu", "relu3", [], {}),
        ("AveragePool", "average_pool", [], window),
        ("Flatten", "flat", [], {}),
        ("Gemm", "dense1", ["weight", "bias"], {"transB": 1}),
        ("Relu", "relu4", [], {}),
        ("Gemm", "dense2", ["weight", "bias"], {"transB": 1}),
    ]
    constants = {"image.shape": np.array([-1, 1, *net.input_shape])}
    constants |= {k: v.numpy() for k, v in net.state_dict().items() if "num_batches" not in k}
    nodes, last = [], "x"
    for operator, name, tensors, attributes in steps:
        inputs = [last, *(f"{name}.{tensor}" for tensor in tensors)]
        nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        last = name
    graph = helper.make_graph(
        nodes,
        NAME,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *net.input_shape])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def save_keras(net, path):
    """The same network in Keras, channels last, with its weights in Keras' order of axes."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(net.input_shape),
            layers.Reshape((*net.input_shape, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", name="conv1"),
            layers.BatchNormalization(epsilon=net.norm1.eps, name="norm1"),
            layers.ReLU(name="relu1"),
            layers.Conv2D(16, 3, padding="same", name="conv2"),
            layers.BatchNormalization(epsilon=net.norm2.eps, name="norm2"),
            layers.ReLU(name="relu2"),
            layers.MaxPooling2D(2, name="max_pool"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv3"),
            layers.AveragePooling2D(2, name="average_pool"),
            layers.Flatten(name="flat"),
            layers.Dense(64, activation="relu", name="dense1"),
            layers.Dense(10, name="dense2"),
        ],
        name=NAME,
    )
    for name, module in net.named_children():
        model.get_layer(name).set_weights(keras_weights(name, module))
    model.save(path)


def keras_weights(name, module):
    """The tensors of a PyTorch module as Keras keeps them."""
    weight, *others = [value.numpy() for key, value in module.state_dict().items() if "num_batches" not in key]
    if weight.ndim == 4:
        weight = weight.transpose(2, 3, 1, 0)
    elif name == "dense1":  # it reads a flattened image, whose channels are last in Keras
        weight = weight.reshape(64, 32, 2, 2).transpose(2, 3, 1, 0).reshape(128, 64)
    elif weight.ndim == 2:
        weight = weight.T
    return [weight, *others]


def save_array(path, array):
    np.savez_compressed(path, array)


def main(folder=FOLDER):
    folder.mkdir(parents=True, exist_ok=True)
    x_train, y_train, x_test, y_test = split()
    net = train(x_train, y_train)
    with torch.no_grad():
        right = net(torch.from_numpy(x_test)).argmax(1).numpy() == y_test
    print(f"{np.sum(right)} of {len(right)} test samples right")
    save_torch(copy.deepcopy(net), folder / f"{NAME}.pt2")
    save_onnx(net, folder / f"{NAME}.onnx")
    save_keras(net, folder / f"{NAME}.keras")
    save_array(folder / "x_test.npz", x_test)
    save_array(folder / "y_test.npz", y_test.astype(np.uint8))
    save_array(folder / "x_norm.npz", x_train[:SAMPLES])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
