"""Which parts of a network take which fast path, and their functions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.executor import Executor
from snntoolbox.engine.fast import products_int8
from snntoolbox.engine.fast.bytes_layout import rows
from snntoolbox.engine.fast.bytes_maps import Form, moved
from snntoolbox.engine.fast.events_joined import Joined, terms
from snntoolbox.engine.fast.events_products import EventProduct, suitable
from snntoolbox.engine.fast.neurons_firing import Firing, plain
from snntoolbox.engine.fast.neurons_trees import trees
from snntoolbox.engine.fast.products_tiled import Tiles
from snntoolbox.engine.kernels import Kernel, prepare
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, Node, Shape
from snntoolbox.ir.nodes import Conv, Dense, Input, Reshape

_SIZES = 2
"""Sizes of batches for which neurons are kept: a run has two, the last one smaller."""

_PASSES = {1: "int8", 2: "int8x2", 3: "int8x3"}


def _looks_up(population: Population) -> bool:
    """Whether its counts are a table's, which no compiled loop knows."""
    return isinstance(population.neuron, IF) and population.neuron.table is not None


class FastPaths:
    """The bytes among a network's values, and the maps that read them; other maps get floating values.

    `forms` holds the wiring nodes and populations whose values are bytes; `events` is 'never', 'auto' or 'always';
    `integers` allows 8-bit products, `fused` compiled loops. `sent` are the forms of what populations send, by
    default spikes.
    `shortcut` names, for each dense layer that reads bytes flattened for it, the node before the flattening; and for
    each population in `direct` the bytes whose events go straight to its neurons. `trees` has that of each population
    that belongs to one.
    """

    def __init__(
        self,
        network: SpikingNetwork,
        wiring: Executor,
        events: str,
        *,
        integers: bool,
        fused: bool,
        sent: Mapping[str, Form] | None = None,
    ) -> None:
        self.network, self.wiring, self.events, self.integers = network, wiring, events, integers
        self.fused = fused
        self.counted = sent is not None
        self.forms: dict[str, Form] = dict(plain_forms(network) if sent is None else sent)
        self.kernels: dict[str, Callable[..., Tensor]] = {}
        self.taken: dict[str, set[str]] = {}
        self.shortcut: dict[str, tuple[str, ...]] = {}
        self.products: dict[str, EventProduct] = {}
        self.plans: dict[bool, Any] = {}
        self.neurons: dict[str, dict[int, Firing]] = {}
        for name in network.order:
            node = network.wiring.nodes.get(name)
            if node is not None and not isinstance(node, Input):
                self._plan(name, node)
        self.direct = self._direct()
        for name in self.direct:
            current = network.populations[name].current
            self.shortcut[name] = self.shortcut.get(current, (network.wiring.nodes[current].inputs[0],))
        self.joined = {n: j for n in network.populations if (j := self._joined(n)) is not None}
        self.shortcut.update({name: joined.sources for name, joined in self.joined.items()})
        peaks = {name: form.peak for name, form in self.forms.items()}
        found = trees(network.order, self.joined, network.wiring.shapes, peaks)
        self.trees = {name: tree for tree in found for name in tree.members}
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
        flat = source != node.inputs[0]
        exact = products_int8.product(node, weight, form.peak) if self.integers and form.factor == 1 else None
        way = _PASSES[exact[1]] if exact else "dense"
        product = exact[0] if exact else self._floating_product(name, form, weight if flat else None)
        inner = (lambda x: product(rows(x))) if flat else product
        if self._suits_events(node, weight, shape, form, whole=exact is not None):
            always = self.events == "always"
            chosen = EventProduct(node, weight, shape, form, inner, always=always, whole=exact is not None, other=way)
            chosen.beside(self._tiles(node, weight, self.network.wiring.shapes[source], form, exact))
            self.taken[name], self.kernels[name], self.products[name] = chosen.taken, chosen, chosen
        elif exact:
            self.taken[name], self.kernels[name] = {way}, inner
        else:
            return
        if flat:
            self.shortcut[name] = (source,)

    def _floating_product(self, name: str, form: Form, weight: Array | None) -> Kernel:
        """The product of bytes as floating numbers; `weight` are those of a dense layer in the order of the bytes."""
        dense = self.wiring.kernel(name) if weight is None else _linear(weight, self.wiring.target.dtype)

        def multiply(x: Tensor) -> Tensor:
            values = x.to(self.wiring.target.dtype)
            return dense(values if form.factor == 1 else values.mul_(form.factor))

        return multiply

    def _unflattened(self, name: str) -> tuple[str, tuple[int, ...]] | None:
        """What a flattening reads and its shape, if these are bytes with channels and space."""
        node = self.network.wiring.nodes[name]
        if not isinstance(node, Reshape):
            return None
        shape = self.network.wiring.shapes[node.inputs[0]]
        return (node.inputs[0], shape) if len(shape) > 1 and node.inputs[0] in self.forms else None

    def _joined(self, name: str) -> Joined | None:
        """The current of a population as a sum over several trains of bytes, if it is one."""
        population, wiring = self.network.populations[name], self.network.wiring
        if not self.fused or (self.events == "never" and not self.counted) or name in self.direct:
            return None
        if name not in self.forms or population.latched is not None or _looks_up(population):
            return None
        found = terms(wiring, population.current, self.forms)
        if not found or (len(found) == 1 and found[0].node is not None):
            return None
        make = self._counts_product if self.counted else self._joined_product
        joined = Joined(found, self.forms, wiring.shapes, make)
        return joined if joined.possible else None

    def _counts_product(self, node: Conv | Dense, shape: Shape, form: Form) -> EventProduct | None:
        """The same of counts, which are many: never by events."""
        exact = products_int8.product(node, node.weight, form.peak)
        if exact is None:
            return None
        way = _PASSES[exact[1]]
        found = EventProduct(node, node.weight, shape, form, exact[0], always=False, whole=True, other=way)
        found.sparse = 0.0
        return found

    def _joined_product(self, node: Conv | Dense, shape: Shape, form: Form) -> EventProduct | None:
        exact = products_int8.product(node, node.weight, form.peak) if self.integers else None
        if (self.integers and exact is None) or not self._suits_events(
            node, node.weight, shape, form, whole=exact is not None
        ):
            return None
        dense = prepare(node, (shape,), self.wiring.target)
        other = exact[0] if exact else lambda x: dense(x.to(self.wiring.target.dtype))
        way, always = _PASSES[exact[1]] if exact else "dense", self.events == "always"
        found = EventProduct(node, node.weight, shape, form, other, always=always, whole=exact is not None, other=way)
        found.beside(self._tiles(node, node.weight, shape, form, exact))
        return found

    def _tiles(
        self, node: Conv | Dense, weight: Array, shape: Shape, form: Form, exact: tuple[Any, int] | None
    ) -> Tiles | None:
        """The layer in tiles, if 8-bit products are exact in one pass and loops may be compiled."""
        return Tiles.of(node, weight, shape, form.peak) if self.fused and exact and exact[1] == 1 else None

    def firing(self, population: Population, batch: int) -> Firing:
        """The neurons of a population for so many samples, kept for the next batch of as many."""
        sizes = self.neurons.setdefault(population.name, {})
        if batch not in sizes:
            if len(sizes) == _SIZES:
                sizes.clear()
            sizes[batch] = Firing(population, batch, self.wiring.target.dtype, fused=self.fused)
        return sizes[batch]

    def _suits_events(self, node: Conv | Dense, weight: Array, shape: Shape, form: Form, *, whole: bool) -> bool:
        if self.events == "never" or not (whole or self.wiring.target.dtype == torch.float32):
            return False
        return suitable(node, weight, shape, form, whole=whole)

    def _direct(self) -> dict[str, EventProduct]:
        """The populations whose current is a product that nobody else reads: events go straight to their neurons."""
        found, reads = {}, Counter(i for node in self.network.wiring.nodes.values() for i in node.inputs)
        targets = Counter(self.network.targets.values())
        for name, population in self.network.populations.items():
            current = population.current
            if name in self.forms and current in self.products and not reads[current] and targets[current] == 1:
                found[name] = self.products[current]
        return found

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
        joined = {name: frozenset(j.taken) for name, j in self.joined.items() if not self.counted or j.product}
        joined |= {name: frozenset() for name in self.joined.keys() - joined.keys()}  # counts alone
        return {name: self._path(nodes) for name, nodes in self.weighted.items()} | joined

    def _path(self, nodes: list[str] | None) -> frozenset[str]:
        if nodes is None:
            return frozenset({"constant"})
        return frozenset().union(*(self.taken.get(n, {"dense"}) for n in nodes)) or frozenset({"dense"})


def plain_forms(network: SpikingNetwork) -> dict[str, Form]:
    """The populations whose spikes are bytes."""
    return {name: Form(1) for name, population in network.populations.items() if plain(population)}


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


def _linear(weight: Array, dtype: torch.dtype) -> Kernel:
    stored = torch.from_numpy(np.ascontiguousarray(weight)).to(dtype)
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
