"""Input by the binary digits of a value, the most significant first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.errors import ConversionError, DataError
from snntoolbox.ir.arguments import misfits
from snntoolbox.ir.counting import MOST_BITS
from snntoolbox.ir.encodings import Spiking
from snntoolbox.ir.feature import Feature, Lowering
from snntoolbox.ir.node import Array


@dataclass(frozen=True)
class BinaryDigits(Spiking):
    """The digits of n = floor((2^B - 1) |x| / amplitude + 1/2), one a step, with the sign of x; behind B steps none.

    A spike counts as its step does in a radix schedule (see `DigitWindow`), so that a window of B = `window` steps
    stands for n / (2^B - 1) amplitudes. Values that are not `signed` are never below 0.
    """

    features = (Feature("binary-digit input", lowered_by=Lowering("[input] digit_input = False")),)

    amplitude: float = 1.0
    window: int = 6
    signed: bool = True

    def __post_init__(self) -> None:
        wrong = misfits(self)
        wrong = wrong or ([] if 0 < self.amplitude < np.inf else [f"amplitude {self.amplitude} is not above 0"])
        wrong = wrong or ([] if 1 <= self.window <= MOST_BITS else [f"{self.window} digits, not 1 to {MOST_BITS}"])
        if wrong:
            raise ConversionError(f"invalid input coding: {'; '.join(wrong)}", hint=f"by default {type(self)()}")

    @property
    def steps(self) -> int:
        """The first steps, in which alone there are spikes."""
        return self.window

    def words(self, dt: float) -> str:
        """With their number."""
        return f"the {self.window} binary digits of a value, the most significant first"

    def counted(self, x: Array) -> Array:
        """What the spikes count together, (batch, *shape): -(2^B - 1) ... 2^B - 1, whole numbers."""
        values = np.asarray(x, np.float64)
        whole = np.floor((2**self.window - 1) * np.minimum(np.abs(values) / self.amplitude, 1.0) + 0.5)
        return np.asarray(np.sign(values) * whole)

    def train(self, x: Array, steps: int, first_sample: int, first_step: int) -> Array:
        """In each step the digit that is its turn, int8."""
        counted = self.counted(x).astype(np.int64)
        size, signs = np.abs(counted), np.sign(counted)
        spikes = np.zeros((steps, *x.shape), np.int8)
        for i in range(max(min(steps, self.window - first_step), 0)):
            spikes[i] = signs * (size >> (self.window - 1 - first_step - i) & 1)
        return spikes

    def check(self, x: Array, name: str) -> None:
        """DataError where a value would need more digits, or a sign that spikes do not have."""
        least = float(np.min(x, initial=0))
        if least < 0 and not self.signed:
            told = f"binary-digit input without signs cannot present values down to {least:.4g}"
            raise DataError(told, layer=name, hint="signed=True")
        largest = max(-least, float(np.max(x, initial=0)))
        if largest > self.amplitude * (1 + 1e-6):
            told = f"binary-digit input of amplitude {self.amplitude:.4g} cannot present values up to {largest:.4g}"
            raise DataError(told, layer=name, hint="the amplitude must be at least max |x|")
