"""Networks whose weights and inputs are small multiples of powers of two: every sum is exact in any order."""

from dataclasses import replace

import numpy as np
import torch

import snntoolbox as stb
from snntoolbox import demo
from snntoolbox.ir.graph import Graph

WEIGHTS, INPUTS = 64, 16


def rounded(values, by=WEIGHTS):
    return np.round(np.asarray(values, np.float64) * by) / by


def dyadic(network):
    """The network with all its weights, biases and start potentials on a grid of 1/64."""
    nodes = []
    for node in network.wiring.nodes.values():
        for name in ("weight", "gain"):
            if hasattr(node, name):
                node = replace(node, **{name: rounded(getattr(node, name))})
        nodes.append(node)
    populations = [
        replace(
            p,
            bias=None if p.bias is None else rounded(p.bias),
            neuron=replace(p.neuron, initial=rounded(p.neuron.initial)),
        )
        for p in network.populations.values()
    ]
    wiring = Graph(nodes, network.wiring.outputs, name=network.wiring.name)
    return network.replaced(wiring=wiring, populations=populations)


def lenet():
    """A LeNet with few channels and weights drawn at random, and samples for it."""
    torch.manual_seed(3)
    layers = [torch.nn.Conv2d(1, 4, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    layers += [torch.nn.Conv2d(4, 6, 5), torch.nn.ReLU(), torch.nn.AvgPool2d(2), torch.nn.Flatten()]
    layers += [torch.nn.Linear(6 * 5 * 5, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)]
    x = np.random.default_rng(0).random((24, 1, 28, 28)).astype(np.float32)
    graph = stb.load(torch.nn.Sequential(*layers), input_shape=(1, 28, 28))
    return dyadic(stb.convert(graph, x, duration=16)), rounded(x[:3], INPUTS)


def demo_digits():
    """The demo's network and some of its test samples."""
    x, norm = (np.load(demo.folder() / name)["arr_0"] for name in ("x_test.npz", "x_norm.npz"))
    graph = stb.load(demo.folder() / "digits_cnn.onnx")
    return dyadic(stb.convert(graph, norm[:64], duration=16)), rounded(x[:3], INPUTS)


NETWORKS = {"lenet": lenet, "demo": demo_digits}


def rasters(network, x, steps=16):
    """What the built-in simulator does."""
    return stb.simulate(network, x, duration=steps * network.dt, record=stb.Record(spikes=True))
