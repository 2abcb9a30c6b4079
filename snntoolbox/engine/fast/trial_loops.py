"""The compiled loop of trials: errors of neurons' rates for several biases and start potentials at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from snntoolbox.engine.fast.neurons_loops import TOGETHER, advance

BLOCK = 512
"""Neurons in a unit of work, whose currents of some steps stay in the cache while all trials read them."""


def try_out(
    n: int, samples: int, steps: int, counted: int, mode: int, drive: Any, bias: Any, initial: Any, threshold: Any,
    reset: Any, current: Any, target: Any, before: Any, whole: Any, squared: Any, first: int, last: int,
) -> None:  # fmt: skip
    """Add what the neurons of each trial fire to `whole`, in steps before `counted` to `before`; errors to `squared`.

    `bias`, `initial`, `before`, `whole`, `squared` are (trials, n), `drive` and `target` (samples, n), `current`
    (steps, samples, n), `threshold` (n); `drive` and `current` may be empty. Neurons do what those of
    `neurons_loops.fire` do, with the `mode` of it; errors are the squares of target - rate, summed over samples.
    A unit is a block of neurons.
    """
    trials, share = len(bias) // n, 1.0 / steps
    steady, potential = np.empty(trials * BLOCK, bias.dtype), np.empty(trials * BLOCK, bias.dtype)
    counts, early = np.empty(trials * BLOCK, np.int32), np.empty(trials * BLOCK, np.int32)
    spikes = np.empty(BLOCK, np.uint8)  # nobody looks at them
    for unit in range(first, last):
        lo = unit * BLOCK
        size = min(BLOCK, n - lo)
        for sample in range(samples):
            at = sample * n + lo
            for k in range(trials):
                own, here = k * n + lo, k * BLOCK
                steady[here : here + size] = bias[own : own + size]
                potential[here : here + size] = initial[own : own + size]
                if len(drive):
                    add(drive[at : at + size], steady[here : here + size])
            counts[:] = 0
            early[:] = 0
            step = 0
            while step < steps:
                together = min(TOGETHER, (counted if step < counted else steps) - step) if mode & 1 else (
                    counted if step < counted else steps
                ) - step
                here = step * samples * n + at if mode & 1 else 0
                for k in range(trials):
                    own = k * BLOCK
                    advance(size, mode, potential, own, steady, own, threshold, lo, counts, current, here, samples * n,
                            spikes, 0, 0, together, reset)  # fmt: skip
                step += together
                if step == counted:
                    early[:] = counts
            for k in range(trials):
                own, here = k * n + lo, k * BLOCK
                add_errors(target[at : at + size], counts[here : here + size], share, squared[own : own + size])
                add_counts(counts[here : here + size], whole[own : own + size])
                add_counts(early[here : here + size], before[own : own + size])


def add_errors(target: Any, counts: Any, share: float, squared: Any) -> None:
    """squared += (target - share counts)^2."""
    for j in range(len(counts)):
        error = np.float64(target[j]) - share * np.float64(counts[j])
        squared[j] += error * error


def add(values: Any, total: Any) -> None:
    """total += values."""
    for j in range(len(values)):
        total[j] += values[j]


def add_counts(counts: Any, total: Any) -> None:
    """total += counts."""
    for j in range(len(counts)):
        total[j] += np.float64(counts[j])


INNER = (add, add_errors, add_counts)
"""What the loop calls."""
