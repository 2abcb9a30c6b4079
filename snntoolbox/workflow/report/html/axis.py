"""One axis of a chart: where a value lies in pixels, and which values are written beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.node import Array


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` from pixel `start` to `end`; the logarithms of them with `logarithmic`.

    What is not `counted` has no values beside it; shares are written in `percent`.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False
    counted: bool = True
    percent: bool = False

    def place(self, values: Array | float) -> Array:
        """Where values lie."""
        low, high, at = (self._scaled(v) for v in (self.low, self.high, values))
        span = float(high - low) or 1.0
        return np.asarray(self.start + (self.end - self.start) * (at - low) / span)

    def _scaled(self, values: Array | float) -> Array:
        values = np.asarray(values, float)
        return np.log10(np.maximum(values, 1e-300)) if self.logarithmic else values

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Some round values: where they lie, and how they are written."""
        if not self.counted:
            return []
        values = _powers(self.low, self.high) if self.logarithmic else _rounds(self.low, self.high)
        return [(round(float(self.place(v)), 1), f"{100 * v:.4g} %" if self.percent else short(v)) for v in values]


def _rounds(low: float, high: float) -> list[float]:
    """About five multiples of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    power = 10.0 ** math.floor(math.log10(span / 5))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)
    first = math.ceil(low / step - 1e-9)
    return [step * i for i in range(first, first + 8) if step * i <= high + 1e-9 * span]


def _powers(low: float, high: float) -> list[float]:
    """Powers of ten, as many as there are from one to the other."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10.0**power for power in range(first, last + 1, max(1, (last - first) // 5))]


def short(value: float) -> str:
    """A number in a few letters: ``'2.1 M'``, ``'0.05'``."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == ' k' else size):.3g}{unit}"
    return f"{value:.4g}" if abs(value) > 1e-12 else "0"
