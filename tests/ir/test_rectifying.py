"""Piecewise-linear functions and transposed convolution are lowered exactly."""

import numpy as np
import pytest
import torch

from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.node import LinearNode
from snntoolbox.ir.nodes import ReLU
from snntoolbox.ir.rectifying import (
    add_absolute,
    add_bound,
    add_clip,
    add_conv_transpose,
    add_leaky_relu,
    add_maximum,
    add_minimum,
)

SLOPES = np.arange(5.0) / 4
LEVELS = np.arange(1, 6.0)


def turned(builder, x):
    """1 - x / 2."""
    return builder.affine("g", x, np.float64(-0.5), np.float64(1))


FUNCTIONS = {
    "clip both": (lambda b, x: add_clip(b, "f", x, -1, 2), lambda x: np.clip(x, -1, 2)),
    "clip above": (lambda b, x: add_clip(b, "f", x, None, 2), lambda x: np.minimum(x, 2)),
    "clip below": (lambda b, x: add_clip(b, "f", x, 0.5, None), lambda x: np.maximum(x, 0.5)),
    "clip none": (lambda b, x: add_clip(b, "f", x, None, None), lambda x: x),
    "bounds above": (lambda b, x: add_bound(b, "f", x, LEVELS, -1.0), lambda x: np.minimum(x, LEVELS)),
    "bounds below": (lambda b, x: add_bound(b, "f", x, LEVELS, 1.0), lambda x: np.maximum(x, LEVELS)),
    "bounds of a rectifier": (
        lambda b, x: add_bound(b, "f", add_clip(b, "r", x, 0, None), LEVELS, -1.0),
        lambda x: np.clip(x, 0, LEVELS),
    ),
    "relu6": (lambda b, x: add_clip(b, "f", x, 0, 6), lambda x: np.clip(x, 0, 6)),
    "leaky": (lambda b, x: add_leaky_relu(b, "f", x, 0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
    "leaky slope 0": (lambda b, x: add_leaky_relu(b, "f", x, 0.0), lambda x: np.maximum(x, 0)),
    "prelu": (lambda b, x: add_leaky_relu(b, "f", x, SLOPES), lambda x: np.where(x > 0, x, SLOPES * x)),
    "leaky capped": (
        lambda b, x: add_leaky_relu(b, "f", x, 0.2, 1.0),
        lambda x: np.minimum(np.where(x > 0, x, 0.2 * x), 1),
    ),
    "absolute": (lambda b, x: add_absolute(b, "f", x), np.abs),
    "maximum": (lambda b, x: add_maximum(b, "f", x, turned(b, x)), lambda x: np.maximum(x, 1 - x / 2)),
    "minimum": (lambda b, x: add_minimum(b, "f", x, turned(b, x)), lambda x: np.minimum(x, 1 - x / 2)),
}  # fmt: skip


@pytest.mark.parametrize("case", FUNCTIONS)
def test_function(case):
    build, exact = FUNCTIONS[case]
    builder = GraphBuilder("test")
    graph = builder.finish([build(builder, builder.input("x", (5,)))], "net")
    x = np.random.default_rng(0).normal(scale=4, size=(60, 5))
    np.testing.assert_allclose(graph.run(x), exact(x), atol=1e-12)
    assert all(isinstance(n, (LinearNode, ReLU)) or n.name == "x" for n in graph.nodes.values())


def test_an_upper_bound_behind_a_rectifier_is_its_own():
    builder = GraphBuilder("test")
    source = add_clip(builder, "r", builder.input("x", (5,)), 0, None)
    assert isinstance(builder.node(add_bound(builder, "f", source, LEVELS, -1.0)), ReLU)
    assert not isinstance(builder.node(add_bound(builder, "g", source, LEVELS - 1, -1.0)), ReLU), "one bound is zero"


GEOMETRIES = [
    {"stride": 2, "padding": 1, "output_padding": 1, "dilation": 1, "groups": 1, "kernel": 3},
    {"stride": 3, "padding": 0, "output_padding": 2, "dilation": 2, "groups": 2, "kernel": 3},
    {"stride": 1, "padding": 1, "output_padding": 0, "dilation": 1, "groups": 1, "kernel": 3},
    {"stride": 2, "padding": 3, "output_padding": 0, "dilation": 1, "groups": 1, "kernel": 2},
    {"stride": 2, "padding": 0, "output_padding": 0, "dilation": 1, "groups": 4, "kernel": 4},
]


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_transposed_convolution_equals_torch(geometry, dimensions):
    rng = np.random.default_rng(1)
    kernel, groups = geometry["kernel"], geometry["groups"]
    space = (6, 5, 4)[:dimensions]
    x = rng.normal(size=(2, 4, *space))
    weight, bias = rng.normal(size=(4, 8 // groups, *(kernel,) * dimensions)), rng.normal(size=8)
    settings = {k: geometry[k] for k in ("stride", "padding", "output_padding", "dilation")}
    function = getattr(torch.nn.functional, f"conv_transpose{dimensions}d")
    wanted = function(*map(torch.from_numpy, (x, weight, bias)), groups=groups, **settings).numpy()
    builder = GraphBuilder("test")
    each = {k: (v,) * dimensions for k, v in settings.items()}
    each["padding"] = ((settings["padding"],) * 2,) * dimensions
    out = add_conv_transpose(builder, "up", builder.input("x", (4, *space)), weight, bias, groups=groups, **each)
    np.testing.assert_allclose(builder.finish([out], "net").run(x), wanted, atol=1e-10)
