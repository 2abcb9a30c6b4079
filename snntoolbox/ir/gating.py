"""Which estimate of the rates of its inputs opens a gate of max pooling, and how each goes from step to step."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

GROWTH, SHARE = 1.005, 0.995
"""What becomes of an exponential estimate in a step, and what a spike adds to it."""


class Estimate(StrEnum):
    """The names of the estimates; r[0] = 0, x[t] are the spikes of step t = 1, 2, ..."""

    AVERAGE = "average"
    """The mean rate, r[t] = r[t-1] + (x[t] - r[t-1]) / t: the number of spikes so far, over t."""
    FIR = "fir"
    """r[t] = r[t-1] + x[t] / t: early spikes tell more."""
    EXPONENTIAL = "exponential"
    """r[t] = 1.005 r[t-1] + 0.995 x[t]: spikes tell more the longer ago they were, slowly."""

    def next(self, before: Any, spikes: Any, step: int) -> Any:
        """The estimate after a step, counted from 0, of arrays or tensors; of a mean rate t times as much.

        t times a mean is a whole number, of which equal ones are equal whatever the step, and it is as large where the
        mean is. All engines do these operations, in this order and in float64, so that equal estimates stay equal.
        """
        if self is Estimate.AVERAGE:
            return before + spikes
        if self is Estimate.FIR:
            return before + spikes / (step + 1)
        return GROWTH * before + SHARE * spikes
