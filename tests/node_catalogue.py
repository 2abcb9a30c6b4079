"""Every type of node as data, for whatever must know all of them: meaning, kernels, files, counts of operations."""

import numpy as np
import scipy.sparse as sp

from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import (
    Add,
    AveragePool,
    Concat,
    Conv,
    Delay,
    Dense,
    Elementwise,
    Floor,
    Input,
    MatrixProduct,
    MaxPool,
    Mean,
    Multiply,
    Normalise,
    Pad,
    Permute,
    ReLU,
    Reshape,
    RootMeanSquare,
    Scale,
    Softmax,
    Sparse,
    Tabulated,
    Take,
)


def draw(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def conv(weight, stride, padding, dilation, groups=1, **more):
    geometry = {"stride": tuple(stride), "padding": tuple(padding), "dilation": tuple(dilation)}
    return Conv(name="n", weight=draw(*weight), groups=groups, **geometry, **more)


def pool(kind, kernel, stride, padding, **more):
    return kind(name="n", kernel=kernel, stride=stride, padding=padding, **more)


MATRIX = sp.csr_array(np.where(draw(6, 12) > 0.5, draw(6, 12), 0))
NONE2 = ((0, 0), (0, 0))

# case: (node, shapes of its inputs, shape of its output)
LINEAR = {
    "dense": (Dense(name="n", weight=draw(3, 5), bias=draw(3)), [(5,)], (3,)),
    "dense, first axis": (Dense(name="n", weight=draw(3, 5), axis=0, bias=draw(3, 1)), [(5, 4)], (3, 4)),
    "dense, middle axis": (Dense(name="n", weight=draw(3, 5), axis=1), [(2, 5, 4)], (2, 3, 4)),
    "dense, last of three": (Dense(name="n", weight=draw(3, 5), axis=-1), [(2, 4, 5)], (2, 4, 3)),
    "conv 1-D": (conv((4, 3, 3), [2], [(1, 1)], [1], bias=draw(4, 1)), [(3, 9)], (4, 5)),
    "conv 1-D, causal": (conv((4, 3, 2), [1], [(2, 0)], [2]), [(3, 9)], (4, 9)),
    "conv 2-D": (conv((4, 3, 3, 2), [2, 1], [(0, 1), (2, 1)], [1, 2]), [(3, 7, 6)], (4, 3, 7)),
    "conv 2-D, groups": (conv((6, 2, 3, 3), [1, 1], [(1, 1), (0, 0)], [1, 1], 2), [(4, 5, 6)], (6, 5, 4)),
    "conv 2-D, depthwise": (conv((8, 1, 3, 3), [2, 2], [(0, 1), (0, 1)], [1, 1], 4), [(4, 6, 6)], (8, 3, 3)),
    "conv 2-D, larger steps than windows": (conv((2, 2, 1, 1), [3, 2], NONE2, [1, 1]), [(2, 5, 6)], (2, 2, 3)),
    "conv 3-D": (conv((2, 3, 2, 1, 2), [1, 2, 1], [(1, 1), (0, 0), (0, 1)], [1, 1, 2]), [(3, 3, 4, 3)], (2, 4, 2, 2)),
    "scale": (Scale(name="n", gain=draw(3, 1, 1), bias=draw(1, 4, 1)), [(3, 4, 5)], (3, 4, 5)),
    "sparse": (Sparse(name="n", matrix=MATRIX, shape_in=(3, 4), shape_out=(2, 3), bias=draw(2, 1)), [(3, 4)], (2, 3)),
    "add": (Add(name="n", inputs=("x0", "x1"), bias=draw(3, 1)), [(3, 4), (3, 4)], (3, 4)),
    "add, weighted": (Add(name="n", inputs=("x0", "x1", "x2"), coefficients=(0.3, -1.0, 2.0)), [(3, 4)] * 3, (3, 4)),
    "average 1-D": (pool(AveragePool, (3,), (2,), ((1, 0),)), [(2, 9)], (2, 4)),
    "average 2-D": (pool(AveragePool, (2, 2), (2, 2), NONE2), [(3, 4, 6)], (3, 2, 3)),
    "average, odd": (pool(AveragePool, (3, 2), (2, 1), ((1, 1), (0, 1))), [(3, 5, 6)], (3, 3, 6)),
    "average, padding counts": (
        pool(AveragePool, (3, 2), (1, 2), ((1, 1), (0, 1)), count_padding=True),
        [(3, 5, 6)],
        (3, 5, 3),
    ),
    "average, overhang": (
        pool(AveragePool, (3, 3), (2, 2), ((1, 1), (1, 1)), count_padding=True, overhang=(1, 0)),
        [(2, 6, 7)],
        (2, 4, 4),
    ),
    "average, summed": (pool(AveragePool, (2, 2), (1, 1), ((1, 0), (0, 0)), summed=True), [(2, 3, 4)], (2, 3, 3)),
    "mean": (Mean(name="n", axes=(1, 2), bias=draw(3)), [(3, 4, 5)], (3,)),
    "mean, first axis kept": (Mean(name="n", axes=(0,), keepdims=True), [(3, 4)], (1, 4)),
    "mean, outer axes": (Mean(name="n", axes=(0, 2)), [(3, 4, 2)], (4,)),
    "mean, summed": (Mean(name="n", axes=(1,), summed=True), [(3, 4)], (3,)),
    "reshape": (Reshape(name="n", shape=(6, 2)), [(3, 4)], (6, 2)),
    "flatten": (Reshape(name="n", shape=(24,), bias=draw(24)), [(3, 4, 2)], (24,)),
    "permute": (Permute(name="n", axes=(2, 0, 1)), [(3, 4, 2)], (2, 3, 4)),
    "take": (Take(name="n", axis=1, indices=(3, 0, 0, 2, 1)), [(2, 4, 2)], (2, 5, 2)),
    "take one": (Take(name="n", axis=0, indices=(1,)), [(3, 2)], (1, 2)),
    "pad": (Pad(name="n", pads=((0, 1), (2, 0))), [(3, 4)], (4, 6)),
    "concat": (Concat(name="n", inputs=("x0", "x1", "x2"), axis=1), [(3, 4), (3, 1), (3, 2)], (3, 7)),
    "delay": (Delay(name="n", steps=3, bias=draw(3, 1)), [(3, 4)], (3, 4)),
    "concat of vectors": (Concat(name="n", inputs=("x0", "x1")), [(3,), (2,)], (5,)),
    "dense, first axis of three": (
        Dense(name="n", weight=draw(3, 5), axis=0, bias=draw(3, 1, 1)),
        [(5, 4, 2)],
        (3, 4, 2),
    ),
    "dense, last of three, with bias": (Dense(name="n", weight=draw(3, 5), bias=draw(4, 1, 3)), [(4, 2, 5)], (4, 2, 3)),
    "conv 1-D, asymmetric": (conv((4, 3, 2), [1], [(0, 1)], [2]), [(3, 9)], (4, 8)),
    "conv 2-D, padded": (
        conv((4, 3, 3, 3), [1, 1], [(1, 1), (1, 1)], [1, 1], bias=draw(4, 1, 1)),
        [(3, 7, 6)],
        (4, 7, 6),
    ),
    "conv 2-D, bias per pixel": (
        conv((4, 3, 1, 1), [1, 1], [(0, 0)] * 2, [1, 1], bias=draw(4, 7, 6)),
        [(3, 7, 6)],
        (4, 7, 6),
    ),
    "conv 4-D": (
        conv((4, 1, 2, 2, 1, 2), [1, 2, 1, 1], [(1, 0)] * 4, [1, 1, 1, 2], 2),
        [(2, 3, 4, 3, 5)],
        (4, 3, 2, 4, 4),
    ),
    "sparse, empty": (Sparse(name="n", matrix=sp.csr_array((2, 4)), shape_in=(4,), shape_out=(2,)), [(4,)], (2,)),
    "add, one input and bias": (Add(name="n", inputs=("x0",), bias=draw(3, 1)), [(3, 4)], (3, 4)),
    "average, padding left out": (pool(AveragePool, (3, 3), (2, 2), ((1, 1), (0, 1))), [(3, 7, 6)], (3, 4, 3)),
    "average, padding counts on both sides": (
        pool(AveragePool, (3, 2), (1, 2), ((1, 1), (0, 1)), count_padding=True),
        [(3, 7, 6)],
        (3, 7, 3),
    ),
    "average, not divided": (pool(AveragePool, (3, 3), (2, 2), ((1, 1), (0, 1)), summed=True), [(3, 7, 6)], (3, 4, 3)),
    "average 3-D": (pool(AveragePool, (2, 3, 2), (2, 2, 1), ((0, 1), (1, 1), (0, 0))), [(2, 5, 6, 4)], (2, 3, 3, 3)),
    "average 4-D": (
        pool(AveragePool, (2, 2, 1, 2), (2, 1, 1, 1), ((0, 1), (1, 0), (0, 0), (0, 0))),
        [(2, 4, 3, 2, 4)],
        (2, 2, 3, 2, 3),
    ),
    "mean, axes kept": (Mean(name="n", axes=(0, 2), keepdims=True), [(3, 4, 5)], (1, 4, 1)),
    "mean, not divided": (Mean(name="n", axes=(1, 2), summed=True), [(3, 4, 5)], (3,)),
    "permute, with bias": (Permute(name="n", axes=(2, 0, 1), bias=draw(5, 1, 1)), [(3, 4, 5)], (5, 3, 4)),
    "take a range": (Take(name="n", axis=1, indices=(1, 3, 5)), [(3, 7, 2)], (3, 3, 2)),
    "take backwards": (Take(name="n", axis=1, indices=(3, 2, 1, 0)), [(3, 4, 2)], (3, 4, 2)),
    "take repeatedly": (Take(name="n", axis=2, indices=(0, 0, 1, 1)), [(3, 4, 2)], (3, 4, 4)),
    "pad, with bias": (Pad(name="n", pads=((0, 1), (2, 0), (1, 3)), bias=draw(4, 6, 6)), [(3, 4, 2)], (4, 6, 6)),
}
OTHERS = {
    "input": (Input(name="n", shape=(3, 4)), [(3, 4)], (3, 4)),
    "relu": (ReLU(name="n"), [(3, 4)], (3, 4)),
    "max": (pool(MaxPool, (3, 2), (1, 2), ((2, 0), (0, 1)), dilation=(2, 3)), [(2, 7, 8)], (2, 5, 3)),
    "relu, bounds and levels": (ReLU(name="n", max_value=np.array([[0.5], [1.0], [2.0]]), levels=4), [(3, 4)], (3, 4)),
    "floor": (Floor(name="n"), [(3, 4)], (3, 4)),
    "softmax": (Softmax(name="n", axis=0), [(3, 4)], (3, 4)),
    "elementwise": (Elementwise(name="n", function="silu"), [(3, 4)], (3, 4)),
    "tabulated": (Tabulated(name="n", function="gelu"), [(3, 4)], (3, 4)),
    "tabulated, negative part": (Tabulated(name="n", function="elu", sign=-1), [(3, 4)], (3, 4)),
    "matrix product": (MatrixProduct(name="n", contraction=Contraction(1, 2, 3, 4)), [(3, 4), (2, 4)], (2, 3)),
    "multiply": (Multiply(name="n"), [(3, 4), (3, 4)], (3, 4)),
    "normalise": (Normalise(name="n", axes=(1,), epsilon=1e-3), [(3, 4)], (3, 4)),
    "normalise, not centred": (Normalise(name="n", axes=(0, 2), epsilon=0.5, centred=False), [(3, 4, 2)], (3, 4, 2)),
    "root of mean squares": (RootMeanSquare(name="n", axes=(1,), epsilon=1e-3), [(3, 4)], (3, 1)),
    "inverse root": (RootMeanSquare(name="n", axes=(0,), epsilon=1e-3, inverse=True), [(3, 4)], (1, 4)),
    "square": (Tabulated(name="n", function="square"), [(3, 4)], (3, 4)),
    "inverse of a root": (Tabulated(name="n", function="inverse_root"), [(3, 4)], (3, 4)),
    "relu6": (ReLU(name="n", max_value=0.5), [(3, 4)], (3, 4)),
    "relu, bounds": (ReLU(name="n", max_value=np.array([[0.5], [1.0], [2.0]])), [(3, 4)], (3, 4)),
    "relu, levels": (ReLU(name="n", max_value=1.5, levels=5), [(3, 4)], (3, 4)),
    "max 1-D": (pool(MaxPool, (3,), (2,), ((2, 1),), dilation=(1,)), [(2, 9)], (2, 5)),
    "max 2-D": (pool(MaxPool, (2, 2), (2, 2), NONE2, dilation=(1, 1)), [(3, 8, 6)], (3, 4, 3)),
    "max 2-D, asymmetric, dilated": (
        pool(MaxPool, (3, 2), (1, 2), ((2, 0), (0, 1)), dilation=(2, 3)),
        [(3, 8, 9)],
        (3, 6, 4),
    ),
    "max 3-D": (
        pool(MaxPool, (2, 2, 2), (2, 1, 1), ((0, 1), (0, 0), (1, 0)), dilation=(1, 1, 2)),
        [(2, 5, 3, 6)],
        (2, 3, 2, 5),
    ),
    "max 4-D": (
        pool(MaxPool, (2, 1, 2, 2), (1, 1, 1, 1), ((0, 1), (0, 0), (1, 0), (0, 1)), dilation=(1, 1, 1, 2)),
        [(2, 3, 2, 3, 4)],
        (2, 3, 2, 3, 3),
    ),
    "softmax, logarithm": (Softmax(name="n", log=True), [(3, 4)], (3, 4)),
}
CASES = LINEAR | OTHERS


def graph_of(node, shapes):
    """The node behind an input of each shape; it reads them by its own names, or in order where it has none."""
    names = node.inputs or [f"x{i}" for i in range(len(shapes))]
    inputs = [Input(name=name, shape=shape) for name, shape in zip(dict.fromkeys(names), shapes, strict=True)]
    return Graph([*inputs, node.with_inputs(*names)], ["n"])
