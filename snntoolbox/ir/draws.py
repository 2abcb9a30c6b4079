"""Seeded random numbers, and read-outs that draw spikes by their softmax: the same for every simulator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.head import Head
from snntoolbox.ir.node import Array

_OF_READOUTS = 0x736F66746D6178
"""Makes other numbers of a seed for read-outs than for inputs."""


def uniforms(seed: int, sample: int, first_step: int, steps: int, size: int) -> Array:
    """Numbers in [0, 1), (steps, size), which depend on the seed, the number of the sample and the step alone.

    A counter-based generator (Philox) is keyed by (seed, sample) and advanced to the step.
    """
    blocks = -(-size // 4)  # Philox yields four words per count of its counter
    generator = np.random.Philox(key=np.array([seed, sample], np.uint64))
    generator.advance(first_step * blocks)
    words = generator.random_raw(steps * blocks * 4).reshape(steps, blocks * 4)[:, :size]
    return np.asarray((words >> np.uint64(11)).astype(np.float64) * 2.0**-53)


@dataclass(frozen=True)
class SoftmaxDraws:
    """Output neurons with a potential V that is never reset, which spike at random: INIsim's softmax layer.

    V[t] is the sum that a linear read-out divides by the steps, in the user's units, times `per_step`, the ms of a
    step. In step t class i spikes with probability exp(V_i[t]) / sum_j exp(V_j[t]), each class on its own draw. So the
    answer gets sharper with time. The value after t steps is the share of them with a spike.
    """

    seed: int = 0
    per_step: float = 1.0

    def spikes(self, potentials: Array, head: Head, first_sample: int) -> Array:
        """Spikes, bool, for V after each step from the first on, (steps, samples, *shape)."""
        axis = None if head.axis is None else head.axis + 2
        flat = potentials.reshape(*potentials.shape[:2], -1) if axis is None else potentials
        along = -1 if axis is None else axis
        risen = np.exp(flat - flat.max(axis=along, keepdims=True))
        likely = (risen / risen.sum(axis=along, keepdims=True)).reshape(potentials.shape)
        steps, samples, *shape = potentials.shape
        seed = self.seed ^ _OF_READOUTS
        drawn = [uniforms(seed, first_sample + n, 0, steps, int(np.prod(shape))) for n in range(samples)]
        return np.asarray(np.stack(drawn, axis=1).reshape(potentials.shape) < likely) if samples else likely > 1

    def rates(self, values: Array, counted: Array, head: Head, first_sample: int) -> Array:
        """The share of the steps so far with a spike, where a linear read-out says `values` after each step.

        `counted` is what each of these was divided by.
        """
        per_step = (len(values), *(1,) * (values.ndim - 1))
        potentials = self.per_step * counted.reshape(per_step) * values
        return np.asarray(self.spikes(potentials, head, first_sample).cumsum(axis=0) / elapsed(values))


def elapsed(values: Array) -> Array:
    """1, 2, ... for values (steps, ...), with as many axes."""
    return np.arange(1, len(values) + 1).reshape(-1, *(1,) * (values.ndim - 1))
