"""The constant currents of a network on an integer grid: the reference's, rounded alike, but computed faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import isnan

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.executor import Executor
from snntoolbox.engine.fast.bytes_layout import shaped
from snntoolbox.engine.fast.products_fixed import FEWEST, LARGEST, Fixed
from snntoolbox.engine.fast.products_tiled import Rounded, possible
from snntoolbox.engine.tensors import lies_inside
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.interpreter import constant_currents
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Conv, Dense, Reshape


class GridCurrents:
    """What inputs coded as constant current add each step, whole numbers: {target: (batch, *shape)}.

    `ir.interpreter.constant_currents` defines them. Sums of n products in another order differ by less than
    2 n 2^-53 sum|w| max|x|; a sample of which some current lies so near the middle between two whole numbers is given
    to the reference. So is everything unless each current is one layer of an input. They come in float32 where no sum
    can reach 2^24, else in float64.
    """

    def __init__(self, network: SpikingNetwork) -> None:
        self.network = network
        self.wiring = Executor.double(network.wiring)
        self.products = {t: self._product(c) for t, c in network.targets.items() if self._constant(c)}
        self.alone = {t: p for t, p in self.products.items() if p is not None}
        self.read = {p.source for p in self.alone.values()}

    def _constant(self, current: str) -> bool:
        encodings = self.network.encodings
        return any(isinstance(encodings.get(s), ConstantCurrent) for s in self.network.sources[current])

    def _product(self, current: str) -> _Product | None:
        node, wiring = self.network.wiring.nodes[current], self.network.wiring
        if isinstance(node, Dense) and node.axis in (-1, 0) and len(wiring.shapes[current]) == 1:
            source = _unflattened(wiring, node.inputs[0])
            return _Product(node, source, wiring) if source in self.network.encodings else None
        if isinstance(node, Conv) and node.inputs[0] in self.network.encodings:
            return _Product(node, node.inputs[0], wiring)
        return None

    def __call__(
        self, *x: Array, fused: bool = False, largest: Mapping[str, float] | None = None
    ) -> dict[str, Tensor]:
        """The currents of one batch; with compiled loops if `fused`. `largest` are its amounts where they are known."""
        if len(self.alone) < len(self.products) or not all(p.torch or (fused and p.loops) for p in self.alone.values()):
            return {n: torch.from_numpy(v) for n, v in constant_currents(self.network, *x).items()}
        inputs = dict(zip(self.network.encodings, x, strict=True))
        most = self.largest(*x) if largest is None else largest
        rounded, doubtful = {}, np.zeros(len(x[0]), bool)
        for target, product in self.alone.items():
            way = self._compiled if fused and product.loops else self._rounded
            rounded[target], found = way(product, inputs[product.source], most[product.source])
            doubtful |= found
        return self._corrected(rounded, np.flatnonzero(doubtful), x)

    def largest(self, *x: Array) -> dict[str, float]:
        """The largest amounts of one batch, of each input that a layer reads alone."""
        return {n: _largest(a) for n, a in zip(self.network.encodings, x, strict=True) if n in self.read}

    def bounds(self, largest: Mapping[str, float]) -> dict[str, float]:
        """What no amount of the currents of such inputs exceeds, for those that are one layer of one."""
        return {t: p.sums * largest[p.source] + 1 for t, p in self.alone.items()}

    def _rounded(self, product: _Product, given: Array, largest: float) -> tuple[Tensor, Array]:
        """The currents, and which samples have some so near the middle, or no number."""
        values = self.wiring.kernel(product.name)(self.wiring.target.tensor(given))
        whole = values.round()
        near = values.sub_(whole).abs_() < 0.5 - product.slack * largest
        return whole, ~near.flatten(1).all(1).numpy()

    def _compiled(self, product: _Product, given: Array, largest: float) -> tuple[Tensor, Array]:
        """The same in one pass over the sums, with the channels of a place side by side.

        In fixed point where float32 tells how to round most of them, else in float64.
        """
        single = None if product.fixed is None else _single(given, largest)
        if product.fixed is not None and single is not None and (found := product.fixed(single, largest)) is not None:
            return shaped(found[0], product.shape), found[1]
        dtype = torch.float32 if product.sums * largest < 2**24 - 1 else torch.float64
        values, doubtful = product.tiles(given, largest, dtype)
        return shaped(values, product.shape), doubtful

    def _corrected(self, rounded: dict[str, Tensor], samples: Array, x: Sequence[Array]) -> dict[str, Tensor]:
        """With these samples as the reference has them."""
        if len(samples):
            for target, value in constant_currents(self.network, *(a[samples] for a in x)).items():
                wide = rounded[target].double()  # the reference's may need it
                wide[torch.from_numpy(samples)] = torch.from_numpy(value)
                rounded[target] = wide
        return rounded


class _Product:
    """A layer of an input: `sums` is the largest sum of its amounts, `slack` the largest difference for inputs of 1.

    `torch` says whether torch computes it faster than the reference, `loops` whether there are compiled ones.
    """

    def __init__(self, node: Conv | Dense, source: str, wiring: Graph) -> None:
        self.node, self.name, self.source = node, node.name, source
        self.shape, self.given = wiring.shapes[node.name], wiring.shapes[node.inputs[0]]
        self.sums = float(np.abs(node.weight).reshape(len(node.weight), -1).sum(axis=1).max(initial=0))
        # Three more roundings than products: of the weight, of the input, and of this bound itself.
        self.slack = 2.0**-52 * (node.weight[0].size + 3) * self.sums
        self.torch, self.loops = isinstance(node, Conv), possible(node)

    @cached_property
    def tiles(self) -> Rounded:
        return Rounded(self.node, self.given, self.slack)

    @cached_property
    def fixed(self) -> Fixed | None:
        return Fixed(self.node, self.given, self.slack) if self.node.weight[0].size >= FEWEST else None


def _unflattened(wiring: Graph, name: str) -> str:
    """What is flattened, in C order, to give this."""
    node = wiring.nodes[name]
    return node.inputs[0] if isinstance(node, Reshape) and len(wiring.shapes[name]) == 1 else name


def _single(given: Array, largest: float) -> Array | None:
    """The same numbers in float32, if it has them all."""
    if given.dtype == np.float32:
        return given
    narrow = given.astype(np.float32) if largest <= LARGEST else None
    return narrow if narrow is not None and np.array_equal(narrow, given) else None


def largest_amount(values: Tensor) -> float:
    """The largest amount among these, no number if one is none; 0 of none."""
    if not values.numel():
        return 0.0
    low, high = (float(end) for end in (values.movedim(1, -1) if lies_inside(values) else values).aminmax())
    return low if isnan(low) else max(-low, high)


def _largest(given: Array) -> float:
    """The largest amount; not a number if there is one that is none."""
    return max(-float(given.min()), float(given.max())) if given.size else 0.0
