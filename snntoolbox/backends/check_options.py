"""On what an exporter checks the files that it has written: options and samples, for all that check theirs."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.backends.protocol import Check
from snntoolbox.errors import BackendError
from snntoolbox.ir.node import Array


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """How what was written is checked: so many samples for `duration` (ms), None for that of the network."""

    duration: float | None = None
    check_samples: int = 2

    def __post_init__(self) -> None:
        if self.check_samples < 0:
            raise BackendError(f"check_samples = {self.check_samples} is below 0", hint="0 checks nothing")

    def first(self, samples: tuple[Array, ...]) -> tuple[Array, ...]:
        """The samples to check by, of each input; nothing where there are none."""
        taken = tuple(x[: self.check_samples] for x in samples)
        return taken if taken and len(taken[0]) else ()


def unchecked(goal: str) -> Check:
    """What is said of a goal where there are no samples."""
    return Check(goal=goal, outcome="not checked", why="there are no samples to check it by")
