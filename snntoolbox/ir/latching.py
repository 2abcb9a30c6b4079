"""The multiplicative synapse: a spike adds the count of others, which have fired before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.feature import Feature
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.part import Memory, Synapse


@dataclass(frozen=True, eq=False)
class Latched(Synapse):
    """I[t] = W z[t] * L[t], L[t] = the sum of M z[s] over all steps s < t, each as often as it counts.

    W and M are two maps (`Population.current` and `Population.latched`), multiplied neuron by neuron. Where all that M
    reads has fired before what W reads, L is a constant then, and all steps together add (W n) * (M m) for counts n
    and m: whole numbers of whole numbers, by additions alone and in any order.
    """

    features = (
        Feature(
            "products of counts",
            "a product of counts (latched synapses)",
            avoided_by="a model without products of activations: gates, attention, normalisation of each sample",
            why_not="its weights do not change while it runs",
        ),
    )

    @property
    def latches(self) -> bool:
        """It does."""
        return True

    def start(self, shape: Shape) -> Memory:
        """Nothing counted."""
        return {"latched": np.zeros(shape)}

    def current(self, arriving: Array, memory: Memory) -> Array:
        """What arrives, times what was counted before; then what else arrives is counted."""
        product = arriving[:, 0] * memory["latched"]
        memory["latched"] = memory["latched"] + arriving[:, 1]
        return np.asarray(product)
