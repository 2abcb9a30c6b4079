"""Neurons tried out with several biases and start potentials at once, for the errors of their rates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import trial_loops
from snntoolbox.engine.fast.bytes_layout import rows, shaped
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.node import Array


class Trials:
    """Populations that differ in bias and start potential alone, on the same input; those of `Firing`.

    `before`, `whole` and `squared` are sums over samples, (trials, n): see `trial_loops.try_out`.
    """

    def __init__(self, tried: Sequence[Population], dtype: torch.dtype, steps: int, counted: int) -> None:
        neurons = [p.neuron for p in tried if isinstance(p.neuron, IF)]
        self.shape, self.size = tried[0].shape, tried[0].size
        self.dtype, self.steps, self.counted = dtype, steps, counted
        self.mode = 0 if neurons[0].reset is Reset.SUBTRACT else 2
        self.threshold, self.reset = self._each([neurons[0].threshold]), neurons[0].reset_potential
        self.bias = self._each([0.0 if p.bias is None else p.bias for p in tried])
        self.initial = self._each([n.initial for n in neurons])
        self.before, self.whole, self.squared = (np.zeros((len(tried), self.size)) for _ in range(3))

    def add(self, current: Tensor | None, constant: Tensor | None, target: Array) -> None:
        """Run them on samples: `current` (steps, samples, *shape), `constant` and `target` (samples, *shape)."""
        incoming = self._flat(None if current is None else current.flatten(0, 1))
        drive, wanted = self._flat(constant), self._flat(torch.from_numpy(target))
        kind = self.bias.dtype.type
        in_parallel(
            compiled(trial_loops.try_out),
            -(-self.size // trial_loops.BLOCK),
            *(self.size, len(target), self.steps, self.counted, self.mode + (current is not None), drive, self.bias),
            *(self.initial, self.threshold, kind(self.reset), incoming, wanted),
            *(sums.reshape(-1) for sums in (self.before, self.whole, self.squared)),
        )

    def sums(self) -> tuple[Array, Array, Array]:
        """The spikes of counted and of all steps, and the squared errors so far, each (trials, *shape)."""
        late, whole, squared = (self._shaped(s) for s in (self.whole - self.before, self.whole, self.squared))
        return late, whole, squared

    def _shaped(self, sums: Array) -> Array:
        return np.asarray(shaped(torch.from_numpy(sums), self.shape).numpy())

    def _each(self, values: Sequence[float | Array]) -> Array:
        """One value per trial and neuron, in the order of the potentials."""
        full = np.stack([np.broadcast_to(np.asarray(v, np.float64), self.shape) for v in values])
        return self._flat(torch.from_numpy(full))

    def _flat(self, values: Tensor | None) -> Array:
        if values is None:
            return np.empty(0, torch.empty(0, dtype=self.dtype).numpy().dtype)
        return np.asarray(rows(values).to(self.dtype).contiguous().numpy().reshape(-1))
