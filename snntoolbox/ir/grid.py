"""The integer grid of a quantised network, and how large its numbers become."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """The integer grid that a quantised network lives on.

    Weights, biases, thresholds and potentials are integers of `weight_bits` or wider; the current from an analogue
    input is rounded (half to even) once, before the first step. `start` is the largest |V| before the first step and
    all pulses together, `growth` the largest amount by which spikes and bias can move any |V| in one step.
    """

    weight_bits: int
    start: int
    growth: int

    def bound(self, steps: int, current: float) -> int:
        """No |V|, nor any partial sum towards it, exceeds this over `steps` steps with input currents up to `current`.

        |V| <= start + steps * (growth + current), and one further step's sum on top. Below 2**24 float32 is exact
        whatever the order of summation, below 2**53 float64.
        """
        return self.start + (steps + 1) * (self.growth + math.ceil(current))
