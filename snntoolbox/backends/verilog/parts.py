"""What the parts of neurons are in hardware: a line of `PARTS` for each that there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from snntoolbox.backends.verilog.writing import constant
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.part import Part
from snntoolbox.ir.parts import (
    BinarySpikes,
    ConstantThreshold,
    Delta,
    DigitWindow,
    FiringWindow,
    PerfectIntegrator,
    Saturation,
    Subtract,
    ToPotential,
)
from snntoolbox.ir.tabulating import Table
from snntoolbox.ir.uneven_digits import UnevenDigitWindow

Parameters = dict[str, str]
"""Of the library's module of neurons."""


def limits(part: Saturation, bits: int) -> tuple[int, int]:
    """The least and largest potential at the end of a step, as far as so many bits hold them."""
    return max(int(part.low), -(1 << bits - 1)), min(int(part.high), (1 << bits - 1) - 1)


def _saturation(part: Saturation, bits: int) -> Parameters:
    low, high = (constant(limit, bits) for limit in limits(part, bits))
    return {"SATURATE": "1", "LOW": low, "HIGH": high}


def _window(part: FiringWindow | DigitWindow | UnevenDigitWindow, bits: int) -> Parameters:
    """The digits of steps are the layer's, read-outs included."""
    return {"WINDOW": "1", "OPENS": str(part.first), "CLOSES": str(part.last)}


PARTS: Mapping[type[Part], Callable[[Any, int], Parameters]] = {
    Delta: lambda part, bits: {},
    Latched: lambda part, bits: {},
    PerfectIntegrator: lambda part, bits: {},
    ConstantThreshold: lambda part, bits: {},
    BinarySpikes: lambda part, bits: {},
    Subtract: lambda part, bits: {"RESET_ZERO": "0"},
    ToPotential: lambda part, bits: {"RESET_ZERO": "1"},
    Saturation: _saturation,
    FiringWindow: _window,
    DigitWindow: _window,
    UnevenDigitWindow: _window,
    Table: lambda part, bits: {},
}
"""For each part its parameters, for membranes of so many bits; thresholds are constants of a layer, tables memories."""
