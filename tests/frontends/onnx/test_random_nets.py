"""Small random nets, drawn by Hypothesis, against onnxruntime."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BODY = ("conv", "relu", "maxpool", "averagepool", "batchnormalization", "add_constant", "mul", "transpose", "skip",
        "concat", "pad", "slice", "clip", "leaky", "prelu", "hard_tanh", "swish", "largest", "transposed")  # fmt: skip


class Sketch:
    """A net under construction: nodes, weights, and the shape of the last tensor (channels, height, width)."""

    def __init__(self, rng):
        self.rng, self.nodes, self.weights, self.last = rng, [], {}, "x"
        self.shape = (int(rng.integers(1, 4)), int(rng.integers(5, 9)), int(rng.integers(5, 9)))
        self.x = self.shape

    def weight(self, array):
        name = f"w{len(self.weights)}"
        self.weights[name] = np.asarray(array, np.float32) if np.asarray(array).dtype.kind == "f" else np.asarray(array)
        return name

    def node(self, op, inputs="", shape=None, **attributes):
        out = f"t{len(self.nodes)}"
        self.nodes.append((op, f"{self.last} {inputs}".strip(), out, attributes))
        self.last, self.shape = out, shape or self.shape

    def conv(self):
        c, h, w = self.shape
        k, s, out = self.rng.integers(1, 4, 2), self.rng.integers(1, 3, 2), int(self.rng.integers(1, 4))
        pads = self.rng.integers(0, 3, 4).tolist()
        size = [(n + pads[i] + pads[i + 2] - int(k[i])) // int(s[i]) + 1 for i, n in enumerate((h, w))]
        if min(size) > 0:
            weight = self.weight(self.rng.normal(size=(out, c, *k)))
            self.node("Conv", weight, (out, *size), strides=s.tolist(), pads=pads)

    def relu(self):
        self.node("Relu")

    def clip(self):
        self.node("Clip", f"{self.weight(np.float32(0))} {self.weight(np.float32(0.8))}")

    def hard_tanh(self):
        self.node("Clip", f"{self.weight(np.float32(-0.3))} {self.weight(np.float32(0.8))}")

    def leaky(self):
        self.node("LeakyRelu", alpha=float(self.rng.uniform(0, 1)))

    def prelu(self):
        self.node("PRelu", self.weight(self.rng.uniform(0, 1, (self.shape[0], 1, 1))))

    def swish(self):
        before = self.last
        self.node("Sigmoid")
        self.node("Mul", before)

    def largest(self):
        before = self.last
        self.node("Neg")
        self.node("Max", f"{before} {self._constant()}")

    def transposed(self):
        c, h, w = self.shape
        if h * w <= 200:
            cut = self.rng.integers(0, 2, 2)
            size = (h - 1) * 2 + 3 - 2 * int(cut[0]), w + 1 - 2 * int(cut[1])
            if min(size) > 0:
                weight = self.weight(self.rng.normal(size=(c, 2, 3, 2)))
                self.node("ConvTranspose", weight, (2, *size), strides=[2, 1], pads=[*cut.tolist(), *cut.tolist()])

    def _pool(self, op, **more):
        c, h, w = self.shape
        if min(h, w) >= 3:
            pads = self.rng.integers(0, 2, 4).tolist()
            size = [(n + pads[i] + pads[i + 2] - 2) // 2 + 1 for i, n in enumerate((h, w))]
            self.node(op, shape=(c, *size), kernel_shape=[2, 2], strides=[2, 2], pads=pads, **more)

    def maxpool(self):
        self._pool("MaxPool")

    def averagepool(self):
        self._pool("AveragePool", count_include_pad=int(self.rng.integers(0, 2)))

    def batchnormalization(self):
        c = self.shape[0]
        parts = [self.weight(self.rng.normal(size=c)) for _ in range(3)] + [self.weight(self.rng.uniform(0.5, 2, c))]
        self.node("BatchNormalization", " ".join(parts))

    def _constant(self):
        return self.weight(self.rng.normal(size=[n if self.rng.integers(2) else 1 for n in self.shape]))

    def add_constant(self):
        self.node("Add", self._constant())

    def mul(self):
        self.node("Mul", self._constant())

    def transpose(self):
        axes = [*(self.rng.permutation(3) + 1).tolist()]
        self.node("Transpose", shape=tuple(self.shape[a - 1] for a in axes), perm=[0, *axes])

    def skip(self):
        before = self.last
        self.relu()
        self.node("Sub", before)

    def concat(self):
        c, h, w = self.shape
        if c <= 4:
            self.node("Concat", self.last, (2 * c, h, w), axis=1)

    def pad(self):
        c, h, w = self.shape
        self.node("Pad", self.weight(np.int64([0, 0, 1, 0, 0, 0, 0, 2])), (c, h + 1, w + 2), mode="edge")

    def slice(self):
        c, h, w = self.shape
        marks = [self.weight(np.int64([v])) for v in (-1, -(2**62), 2, -2)]
        self.node("Slice", " ".join(marks), (c, (h + 1) // 2, w))

    def finish(self):
        size = int(np.prod(self.shape))
        self.node("Flatten", shape=(size,))
        self.node("Gemm", f"{self.weight(self.rng.normal(size=(size, 3)))} {self.weight(self.rng.normal(size=3))}")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**31), st.lists(st.sampled_from(BODY), min_size=1, max_size=7), st.sampled_from(["N", 1, 2]))
def test_random_nets(build, compare, seed, layers, batch):
    sketch = Sketch(np.random.default_rng(seed))
    for layer in layers:
        getattr(sketch, layer)()
    sketch.finish()
    model = build(sketch.nodes, x=sketch.x, weights=sketch.weights, opset=13, batch=batch, outputs=(sketch.last,))
    compare(model)
