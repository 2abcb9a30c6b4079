"""What the parts of neurons do in torch: a line of `TORCH` for each that has code here; others run in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.tables import Entries
from snntoolbox.engine.tensors import Target
from snntoolbox.ir.adaptive import FINEST, RateThreshold, SubtractSent, ThresholdSpikes
from snntoolbox.ir.clamping import Clamped
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.node import Array
from snntoolbox.ir.part import Part
from snntoolbox.ir.parts import (
    BinarySpikes,
    ConstantThreshold,
    Delta,
    DigitWindow,
    FiringWindow,
    FirstSpikeWindow,
    GradedSpikes,
    Leak,
    Modulo,
    PerfectIntegrator,
    RecurringWindow,
    RefractoryPeriod,
    Saturation,
    Subtract,
    ToPotential,
)
from snntoolbox.ir.payloads import ResidueSpikes
from snntoolbox.ir.synapses import Exponential
from snntoolbox.ir.tabulating import Table
from snntoolbox.ir.uneven_digits import UnevenDigitWindow

Make = Callable[[Any, Target, Tensor], Any]
"""The code of a part for neurons whose potentials are of this shape and type.

By role, everything in place where it can be, z being the spikes of a step:
synapse: (arriving, told apart where it is paired, or None) -> the current or None.
membrane: (V, currents, awake or None), changes V.
threshold: `height`, and `fired(z)`. spikes: (z, V, height), writes z. reset: (V, z, height), changes V.
limits: (V), changes V. pause: `awake()`, numbers 0 or 1, and `fired(z)`. openings: (step) -> whether neurons may fire.
transfer: (V, height), changes V.
What has memory is an object with tensors as its attributes.
"""


def parameter(value: float | Array, target: Target) -> Any:
    """A float where one value holds for all neurons (faster), else a tensor."""
    return float(np.reshape(value, ())) if np.size(value) == 1 else target.tensor(np.asarray(value))


def _as_it_comes(arriving: Tensor | None) -> Tensor | None:
    return arriving


class _Fading:
    """Currents that fade: see `snntoolbox.ir.synapses.Exponential`."""

    def __init__(self, part: Exponential, target: Target, potential: Tensor) -> None:
        self.part = part
        self.excited = torch.zeros_like(potential)
        self.inhibited = torch.zeros_like(potential) if part.paired else None

    def __call__(self, arriving: Tensor | None) -> Tensor:
        part, positive = self.part, arriving
        self.excited.mul_(part.excitatory)
        if self.inhibited is not None:
            self.inhibited.mul_(part.inhibitory)
            if arriving is not None:
                positive = arriving[:, 0] - arriving[:, 1]
                self.inhibited.add_(arriving[:, 1], alpha=1 - part.inhibitory)
        if positive is not None:
            self.excited.add_(positive, alpha=1 - part.excitatory)
        return self.excited if self.inhibited is None else self.excited + self.inhibited


class _Latched:
    """What was counted, and multiplies what arrives: see `snntoolbox.ir.latching.Latched`."""

    def __init__(self, part: Latched, target: Target, potential: Tensor) -> None:
        self.part = part
        counted = part.factor_shapes(tuple(potential.shape[1:]))[1]
        self.latched = potential.new_zeros((len(potential), *counted))

    def __call__(self, arriving: Tensor | None) -> Tensor | None:
        if arriving is None:
            return None
        came, counted = self.part.apart(arriving)
        product: Tensor = self.part.product(came, self.latched)
        self.latched.add_(counted)
        return product


class _Integrator:
    """V <- factor V + currents."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, potential: Tensor, currents: list[Tensor], awake: Tensor | None) -> None:
        if self.factor != 1:
            potential.mul_(self.factor)
        for current in currents:
            if awake is None:
                potential.add_(current)
            else:
                potential.addcmul_(current, awake)


class _Constant:
    """A threshold that stays as it is."""

    def __init__(self, part: ConstantThreshold, target: Target, potential: Tensor) -> None:
        self.height = parameter(part.value, target)

    def fired(self, z: Tensor) -> None:
        """Nothing changes."""


def _binary(z: Tensor, potential: Tensor, height: Any) -> None:
    torch.ge(potential, height, out=z)


class _Graded:
    """Values instead of spikes; see `snntoolbox.ir.parts.GradedSpikes`."""

    def __init__(self, part: GradedSpikes, target: Target, potential: Tensor) -> None:
        self.levels = sorted(part.levels)
        self.sent = torch.zeros_like(potential) if part.signed else None

    def __call__(self, z: Tensor, potential: Tensor, height: Any) -> None:
        z.zero_()
        for level in self.levels:
            z.masked_fill_(potential >= level * height, level)
            if self.sent is not None:
                takes_back = (potential <= -level * height).logical_and_(self.sent >= level)
                z.masked_fill_(takes_back, -level)
        if self.sent is not None:
            self.sent.add_(z)


def _subtract(potential: Tensor, z: Tensor, height: Any) -> None:
    if isinstance(height, float):
        potential.sub_(z, alpha=height)
    else:
        potential.addcmul_(z, height, value=-1)


def _modulo(potential: Tensor, z: Tensor, height: Any) -> None:
    whole = torch.div(potential, height).floor_().mul_(z)
    _subtract(potential, whole, height)


class _ToPotential:
    """V <- the reset potential where z."""

    def __init__(self, part: ToPotential, target: Target, potential: Tensor) -> None:
        self.potential = part.potential

    def __call__(self, potential: Tensor, z: Tensor, height: Any) -> None:
        potential.addcmul_(potential, z, value=-1)
        if self.potential:
            potential.add_(z, alpha=self.potential)


class _Refractory:
    """Steps that each neuron still waits."""

    def __init__(self, part: RefractoryPeriod, target: Target, potential: Tensor) -> None:
        self.steps = part.steps
        self.waiting = torch.zeros_like(potential)

    def awake(self) -> Tensor:
        """Whoever does not wait."""
        return self.waiting.eq(0).to(self.waiting.dtype)

    def fired(self, z: Tensor) -> None:
        """All steps ahead after a spike, else one less."""
        self.waiting.sub_(1).clamp_(min=0).add_(z, alpha=self.steps)


def _residue(z: Tensor, potential: Tensor, height: Any) -> None:
    torch.div(potential, height, out=z)
    z.mul_(potential >= height)


class _OfRates:
    """Thresholds that follow the rates; see `snntoolbox.ir.adaptive.RateThreshold`."""

    def __init__(self, part: RateThreshold, target: Target, potential: Tensor) -> None:
        self.part, self.steps = part, 0
        self.spikes = torch.zeros_like(potential)
        self.height = potential.new_ones((len(potential), *(1,) * (potential.ndim - 1)))

    def fired(self, z: Tensor) -> None:
        """Count, and set the height where it is time."""
        self.spikes.add_(z != 0)
        self.steps += 1
        if self.steps % self.part.every == 0:
            # In float64, as the interpreter does: what comes out is held by any type.
            most = self.spikes.flatten(1).amax(1).view(self.height.shape).double()
            low, high = self.part.followed(self.steps)
            rate = (most * FINEST / (self.steps * self.part.per_step)).ceil_().div_(FINEST).to(self.height.dtype)
            self.height = torch.where((most >= low) & (most <= high), rate, self.height)


def _of_threshold(z: Tensor, potential: Tensor, height: Any) -> None:
    torch.mul(potential >= height, height, out=z)


class _Tabulated:
    """Potentials by what a table has at them: see `snntoolbox.ir.tabulating.Table`."""

    def __init__(self, part: Table, target: Target, potential: Tensor) -> None:
        self.entries = Entries(part, tuple(potential.shape[1:]), Target(potential.device, potential.dtype))

    def __call__(self, potential: Tensor, height: Any) -> None:
        potential.copy_(self.entries(torch.div(potential, height).floor_()) * height)


TORCH: Mapping[type[Part], Make] = {
    Delta: lambda part, target, potential: _as_it_comes,
    Exponential: _Fading,
    Latched: _Latched,
    PerfectIntegrator: lambda part, target, potential: _Integrator(1.0),
    Leak: lambda part, target, potential: _Integrator(part.factor),
    ConstantThreshold: _Constant,
    BinarySpikes: lambda part, target, potential: _binary,
    GradedSpikes: _Graded,
    ResidueSpikes: lambda part, target, potential: _residue,
    RateThreshold: _OfRates,
    ThresholdSpikes: lambda part, target, potential: _of_threshold,
    SubtractSent: lambda part, target, potential: lambda v, z, height: v.sub_(z),
    Subtract: lambda part, target, potential: _subtract,
    ToPotential: _ToPotential,
    Modulo: lambda part, target, potential: _modulo,
    Saturation: lambda part, target, potential: lambda v: v.clamp_(part.low, part.high),
    RefractoryPeriod: _Refractory,
    FiringWindow: lambda part, target, potential: part.open,
    DigitWindow: lambda part, target, potential: part.open,
    UnevenDigitWindow: lambda part, target, potential: part.open,
    RecurringWindow: lambda part, target, potential: part.open,
    FirstSpikeWindow: lambda part, target, potential: part.open,
    Clamped: lambda part, target, potential: part.open,
    Table: _Tabulated,
}

RESTING: tuple[type[Part], ...] = (
    *(Delta, Latched, PerfectIntegrator, ConstantThreshold, BinarySpikes, GradedSpikes),
    *(Subtract, ToPotential, Modulo, Saturation, FiringWindow, DigitWindow, UnevenDigitWindow, FirstSpikeWindow),
    Table,
)
"""Parts with which nothing changes in steps without any current in which no spike may be fired."""
