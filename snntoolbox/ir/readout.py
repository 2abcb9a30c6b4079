"""What a network says: the read-outs, linear sums of what reaches them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.draws import SoftmaxDraws
from snntoolbox.ir.head import Head, usual_head
from snntoolbox.ir.node import Array, Shape


@dataclass(frozen=True, eq=False, kw_only=True)
class Readout:
    """A linear output: after t steps its value is ``scale * (sum of its current over the steps / t + bias)``.

    With `start` it forgets the first steps, in which rates have not settled: as soon as as many more have passed
    (t >= 2 start), the sum is over the steps start + 1 ... t and divided by t - start. In a network with a schedule
    the sum is divided by its `window` instead, whatever t, and the first steps are forgotten once they are over.
    `head` says what the value means; by default what an output of this shape usually does. With `draws` the value is
    the share of steps in which it spiked, drawn by what it is else: see `drawn`.
    """

    name: str
    current: str
    shape: Shape
    bias: Array | None = None
    scale: float = 1.0
    start: int = 0
    head: Head = None  # type: ignore[assignment] # worked out from the shape
    draws: SoftmaxDraws | None = None

    def __post_init__(self) -> None:
        if self.head is None:
            object.__setattr__(self, "head", usual_head(self.shape))

    def counted(self, steps: int, window: int | None = None) -> int:
        """What its sum is divided by after so many steps; `window` is that of the network's schedule, if it has one."""
        if window is not None:
            return window
        return steps - self.start if self.start and steps >= 2 * self.start else steps

    def drawn(self, values: Array, first_sample: int) -> Array:
        """What it says after each step, where it would say these `values` (steps, samples, *shape) without draws."""
        if self.draws is None:
            return values
        counted = np.array([self.counted(steps) for steps in range(1, len(values) + 1)])
        return self.draws.rates(values, counted, self.head, first_sample)

    def values(self, sums: Array, first: int, at_start: Array | None, window: int | None = None) -> Array:
        """The values after steps `first`, first + 1, ... for the currents summed from step 1 to each, (steps, ...).

        `at_start` is the sum after `start` steps, needed where `start` lies before `first`; `window` is that of the
        network's schedule, if it has one.
        """
        if window is not None:
            late = np.arange(first, first + len(sums)).reshape(-1, *[1] * (sums.ndim - 1)) > self.start
            if self.start and np.any(late):
                sums = np.where(late, sums - (sums[self.start - first] if at_start is None else at_start), sums)
            return np.asarray(self.scale * (sums / window + (0.0 if self.bias is None else self.bias)))
        elapsed = np.arange(first, first + len(sums)).reshape(-1, *[1] * (sums.ndim - 1))
        if self.start:
            late = elapsed >= 2 * self.start
            if np.any(late):
                sums = np.where(late, sums - (sums[self.start - first] if at_start is None else at_start), sums)
            elapsed = np.where(late, elapsed - self.start, elapsed)
        return np.asarray(self.scale * (sums / elapsed + (0.0 if self.bias is None else self.bias)))
