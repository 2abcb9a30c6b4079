"""Integrate-and-fire neurons without leak that give their spikes as bytes."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import neurons_loops
from snntoolbox.engine.fast.bytes_layout import rows, shaped
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.node import Array

_FREE = {"threshold", "reset", "reset_potential", "initial"}
_UNREAD = {"name", "shape", "neuron", "current", "bias", "scale", "activation", "origin", "bound"}


Points = tuple[Any, ...]
"""What single bytes bring, as `compiled_vectors.point_neurons` takes it."""


@cache
def no_points(dtype: Any) -> Points:
    """Nothing, beside potentials of this type."""
    numbers, nothing = np.empty(0, np.int64), np.empty(0, np.uint8)
    return 0, 0, 0, np.empty(0, dtype), numbers, numbers, *[nothing] * 4


_USUAL = {f.name: getattr(IF(), f.name) for f in fields(IF) if f.name not in _FREE}


def plain(population: Population) -> bool:
    """Whether these neurons are understood here: whatever else a population or neuron can have is at its default."""
    neuron = population.neuron
    if not isinstance(neuron, IF) or neuron.reset not in (Reset.SUBTRACT, Reset.ZERO):
        return False
    return all(getattr(neuron, name) == usual for name, usual in _USUAL.items()) and (
        not any(getattr(population, f.name) for f in fields(population) if f.name not in _UNREAD)
    )


class Firing:
    """A population's neurons for one batch: V <- V + current; z = V >= threshold; reset; all in one pass if `fused`.

    `counts` (samples, *shape) are the spikes so far, int32. `restart` begins with other samples, in the same memory.
    """

    def __init__(self, population: Population, batch: int, dtype: torch.dtype, *, fused: bool) -> None:
        assert isinstance(population.neuron, IF)
        self.shape, self.neuron, self.fused = population.shape, population.neuron, fused
        self.dtype, self.batch, self.size = dtype, batch, population.size
        self.threshold = self._parameter(self.neuron.threshold)
        self.initial = self._parameter(self.neuron.initial)
        self.bias = None if population.bias is None else self._parameter(population.bias)
        self.potential = torch.empty((batch, self.size), dtype=dtype)
        self.total = torch.empty((batch, self.size), dtype=torch.int32)
        self.steady = self._parameter(0.0)[None] if self.bias is None else self.bias[None]
        self.mode = 0 if self.neuron.reset is Reset.SUBTRACT else 2
        self.spikes: dict[int, tuple[Tensor, Array]] = {}
        self.flat = [_flat(t) for t in (self.potential, self.threshold, self.total, self.steady)]
        self.reset = self.flat[0].dtype.type(self.neuron.reset_potential)
        self.arrays: tuple[Any, ...] = ()

    def restart(self, constant: Tensor | None) -> Firing:
        """The state before the first step; `constant` (batch, *shape) is added to the current of every step."""
        self.drive = self.steady if constant is None else self._drive(constant)
        self.potential[:] = self.initial
        self.total.zero_()
        potential, threshold, counts, steady = self.flat
        drive = steady if constant is None else _flat(self.drive)
        self.arrays = potential, drive, constant is None, threshold, self.reset, counts
        return self

    @property
    def counts(self) -> Tensor:
        """The number of spikes of each neuron so far, (samples, *shape); `restart` overwrites it."""
        return shaped(self.total, self.shape)

    def _parameter(self, value: float | Array) -> Tensor:
        """One value per neuron, (n), in the order of the potentials."""
        full = torch.from_numpy(np.array(np.broadcast_to(value, self.shape), np.float64))
        return rows(full[None])[0].to(self.dtype).contiguous()

    def _drive(self, constant: Tensor) -> Tensor:
        """The constant current and the bias, (samples, n)."""
        given = rows(constant).to(self.dtype).contiguous()
        return given if self.bias is None else given + self.bias

    def room(self, steps: int) -> Tensor:
        """Memory for the spikes (steps * samples, *shape) of the next steps; the next call gives the same."""
        if steps not in self.spikes:
            if self.spikes and steps < max(self.spikes):
                given = torch.from_numpy(self.spikes[max(self.spikes)][1][: steps * self.batch * self.size])
            else:
                given = torch.empty(steps * self.batch * self.size, dtype=torch.uint8)
            self.spikes[steps] = shaped(given.view(steps * self.batch, self.size), self.shape), given.numpy()
        return self.spikes[steps][0]

    def advance(self, current: Tensor | None, steps: int, trace: Tensor | None) -> Tensor:
        """Spikes (steps * samples, *shape), uint8, which the next call overwrites; see `engine.neurons.State`."""
        spikes = self.room(steps)
        incoming = None if current is None else rows(current).to(self.dtype)
        if trace is None and self.fused:
            self._fused(incoming, steps, self.spikes[steps][1])
        else:
            self._stepwise(incoming, spikes, trace)
        return spikes

    def step_on(self, current: Tensor | None, steps: int, first: int, last: int, points: Points | None = None) -> None:
        """Like `advance`, of the next `steps` steps those from `first` to `last` - 1 alone; `points` are of all."""
        self.room(steps)
        size = self.batch * self.size
        incoming = None if current is None else rows(current).to(self.dtype)
        spikes = self.spikes[steps][1][first * size : last * size]
        self._fused(incoming, last - first, spikes, _from(points, first * self.batch))

    def loop_state(self, given: bool, steps: int, points: Points | None = None) -> tuple[Any, ...]:
        """What loops take: mode, potentials, drive, thresholds, reset, counts, spikes; and what single bytes bring."""
        self.room(steps)
        return self.mode + given, *self.arrays, self.spikes[steps][1], points or no_points(self.flat[0].dtype)

    def _fused(self, current: Tensor | None, steps: int, spikes: Array, points: Points | None = None) -> None:
        incoming = self.arrays[0][:0] if current is None else current.contiguous().numpy().reshape(-1)
        state = steps, self.mode + (current is not None), *self.arrays, spikes, incoming
        if points is None:
            units = self.batch * -(-self.size // neurons_loops.BLOCK)
            in_parallel(compiled(neurons_loops.fire), units, self.size, self.batch, *state)
        else:
            channels = self.size // points[2]
            units = self.batch * -(-points[2] // max(1, neurons_loops.BLOCK // channels))
            in_parallel(compiled(neurons_loops.fire_points), units, self.size, channels, self.batch, *state, points)

    def _stepwise(self, current: Tensor | None, spikes: Tensor, trace: Tensor | None) -> None:
        """The same in torch, for runs too short to compile anything, and for potentials that are recorded."""
        size = (-1, *self.potential.shape)
        for step, z in enumerate(rows(spikes).view(size)):
            if current is not None:
                self.potential.add_(current.view(size)[step])
            self.potential.add_(self.drive)
            fired = torch.ge(self.potential, self.threshold, out=z.view(torch.bool))
            if self.neuron.reset is Reset.SUBTRACT:
                self.potential.sub_(fired * self.threshold)
            else:
                self.potential.masked_fill_(fired, self.neuron.reset_potential)
            self.total.add_(z)
            if trace is not None:
                trace[step] = shaped(self.potential, self.shape)


def _flat(values: Tensor) -> Array:
    return np.asarray(values.numpy().reshape(-1))


def _from(points: Points | None, unit: int) -> Points | None:
    """The same bytes from this unit on."""
    if points is None or unit == 0:
        return points
    *rest, sizes, a, b, c, d = points
    trains = [t[unit * n :] for t, n in zip((a, b, c, d), [*sizes, 0, 0, 0], strict=False)]
    return *rest, sizes, *trains
