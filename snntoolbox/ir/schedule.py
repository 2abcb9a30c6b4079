"""When what of a spiking network happens: windows, how they count, and how long a run takes."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.errors import GraphError
from snntoolbox.ir.counting import MOST_BITS, Counting


@dataclass(frozen=True)
class Schedule:
    """When what of a network happens, as far as those who run it must know; None in a network is the usual one.

    A rate, and a read-out's value, is a sum over all steps divided by `total`, the most that the spikes of a neuron in
    a `window` count; `counting` says how often what happens in a step counts. A run takes `steps` steps; None leaves
    their number to the user. `interval` and `interval_two` are the least steps between the starts of two samples that
    follow one another, with one membrane per neuron and with two (one integrates while the other fires).
    """

    name: str
    window: int
    steps: int | None = None
    interval: int | None = None
    interval_two: int | None = None
    counting: Counting = Counting.ONE

    def __post_init__(self) -> None:
        object.__setattr__(self, "counting", Counting(self.counting))  # a plain string that names one is that one
        most = MOST_BITS if self.counting is Counting.DIGIT else self.window
        if not 1 <= self.window <= most or (self.steps is not None and self.steps < 1):
            raise GraphError(f"invalid schedule: {self.steps} steps with windows of {self.window}")

    @property
    def total(self) -> int:
        """What the spikes of one neuron in a window count at most."""
        return self.counting.total(self.window)
