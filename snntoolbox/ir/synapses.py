"""Synapses whose current lasts beyond the step in which a spike arrives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.feature import Feature
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.part import Memory, Synapse


@dataclass(frozen=True, eq=False)
class Exponential(Synapse):
    """I[t] = E[t] + H[t], two currents that fade: E[t] = e E[t-1] + (1 - e) P z[t], H[t] = h H[t-1] + (1 - h) N z[t].

    P and N are the positive and the negative weights, P + N = W; `excitatory` e and `inhibitory` h are what remains
    of a current in a step, exp(-dt / tau_syn). This is the exact solution for currents that jump and fade: the charge
    that comes in in each step. All of a spike's steps together bring W z, as a `Delta` does at once. Where e = h the
    two are one current, fed by W z; else a neuron has both, and the wiring tells N z apart (`Population.inhibitory`).
    """

    features = (
        Feature(
            "synaptic currents that last",
            avoided_by="[cell] tau_syn_E = 0.01 and tau_syn_I = 0.01",
            why_not="a spike acts in one step",
        ),
    )

    excitatory: float
    inhibitory: float

    @property
    def paired(self) -> bool:
        """Whether a neuron has two currents."""
        return self.excitatory != self.inhibitory

    def start(self, shape: Shape) -> Memory:
        """No current."""
        return {"excited": np.zeros(shape), "inhibited": np.zeros(shape)}

    def current(self, arriving: Array, memory: Memory) -> Array:
        """What is left of the currents, and the first share of what arrives."""
        if not self.paired:
            memory["excited"] = self.excitatory * memory["excited"] + (1 - self.excitatory) * arriving
            return memory["excited"]
        positive, negative = arriving[:, 0] - arriving[:, 1], arriving[:, 1]
        memory["excited"] = self.excitatory * memory["excited"] + (1 - self.excitatory) * positive
        memory["inhibited"] = self.inhibitory * memory["inhibited"] + (1 - self.inhibitory) * negative
        return np.asarray(memory["excited"] + memory["inhibited"])

    def misfits(self) -> Iterator[str]:
        """What is no share."""
        for name in ("excitatory", "inhibitory"):
            if not 0 <= getattr(self, name) < 1:
                yield f"{name} {getattr(self, name)} is not the share of a current that remains, from 0 to below 1"
