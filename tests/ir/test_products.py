"""A product that is a known smooth function becomes that function; every other one is left alone."""

import numpy as np
import pytest

from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.nodes import Elementwise, ReLU
from snntoolbox.ir.products import add_gated


def scaled(build, source, gain, bias=None):
    return build.affine("scaled", source, np.float32(gain), None if bias is None else np.float32(bias))


def function(build, source, name):
    return build.add(Elementwise(name=name, inputs=(source,), function=name))


def relu(build, source, high=None):
    return build.add(ReLU(name="relu", inputs=(source,), max_value=high))


KNOWN = {
    "silu": lambda b, x: (x, function(b, x, "sigmoid")),
    "silu, three times": lambda b, x: (scaled(b, x, 3), function(b, x, "sigmoid")),
    "minus silu": lambda b, x: (function(b, x, "sigmoid"), scaled(b, x, -1)),
    "hard_swish": lambda b, x: (x, relu(b, scaled(b, x, 1 / 6, 0.5), 1.0)),
    "hard_swish, six times": lambda b, x: (x, relu(b, scaled(b, x, 1, 3), 6.0)),
    "gelu, twice": lambda b, x: (x, scaled(b, function(b, scaled(b, x, 2**-0.5), "erf"), 1, 1)),
    "mish": lambda b, x: (x, function(b, function(b, x, "softplus"), "tanh")),
}


@pytest.mark.parametrize("how", KNOWN)
def test_known_products(how):
    build = GraphBuilder("test")
    x = build.input("x", (3, 2))
    first, second = KNOWN[how](build, x)
    made = add_gated(build, "product", first, second)
    assert made is not None
    graph = build.finish([made, first, second], "g")
    data = np.random.default_rng(0).normal(size=(9, 3, 2)) * 5
    values = graph.values(data)
    assert np.abs(values[made] - values[first] * values[second]).max() < 1e-5
    assert how.split(",")[0].split()[-1] in {n.function for n in graph.nodes.values() if isinstance(n, Elementwise)}


OTHERS = {
    "square": lambda b, x: (x, x),
    "another argument": lambda b, x: (x, function(b, scaled(b, x, 2), "sigmoid")),
    "shifted": lambda b, x: (scaled(b, x, 1, 1), function(b, x, "sigmoid")),
    "two inputs": lambda b, x: (b.input("y", (3, 2)), function(b, x, "sigmoid")),
    "moved values": lambda b, x: (x, function(b, b.take("t", x, 0, [2, 1, 0]), "sigmoid")),
    "gains that vary": lambda b, x: (x, function(b, b.affine("s", x, np.array([[1.0, 2.0]]), None), "sigmoid")),
    "zero": lambda b, x: (scaled(b, x, 0), function(b, x, "sigmoid")),
    "another shape": lambda b, x: (b.take("t", x, 0, [0]), function(b, x, "sigmoid")),
    "hard swish of other width": lambda b, x: (x, relu(b, scaled(b, x, 0.2, 0.5), 1.0)),
}


@pytest.mark.parametrize("how", OTHERS)
def test_other_products_are_left_alone(how):
    build = GraphBuilder("test")
    first, second = OTHERS[how](build, build.input("x", (3, 2)))
    assert add_gated(build, "product", first, second) is None


def test_refusals_carry_their_own_hints():
    from snntoolbox.errors import UnsupportedError

    build = GraphBuilder("test")
    build.refuse(build.origin("A", "a"), "not known")
    with pytest.raises(UnsupportedError, match="replace these layers"):
        build.check()
    for name in "bc":
        build.refuse(build.origin("B", name), "in training mode", hint="export it in evaluation mode")
    with pytest.raises(UnsupportedError) as error:
        build.check()
    assert error.value.hint == "export it in evaluation mode"
    assert len(error.value.offenders) == 3
