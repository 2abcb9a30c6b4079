"""The multiplicative synapse: a spike adds the count of others, which have fired before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.feature import Feature, Lowering
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.part import Memory, Synapse

_PRODUCTS = Feature(
    "products of counts",
    "a product of counts (latched synapses)",
    avoided_by="a model without products of activations: gates, attention, normalisation of each sample",
    why_not="its weights do not change while it runs",
)
_SUMS = Feature(
    "sums of products of counts",
    "a sum of products of counts (latched synapses)",
    lowered_by=Lowering("[conversion] products = single", needs="products of counts"),
    why_not="a neuron has one count beside its potential",
)


@dataclass(frozen=True, eq=False)
class Latched(Synapse):
    """I[t] = W z[t] * L[t], L[t] = the sum of M z[s] over all steps s < t, each as often as it counts.

    W and M are two maps (`Population.current` and `Population.latched`), multiplied neuron by neuron; with a
    `contraction` I[t] is what that makes of the factors W z[t] and L[t]: each spike adds the counts of a whole row.
    Where all that M reads has fired before what W reads, L is a constant then, and all steps together add
    (W n) * (M m) for counts n and m: whole numbers of whole numbers, by additions alone and in any order.
    """

    features = (_PRODUCTS, _SUMS)

    contraction: Contraction | None = None

    def asks(self) -> tuple[Feature, ...]:
        """Products, and sums of them where it has these."""
        return (_PRODUCTS,) if self.contraction is None else (_PRODUCTS, _SUMS)

    @property
    def latches(self) -> bool:
        """It does."""
        return True

    def factor_shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """The shapes of what the two maps bring to neurons of this shape."""
        return (shape, shape) if self.contraction is None else self.contraction.factors

    def start(self, shape: Shape) -> Memory:
        """Nothing counted."""
        return {"latched": np.zeros((shape[0], *self.factor_shapes(shape[1:])[1]))}

    def current(self, arriving: Array, memory: Memory) -> Array:
        """What arrives, times what was counted before; then what else arrives is counted."""
        came, counted = self.apart(arriving)
        found = self.product(came, memory["latched"])
        memory["latched"] = memory["latched"] + counted
        return np.asarray(found)

    def beside(self, factors: Sequence[Array]) -> Array:
        """What arrives, as one array: the two factors (samples, 2, *shape), or where they are summed end to end."""
        if self.contraction is None:
            return np.stack(factors, axis=1)
        return np.concatenate([f.reshape(len(f), -1) for f in factors], axis=1)

    def apart(self, arriving: Any) -> tuple[Any, Any]:
        """The two factors of what arrives, in arrays or tensors."""
        if self.contraction is None:
            return arriving[:, 0], arriving[:, 1]
        first, second = self.contraction.factors
        size = first[0] * first[1]
        return arriving[:, :size].reshape(-1, *first), arriving[:, size:].reshape(-1, *second)

    def weighed(self, arriving: Any, weight: float) -> Any:
        """What arrives, in an array or tensor, with what is to be counted so many times."""
        scaled = arriving * weight
        first = 1 if self.contraction is None else self.contraction.factors[0][0] * self.contraction.factors[0][1]
        scaled[:, :first] = arriving[:, :first]
        return scaled

    def product(self, came: Any, counted: Any) -> Any:
        """What the two factors make, value by value or summed, in arrays or tensors."""
        return came * counted if self.contraction is None else self.contraction.of(came, counted)
