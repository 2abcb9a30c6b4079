"""Small random models drawn as a list of layers, and the same model in Keras, PyTorch and ONNX."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")

GRAIN = 8
"""Weights are whole numbers of 1 / GRAIN: sums of them are exact in float32, whatever their order."""


@dataclass(frozen=True)
class Layer:
    """`kind`, its parameters, its arrays (weights as PyTorch keeps them), which values it reads (-1 is the last)."""

    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    arrays: tuple[np.ndarray, ...] = ()
    reads: tuple[int, ...] = ()


@dataclass
class Plan:
    """A model: the shape of a sample (channels first), layers in order, and which values are its outputs.

    `exact` says whether all its sums are exact in float32: no division by other than powers of two.
    """

    shape: tuple[int, ...]
    layers: list[Layer] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    exact: bool = True

    def __repr__(self) -> str:
        told = [f"{p.kind}{p.reads}{p.settings}{[a.shape for a in p.arrays]}" for p in self.layers]
        return f"Plan({self.shape}, {told}, outputs={self.outputs})"


class Drawing:
    """Draws a plan; value 0 is the input, value i the output of layer i - 1."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.random = np.random.default_rng(chance.getrandbits(32))
        self.rank = self.pick(2, 2, 2, 1, 3)
        space = tuple(self.number(4, 7 if self.rank < 3 else 4) for _ in range(self.rank))
        self.plan = Plan((self.number(1, 4), *space))
        self.plan.shapes.append(self.plan.shape)

    def pick(self, *values: Any) -> Any:
        return self.chance.choice(values)

    def number(self, low: int, high: int) -> int:
        return self.chance.randint(low, high)

    @property
    def last(self) -> int:
        return len(self.plan.layers)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.plan.shapes[-1]

    def weight(self, *shape: int) -> np.ndarray:
        return (self.random.integers(-GRAIN, GRAIN + 1, shape) / GRAIN).astype(np.float32)

    def add(self, kind: str, shape: tuple[int, ...], *arrays: np.ndarray, reads: Any = None, **settings: Any) -> int:
        reads = (self.last,) if reads is None else reads
        self.plan.layers.append(Layer(kind, settings, arrays, reads))
        self.plan.shapes.append(tuple(shape))
        return self.last

    # -- layers -------------------------------------------------------------------------------------------------

    def conv(self, filters: int | None = None, keep: bool = False, reads: Any = None) -> int:
        channels, *space = self.shape if reads is None else self.plan.shapes[reads[0]]
        groups = 1 if filters else self.pick(*[g for g in (1, 1, 2, channels) if channels % g == 0])
        filters = filters or groups * self.number(1, 3)
        kernel = tuple(self.number(1, min(3, n)) for n in space)
        dilation = self.pick(1, 1, 2) if all((k - 1) * 2 < n for k, n in zip(kernel, space, strict=True)) else 1
        stride = 1 if keep or dilation > 1 else self.pick(1, 1, 2)
        padding = "same" if keep else self.pick("same", "valid", "uneven")
        pads = self.pads(padding, kernel, stride, dilation, space)
        out = [
            (n + lo + hi - dilation * (k - 1) - 1) // stride + 1
            for n, k, (lo, hi) in zip(space, kernel, pads, strict=True)
        ]
        arrays = (self.weight(filters, channels // groups, *kernel), self.weight(filters))
        geometry = {"stride": stride, "dilation": dilation, "groups": groups, "padding": padding, "pads": pads}
        return self.add("conv", (filters, *out), *arrays, reads=reads, **geometry)

    def pads(self, padding: str, kernel: Any, stride: int, dilation: int, space: Any) -> list[tuple[int, int]]:
        if padding == "valid":
            return [(0, 0) for _ in space]
        if padding == "uneven":
            return [(self.number(0, 1), self.number(0, 2)) for _ in space]
        total = [
            max((-(-n // stride) - 1) * stride + dilation * (k - 1) + 1 - n, 0)
            for n, k in zip(space, kernel, strict=True)
        ]
        return [(t // 2, t - t // 2) for t in total]

    def transposed(self) -> None:
        channels, *space = self.shape
        if math.prod(space) > 40:
            return
        kernel, stride = tuple(self.number(1, 3) for _ in space), self.pick(1, 2)
        filters = self.number(1, 2)
        out = [(n - 1) * stride + max(k, stride) for n, k in zip(space, kernel, strict=True)]
        if all(k >= stride for k in kernel):  # where it is less, frameworks differ in the border
            self.add("transposed", (filters, *out), self.weight(channels, filters, *kernel), self.weight(filters),
                     stride=stride)  # fmt: skip

    def norm(self) -> None:
        channels = self.shape[0]
        variance = (4.0 ** self.random.integers(-1, 2, channels)).astype(np.float32)
        self.add("norm", self.shape, *(self.weight(channels) for _ in range(3)), variance)

    def rectifier(self) -> None:
        kind = self.pick("relu", "relu", "relu", "relu6", "leaky", "none")
        if kind != "none":
            self.add(kind, self.shape)

    def pool(self) -> None:
        channels, *space = self.shape
        size = self.pick(2, 2, 2, 3)
        if min(space) >= size:
            kind, stride = self.pick("average", "average", "max"), self.pick(size, 1)
            self.plan.exact &= kind == "max" or size == 2
            self.add(kind, (channels, *((n - size) // stride + 1 for n in space)), size=size, stride=stride)

    def residual(self) -> None:
        before = self.last
        if self.pick(True, False):
            self.conv(keep=True, filters=self.shape[0])
            self.add("relu", self.shape)
        self.conv(keep=True, filters=self.shape[0])
        self.add("add", self.shape, reads=(before, self.last))
        self.rectifier()

    def concat(self) -> None:
        before = self.last
        self.conv(keep=True, filters=self.number(1, 2))
        self.rectifier()
        (first, *space), second = self.shape, self.plan.shapes[before][0]
        self.add("concat", (first + second, *space), reads=(self.last, before))

    def shared(self) -> None:
        """The same weights twice."""
        first = self.conv(keep=True, filters=self.shape[0])
        layer = self.plan.layers[-1]
        self.add("relu", self.shape)
        self.plan.layers.append(Layer("conv", {**layer.settings, "twin": first - 1}, layer.arrays, (self.last,)))
        self.plan.shapes.append(self.shape)
        self.rectifier()

    def turn(self) -> None:
        axes = tuple(self.chance.sample(range(1, self.rank + 1), self.rank))
        self.add("turn", (self.shape[0], *(self.shape[a] for a in axes)), axes=(0, *axes))

    def block(self) -> None:
        kind = self.pick("conv", "conv", "conv", "pool", "residual", "concat", "shared", "turn", "transposed")
        if math.prod(self.shape) > 600:
            kind = "pool"
        if kind != "conv":
            getattr(self, kind)()
            return
        self.conv()
        if self.pick(True, False):
            self.norm()
        self.rectifier()
        if self.pick(True, False, False):
            self.norm()

    def dense(self, width: int) -> int:
        (size,) = self.shape
        return self.add("dense", (width,), self.weight(width, size), self.weight(width))

    def head(self) -> None:
        kind = self.pick("flat", "flat", "mean")
        space = self.shape[1:]
        if kind == "mean":
            count = math.prod(space)
            self.plan.exact &= count & (count - 1) == 0
            self.add("mean", self.shape[:1])
        else:
            self.add("flat", (math.prod(self.shape),))
        if self.pick(True, False):
            self.dense(self.number(2, 9))
            self.add("relu", self.shape)
        self.plan.outputs.append(self.dense(3))

    def done(self) -> Plan:
        for _ in range(self.number(1, 3)):
            self.block()
        if not any(layer.kind in ("relu", "relu6", "leaky") for layer in self.plan.layers):
            self.add("relu", self.shape)
        before = self.last
        self.head()
        if self.pick(True, False, False):
            self.add("relu", self.plan.shapes[before], reads=(before,))
            self.head()
        return self.plan


def drawn(chance: Random) -> Plan:
    """A random model."""
    return Drawing(chance).done()


# -- PyTorch --------------------------------------------------------------------------------------------------------


def in_torch(plan: Plan, layout: str = "first") -> Any:
    import torch
    from torch import nn
    from torch.nn import functional

    rank = len(plan.shape) - 1
    convs, pools = (nn.Conv1d, nn.Conv2d, nn.Conv3d), (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
    transposed, maxima = (
        (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
        (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    )
    norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

    def module(layer: Layer) -> Any:
        s, arrays = layer.settings, layer.arrays
        geometry = {"stride": s.get("stride")}
        if layer.kind == "conv":
            geometry |= {"dilation": s["dilation"], "groups": s["groups"]}
            filters, per_group, *kernel = arrays[0].shape
            return convs[rank - 1](per_group * s["groups"], filters, tuple(kernel), **geometry)
        if layer.kind == "transposed":
            return transposed[rank - 1](*arrays[0].shape[:2], arrays[0].shape[2:], **geometry)
        if layer.kind == "dense":
            return nn.Linear(*arrays[0].shape[::-1])
        if layer.kind == "norm":
            return norms[rank - 1](len(arrays[0]), eps=0.0)
        if layer.kind in ("average", "max"):
            return (pools if layer.kind == "average" else maxima)[rank - 1](s["size"], s["stride"])
        plain = {"relu": nn.ReLU, "relu6": nn.ReLU6, "leaky": lambda: nn.LeakyReLU(0.25), "flat": nn.Flatten}
        return plain.get(layer.kind, nn.Identity)()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList()
            for layer in plan.layers:
                twin = layer.settings.get("twin")
                self.parts.append(module(layer) if twin is None else self.parts[twin])
                names = ("weight", "bias", "running_mean", "running_var")
                for name, array in zip(names, layer.arrays, strict=False):
                    getattr(self.parts[-1], name).data = torch.from_numpy(array.copy())

        def forward(self, x: Any) -> Any:
            values = [x.movedim(-1, 1) if layout == "last" else x]
            for layer, part in zip(plan.layers, self.parts, strict=True):
                given = [values[i] for i in layer.reads]
                if layer.kind == "conv":
                    flat = [n for pair in reversed(layer.settings["pads"]) for n in pair]
                    values.append(part(functional.pad(given[0], flat)))
                elif layer.kind == "add":
                    values.append(given[0] + given[1])
                elif layer.kind == "concat":
                    values.append(torch.cat(given, 1))
                elif layer.kind == "turn":
                    values.append(given[0].permute(0, *(a + 1 for a in layer.settings["axes"])))
                elif layer.kind == "mean":
                    values.append(given[0].mean(tuple(range(2, rank + 2))))
                else:
                    values.append(part(given[0]))
            return tuple(values[o] for o in plan.outputs)

    return Net().eval()


# -- Keras ----------------------------------------------------------------------------------------------------------


def in_keras(plan: Plan, layout: str = "last") -> Any:
    import keras
    from keras import layers as K  # noqa: N812

    rank, data = len(plan.shape) - 1, {"data_format": f"channels_{layout}"}
    channel_axis = 1 if layout == "first" else -1
    made: list[Any] = []

    def of_rank(stem: str) -> Any:
        return getattr(K, stem.replace("*", f"{rank}D"))

    def conv(layer: Layer, x: Any) -> Any:
        s, (weight, bias) = layer.settings, layer.arrays
        filters, per_group, *kernel = weight.shape
        padding = s["padding"]
        if padding == "uneven":
            x = of_rank("ZeroPadding*")(s["pads"][0] if rank == 1 else s["pads"], **data)(x)
            padding = "valid"
        channels = per_group * s["groups"]
        geometry = {"strides": s["stride"], "dilation_rate": s["dilation"], "padding": padding, **data}
        if s["groups"] == channels > 1 and rank < 3 and s["stride"] == 1:
            made.append(of_rank("DepthwiseConv*")(tuple(kernel), depth_multiplier=filters // channels, **geometry))
            weight = np.moveaxis(weight.reshape(channels, -1, *kernel), (0, 1), (-2, -1))
        else:
            made.append(of_rank("Conv*")(filters, tuple(kernel), groups=s["groups"], **geometry))
            weight = np.moveaxis(weight, (0, 1), (-1, -2))
        out = made[-1](x)
        made[-1].set_weights([weight, bias])
        return out

    def apply(layer: Layer, given: list[Any]) -> Any:
        s, arrays, x = layer.settings, layer.arrays, given[0]
        if layer.kind == "conv" and "twin" not in s:
            return conv(layer, x)
        made.append(None)
        if layer.kind == "conv":
            return made[s["twin"]](x)
        if layer.kind == "transposed":
            part = of_rank("Conv*Transpose")(arrays[0].shape[1], arrays[0].shape[2:], strides=s["stride"], **data)
            out = part(x)
            part.set_weights([np.moveaxis(arrays[0], (0, 1), (-1, -2)), arrays[1]])
            return out
        if layer.kind == "norm":
            part = K.BatchNormalization(axis=channel_axis, epsilon=0.0)
            out = part(x)
            part.set_weights(list(arrays))
            return out
        if layer.kind == "dense":
            part = K.Dense(len(arrays[0]))
            out = part(x)
            part.set_weights([arrays[0].T, arrays[1]])
            return out
        if layer.kind == "turn":
            axes = s["axes"][1:]
            return K.Permute((1, *(a + 1 for a in axes)) if layout == "first" else (*axes, rank + 1))(x)
        if layer.kind == "flat":  # in the order of channels first
            return K.Flatten()(x if layout == "first" else K.Permute((rank + 1, *range(1, rank + 1)))(x))
        simple = {
            "relu": K.ReLU,
            "relu6": lambda: K.ReLU(max_value=6.0),
            "leaky": lambda: K.LeakyReLU(negative_slope=0.25),
            "average": lambda: of_rank("AveragePooling*")(s["size"], s["stride"], **data),
            "max": lambda: of_rank("MaxPooling*")(s["size"], s["stride"], **data),
            "mean": lambda: of_rank("GlobalAveragePooling*")(**data),
            "add": K.Add,
            "concat": lambda: K.Concatenate(axis=channel_axis),
        }
        return simple[layer.kind]()(given if len(given) > 1 else x)

    shape = plan.shape if layout == "first" else (*plan.shape[1:], plan.shape[0])
    values = [keras.Input(shape)]
    for layer in plan.layers:
        values.append(apply(layer, [values[i] for i in layer.reads]))
    return keras.Model(values[0], [values[o] for o in plan.outputs])


# -- ONNX -----------------------------------------------------------------------------------------------------------


def in_onnx(plan: Plan, layout: str = "first") -> Any:
    from onnx import TensorProto, helper, numpy_helper

    rank = len(plan.shape) - 1
    stored: dict[str, np.ndarray] = {}
    nodes = []

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        nodes.append(helper.make_node(kind, inputs, [output], name=f"{kind}_{len(nodes)}", **attributes))

    def constant(name: str, array: Any) -> str:
        stored[name] = np.asarray(array)
        return name

    names = ["x"]
    if layout == "last":
        names = ["turned"]
        node("Transpose", ["x"], "turned", perm=[0, rank + 1, *range(1, rank + 1)])
    for i, layer in enumerate(plan.layers):
        s, given, out = layer.settings, [names[r] for r in layer.reads], f"t{i}"
        owner = s.get("twin", i)
        held = [constant(f"w{owner}_{j}", a) for j, a in enumerate(layer.arrays)]
        if layer.kind == "conv":
            attributes = {"strides": [s["stride"]] * rank, "dilations": [s["dilation"]] * rank, "group": s["groups"]}
            pads = [lo for lo, _ in s["pads"]] + [hi for _, hi in s["pads"]]
            node("Conv", given + held, out, pads=pads, **attributes)
        elif layer.kind == "transposed":
            node("ConvTranspose", given + held, out, strides=[s["stride"]] * rank)
        elif layer.kind == "norm":
            node("BatchNormalization", given + held, out, epsilon=0.0)
        elif layer.kind == "dense":
            node("Gemm", given + held, out, transB=1)
        elif layer.kind in ("average", "max"):
            kind = "AveragePool" if layer.kind == "average" else "MaxPool"
            node(kind, given, out, kernel_shape=[s["size"]] * rank, strides=[s["stride"]] * rank)
        elif layer.kind == "relu6":
            node("Clip", [*given, constant("zero", np.float32(0)), constant("six", np.float32(6))], out)
        elif layer.kind == "leaky":
            node("LeakyRelu", given, out, alpha=0.25)
        elif layer.kind == "concat":
            node("Concat", given, out, axis=1)
        elif layer.kind == "turn":
            node("Transpose", given, out, perm=[0, *(a + 1 for a in s["axes"])])
        elif layer.kind == "mean":
            node("ReduceMean", given, out, axes=list(range(2, rank + 2)), keepdims=0)
        else:
            node({"relu": "Relu", "add": "Add", "flat": "Flatten"}[layer.kind], given, out)
        names.append(out)
    shape = plan.shape if layout == "first" else (*plan.shape[1:], plan.shape[0])
    ends = [helper.make_tensor_value_info(names[o], TensorProto.FLOAT, [None, *plan.shapes[o]]) for o in plan.outputs]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, *shape])
    graph = helper.make_graph(nodes, "net", [x], ends, [numpy_helper.from_array(a, n) for n, a in stored.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


FRAMEWORKS = {"keras": in_keras, "pytorch": in_torch, "onnx": in_onnx}


def laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    return x if layout == "first" else np.ascontiguousarray(np.moveaxis(x, 1, -1))
