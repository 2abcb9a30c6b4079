"""Input by the time of one spike: the larger a value, the earlier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.errors import ConversionError, DataError
from snntoolbox.ir.arguments import misfits
from snntoolbox.ir.encodings import Spiking
from snntoolbox.ir.feature import Feature, Lowering
from snntoolbox.ir.node import Array


@dataclass(frozen=True)
class Latency(Spiking):
    """One spike in each window of T steps, with the sign of x: n = floor(T |x| / amplitude + 1/2) steps before its end.

    None for n = 0. Where it is `lasting` a spike switches its synapses on up to the end of the window: it acts in n
    steps, so that the mean current is the value that its time says, n / T amplitudes. Else it acts in its own step
    alone, for neurons to whom a spike counts by its time (`FirstSpikeWindow`). With `steps` there are spikes in the
    first so many steps alone.
    """

    features = (Feature("latency input", lowered_by=Lowering("[input] latency_input = False")),)

    amplitude: float = 1.0
    window: int = 16
    lasting: bool = True
    steps: int | None = None

    def __post_init__(self) -> None:
        wrong = misfits(self)
        wrong = wrong or ([] if 0 < self.amplitude < np.inf else [f"amplitude {self.amplitude} is not above 0"])
        lengths = {"window": self.window, "steps": 1 if self.steps is None else self.steps}
        wrong = wrong or [f"{name} {n} is no number of steps" for name, n in lengths.items() if n < 1 or n != int(n)]
        if wrong:
            raise ConversionError(f"invalid input coding: {'; '.join(wrong)}", hint=f"by default {type(self)()}")

    def words(self, dt: float) -> str:
        """With the length of a window, and what a spike does."""
        acts = "which lasts to its end" if self.lasting else "which counts by its time"
        return f"one spike in a window of {self.window * dt:g} ms, the earlier the larger |x|, {acts}"

    def counted(self, x: Array) -> Array:
        """What the spike of a window says, (batch, *shape): -T ... T, whole numbers."""
        values = np.asarray(x, np.float64)
        leads = np.floor(self.window * np.minimum(np.abs(values) / self.amplitude, 1.0) + 0.5)
        return np.asarray(np.sign(values) * leads)

    def train(self, x: Array, steps: int, first_sample: int, first_step: int) -> Array:
        """In each step the spikes that act in it, int8."""
        counted = self.counted(x)
        leads, signs = np.abs(counted), np.sign(counted).astype(np.int8)
        acting = np.zeros((steps, *x.shape), np.int8)
        for i in range(steps if self.steps is None else max(min(steps, self.steps - first_step), 0)):
            left = self.window - (first_step + i) % self.window
            acting[i] = signs * (left <= leads if self.lasting else left == leads)
        return acting

    def check(self, x: Array, name: str) -> None:
        """DataError where a value would need a spike before its window."""
        largest = max(-float(np.min(x, initial=0)), float(np.max(x, initial=0)))
        if largest > self.amplitude * (1 + 1e-6):
            told = f"latency input of amplitude {self.amplitude:.4g} cannot present values up to {largest:.4g}"
            raise DataError(told, layer=name, hint="the amplitude must be at least max |x|")
