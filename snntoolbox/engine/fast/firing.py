"""Integrate-and-fire neurons without leak that give their spikes as bytes."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import loops
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.fast.layout import rows, shaped
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.node import Array

_FREE = {"threshold", "reset", "reset_potential", "initial"}
_UNREAD = {"name", "shape", "neuron", "current", "bias", "scale", "activation", "origin", "bound"}


def plain(population: Population) -> bool:
    """Whether these neurons are understood here: whatever else a population or neuron can have is at its default."""
    neuron = population.neuron
    if not isinstance(neuron, IF) or neuron.reset not in (Reset.SUBTRACT, Reset.ZERO):
        return False
    usual = IF()
    return all(getattr(neuron, f.name) == getattr(usual, f.name) for f in fields(neuron) if f.name not in _FREE) and (
        not any(getattr(population, f.name) for f in fields(population) if f.name not in _UNREAD)
    )


class Firing:
    """A population's neurons for one batch: V <- V + current; z = V >= threshold; reset; all in one pass if `fused`.

    `counts` (samples, *shape) are the spikes so far, int32. Potentials, spikes and parameters lie in `space`,
    which the next batch uses again.
    """

    def __init__(
        self,
        population: Population,
        batch: int,
        constant: Tensor | None,
        dtype: torch.dtype,
        *,
        fused: bool,
        space: dict[str, Tensor],
    ) -> None:
        assert isinstance(population.neuron, IF)
        self.shape, self.neuron, self.fused, self.space = population.shape, population.neuron, fused, space
        self.name, self.dtype, self.batch = population.name, dtype, batch
        self.threshold = self._parameter("threshold", self.neuron.threshold)
        self.potential = self._kept("potential", (batch, population.size), dtype)
        self.potential[:] = self._parameter("initial", self.neuron.initial)
        self.drive = self._drive(population, constant)
        self.spikes: dict[int, Tensor] = {}
        self.arrays: list[Array] | None = None
        self.total = torch.zeros((batch, population.size), dtype=torch.int32)

    @property
    def counts(self) -> Tensor:
        """The number of spikes of each neuron so far, (samples, *shape)."""
        return shaped(self.total, self.shape)

    def _parameter(self, what: str, value: float | Array) -> Tensor:
        """One value per neuron, (n), in the order of the potentials."""
        key = f"{self.name}/{what}/{self.dtype}"
        if key not in self.space:
            full = torch.from_numpy(np.array(np.broadcast_to(value, self.shape), np.float64))
            self.space[key] = rows(full[None])[0].to(self.dtype).contiguous()
        return self.space[key]

    def _drive(self, population: Population, constant: Tensor | None) -> Tensor:
        """What is added every step: the constant current, (samples, n), or the bias alone, (1, n)."""
        bias = self._parameter("bias", 0.0 if population.bias is None else population.bias)[None]
        if constant is None:
            return bias
        given = rows(constant.to(self.dtype))
        return (given if population.bias is None else given + bias).contiguous()

    def _kept(self, what: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Memory of this shape that outlives the batch; fresh pages cost more than filling them."""
        key = f"{self.name}/{what}/{dtype}"
        needed = math.prod(shape)
        if key not in self.space or self.space[key].numel() < needed:
            self.space[key] = torch.empty(needed, dtype=dtype)
        return self.space[key][:needed].view(shape)

    def room(self, steps: int) -> Tensor:
        """Memory for the spikes (steps * samples, *shape) of the next steps; the next call gives the same."""
        if steps not in self.spikes:
            given = self._kept("spikes", (steps * self.batch, self.potential.shape[1]), torch.uint8)
            self.spikes[steps] = shaped(given, self.shape)
        return self.spikes[steps]

    def advance(self, current: Tensor | None, steps: int, trace: Tensor | None) -> Tensor:
        """Spikes (steps * samples, *shape), uint8, which the next call overwrites; see `engine.neurons.State`."""
        spikes = self.room(steps)
        incoming = None if current is None else rows(current).to(self.dtype)
        if trace is None and self.fused:
            self._fused(incoming, spikes)
        else:
            self._stepwise(incoming, spikes, trace)
        return spikes

    def loop_state(self, given: bool, spikes: Tensor) -> tuple[Any, ...]:
        """What compiled loops take: mode, potentials, drive, thresholds, reset, counts and spikes; see `loops.fire`."""
        if self.arrays is None:
            self.arrays = [t.numpy().reshape(-1) for t in (self.potential, self.drive, self.threshold, self.total)]
        potential, drive, threshold, counts = self.arrays
        mode = int(given) + (0 if self.neuron.reset is Reset.SUBTRACT else 2)
        reset, shared = potential.dtype.type(self.neuron.reset_potential), len(self.drive) == 1
        return mode, potential, drive, shared, threshold, reset, counts, rows(spikes).numpy().reshape(-1)

    def _fused(self, current: Tensor | None, spikes: Tensor) -> None:
        n = self.potential.shape[1]
        state = self.loop_state(current is not None, spikes)
        incoming = state[1][:0] if current is None else current.contiguous().numpy().reshape(-1)
        in_parallel(
            compiled(loops.fire),
            self.batch * -(-n // loops.BLOCK),
            *(n, self.batch, len(spikes) // self.batch, *state, incoming),
        )

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
