"""The neuron models in torch: a population's state, advanced by many time steps per call."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from itertools import product
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.tensors import Target, channels_inside, empty_inside, padded
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, MaxGate, Negative, Reset
from snntoolbox.ir.node import Array


class State(Protocol):
    """One population's neurons for one batch."""

    def advance(self, current: Tensor | None, steps: int, trace: Tensor | None) -> Tensor:
        """Spikes (steps * batch, *shape), 0 or 1 or the values they carry, of the next `steps` steps.

        `current` is of the same layout, without what is the same every step; None is zero. The potentials after each
        reset go to `trace` (steps, batch, *shape).
        """
        ...


def start(
    population: Population, batch: int, constant: Tensor | None, target: Target, presented: int | None = None
) -> State:
    """The state before the first step; `constant` (batch, *shape) is added to the current of every step.

    With `presented` it is added in the first so many steps alone.
    """
    return STATES[type(population.neuron)](population, batch, constant, target, presented)


class IntegrateAndFire:
    """V <- leak * V + current; z = V >= threshold; reset. Everything in place, one pass per operation."""

    def __init__(
        self, population: Population, batch: int, constant: Tensor | None, target: Target, presented: int | None = None
    ) -> None:
        assert isinstance(population.neuron, IF)
        self.neuron = population.neuron
        self.threshold = _parameter(self.neuron.threshold, target)
        self.drive = _drive(population, constant, target)
        self.presented = presented
        self.bias = self.drive if presented is None else _drive(population, None, target)
        self.pulses = {step: target.tensor(pulse) for step, pulse in population.pulses.items()}
        self.step = 0
        initial = target.tensor(np.broadcast_to(self.neuron.initial, population.shape))
        self.potential = channels_inside(initial.expand(batch, *population.shape)).clone()
        self.waiting = torch.zeros_like(self.potential) if self.neuron.refractory else None
        self.sent = torch.zeros_like(self.potential) if self.neuron.negative is Negative.MEMORY else None

    def advance(self, current: Tensor | None, steps: int, trace: Tensor | None) -> Tensor:
        """The loop over time."""
        if current is None and trace is None and self._rests(steps):
            self.step += steps
            return self.potential.new_zeros(1).expand(steps * len(self.potential), *self.potential.shape[1:])
        fired = empty_inside(self.potential, steps * len(self.potential))
        spikes = fired.view(steps, *self.potential.shape)
        steady = None if current is None else channels_inside(current).view(spikes.shape)
        integrate = self._integrate if self.waiting is None else self._integrate_awake
        fire = self._emit if self.neuron.graded else self._fire
        reset = _RESETS[self.neuron.reset]
        for step in range(steps):
            z = spikes[step]
            integrate(None if steady is None else steady[step])
            if self.neuron.fires_in(self.step):
                fire(z)
            else:
                z.zero_()
            if self.waiting is not None:
                self.waiting.sub_(1).clamp_(min=0).add_(z, alpha=self.neuron.refractory)
            self.step += 1
            reset(self.potential, z, self.threshold, self.neuron)
            if self.neuron.saturation is not None:
                self.potential.clamp_(*self.neuron.saturation)
            if trace is not None:
                trace[step] = self.potential
        return fired

    def _rests(self, steps: int) -> bool:
        """Whether nothing changes in the next steps if no spikes come: outside the window, without any current."""
        last, window = self.step + steps, self.neuron.window
        closed = window is not None and (self.step >= window[1] or last <= window[0])
        still = self.neuron.leak == 1 and self.waiting is None and self.bias is None
        given = self.presented is None or self.step < self.presented
        pulsed = any(self.step <= step < last for step in self.pulses)
        return closed and still and not pulsed and not (given and self.drive is not None)

    def _leak(self) -> None:
        if self.neuron.leak != 1:
            self.potential.mul_(self.neuron.leak)

    def _parts(self, current: Tensor | None) -> list[Tensor]:
        """What this step adds."""
        there = self.presented is None or self.step < self.presented
        parts = (current, self.drive if there else self.bias, self.pulses.get(self.step))
        return [part for part in parts if part is not None]

    def _integrate(self, current: Tensor | None) -> None:
        self._leak()
        for part in self._parts(current):
            self.potential.add_(part)

    def _integrate_awake(self, current: Tensor | None) -> None:
        """The same where a neuron takes no current for some steps after a spike."""
        assert self.waiting is not None
        self._leak()
        awake = self.waiting.eq(0).to(self.potential.dtype)
        for part in self._parts(current):
            self.potential.addcmul_(part, awake)

    def _fire(self, z: Tensor) -> None:
        torch.ge(self.potential, self.threshold, out=z)
        if self.waiting is not None:
            z.mul_(self.waiting.eq(0))

    def _emit(self, z: Tensor) -> None:
        """Values instead of spikes; see `snntoolbox.ir.neurons.emitted`."""
        z.zero_()
        for level in sorted(self.neuron.levels):
            z.masked_fill_(self.potential >= level * self.threshold, level)
            if self.sent is not None:
                takes_back = (self.potential <= -level * self.threshold).logical_and_(self.sent >= level)
                z.masked_fill_(takes_back, -level)
        if self.sent is not None:
            self.sent.add_(z)


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

    def __init__(
        self, population: Population, batch: int, constant: Tensor | None, target: Target, presented: int | None = None
    ) -> None:
        assert isinstance(population.neuron, MaxGate)
        self.neuron, self.shape, self.batch = population.neuron, population.shape, batch
        self.constant, self.presented, self.step = constant, presented, 0
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
        steady = None if self.constant is None else self.constant.expand(steps, *self.constant.shape)
        if steady is not None and self.presented is not None:
            there = torch.arange(self.step, self.step + steps, device=steady.device) < self.presented
            steady = steady * there.view(steps, *[1] * (steady.ndim - 1))
        self.step += steps
        if current is None:
            assert steady is not None
            return steady
        varying = current.view(steps, self.batch, *current.shape[1:])
        return varying if steady is None else varying + steady

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


def copied(state: State) -> State:
    """A state that goes on from here on its own."""
    twin = copy(state)
    for name, value in vars(state).items():
        if isinstance(value, Tensor):
            setattr(twin, name, value.clone())
    return twin


def add_pulse(state: State, step: int, pulse: Array) -> None:
    """Add a current to one step that is still to come."""
    assert isinstance(state, IntegrateAndFire)
    current = torch.as_tensor(pulse, dtype=state.potential.dtype, device=state.potential.device)
    state.pulses[step] = state.pulses[step] + current if step in state.pulses else current


STATES: dict[type[Any], Callable[[Population, int, Tensor | None, Target, int | None], State]] = {
    IF: IntegrateAndFire,
    MaxGate: Gate,
}
