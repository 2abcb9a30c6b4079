"""What a population with a window sends, worked out from the sum that it got: its count, and its spikes by that."""

from __future__ import annotations

import torch
from torch import Tensor

from snntoolbox.engine.fast import counts_loops
from snntoolbox.engine.fast.bytes_layout import rows, shaped
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.tensors import Target
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array


class Counts:
    """n = clip(floor((S + V0) / theta), 0, T) for the neurons of a population, S the sum of their input in all steps.

    `total` is T. Counts are `small` as bytes, and of the floating type of sums otherwise; `fused` takes compiled loops.
    """

    def __init__(self, population: Population, total: int, target: Target, *, small: bool, fused: bool) -> None:
        assert isinstance(population.neuron, IF)
        self.neuron, self.shape, self.total, self.target = population.neuron, population.shape, total, target
        self.dtype, self.fused = torch.uint8 if small else target.dtype, fused
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
        dtype, scale, start = self.target.dtype, 1.0, self.initial[None]
        if current is None:
            scale, current = given, start.new_zeros(1).expand(batch, *self.shape) if constant is None else constant
        elif constant is not None:
            start = constant.to(dtype) * given + start
        current = current.to(dtype)
        if self.fused:
            return self._fused(current, scale, start)
        ready = (current if scale == 1 else current * scale) + start
        if not self.plain:
            ready = ready.div_(self.threshold)
        return ready.floor_().clamp_(0, self.total).to(self.dtype)

    def _fused(self, current: Tensor, scale: float, start: Tensor) -> Tensor:
        """The same in one pass."""
        batch, given = len(current), rows(current)
        out = torch.empty(given.shape, dtype=self.dtype)
        arrays = (rows(t).contiguous().numpy().reshape(-1) for t in (given, start, self.threshold[None], out))
        incoming, begin, threshold, counts = arrays
        call = given.shape[1], incoming, scale, begin, len(start) == 1, threshold, self.plain, self.total
        in_parallel(compiled(counts_loops.count), batch, *call, counts)
        return shaped(out, self.shape)


def train(neuron: IF, counts: Tensor, steps: int) -> Tensor:
    """The spikes (steps, batch, *shape) bool in the steps of the window, in which neurons send these counts."""
    place = torch.arange(steps, device=counts.device).view(-1, *[1] * counts.ndim)
    whole = counts.to(torch.int32)[None]
    if neuron.counting is Counting.DIGIT:
        return (whole >> (steps - 1 - place)).bitwise_and_(1).bool()
    return whole == steps - place if neuron.counting is Counting.LEAD else whole > place
