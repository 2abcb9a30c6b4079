"""The neuron models in torch: a population's state, advanced by many time steps per call."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.tensors import Target, channels_inside, empty_inside, padded
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, MaxGate, Reset
from snntoolbox.ir.node import Array


class State(Protocol):
    """One population's neurons for one batch."""

    def advance(self, current: Tensor | None, steps: int, trace: Tensor | None) -> Tensor:
        """Spikes (steps * batch, *shape), 0 or 1, of the next `steps` steps.

        `current` is of the same layout, without what is the same every step; None is zero. The potentials after each
        reset go to `trace` (steps, batch, *shape).
        """
        ...


def start(population: Population, batch: int, constant: Tensor | None, target: Target) -> State:
    """The state before the first step; `constant` (batch, *shape) is added to the current of every step."""
    return STATES[type(population.neuron)](population, batch, constant, target)


class IntegrateAndFire:
    """V <- leak * V + current; z = V >= threshold; reset. Everything in place, one pass per operation."""

    def __init__(self, population: Population, batch: int, constant: Tensor | None, target: Target) -> None:
        assert isinstance(population.neuron, IF)
        self.neuron = population.neuron
        self.threshold = _parameter(self.neuron.threshold, target)
        self.drive = _drive(population, constant, target)
        initial = target.tensor(np.broadcast_to(self.neuron.initial, population.shape))
        self.potential = channels_inside(initial.expand(batch, *population.shape)).clone()
        self.waiting = torch.zeros_like(self.potential) if self.neuron.refractory else None

    def advance(self, current: Tensor | None, steps: int, trace: Tensor | None) -> Tensor:
        """The loop over time."""
        fired = empty_inside(self.potential, steps * len(self.potential))
        spikes = fired.view(steps, *self.potential.shape)
        steady = None if current is None else channels_inside(current).view(spikes.shape)
        integrate = self._integrate if self.waiting is None else self._integrate_awake
        reset = _RESETS[self.neuron.reset]
        for step in range(steps):
            z = spikes[step]
            integrate(None if steady is None else steady[step], z)
            reset(self.potential, z, self.threshold, self.neuron)
            if trace is not None:
                trace[step] = self.potential
        return fired

    def _leak(self) -> None:
        if self.neuron.leak != 1:
            self.potential.mul_(self.neuron.leak)

    def _integrate(self, current: Tensor | None, z: Tensor) -> None:
        self._leak()
        if current is not None:
            self.potential.add_(current)
        if self.drive is not None:
            self.potential.add_(self.drive)
        torch.ge(self.potential, self.threshold, out=z)

    def _integrate_awake(self, current: Tensor | None, z: Tensor) -> None:
        """The same where a neuron takes no current and does not fire for some steps after a spike."""
        assert self.waiting is not None
        self._leak()
        awake = self.waiting.eq(0).to(self.potential.dtype)
        for part in (current, self.drive):
            if part is not None:
                self.potential.addcmul_(part, awake)
        torch.ge(self.potential, self.threshold, out=z)
        z.mul_(awake)
        self.waiting.sub_(1).clamp_(min=0).add_(z, alpha=self.neuron.refractory)


def _parameter(value: float | Array, target: Target) -> Any:
    """A float where one value holds for all neurons (faster), else a tensor."""
    return float(np.reshape(value, ())) if np.size(value) == 1 else target.tensor(np.asarray(value))


def _drive(population: Population, constant: Tensor | None, target: Target) -> Tensor | None:
    """What is added every step: the constant current and the bias."""
    bias = None if population.bias is None else target.tensor(population.bias)
    if constant is None:
        return bias
    return channels_inside(constant if bias is None else constant + bias)


def _subtract(potential: Tensor, z: Tensor, threshold: Any, neuron: IF) -> None:
    if isinstance(threshold, float):
        potential.sub_(z, alpha=threshold)
    else:
        potential.addcmul_(z, threshold, value=-1)


def _zero(potential: Tensor, z: Tensor, threshold: Any, neuron: IF) -> None:
    potential.addcmul_(potential, z, value=-1)
    if neuron.reset_potential:
        potential.add_(z, alpha=neuron.reset_potential)


def _modulo(potential: Tensor, z: Tensor, threshold: Any, neuron: IF) -> None:
    whole = torch.div(potential, threshold).floor_().mul_(z)
    _subtract(potential, whole, threshold, neuron)


_RESETS: dict[Reset, Callable[[Tensor, Tensor, Any, IF], None]] = {
    Reset.SUBTRACT: _subtract,
    Reset.ZERO: _zero,
    Reset.MODULO: _modulo,
}


class Gate:
    """Max pooling on spikes: the current spike of each window's input with the highest count so far."""

    def __init__(self, population: Population, batch: int, constant: Tensor | None, target: Target) -> None:
        assert isinstance(population.neuron, MaxGate)
        self.neuron, self.shape, self.batch = population.neuron, population.shape, batch
        self.constant = constant
        self.seen: Tensor | None = None

    def advance(self, current: Tensor | None, steps: int, trace: Tensor | None) -> Tensor:
        """All steps at once, as counts do not depend on what the gate lets through."""
        spikes = self._input(current, steps)
        first = spikes[:1] if self.seen is None else spikes[:1] + self.seen
        seen = torch.cat([first, spikes[1:]]).cumsum(0)
        self.seen = seen[-1].clone()
        if trace is not None:
            trace.zero_()
        return self._winners(seen.flatten(0, 1), spikes.flatten(0, 1))

    def _input(self, current: Tensor | None, steps: int) -> Tensor:
        if current is None:
            assert self.constant is not None
            return self.constant.expand(steps, *self.constant.shape)
        steady = current.view(steps, self.batch, *current.shape[1:])
        return steady if self.constant is None else steady + self.constant

    def _winners(self, seen: Tensor, spikes: Tensor) -> Tensor:
        """The windows' inputs one after the other in C order: a later one must have more to win."""
        seen, spikes = padded(seen, self.neuron.padding, -1.0), padded(spikes, self.neuron.padding)
        best, out = None, None
        for tap in self._taps():
            count, spike = seen[tap], spikes[tap]
            if best is None or out is None:
                best, out = count, spike
            else:
                out = torch.where(count > best, spike, out)
                best = torch.maximum(count, best)
        assert out is not None
        return channels_inside(out)

    def _taps(self) -> list[Any]:
        """For each position of the kernel the index of its values in all windows."""
        found = []
        for offsets in product(*(range(k) for k in self.neuron.kernel)):
            axes = zip(offsets, self.neuron.dilation, self.neuron.stride, self.shape[1:], strict=True)
            found.append((..., *(slice(o * d, o * d + s * (n - 1) + 1, s) for o, d, s, n in axes)))
        return found


STATES: dict[type[Any], Callable[[Population, int, Tensor | None, Target], State]] = {
    IF: IntegrateAndFire,
    MaxGate: Gate,
}
