"""What a population with a window sends, worked out from the sum that it got: its count, and its spikes by that."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import counts_loops
from snntoolbox.engine.fast.bytes_layout import rows, shaped
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.fast.neurons_firing import Points
from snntoolbox.engine.fast.neurons_loops import BLOCK
from snntoolbox.engine.tables import Entries
from snntoolbox.engine.tensors import Target
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array


class Counts:
    """n = clip(floor((S + V0) / theta), 0, T) for the neurons of a population, S the sum of their input in all steps.

    With a table what that has at this floor. T is `IF.most`. Counts are `small` as bytes, and of the floating type of
    sums otherwise; `fused` takes compiled loops.
    """

    def __init__(self, population: Population, target: Target, *, small: bool, fused: bool) -> None:
        assert isinstance(population.neuron, IF)
        self.neuron, self.shape, self.target = population.neuron, population.shape, target
        self.total = self.neuron.most
        table = self.neuron.table
        self.table = None if table is None else Entries(table, self.shape, target)
        self.dtype, self.fused = torch.uint8 if small else target.dtype, fused and table is None
        self.initial = self._parameter(self.neuron.initial)
        self.threshold = self._parameter(self.neuron.threshold)
        self.plain = bool((self.threshold == 1).all())

    def _parameter(self, value: float | Array) -> Tensor:
        """One value per neuron, (*shape)."""
        return self.target.tensor(value).expand(self.shape).contiguous()

    def __call__(self, current: Tensor | None, constant: Tensor | None, given: float, batch: int) -> Tensor:
        """The counts (batch, *shape).

        `current` is the sum of what spikes bring, `constant` what is there in steps that count `given` times; None for
        none.
        """
        if current is not None:
            return self.made(current, 1.0, self.begin(constant, given))
        start = self.initial[None]
        current = start.new_zeros(1).expand(batch, *self.shape) if constant is None else constant
        return self.made(current, given, start)

    def begin(self, constant: Tensor | None, given: float) -> Tensor:
        """What is there beside the sums of spikes: start potentials, and what constant currents make in all steps."""
        start = self.initial[None]
        return start if constant is None else constant.to(self.target.dtype) * given + start

    def made(self, current: Tensor, scale: float, start: Tensor) -> Tensor:
        """The counts of sums `current` times `scale` that begin at `start`."""
        current = current.to(self.target.dtype)
        if self.fused:
            return self._fused(current, scale, start)
        ready = (current if scale == 1 else current * scale) + start
        if not self.plain:
            ready = ready.div_(self.threshold)
        return self._read(ready.floor_()).clamp_(0, self.total).to(self.dtype)

    def _read(self, whole: Tensor) -> Tensor:
        return whole if self.table is None else self.table(whole)

    def opened(self, potential: Tensor) -> Tensor:
        """V when the window opens, from what it was before."""
        if self.table is None:
            return potential
        return self.table((potential / self.threshold).floor_()) * self.threshold

    def _fused(self, current: Tensor, scale: float, start: Tensor) -> Tensor:
        """The same in one pass."""
        batch, given = len(current), rows(current)
        out = torch.empty(given.shape, dtype=self.dtype)
        call = given.shape[1], _flat(current), scale, *self._levels(start), out.numpy().reshape(-1)
        in_parallel(compiled(counts_loops.count), batch, *call)
        return shaped(out, self.shape)

    def made_of_points(self, current: Array | None, points: Points, batch: int, start: Tensor) -> Tensor:
        """The counts of the sums of `points` beside `current`: see `counts_loops.count_points`."""
        out, channels = torch.empty((batch, math.prod(self.shape)), dtype=self.dtype), self.shape[0]
        blocks = -(-points[2] // max(1, BLOCK // channels))
        levels = self._levels(start)
        given = levels[0][:0] if current is None else current, current is not None, points
        call = out.shape[1], channels, *given, *levels, out.numpy().reshape(-1)
        in_parallel(compiled(counts_loops.count_points), batch * blocks, *call)
        return shaped(out, self.shape)

    def _levels(self, start: Tensor) -> tuple[Any, ...]:
        return _flat(start), len(start) == 1, _flat(self.threshold[None]), self.plain, self.total


def _flat(values: Tensor) -> Array:
    return np.asarray(rows(values).contiguous().numpy().reshape(-1))


def train(neuron: IF, counts: Tensor, steps: int) -> Tensor:
    """The spikes (steps, batch, *shape) bool in the steps of the window, in which neurons send these counts."""
    place = torch.arange(steps, device=counts.device).view(-1, *[1] * counts.ndim)
    whole = counts.to(torch.int32)[None]
    if neuron.counting is Counting.DIGIT:
        return (whole >> (steps - 1 - place)).bitwise_and_(1).bool()
    return whole == steps - place if neuron.counting is Counting.LEAD else whole > place
