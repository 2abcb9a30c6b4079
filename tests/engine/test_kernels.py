"""Every node type in torch against its numpy meaning, in both precisions."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from node_catalogue import CASES as CATALOGUE
from node_catalogue import conv, draw, graph_of

from snntoolbox.engine import kernels
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.tensors import Target, channels_inside
from snntoolbox.ir.node import LinearNode, Node
from snntoolbox.ir.nodes import NODE_TYPES, Add, Concat, Elementwise, Input, MaxPool
from snntoolbox.ir.nodes.elementwise import FUNCTIONS

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def maximum(kernel, stride, padding, dilation):
    return MaxPool(name="n", kernel=kernel, stride=stride, padding=padding, dilation=dilation)


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
    *((case, node, shapes) for case, (node, shapes, _) in CATALOGUE.items() if not isinstance(node, Input)),
    ("add, same input twice", Add(name="n", inputs=("x0", "x0")), [(3, 4)]),
    ("concat, an input twice", Concat(name="n", inputs=("x0", "x1", "x0"), axis=1, bias=draw(1, 9)), [(3, 4), (3, 1)]),
    *((f, Elementwise(name="n", function=f), [(3, 40)]) for f in FUNCTIONS),
    ("another's linear node", Doubled(name="n", bias=draw(3, 1)), [(3, 4)]),
    ("another's node", Cubed(name="n"), [(3, 4)]),
]


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


def test_joins_keep_the_channels_of_a_place_side_by_side():
    """Zeros of inputs that send nothing lie in no order: a join with them is laid out as the others are."""
    node = Concat(name="n", inputs=("a", "b"), axis=0)
    kernel = kernels.prepare(node, ((3, 4, 5), (2, 4, 5)), Target(torch.device("cpu"), torch.float32))
    inside = channels_inside(torch.rand(6, 3, 4, 5))
    for other in (torch.zeros(()).expand(6, 2, 4, 5), torch.rand(6, 2, 4, 5), channels_inside(torch.rand(6, 2, 4, 5))):
        joined = kernel(inside, other)
        assert joined.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(joined, torch.cat([inside.contiguous(), other.contiguous()], 1), rtol=0, atol=0)
    assert kernel(inside.contiguous(), torch.rand(6, 2, 4, 5)).is_contiguous()
