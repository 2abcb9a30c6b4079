"""Every node type in torch against its numpy meaning, in both precisions."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from snntoolbox.engine import kernels
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.tensors import Target
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import LinearNode, Node
from snntoolbox.ir.nodes import (
    NODE_TYPES,
    Add,
    AveragePool,
    Concat,
    Conv,
    Dense,
    Elementwise,
    Floor,
    Input,
    MaxPool,
    Mean,
    Pad,
    Permute,
    ReLU,
    Reshape,
    Scale,
    Softmax,
    Sparse,
    Take,
)
from snntoolbox.ir.nodes.elementwise import FUNCTIONS

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def draw(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def conv(weight, stride, padding, dilation, groups=1, bias=None):
    stride, padding, dilation = tuple(stride), tuple(padding), tuple(dilation)
    weight = draw(*weight)
    return Conv(name="n", weight=weight, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=bias)


def average(kernel, stride, padding, **options):
    return AveragePool(name="n", kernel=kernel, stride=stride, padding=padding, **options)


def maximum(kernel, stride, padding, dilation):
    return MaxPool(name="n", kernel=kernel, stride=stride, padding=padding, dilation=dilation)


SPARSE = sp.random_array((6, 12), density=0.4, rng=np.random.default_rng(1), format="csr")


@dataclass(frozen=True, eq=False, kw_only=True)
class Doubled(LinearNode):
    """A third party's linear node: twice its input."""

    def output_shape(self, *shapes):
        return self.one(shapes)

    def linear(self, *values):
        return 2 * values[0]

    def synapses(self, *shapes):
        return (sp.csr_array(2 * sp.eye_array(int(np.prod(shapes[0])))),)


@dataclass(frozen=True, eq=False, kw_only=True)
class Cubed(Node):
    """A third party's node that is not linear."""

    def output_shape(self, *shapes):
        return self.one(shapes)

    def apply(self, *values):
        return values[0] ** 3


# (case, node, shapes of its inputs)
CASES = [
    ("dense", Dense(name="n", weight=draw(3, 5), bias=draw(3)), [(5,)]),
    ("dense, first axis", Dense(name="n", weight=draw(3, 5), axis=0, bias=draw(3, 1, 1)), [(5, 4, 2)]),
    ("dense, middle axis", Dense(name="n", weight=draw(3, 5), axis=1), [(4, 5, 2)]),
    ("dense, last of three", Dense(name="n", weight=draw(3, 5), bias=draw(4, 1, 3)), [(4, 2, 5)]),
    ("conv 1-D", conv((4, 3, 3), [2], [(1, 1)], [1], bias=draw(4, 1)), [(3, 9)]),
    ("conv 1-D, asymmetric", conv((4, 3, 2), [1], [(0, 1)], [2]), [(3, 9)]),
    ("conv 2-D", conv((4, 3, 3, 3), [1, 1], [(1, 1), (1, 1)], [1, 1], bias=draw(4, 1, 1)), [(3, 7, 6)]),
    ("conv 2-D, asymmetric", conv((4, 3, 3, 2), [2, 1], [(0, 1), (2, 1)], [1, 2]), [(3, 7, 6)]),
    ("conv 2-D, groups", conv((6, 2, 3, 3), [1, 1], [(1, 1), (0, 0)], [1, 1], 2), [(4, 7, 6)]),
    ("conv 2-D, depthwise", conv((8, 1, 3, 3), [2, 2], [(0, 1), (0, 1)], [1, 1], 4), [(4, 7, 6)]),
    ("conv 2-D, bias per pixel", conv((4, 3, 1, 1), [1, 1], [(0, 0)] * 2, [1, 1], bias=draw(4, 7, 6)), [(3, 7, 6)]),
    ("conv 3-D", conv((4, 3, 2, 3, 2), [1, 2, 1], [(1, 1), (1, 0), (0, 0)], [1, 1, 2]), [(3, 4, 7, 6)]),
    ("conv 4-D", conv((4, 1, 2, 2, 1, 2), [1, 2, 1, 1], [(1, 0)] * 4, [1, 1, 1, 2], 2), [(2, 3, 4, 3, 5)]),
    ("scale", Scale(name="n", gain=draw(3, 1, 1), bias=draw(1, 4, 1)), [(3, 4, 5)]),
    ("sparse", Sparse(name="n", matrix=SPARSE, shape_in=(3, 4), shape_out=(2, 3), bias=draw(2, 1)), [(3, 4)]),
    ("sparse, empty", Sparse(name="n", matrix=sp.csr_array((2, 4)), shape_in=(4,), shape_out=(2,)), [(4,)]),
    ("add", Add(name="n", inputs=("x0", "x1"), bias=draw(3, 1)), [(3, 4), (3, 4)]),
    ("add, weighted", Add(name="n", inputs=("x0", "x1", "x2"), coefficients=(0.3, -1.0, 2.0)), [(3, 4)] * 3),
    ("add, same input twice", Add(name="n", inputs=("x0", "x0")), [(3, 4)]),
    ("add, one input and bias", Add(name="n", inputs=("x0",), bias=draw(3, 1)), [(3, 4)]),
    ("average 1-D", average((3,), (2,), ((1, 0),)), [(2, 9)]),
    ("average 2-D", average((2, 2), (2, 2), ((0, 0), (0, 0))), [(3, 8, 6)]),
    ("average, padding left out", average((3, 3), (2, 2), ((1, 1), (0, 1))), [(3, 7, 6)]),
    ("average, padding counts", average((3, 2), (1, 2), ((1, 1), (0, 1)), count_padding=True), [(3, 7, 6)]),
    ("average, overhang", average((3, 3), (2, 2), ((1, 1), (1, 1)), count_padding=True, overhang=(1, 0)), [(3, 6, 7)]),
    ("average, not divided", average((3, 3), (2, 2), ((1, 1), (0, 1)), summed=True), [(3, 7, 6)]),
    ("average 3-D", average((2, 3, 2), (2, 2, 1), ((0, 1), (1, 1), (0, 0))), [(2, 5, 6, 4)]),
    ("average 4-D", average((2, 2, 1, 2), (2, 1, 1, 1), ((0, 1), (1, 0), (0, 0), (0, 0))), [(2, 4, 3, 2, 4)]),
    ("mean", Mean(name="n", axes=(1, 2), bias=draw(3)), [(3, 4, 5)]),
    ("mean, axes kept", Mean(name="n", axes=(0, 2), keepdims=True), [(3, 4, 5)]),
    ("mean, not divided", Mean(name="n", axes=(1, 2), summed=True), [(3, 4, 5)]),
    ("reshape", Reshape(name="n", shape=(10, 6)), [(3, 4, 5)]),
    ("permute", Permute(name="n", axes=(2, 0, 1), bias=draw(5, 1, 1)), [(3, 4, 5)]),
    ("take a range", Take(name="n", axis=1, indices=(1, 3, 5)), [(3, 7, 2)]),
    ("take one", Take(name="n", axis=0, indices=(2,)), [(3, 7, 2)]),
    ("take backwards", Take(name="n", axis=1, indices=(3, 2, 1, 0)), [(3, 4, 2)]),
    ("take repeatedly", Take(name="n", axis=2, indices=(0, 0, 1, 1)), [(3, 4, 2)]),
    ("pad", Pad(name="n", pads=((0, 1), (2, 0), (1, 3)), bias=draw(4, 6, 6)), [(3, 4, 2)]),
    ("concat", Concat(name="n", inputs=("x0", "x1", "x0"), axis=1, bias=draw(1, 9)), [(3, 4), (3, 1)]),
    ("relu", ReLU(name="n"), [(3, 4)]),
    ("relu6", ReLU(name="n", max_value=0.5), [(3, 4)]),
    ("relu, bounds", ReLU(name="n", max_value=np.array([[0.5], [1.0], [2.0]])), [(3, 4)]),
    ("relu, levels", ReLU(name="n", max_value=1.5, levels=5), [(3, 4)]),
    ("relu, bounds and levels", ReLU(name="n", max_value=np.array([[0.5], [1.0], [2.0]]), levels=4), [(3, 4)]),
    ("floor", Floor(name="n"), [(3, 4)]),
    ("max 1-D", maximum((3,), (2,), ((2, 1),), (1,)), [(2, 9)]),
    ("max 2-D", maximum((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)), [(3, 8, 6)]),
    ("max 2-D, asymmetric, dilated", maximum((3, 2), (1, 2), ((2, 0), (0, 1)), (2, 3)), [(3, 8, 9)]),
    ("max 3-D", maximum((2, 2, 2), (2, 1, 1), ((0, 1), (0, 0), (1, 0)), (1, 1, 2)), [(2, 5, 3, 6)]),
    ("max 4-D", maximum((2, 1, 2, 2), (1, 1, 1, 1), ((0, 1), (0, 0), (1, 0), (0, 1)), (1, 1, 1, 2)), [(2, 3, 2, 3, 4)]),
    ("softmax", Softmax(name="n", axis=0), [(3, 4)]),
    ("softmax, logarithm", Softmax(name="n", log=True), [(3, 4)]),
    *((f, Elementwise(name="n", function=f), [(3, 40)]) for f in FUNCTIONS),
    ("another's linear node", Doubled(name="n", bias=draw(3, 1)), [(3, 4)]),
    ("another's node", Cubed(name="n"), [(3, 4)]),
]


def graph_of(node, shapes):
    inputs = [Input(name=f"x{i}", shape=s) for i, s in enumerate(shapes)]
    node = node if node.inputs else node.with_inputs(*(i.name for i in inputs))
    return Graph([*inputs, node], ["n"])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("node", "shapes"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_kernel_computes_what_apply_does(node, shapes, dtype):
    graph = graph_of(node, shapes)
    x = [draw(4, *s, seed=7 + i) for i, s in enumerate(shapes)]
    expected = graph.run(*x)
    found = Executor(graph, dtype=dtype).run(*x)
    assert found.dtype == (np.float32 if dtype is torch.float32 else np.float64)
    assert found.shape == expected.shape
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[dtype] * max(1, np.abs(expected).max()))


def test_catalogue_has_every_node_type():
    assert {type(node) for _, node, _ in CASES} >= set(NODE_TYPES.values()) - {Input}
    assert set(kernels.KERNELS) == set(NODE_TYPES.values()) - {Input}


@pytest.mark.parametrize(
    ("node", "shapes"), [c[1:] for c in CASES if c[0].startswith("conv")], ids=[c[0] for c in CASES if "conv" in c[0]]
)
def test_convolution_by_windows_is_the_same_map(node, shapes):
    target = Target(torch.device("cpu"), torch.float64)
    x = draw(3, *shapes[0])
    found = kernels._conv_by_windows(node, target)(target.tensor(x)).numpy()
    np.testing.assert_allclose(found, node.linear(x), rtol=0, atol=1e-12)


# (weight, stride, groups): kinds of convolution for which libraries have algorithms of their own
INTEGERS = [
    ((32, 16, 3, 3), 1, 1),
    ((32, 16, 5, 5), 1, 1),
    ((64, 32, 1, 1), 1, 1),
    ((32, 16, 3, 3), 2, 1),
    ((32, 1, 3, 3), 1, 32),
]


@pytest.mark.parametrize("batch", [1, 2, 40])
@pytest.mark.parametrize(("shape", "stride", "groups"), INTEGERS, ids=str)
def test_convolution_of_whole_numbers_is_exact_in_float32(shape, stride, groups, batch):
    random = np.random.default_rng(3)
    pad = (shape[-1] // 2,) * 2
    node = replace(
        conv(shape, [stride] * 2, [pad] * 2, [1, 1], groups), weight=random.integers(-127, 128, size=shape) * 1.0
    )
    graph = graph_of(node, [(shape[1] * groups, 14, 14)])
    x = random.integers(0, 2, size=(batch, *graph.shapes["x0"])) * 1.0
    found = Executor(graph, exact=True).run(x)
    np.testing.assert_array_equal(found, Executor(graph, dtype=torch.float64).run(x))


def test_window_of_padding_alone_is_the_lowest_value():
    graph = graph_of(maximum((2,), (2,), ((2, 0),), (1,)), [(1, 4)])
    x = draw(2, 1, 4)
    np.testing.assert_array_equal(Executor(graph, dtype=torch.float64).run(x), graph.run(x))


def test_kernels_leave_their_inputs_alone():
    for _, node, shapes in CASES:
        x = [torch.tensor(draw(2, *s)) for s in shapes]
        before = [v.clone() for v in x]
        inputs = [x[int(i[1:])] for i in node.inputs] or x
        target = Target(torch.device("cpu"), torch.float64)
        kernels.prepare(node, tuple(tuple(v.shape[1:]) for v in inputs), target)(*inputs)
        assert all(torch.equal(a, b) for a, b in zip(before, x, strict=True)), node
