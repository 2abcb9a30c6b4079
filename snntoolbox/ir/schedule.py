"""When what of a spiking network happens: windows, how they count, and how long a run takes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from snntoolbox.errors import GraphError
from snntoolbox.ir.counting import MOST_BITS, Counting, unfit_ends


@dataclass(frozen=True)
class Schedule:
    """When what of a network happens, as far as those who run it must know; None in a network is the usual one.

    A rate, and a read-out's value, is a sum over all steps divided by `total`, the most that the spikes of a neuron in
    a `window` count; `counting` says how often what happens in a step counts. A run takes `steps` steps; None leaves
    their number to the user. `interval` and `interval_two` are the least steps between the starts of two samples that
    follow one another, with one membrane per neuron and with two (one integrates while the other fires).

    `ends` are the steps behind each window, where some are longer or shorter than `window`: that is then the one in
    which inputs are presented. Empty where all are alike.
    """

    name: str
    window: int
    steps: int | None = None
    interval: int | None = None
    interval_two: int | None = None
    counting: Counting = Counting.ONE
    ends: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "counting", Counting(self.counting))  # a plain string that names one is that one
        most = MOST_BITS if self.counting is Counting.DIGIT else self.window
        if not 1 <= self.window <= most or (self.steps is not None and self.steps < 1):
            raise GraphError(f"invalid schedule: {self.steps} steps with windows of {self.window}")
        object.__setattr__(self, "ends", tuple(self.ends))
        if not self.ends:
            return
        if wrong := unfit_ends(self.ends, self.counting):
            raise GraphError(f"invalid schedule: {wrong}")
        if self.ends[0] != self.window or self.ends[-1] != self.steps:
            told = f"windows to {list(self.ends)} are none of {self.window} steps first and {self.steps} in all"
            raise GraphError(f"invalid schedule: {told}")

    @property
    def total(self) -> int:
        """What the spikes of one neuron in a window count at most."""
        return self.counting.total(self.window)

    @property
    def most(self) -> int:
        """The same of the longest of all windows."""
        return self.counting.total(max(self.lengths))

    @property
    def lengths(self) -> tuple[int, ...]:
        """The steps of each window, one behind the other; one number where all are alike."""
        return tuple(last - first for first, last in pairwise((0, *self.ends))) or (self.window,)

    def has(self, window: tuple[int, int]) -> bool:
        """Whether a neuron that fires in these steps does so in a window, or in the last steps of one of `ends`."""
        first, last = window
        if not self.ends:
            return last - first == self.window
        return last in self.ends and max((end for end in self.ends if end < last), default=0) <= first < last
