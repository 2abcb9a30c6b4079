"""Shows how the time from a model to a result grows with depth and with the number of branches side by side.

    python benchmarks/depth.py
    python benchmarks/depth.py --sizes 100,400,1600 --nets chain,sum
    python benchmarks/depth.py --networks              DenseNet-121, DenseNet-BC-100 and SqueezeNet instead

Networks are made as ONNX models: `chain` of matrix products and rectifiers, `norm` of convolution, batch normalisation
and rectifier, `residual` of blocks with a sum each, and branches of convolution, normalisation and rectifier that meet
in one `sum` or one `concat`. For each stage its CPU time in seconds, and that of all stages in milliseconds per layer
or branch, which stays the same where time grows linearly. What is done once is done before, for a small network.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from deep_networks import densenet121, densenet_bc_100, squeezenet
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

import snntoolbox as stb

STAGES = ("load", "convert", "summary", "simulate")
STEPS = 16
SHAPE = (4, 6, 6)
NETWORKS = {
    "DenseNet-121, 64 x 64": (densenet121, (3, 64, 64), 4),
    "DenseNet-BC-100, 32 x 32": (densenet_bc_100, (3, 32, 32), 4),
    "SqueezeNet 1.1, 227 x 227": (squeezenet, (3, 227, 227), 4),
}


class Model:
    """An ONNX model that grows node by node; every weight is drawn anew."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.nodes: list[NodeProto] = []
        self.stored: list[TensorProto] = []

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; gives the name of its value."""
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def stored_as(self, array: np.ndarray) -> str:
        """Keep an array; gives its name."""
        self.stored.append(numpy_helper.from_array(array.astype(np.float32), f"w{len(self.stored)}"))
        return self.stored[-1].name

    def normed(self, source: str, gain: float = 1.0) -> str:
        """Convolution and batch normalisation with a mean gain on `SHAPE`."""
        channels = SHAPE[0]
        kernel = self.random.normal(size=(channels, channels, 3, 3)) * (2 / 9 / channels) ** 0.5
        conv = self.node("Conv", source, self.stored_as(kernel), pads=[1, 1, 1, 1])
        shifts = self.random.normal(size=(2, channels)) * 0.1 * gain
        parts = [self.random.uniform(0.8, 1.2, channels) * gain, *shifts, np.ones(channels)]
        return self.node("BatchNormalization", conv, *map(self.stored_as, parts))

    def norm(self, source: str) -> str:
        """The same with a rectifier."""
        return self.node("Relu", self.normed(source))

    def finished(self, last: str, shape: tuple[int, ...]) -> ModelProto:
        """The model for samples of this shape with ten outputs behind the value of `last`."""
        weight = self.stored_as(self.random.normal(size=(int(np.prod(shape)), 10)))
        end = self.node("MatMul", self.node("Flatten", last), weight)
        x, y = (helper.make_tensor_value_info(n, 1, [None, *s]) for n, s in (("x", self.shape), (end, (10,))))
        graph = helper.make_graph(self.nodes, "net", [x], [y], self.stored)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    shape: tuple[int, ...] = SHAPE


def chain(size: int) -> ModelProto:
    """Matrix products of 16 x 16, near the identity, with a rectifier behind each."""
    model, last = Model(), "x"
    model.shape = (16,)
    for _ in range(size):
        weight = np.eye(16) + 0.01 * model.random.normal(size=(16, 16))
        last = model.node("Relu", model.node("MatMul", last, model.stored_as(weight)))
    return model.finished(last, (16,))


def norm(size: int) -> ModelProto:
    """Convolution, batch normalisation and rectifier, one behind the other."""
    model, last = Model(), "x"
    for _ in range(size):
        last = model.norm(last)
    return model.finished(last, SHAPE)


def residual(size: int) -> ModelProto:
    """Pairs of such layers, each summed with what it read in front of its last rectifier."""
    model, last = Model(), "x"
    for _ in range(0, size, 2):
        branch = model.normed(model.norm(last), gain=1 / size)
        last = model.node("Relu", model.node("Add", last, branch))
    return model.finished(last, SHAPE)


def total(size: int) -> ModelProto:
    """Branches that are summed."""
    model = Model()
    return model.finished(model.node("Sum", *[model.norm("x") for _ in range(size)]), SHAPE)


def concat(size: int) -> ModelProto:
    """Branches that are joined."""
    model = Model()
    joined = model.node("Concat", *[model.norm("x") for _ in range(size)], axis=1)
    return model.finished(joined, (size * SHAPE[0], *SHAPE[1:]))


NETS: Mapping[str, Callable[[int], ModelProto]] = {
    "chain": chain,
    "norm": norm,
    "residual": residual,
    "sum": total,
    "concat": concat,
}


def stages(model: Any, samples: int = 8, shape: tuple[int, ...] | None = None) -> list[float]:
    """CPU seconds of each of `STAGES`."""
    times = [time.process_time()]
    graph = stb.load(model, input_shape=shape)
    times.append(time.process_time())
    x = np.random.default_rng(0).random((samples, *graph.shapes[graph.inputs[0]]), dtype=np.float32)
    network = stb.convert(graph, x)
    times.append(time.process_time())
    network.summary()
    times.append(time.process_time())
    stb.simulate(network, x, duration=STEPS)
    times.append(time.process_time())
    return np.diff(times).tolist()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="150,600,2400", help="layers or branches")
    parser.add_argument("--nets", default=",".join(NETS))
    parser.add_argument("--networks", action="store_true", help="real architectures with random weights")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, one thread, torch {torch.__version__}, {STEPS} steps\n")
    print(f"| network | size | {' | '.join(STAGES)} | ms per layer |\n|---|--:|{'--:|' * len(STAGES)}--:|")
    if options.networks:
        stages(squeezenet(), 1, (3, 65, 65))
        for name, (build, shape, samples) in NETWORKS.items():
            print(f"| {name} |  | {' | '.join(f'{t:.1f}' for t in stages(build(), samples, shape))} |  |", flush=True)
        return
    for name in options.nets.split(","):
        stages(NETS[name](4))
        for size in map(int, options.sizes.split(",")):
            times = stages(NETS[name](size))
            columns = " | ".join(f"{t:.2f}" for t in times)
            print(f"| {name} | {size} | {columns} | {1000 * sum(times) / size:.1f} |", flush=True)


if __name__ == "__main__":
    main()
