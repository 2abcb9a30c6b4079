"""What one spike of a window stands for."""

from __future__ import annotations

from enum import StrEnum

MOST_BITS = 16
"""Binary digits of a window: more than any activation is worth, and whole sums stay exact."""


class Counting(StrEnum):
    """How often the current, the threshold and a spike of a step count, by its place in its window."""

    ONE = "one"
    """Once, in each step."""
    DIGIT = "digit"
    """As the binary digit that the step is, the most significant first."""
    LEAD = "lead"
    """As many times as steps are left, its own included: a neuron fires once."""

    def weight(self, step: int, window: int) -> float:
        """How often this step counts, in windows of so many steps one behind the other."""
        place = step % window
        return float({self.ONE: 1, self.DIGIT: 2 ** (window - 1 - place), self.LEAD: window - place}[self])

    def total(self, window: int) -> int:
        """What the spikes of one neuron in a window of so many steps count at most."""
        return 2**window - 1 if self is self.DIGIT else window

    def window(self, total: int) -> int:
        """The fewest steps of a window in which the spikes of one neuron can count so many."""
        return total.bit_length() if self is self.DIGIT else total
