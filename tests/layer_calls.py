"""A layer as handlers get it, on inputs of given shapes, and what a handler makes of it."""

import numpy as np

from snntoolbox.frontends.layer_call import LayerCall
from snntoolbox.ir.builder import GraphBuilder


def call_on(*shapes, batch=None):
    """A call that reads inputs x0, x1, ... of these sample shapes."""
    builder = GraphBuilder("some")
    sources = tuple(builder.input(f"x{i}", shape) for i, shape in enumerate(shapes))
    return LayerCall(builder=builder, name="it", origin=builder.origin("Kind", "it"), sources=sources, batch=batch)


def samples(*shapes, count=3, seed=0):
    """Random samples of each shape."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(count, *shape)) for shape in shapes]


def computed(call, node, *x):
    """The values of a node on these samples; every node added is of the layer."""
    graph = call.builder.finish([node], "net")
    assert {str(n.origin) for n in graph.nodes.values() if n.kind != "Input"} <= {"it (some Kind)"}
    return graph.run(*x)
