"""Recognises a smooth function that a model writes out as a product, such as ``x * sigmoid(x)``."""

from __future__ import annotations

import numpy as np

from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.node import Array, Node, Origin
from snntoolbox.ir.nodes import Elementwise, ReLU, Scale
from snntoolbox.ir.nodes.elementwise import FUNCTIONS

GATED = ("silu", "hard_swish", "gelu", "gelu_tanh", "mish")
TOLERANCE = 2e-6
"""Models write constants in float32: sqrt(2), 1/6."""

_PROBES = np.linspace(-12, 12, 193)


def add_gated(builder: GraphBuilder, name: str, first: str, second: str, origin: Origin | None = None) -> str | None:
    """``first * second`` where both depend on one value x alone and the product is ``c * f(x)``, f one of `GATED`.

    None where it is anything else. What is compared is the functions' values, so every way of writing them counts.
    """
    if builder.shape(first) != builder.shape(second):
        return None
    chains = [_chain(builder, end) for end in (first, second)]
    source = next((n for n in chains[0] if n in chains[1]), None)
    if source is None:
        return None
    left, right = (_values(builder, chain[: chain.index(source)]) for chain in chains)
    found = _named(left * right)
    if found is None:
        return None
    function, factor = found
    made = builder.add(Elementwise(name=name, inputs=(source,), function=function, origin=origin))
    if abs(factor - 1) < TOLERANCE:
        return made
    return builder.affine(f"{name}_factor", made, np.full((), factor), None, origin)


def _chain(builder: GraphBuilder, name: str) -> list[str]:
    """The node and those it is computed from, value by value, the nearest first."""
    chain = [name]
    while _pointwise(builder.node(name)):
        (name,) = builder.node(name).inputs
        chain.append(name)
    return chain


def _pointwise(node: Node) -> bool:
    """Whether a node is one function of each value of its only input."""
    if isinstance(node, Scale):
        return node.gain.size == 1 and (node.bias is None or node.bias.size == 1)
    if isinstance(node, ReLU):
        return node.levels is None and not isinstance(node.max_value, np.ndarray)
    return isinstance(node, Elementwise)


def _values(builder: GraphBuilder, chain: list[str]) -> Array:
    """What a chain makes of the probes."""
    x = _PROBES.reshape(-1, *(1 for _ in builder.shape(chain[0]))) if chain else _PROBES
    for name in reversed(chain):
        x = builder.node(name).apply(x)
    return x.reshape(-1)


def _named(product: Array) -> tuple[str, float] | None:
    """The function and the factor that give these values of a product."""
    for function in GATED:
        values = FUNCTIONS[function](_PROBES)
        factor = float(product[-1] / values[-1])
        if factor and np.abs(product - factor * values).max() <= TOLERANCE * abs(factor):
            return function, factor
    return None
