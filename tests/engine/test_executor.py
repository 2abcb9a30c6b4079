"""The executor against ``Graph.values``: batches, kept values, what it computes and what it frees."""

import numpy as np
import pytest
import torch

from snntoolbox.engine import executor as module
from snntoolbox.engine.executor import Executor
from snntoolbox.errors import GraphError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Add, AveragePool, Concat, Conv, Dense, Input, Permute, ReLU, Reshape

GENERATOR = np.random.default_rng(5)


def normal(*shape):
    return GENERATOR.normal(size=shape)


@pytest.fixture(scope="module")
def graph():
    """A small net with a residual, a concatenation, two inputs and a branch that the output does not need."""
    ones = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    nodes = [
        Input(name="image", shape=(8, 6, 3)),
        Input(name="extra", shape=(5,)),
        Permute(name="first", inputs=("image",), axes=(2, 0, 1)),
        Conv(name="conv1", inputs=("first",), weight=normal(4, 3, 3, 3), bias=np.ones((4, 1, 1)), **ones),
        ReLU(name="relu1", inputs=("conv1",)),
        Conv(name="conv2", inputs=("relu1",), weight=normal(4, 4, 3, 3), **ones),
        Add(name="add", inputs=("conv2", "relu1")),
        AveragePool(name="pool", inputs=("add",), kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0))),
        Reshape(name="flat", inputs=("pool",), shape=(48,)),
        Concat(name="join", inputs=("flat", "extra")),
        Dense(name="dense", inputs=("join",), weight=normal(7, 53)),
        ReLU(name="aside", inputs=("extra",)),
    ]
    return Graph(nodes, ["dense", "aside"])


@pytest.fixture(scope="module")
def x():
    return normal(11, 8, 6, 3), normal(11, 5)


@pytest.mark.parametrize("batch_size", [1, 4, 11, 100])
def test_run_does_not_depend_on_the_batch_size(graph, x, batch_size):
    found = Executor(graph, dtype=torch.float64).run(*x, batch_size=batch_size)
    np.testing.assert_allclose(found, graph.run(*x), rtol=0, atol=1e-11)


@pytest.mark.parametrize("keep", [None, ("relu1", "pool"), ("image", "conv1", "dense"), ("aside",)])
def test_values_are_those_asked_for(graph, x, keep):
    expected = graph.values(*x, keep=keep)
    found = Executor(graph, dtype=torch.float64).values(*x, keep=keep)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-11)


def test_batches_cover_all_samples_in_order(graph, x):
    parts = list(Executor(graph, dtype=torch.float64).batches(*x, keep=("pool",), batch_size=4))
    assert [len(p["pool"]) for p in parts] == [4, 4, 3]
    joined = np.concatenate([p["pool"] for p in parts])
    np.testing.assert_allclose(joined, graph.values(*x, keep=("pool",))["pool"], rtol=0, atol=1e-11)


def test_only_needed_nodes_are_prepared(graph, x, monkeypatch):
    prepared = []
    real = module.prepare
    monkeypatch.setattr(module, "prepare", lambda node, *rest: prepared.append(node.name) or real(node, *rest))
    executor = Executor(graph)
    executor.values(*x, keep=("relu1",))
    assert prepared == ["first", "conv1", "relu1"]
    executor.values(*x, keep=("relu1",))
    assert len(prepared) == 3


def test_values_are_dropped_after_their_last_use(graph):
    plan = dict(Executor(graph)._planned(frozenset({"dense", "pool"})))
    assert plan["first"] == ("image",)
    assert plan["conv1"] == ("first",)
    assert plan["conv2"] == ()
    assert plan["add"] == ("conv2", "relu1")
    assert plan["flat"] == ()
    assert "aside" not in plan


def test_integers_and_no_samples_are_taken(graph, x):
    image = GENERATOR.integers(0, 255, size=(2, 8, 6, 3), dtype=np.uint8)
    expected = graph.run(image, x[1][:2])
    assert Executor(graph).run(image, x[1][:2]) == pytest.approx(expected, rel=1e-4)
    assert Executor(graph).run(image[:0], x[1][:0]).shape == (0, 7)


def test_wrong_shape_names_the_input(graph, x):
    with pytest.raises(GraphError, match=r"image.*\(8, 6, 3\).*\(3, 8, 6\)"):
        Executor(graph).run(x[0].transpose(0, 3, 1, 2), x[1])


def test_settings_of_torch_are_put_back(graph, x):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        for _ in Executor(graph).batches(*x, batch_size=4):
            assert torch.get_float32_matmul_precision() == "medium"
            assert torch.is_grad_enabled()
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_gives_the_same(graph, x):
    found = Executor(graph, device="cuda").run(*x)
    np.testing.assert_allclose(found, graph.run(*x), rtol=0, atol=1e-3)
