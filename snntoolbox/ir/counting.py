"""What one spike of a window stands for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

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

    def weight(self, step: int, window: int, ends: Sequence[int] = ()) -> float:
        """How often this step counts, in windows of so many steps one behind the other.

        Where they are not all as long, `ends` are the steps behind each of them; behind the last a step counts once.
        """
        if ends:
            end = next((end for end in ends if end > step), step + 1)
            return float(2 ** (end - 1 - step)) if self is self.DIGIT else 1.0
        place = step % window
        return float({self.ONE: 1, self.DIGIT: 2 ** (window - 1 - place), self.LEAD: window - place}[self])

    def total(self, window: int) -> int:
        """What the spikes of one neuron in a window of so many steps count at most."""
        return 2**window - 1 if self is self.DIGIT else window

    def window(self, total: int) -> int:
        """The fewest steps of a window in which the spikes of one neuron can count so many."""
        return total.bit_length() if self is self.DIGIT else total


def unfit_ends(ends: Sequence[int], counting: Counting) -> str:
    """Why these are not the steps behind windows of several lengths that count so; empty where they are."""
    if counting is Counting.LEAD:
        return "spikes that count by their lead have windows of one length"
    lengths = [last - first for first, last in pairwise((0, *ends))]
    if min(lengths) < 1 or (counting is Counting.DIGIT and max(lengths) > MOST_BITS):
        most = f" of up to {MOST_BITS} digits" if counting is Counting.DIGIT else ""
        return f"windows to the steps {', '.join(map(str, ends))} are none{most}, one behind the other"
    return ""
