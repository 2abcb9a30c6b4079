"""A window of binary digits where other layers have other numbers of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snntoolbox.ir.counting import Counting, unfit_ends
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.part import Window
from snntoolbox.ir.ways_out import RATE


@dataclass(frozen=True, eq=False)
class UnevenDigitWindow(Window):
    """As `DigitWindow` in a network whose windows differ in length: `ends` are the steps behind each of them.

    Step t counts 2^(e - 1 - t) times, e being the first end above t. z[t] = 0 outside the steps first <= t < last: all
    of one of the windows, or its last ones. So a sum S that is there leaves as the last - first digits of
    floor(S / theta), all ones where they do not hold it.
    """

    features = (
        Feature(
            "radix windows of several lengths",
            "steps that are binary digits, of other numbers in other layers",
            avoided_by=f"{RATE} and bits = {{}}",
            why_not="its weights and thresholds are the same in every step",
        ),
    )

    ends: tuple[int, ...]

    def weight(self, step: int) -> float:
        """The value of the step's digit."""
        return Counting.DIGIT.weight(step, self.steps, self.ends)

    def misfits(self) -> Iterator[str]:
        """What is no window of digits."""
        if wrong := unfit_ends(self.ends, Counting.DIGIT):
            yield wrong
        elif self.last not in self.ends or not max((e for e in self.ends if e < self.last), default=0) <= self.first:
            yield f"window {(self.first, self.last)} is none of the last steps of windows to {list(self.ends)}"
        elif not self.first < self.last:
            yield f"window {(self.first, self.last)} is no range of steps"
