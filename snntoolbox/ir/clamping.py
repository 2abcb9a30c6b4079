"""Neurons that are held at their start for the first steps of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snntoolbox.ir.feature import Feature
from snntoolbox.ir.node import Array
from snntoolbox.ir.part import Openings


@dataclass(frozen=True, eq=False)
class Clamped(Openings):
    """V[t] = `potential` and z[t] = 0 in the first `steps` steps, whatever comes in; then as ever."""

    features = (
        Feature(
            "potentials held for the first steps",
            avoided_by="[paths] filename_clamp_indices left out",
            why_not="its neurons take what comes from the first step on",
        ),
    )

    steps: int
    potential: float | Array

    def open(self, step: int) -> bool:
        """Whether the steps are over."""
        return step >= self.steps

    def hold(self, step: int) -> Array | float | None:
        """The potential, in these steps."""
        return self.potential if step < self.steps else None

    def misfits(self) -> Iterator[str]:
        """What is no number of steps."""
        if self.steps < 1:
            yield f"held for {self.steps} steps: it must be at least 1"
