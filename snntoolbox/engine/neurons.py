"""The neuron models in torch: a population's state, advanced by many time steps per call."""

from __future__ import annotations

from copy import copy, deepcopy
from dataclasses import replace
from functools import cached_property
from itertools import product
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.parts import RESTING, TORCH
from snntoolbox.engine.tensors import Target, channels_inside, empty_inside, padded
from snntoolbox.ir.dynamics import PartNeurons
from snntoolbox.ir.gating import Estimate
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, MaxGate
from snntoolbox.ir.node import Array
from snntoolbox.ir.part import role_of
from snntoolbox.ir.parts import DigitWindow, FiringWindow, FirstSpikeWindow
from snntoolbox.ir.uneven_digits import UnevenDigitWindow

T = TypeVar("T")


class State(Protocol):
    """One population's neurons for one batch."""

    def advance(self, current: Tensor | None, steps: int, trace: Tensor | None) -> Tensor:
        """Spikes (steps * batch, *shape), 0 or 1 or the values they carry, of the next `steps` steps.

        `current` is of the same layout, without what is the same every step; None is zero. Where the synapse is paired
        it is (steps * batch, 2, *shape): all of it, and what comes through negative weights, or is latched. The
        potentials after each reset go to `trace` (steps, batch, *shape).
        """
        ...


def start(
    population: Population, batch: int, constant: Tensor | None, target: Target, presented: int | None = None
) -> State:
    """The state before the first step; `constant` (batch, *shape) is added to the current of every step.

    With `presented` it is added in the first so many steps alone.
    """
    neuron = population.neuron
    in_torch = isinstance(neuron, MaxGate) or all(type(part) in TORCH for part in neuron.parts)
    kind = (Gate if isinstance(neuron, MaxGate) else IntegrateAndFire) if in_torch else InNumpy
    return kind(population, batch, constant, target, presented)


_REQUIRED = ("synapse", "membrane", "threshold", "spikes", "reset")
_OPTIONAL = ("limits", "pause", "openings", "transfer")


class IntegrateAndFire:
    """Neurons by the code of their parts: everything in place, one pass per operation."""

    def __init__(
        self, population: Population, batch: int, constant: Tensor | None, target: Target, presented: int | None = None
    ) -> None:
        assert isinstance(population.neuron, IF)
        self.neuron = population.neuron
        self.drive = _drive(population, constant, target)
        self.presented = presented
        self.bias = self.drive if presented is None else _drive(population, None, target)
        self.pulses = {step: target.tensor(pulse) for step, pulse in population.pulses.items()}
        self.step = 0
        initial = target.tensor(np.broadcast_to(self.neuron.initial, population.shape))
        self.potential = channels_inside(initial.expand(batch, *population.shape)).clone()
        self.code = {role_of(part): TORCH[type(part)](part, target, self.potential) for part in self.neuron.parts}

    def advance(self, current: Tensor | None, steps: int, trace: Tensor | None) -> Tensor:
        """The loop over time: transfer, synapse, membrane, threshold, spikes, reset, limits; a pause around them."""
        if current is None and trace is None and self._rests(steps):
            self.step += steps
            return self.potential.new_zeros(1).expand(steps * len(self.potential), *self.potential.shape[1:])
        fired = empty_inside(self.potential, steps * len(self.potential))
        spikes = fired.view(steps, *self.potential.shape)
        arriving = None if current is None else self._by_step(current, steps)
        synapse, integrate, threshold, fire, reset = (self.code[role] for role in _REQUIRED)
        limit, pause, opens, transfer = (self.code.get(role) for role in _OPTIONAL)
        openings, latching = self.neuron.parts.openings, self.neuron.parts.synapse
        for step, z in enumerate(spikes):
            weight = self.neuron.weight(self.step)
            came = None if arriving is None else arriving[step]
            if isinstance(latching, Latched) and came is not None and weight != 1:
                came = latching.weighed(came, weight)
            current, awake = synapse(came), pause and pause.awake()
            self._set(openings.restart(self.step) if openings else None)
            if transfer is not None and openings is not None and openings.opens(self.step):
                transfer(self.potential, threshold.height)
            integrate(self.potential, self._currents(current, weight), awake)
            height = threshold.height if weight == 1 else threshold.height * weight
            if opens is None or opens(self.step):
                fire(z, self.potential, height)
                if awake is not None:
                    z.mul_(awake)
            else:
                z.zero_()
            reset(self.potential, z, height)
            if limit is not None:
                limit(self.potential)
            self._set(openings.hold(self.step) if openings else None)
            threshold.fired(z)
            if pause is not None:
                pause.fired(z)
            self.step += 1
            if trace is not None:
                trace[step] = self.potential
        return fired

    def _by_step(self, current: Tensor, steps: int) -> Tensor:
        """A step's currents side by side, those that are told apart in the middle."""
        if self.neuron.parts.synapse.paired or self.neuron.parts.synapse.latches:
            return current.view(steps, -1, *current.shape[1:])
        return channels_inside(current).view(steps, *self.potential.shape)

    def _set(self, potential: Array | float | None) -> None:
        """Have this potential, where the openings say one."""
        if potential is not None:
            self.potential.copy_(torch.as_tensor(np.broadcast_to(potential, self.potential.shape[1:]).copy()))

    @property
    def passive(self) -> bool:
        """Whether nothing ever changes outside its window unless spikes come."""
        return self._waits and self.drive is None and not self.pulses

    @cached_property
    def _waits(self) -> bool:
        """Whether it has a window, and no part that goes on outside."""
        parts = self.neuron.parts
        waits = isinstance(parts.openings, FiringWindow | DigitWindow | UnevenDigitWindow | FirstSpikeWindow)
        return waits and self.bias is None and all(type(part) in RESTING for part in parts)

    def _rests(self, steps: int) -> bool:
        """Whether nothing changes in the next steps if no spikes come: outside the window, without any current."""
        last, window = self.step + steps, self.neuron.window
        if not self._waits or window is None:
            return False
        closed = self.step >= window[1] or last <= window[0]
        given = self.presented is None or self.step < self.presented
        pulsed = any(self.step <= step < last for step in self.pulses)
        return closed and not pulsed and not (given and self.drive is not None)

    def _currents(self, current: Tensor | None, weight: float) -> list[Tensor]:
        """What this step adds, which counts so often."""
        there = self.presented is None or self.step < self.presented
        parts = (current, self.drive if there else self.bias, self.pulses.get(self.step))
        return [part if weight == 1 else part * weight for part in parts if part is not None]


def _drive(population: Population, constant: Tensor | None, target: Target) -> Tensor | None:
    """What is added every step: the constant current and the bias."""
    bias = None if population.bias is None else target.tensor(population.bias)
    if constant is None:
        return bias
    return channels_inside(constant if bias is None else constant + bias)


class InNumpy:
    """Neurons with a part that has no code in torch: all of them as the interpreter runs them, in float64."""

    def __init__(
        self, population: Population, batch: int, constant: Tensor | None, target: Target, presented: int | None = None
    ) -> None:
        assert isinstance(population.neuron, IF)
        self.neurons = PartNeurons(population, population.neuron, batch)
        self.constant = 0.0 if constant is None else constant.cpu().numpy()
        self.target, self.presented, self.step = target, presented, 0

    def advance(self, current: Tensor | None, steps: int, trace: Tensor | None) -> Tensor:
        """One step after the other."""
        shape = self.neurons.potential.shape
        given = (steps, *self.neurons.arriving)
        arriving = np.zeros(given) if current is None else current.cpu().numpy().reshape(given)
        fired = torch.empty((steps * shape[0], *shape[1:]), dtype=self.target.dtype, device=self.target.device)
        spikes = fired.view(steps, *shape)
        for step in range(steps):
            there = self.presented is None or self.step < self.presented
            z = self.neurons.step(arriving[step].astype(np.float64), self.constant if there else 0.0, self.step)
            spikes[step] = torch.from_numpy(z)
            if trace is not None:
                trace[step] = torch.from_numpy(self.neurons.potential)
            self.step += 1
        return fired


class Gate:
    """Max pooling on spikes: the current spike of each window's input with the highest rate so far."""

    def __init__(
        self, population: Population, batch: int, constant: Tensor | None, target: Target, presented: int | None = None
    ) -> None:
        assert isinstance(population.neuron, MaxGate)
        self.neuron, self.shape, self.batch = population.neuron, population.shape, batch
        self.constant, self.presented, self.step = constant, presented, 0
        self.dtype, self.device = target.dtype, target.device
        self.rates: Tensor | None = None

    def advance(self, current: Tensor | None, steps: int, trace: Tensor | None) -> Tensor:
        """All steps at once, as rates do not depend on what the gate lets through."""
        if trace is not None:
            trace.zero_()
        if current is None and self.constant is None:
            self._fade(steps)
            return torch.zeros(1, dtype=self.dtype, device=self.device).expand(steps * self.batch, *self.shape)
        spikes = self._input(current, steps)
        rates = self._counted(spikes) if self.neuron.estimate is Estimate.AVERAGE else self._followed(spikes)
        self.rates = rates[-1].clone()
        return self._winners(rates.flatten(0, 1), spikes.flatten(0, 1))

    def _fade(self, steps: int) -> None:
        """Bring the rates through steps without a spike."""
        for step in range(self.step, self.step + steps):
            if self.rates is not None:
                self.rates = self.neuron.estimate.next(self.rates, torch.zeros_like(self.rates), step)
        self.step += steps

    def _counted(self, spikes: Tensor) -> Tensor:
        first = spikes[:1] if self.rates is None else spikes[:1] + self.rates
        return torch.cat([first, spikes[1:]]).cumsum(0)

    def _followed(self, spikes: Tensor) -> Tensor:
        """The estimate after each step, one after the other in float64, as the interpreter has it."""
        exact, first = spikes.to(torch.float64), self.step - len(spikes)
        rates = [torch.zeros_like(exact[0]) if self.rates is None else self.rates]
        for step, now in enumerate(exact, first):
            rates.append(self.neuron.estimate.next(rates[-1], now, step))
        return torch.stack(rates[1:])

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

    def _winners(self, rates: Tensor, spikes: Tensor) -> Tensor:
        """The windows' inputs one after the other in C order: a later one must have more to win."""
        rates, spikes = padded(rates, self.neuron.padding, -1.0), padded(spikes, self.neuron.padding)
        best, out = None, None
        for tap in self._taps():
            rate, spike = rates[tap], spikes[tap]
            if best is None or out is None:
                best, out = rate, spike
            else:
                out = torch.where(rate > best, spike, out)
                best = torch.maximum(rate, best)
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
    if isinstance(state, InNumpy):
        return deepcopy(state)
    twin = _with_own_tensors(state)
    if isinstance(twin, IntegrateAndFire):
        twin.code = {role: _with_own_tensors(code) for role, code in twin.code.items()}
    return twin


def _with_own_tensors(item: T) -> T:
    """A copy of an object with copies of its tensors; a function is none."""
    tensors = {name: value for name, value in getattr(item, "__dict__", {}).items() if isinstance(value, Tensor)}
    if not tensors:
        return item if callable(item) else copy(item)
    twin = copy(item)
    for name, value in tensors.items():
        setattr(twin, name, value.clone())
    return twin


def add_pulse(state: State, step: int, pulse: Array) -> None:
    """Add a current to one step that is still to come."""
    if isinstance(state, InNumpy):
        population = state.neurons.population
        added = {**population.pulses, step: population.pulses.get(step, 0.0) + pulse}
        state.neurons.population = replace(population, pulses=added)
        return
    assert isinstance(state, IntegrateAndFire)
    current = torch.as_tensor(pulse, dtype=state.potential.dtype, device=state.potential.device)
    state.pulses[step] = state.pulses[step] + current if step in state.pulses else current
