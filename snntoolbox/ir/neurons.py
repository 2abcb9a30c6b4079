"""Neuron models as data: what a population does with its input current, independent of how it is connected."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from snntoolbox.errors import ConversionError
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes.windows import Padding


class Reset(StrEnum):
    """What a spike does to the membrane potential."""

    SUBTRACT = "subtract"
    """V <- V - threshold: the residue is kept."""
    ZERO = "zero"
    """V <- reset potential."""
    MODULO = "modulo"
    """V <- V - threshold * floor(V / threshold): several thresholds' worth is dropped."""


@dataclass(frozen=True, eq=False, kw_only=True)
class IF:
    """Integrate-and-fire: V <- leak * V + current; a spike where V >= threshold; then the reset.

    Potentials are in units of the network (threshold 1 unless it is on an integer grid); arrays broadcast to the
    population's shape. `initial` is V before the first step, `leak` the factor that remains of V each step
    (exp(-dt / tau_m); 1 is none), `refractory` the number of steps after a spike in which input and bias are
    dropped and no spike is fired.
    """

    threshold: float | Array = 1.0
    reset: Reset = Reset.SUBTRACT
    reset_potential: float = 0.0
    initial: float | Array = 0.0
    leak: float = 1.0
    refractory: int = 0

    def __post_init__(self) -> None:
        wrong = []
        if not np.all(np.asarray(self.threshold) > 0):
            wrong.append(f"threshold {self.threshold} is not above 0")
        if not 0 < self.leak <= 1:
            wrong.append(f"leak {self.leak} is not the share that remains, above 0 and at most 1")
        if self.refractory < 0 or self.refractory != int(self.refractory):
            wrong.append(f"refractory {self.refractory} is no number of steps")
        if wrong:
            raise ConversionError(f"a neuron cannot be so: {'; '.join(wrong)}")


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxGate:
    """Max pooling on spikes: in each window passes the current spike of the input that has fired most so far.

    The count includes the current step; among equal counts the first in C order of the window wins. Its input is
    the spikes (0 or 1) of one population of shape (channels, *space); it keeps that population's scale.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    dilation: tuple[int, ...]


Neuron = IF | MaxGate


def after_reset(before: Array, spikes: Array, neuron: IF) -> Array:
    """The potential after the reset, for potentials `before` it and the spikes fired."""
    if neuron.reset is Reset.SUBTRACT:
        return np.asarray(before - neuron.threshold * spikes)
    if neuron.reset is Reset.MODULO:
        return np.where(spikes, before - neuron.threshold * np.floor(before / neuron.threshold), before)
    return np.where(spikes, neuron.reset_potential, before)
