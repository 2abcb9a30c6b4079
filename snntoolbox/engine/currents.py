"""The constant currents of a network on an integer grid: the reference's, rounded alike, but computed in torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.executor import Executor
from snntoolbox.engine.fast import loops
from snntoolbox.engine.fast.events import geometry
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.fast.layout import shaped
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.interpreter import constant_currents
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Conv

FEW = 0.03
"""Up to so large an error of float32 few values lie so near a middle that float32 could not tell their side."""


class GridCurrents:
    """What inputs coded as constant current add each step, whole numbers in float64: {target: (batch, *shape)}.

    `ir.interpreter.constant_currents` defines them. Sums of n products in another order differ by less than
    2 n 2^-53 sum|w| max|x|; a sample of which some current lies so near the middle between two whole numbers is given
    to the reference. So is everything unless each current is one convolution of an input. With compiled loops small
    windows are summed in float32, and again in float64 where float32 could not tell, by a bound of the same form.
    """

    def __init__(self, network: SpikingNetwork) -> None:
        self.network = network
        self.wiring = Executor.double(network.wiring)
        self.short = Executor(network.wiring)
        self.products = {t: self._product(c) for t, c in network.targets.items() if self._constant(c)}

    def _constant(self, current: str) -> bool:
        encodings = self.network.encodings
        return any(isinstance(encodings.get(s), ConstantCurrent) for s in self.network.sources[current])

    def _product(self, current: str) -> _Product | None:
        """None where the reference computes it: it is as fast for dense layers."""
        node, wiring = self.network.wiring.nodes[current], self.network.wiring
        if not isinstance(node, Conv) or node.inputs[0] not in self.network.encodings:
            return None
        return _Product(node, wiring.shapes[node.inputs[0]])

    def __call__(self, *x: Array, fused: bool = False) -> dict[str, Tensor]:
        """The currents of one batch; with compiled loops if `fused`."""
        products = {t: p for t, p in self.products.items() if p is not None}
        if len(products) < len(self.products):
            return {n: torch.from_numpy(v) for n, v in constant_currents(self.network, *x).items()}
        inputs = dict(zip(self.network.encodings, x, strict=True))
        rounded, doubtful = {}, np.zeros(len(x[0]), bool)
        for target, product in products.items():
            given = inputs[product.source]
            rounded[target], found = self._fused(product, given) if fused else self._rounded(product, given)
            doubtful |= found
        return self._corrected(rounded, np.flatnonzero(doubtful), x)

    def _rounded(self, product: _Product, given: Array) -> tuple[Tensor, Array]:
        """The currents, and which samples have some so near the middle, or no number."""
        values = self.wiring.kernel(product.name)(self.wiring.target.tensor(given))
        whole = values.round()
        near = values.sub_(whole).abs_() < 0.5 - product.slack * _largest(given)
        return whole, ~near.flatten(1).all(1).numpy()

    def _fused(self, product: _Product, given: Array) -> tuple[Tensor, Array]:
        """The same in one pass behind the product, which also puts the channels of a place side by side."""
        largest = _largest(given)
        final, rough = product.slack * largest, product.slack * largest * 2.0**29
        again = product.geometry is not None and rough < FEW
        wiring = self.short if again else self.wiring
        values = wiring.kernel(product.name)(wiring.target.tensor(given))
        shape = tuple(values.shape[1:])
        channels, places = (shape[0], math.prod(shape[1:])) if len(shape) > 1 else (1, math.prod(shape))
        out = torch.empty((len(values), channels * places), dtype=values.dtype)
        near = np.empty(len(values), np.int64)
        exact = np.ascontiguousarray(given if again else given[:0], np.float64).reshape(-1)
        in_parallel(
            compiled(loops.round_rows),
            len(values),
            *(values.contiguous().numpy().reshape(-1), min(rough if again else final, 0.5), channels, places),
            *(out.numpy().reshape(-1), near, again, exact, product.geometry if again else _NONE, product.weight, final),
        )
        return shaped(out, shape), near > 0

    def _corrected(self, rounded: dict[str, Tensor], samples: Array, x: Sequence[Array]) -> dict[str, Tensor]:
        """With these samples as the reference has them."""
        if len(samples):
            for target, value in constant_currents(self.network, *(a[samples] for a in x)).items():
                wide = rounded[target].double()  # the reference's may need it
                wide[torch.from_numpy(samples)] = torch.from_numpy(value)
                rounded[target] = wide
        return rounded


_NONE = np.empty(0, np.int64)


class _Product:
    """A convolution of an input: `slack` is the largest difference in float64, 2^-29 of that in float32."""

    def __init__(self, node: Conv, shape: Shape) -> None:
        self.name, self.source = node.name, node.inputs[0]
        sums = np.abs(node.weight).reshape(len(node.weight), -1).sum(axis=1)
        # Three more roundings than products: of the weight, of the input, and of this bound itself.
        self.slack = float(2.0**-52 * (node.weight[0].size + 3) * sums.max(initial=0))
        small = node.groups == 1 and node.weight.ndim < 5
        self.geometry = geometry(node, node.weight, shape) if small else None
        self.weight = np.ascontiguousarray(node.weight, np.float64).reshape(-1)


def _largest(given: Array) -> float:
    """The largest amount; not a number if there is one that is none."""
    return float(np.abs(given).max(initial=0))
