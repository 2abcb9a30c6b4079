"""The range of calibration data, kept with a network, and whether other data are scaled in another way."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snntoolbox.errors import GraphError
from snntoolbox.ir.arguments import misfits
from snntoolbox.ir.encodings import Encoding, SpikeTimes
from snntoolbox.ir.large_arrays import pieces
from snntoolbox.ir.node import Array

log = logging.getLogger(__name__)

_MANY = 0.1
"""Fewer samples than this share of the calibration samples may well reach less far than these."""

_TINY = 0.05
"""Data that reach less far than this share of the calibration data are told, however few they are."""


@dataclass(frozen=True)
class DataRange:
    """The least and the largest value of some samples, and their number; 0 for a range that was named, not seen."""

    low: float
    high: float
    samples: int

    def __post_init__(self) -> None:
        if misfits(self) or not (self.low <= self.high and self.samples >= 0):
            raise GraphError(f"{self.samples} samples from {self.low} to {self.high} are no range")

    @property
    def reach(self) -> float:
        """The largest absolute value."""
        return max(abs(self.low), abs(self.high))

    def scaled_unlike(self, calibration: DataRange) -> bool:
        """Whether data of this range seem to be scaled otherwise than the calibration data.

        They reach beyond these by more than half of their reach, at either end, or fall short of them by as much.
        """
        room = calibration.reach / 2
        if self.low < calibration.low - room or self.high > calibration.high + room:
            return True
        if not calibration.samples:
            return False
        if self.samples < _MANY * calibration.samples:
            return self.reach < _TINY * calibration.reach
        return self.low > calibration.low + room or self.high < calibration.high - room

    def __str__(self) -> str:
        return f"{self.low:.3g} to {self.high:.3g}"


def range_of(x: Array) -> DataRange | None:
    """The range of samples, without a copy: they may lie in a file that is larger than the memory; None of none."""
    if not x.size:
        return None
    lows, highs = zip(*((float(part.min()), float(part.max())) for part in pieces(x)), strict=True)
    return DataRange(min(lows), max(highs), len(x))


def ranges_of(names: Sequence[str], arrays: Sequence[Array]) -> dict[str, DataRange]:
    """Those of the samples of each input."""
    ranges = {name: range_of(array) for name, array in zip(names, arrays, strict=True)}
    return {name: span for name, span in ranges.items() if span is not None}


def difference(data: DataRange | None, calibration: DataRange | None, names: tuple[str, str]) -> str:
    """What to tell where data and calibration data of these `names` are scaled differently; else empty."""
    if data is None or calibration is None or not data.scaled_unlike(calibration):
        return ""
    return f"{names[0]} goes from {data}, {names[1]} from {calibration}: are both scaled in the same way?"


def tell_differences(
    calibrated: Mapping[str, DataRange], encodings: Mapping[str, Encoding], arrays: Sequence[Array]
) -> None:
    """Warn of every input whose samples seem to be scaled otherwise than those that a network was calibrated on."""
    for (name, encoding), array in zip(encodings.items(), arrays, strict=True):
        known = None if isinstance(encoding, SpikeTimes) else calibrated.get(name)  # trains are no values
        if known is not None and (told := difference(range_of(array), known, ("the input", "the calibration"))):
            log.warning("%s" if len(encodings) == 1 else f"{name}: %s", told)
