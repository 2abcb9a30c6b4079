"""Which parts of a network take which fast path, and their functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.executor import Executor
from snntoolbox.engine.fast import integer
from snntoolbox.engine.fast.events import EventProduct
from snntoolbox.engine.fast.firing import plain
from snntoolbox.engine.fast.forms import Form, moved
from snntoolbox.engine.fast.layout import rows
from snntoolbox.engine.kernels import Kernel
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Conv, Dense, Input, Reshape

_PASSES = {1: "int8", 2: "int8x2", 3: "int8x3"}
_LARGEST_LIST = 2**16


class FastPaths:
    """The bytes among a network's values, and the maps that read them; other maps get floating values.

    `forms` holds the wiring nodes and populations whose values are bytes; `events` is 'never', 'auto' or 'always';
    `integers` allows 8-bit products, `fused` compiled loops.
    `shortcut` names, for each dense layer that reads bytes flattened for it, the node before the flattening.
    """

    def __init__(self, network: SpikingNetwork, wiring: Executor, events: str, *, integers: bool, fused: bool) -> None:
        self.network, self.wiring, self.events, self.integers = network, wiring, events, integers
        self.fused = fused
        self.forms: dict[str, Form] = {}
        self.kernels: dict[str, Callable[..., Tensor]] = {}
        self.taken: dict[str, set[str]] = {}
        self.shortcut: dict[str, str] = {}
        self.plans: dict[bool, Any] = {}
        for name in network.order:
            if name in network.populations:
                if plain(network.populations[name]):
                    self.forms[name] = Form(1)
            elif not isinstance(node := network.wiring.nodes[name], Input):
                self._plan(name, node)
        self.weighted = {n: _weighted(network, p.current) for n, p in network.populations.items()}

    def _plan(self, name: str, node: Node) -> None:
        """Find the node's function on bytes, if its inputs are bytes and there is one."""
        given = [self.forms.get(i) for i in node.inputs]
        forms = tuple(form for form in given if form is not None)
        if len(forms) < len(given):
            return
        shapes = self.network.wiring.input_shapes(name)
        if isinstance(node, (Conv, Dense)):
            self._product(name, node, forms[0])
        elif found := moved(node, forms, shapes, fused=self.fused):
            self.forms[name], self.kernels[name] = found

    def _product(self, name: str, node: Conv | Dense, form: Form) -> None:
        shape, weight, source = self.network.wiring.shapes[node.inputs[0]], node.weight, node.inputs[0]
        if isinstance(node, Dense) and (len(shape) != 1 or node.axis not in (0, -1)):
            return
        if isinstance(node, Dense) and (found := self._unflattened(source)):
            source, weight = found[0], _reordered(weight, found[1])
        if self.integers and form.factor == 1 and (exact := integer.product(node, weight, form.peak)):
            kernel, passes = exact
            self.taken[name] = {_PASSES[passes]}
            self.kernels[name] = (lambda x: kernel(rows(x))) if source != node.inputs[0] else kernel
        elif self._suits_events(node, weight, form):
            flat = source != node.inputs[0]
            dense = self.wiring.kernel(name) if not flat else _linear(weight)
            product = EventProduct(node, weight, shape, form, dense, always=self.events == "always")
            self.taken[name] = product.taken
            self.kernels[name] = (lambda x: product(rows(x))) if flat else product
        else:
            return
        if source != node.inputs[0]:
            self.shortcut[name] = source

    def _unflattened(self, name: str) -> tuple[str, tuple[int, ...]] | None:
        """What a flattening reads and its shape, if these are bytes with channels and space."""
        node = self.network.wiring.nodes[name]
        if not isinstance(node, Reshape):
            return None
        shape = self.network.wiring.shapes[node.inputs[0]]
        return (node.inputs[0], shape) if len(shape) > 1 and node.inputs[0] in self.forms else None

    def _suits_events(self, node: Conv | Dense, weight: Array, form: Form) -> bool:
        if self.events == "never" or self.wiring.target.dtype != torch.float32:
            return False
        if isinstance(node, Conv) and (weight.ndim != 4 or node.groups != 1):
            return False
        return bool(weight.shape[1] < _LARGEST_LIST)

    def kernel(self, name: str) -> Kernel:
        """The function of a wiring node on its inputs as they come, bytes or floating."""
        if name in self.kernels:
            return self.kernels[name]
        inner, inputs = self.wiring.kernel(name), self.network.wiring.nodes[name].inputs
        return lambda *x: inner(*(self.floating(i, v) for i, v in zip(inputs, x, strict=True)))

    def floating(self, name: str, value: Tensor) -> Tensor:
        """The values of a node as floating numbers."""
        if name not in self.forms or value.dtype != torch.uint8:
            return value
        form, values = self.forms[name], value.to(self.wiring.target.dtype)
        return values if form.factor == 1 else values.mul_(form.factor)

    def paths(self) -> dict[str, frozenset[str]]:
        """For each population the ways in which its current has been computed: see `Result.engine_paths`."""
        return {name: self._path(nodes) for name, nodes in self.weighted.items()}

    def _path(self, nodes: list[str] | None) -> frozenset[str]:
        if nodes is None:
            return frozenset({"constant"})
        return frozenset().union(*(self.taken.get(n, {"dense"}) for n in nodes)) or frozenset({"dense"})


def _weighted(network: SpikingNetwork, current: str) -> list[str] | None:
    """The nodes with weights that carry spikes to this one; None where no spikes reach it."""
    if not _alive(network) & network.sources[current]:
        return None
    return [n for n in _upstream(network, current) if getattr(network.wiring.nodes[n], "weights", None) is not None]


def _alive(network: SpikingNetwork) -> set[str]:
    """The inputs and populations that spike."""
    return {n for n, e in network.encodings.items() if not isinstance(e, ConstantCurrent)} | set(network.populations)


def _upstream(network: SpikingNetwork, end: str) -> list[str]:
    """The wiring nodes that carry spikes to this one, itself included."""
    found, waiting, alive = list[str](), [end], _alive(network)
    while waiting:
        name = waiting.pop()
        if name not in found and network.sources[name] & alive:
            found.append(name)
            waiting.extend(network.wiring.nodes[name].inputs)
    return found


def _reordered(weight: Array, shape: tuple[int, ...]) -> Array:
    """A dense layer's columns in the order of `layout.rows` instead of C order."""
    return np.moveaxis(weight.reshape(len(weight), *shape), 1, -1).reshape(len(weight), -1)


def _linear(weight: Array) -> Kernel:
    stored = torch.from_numpy(np.ascontiguousarray(weight, np.float32))
    return lambda x: torch.nn.functional.linear(x, stored)


def work(network: SpikingNetwork) -> float:
    """About how long the general path takes per sample and step, in seconds on one core of today."""
    products = sum(_products(node, network.wiring.shapes) for node in network.wiring.nodes.values())
    return 2e-9 * network.neurons + 2e-11 * products


def _products(node: Node, shapes: Mapping[str, Any]) -> int:
    """The products of a convolution or dense layer for one sample."""
    if not isinstance(node, (Conv, Dense)):
        return 0
    return int(math.prod(shapes[node.name]) * node.weight[0].size)
