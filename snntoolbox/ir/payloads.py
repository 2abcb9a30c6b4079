"""Spikes that take along what is above the threshold: the payloads of the SNN Toolbox."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.feature import Feature
from snntoolbox.ir.node import Array
from snntoolbox.ir.part import SpikeRule


@dataclass(frozen=True, eq=False)
class ResidueSpikes(SpikeRule):
    """z[t] = V-[t] / theta[t] where V-[t] >= theta[t], else 0: a threshold and the residue, so that V[t] = 0 then.

    They are graded spikes whose levels are all numbers from 1 on.
    """

    features = (
        Feature(
            "spikes that carry all of the potential",
            avoided_by="[cell] payloads = False",
            why_not="no such rule in its neurons",
        ),
    )

    def fire(self, before: Array, height: Array | float, sent: Array) -> Array:
        """The potentials in thresholds, float64."""
        return np.where(before >= height, before / height, 0.0)
