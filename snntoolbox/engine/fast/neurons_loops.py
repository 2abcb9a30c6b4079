"""The compiled loops of integrate-and-fire neurons, with what spikes bring to them one by one; plain Python otherwise.

Arrays are flat, channels innermost. Each loop works on the units `first` <= unit < `last`, which threads share.
"""

from __future__ import annotations

from typing import Any

from snntoolbox.engine.fast.compiled_vectors import fire_block, fire_neurons, point_block, point_neurons

BLOCK = 1024
"""Neurons in a unit of work."""

TOGETHER = 8
"""Steps for which potentials stay in registers: as many streams of currents as processors follow ahead."""


def advance(
    size: int, mode: int, potential: Any, at: int, drive: Any, at_drive: int, threshold: Any, at_threshold: int,
    counts: Any, current: Any, at_current: int, stride: int, spikes: Any, at_spikes: int, hop: int, steps: int,
    reset: Any,
) -> None:  # fmt: skip
    """Any number of neurons over all steps, in blocks: see `compiled_vectors.fire_neurons`."""
    j = 0
    while j + 32 <= size:
        fire_block(32, mode, potential, at + j, drive, at_drive + j, threshold, at_threshold + j, counts,
                   current, at_current + j, stride, spikes, at_spikes + j, hop, steps, reset)  # fmt: skip
        j += 32
    while j + 16 <= size:
        fire_block(16, mode, potential, at + j, drive, at_drive + j, threshold, at_threshold + j, counts,
                   current, at_current + j, stride, spikes, at_spikes + j, hop, steps, reset)  # fmt: skip
        j += 16
    if j < size:
        fire_neurons(size - j, mode, potential, at + j, drive, at_drive + j, threshold, at_threshold + j, counts,
                     current, at_current + j, stride, spikes, at_spikes + j, hop, steps, reset)  # fmt: skip


def fire(
    n: int, batch: int, steps: int, mode: int, potential: Any, drive: Any, shared: bool, threshold: Any, reset: Any,
    counts: Any, spikes: Any, current: Any, first: int, last: int,
) -> None:  # fmt: skip
    """Integrate, fire, reset and count: V <- V + current + drive; z = V >= threshold; V <- V - threshold.

    `potential`, `counts` (batch, n); `drive` the same, or (n) where `shared`; `threshold` (n); `spikes` and, where
    there are, `current` (steps, batch, n). `mode` is that of `compiled_vectors`. A unit is a block of a sample.
    """
    blocks = (n + BLOCK - 1) // BLOCK
    for unit in range(first, last):
        sample = unit // blocks
        lo = (unit - sample * blocks) * BLOCK
        at = sample * n + lo
        step = 0
        while step < steps:
            together = min(TOGETHER, steps - step) if mode & 1 else steps
            here = step * batch * n + at
            advance(min(BLOCK, n - lo), mode, potential, at, drive, lo if shared else at, threshold, lo, counts,
                    current, here if mode & 1 else 0, batch * n, spikes, here, batch * n, together, reset)  # fmt: skip
            step += together


def fire_places(
    number: int, channels: int, apart: int, mode: int, potential: Any, at: int, drive: Any, at_drive: int,
    threshold: Any, at_threshold: int, counts: Any, current: Any, at_current: int, stride: int, spikes: Any,
    at_spikes: int, hop: int, steps: int, reset: Any, points: Any, place: int, unit: int, batch: int,
) -> None:  # fmt: skip
    """`advance` for `number` places of `channels` neurons, plus what `points` bring from `place` on.

    Currents of places lie `apart` apart. `points` are those of `compiled_vectors.point_neurons`, (0, ...) for none;
    `unit` numbers the first step of the sample, and the next lies `batch` behind.
    """
    if points[0] == 0:
        whole = apart == channels  # then the neurons of places lie side by side, as their currents do
        for p in range(1 if whole else number):
            j = p * channels
            advance(number * channels if whole else channels, mode, potential, at + j, drive, at_drive + j, threshold,
                    at_threshold + j, counts, current, at_current + p * apart, stride, spikes, at_spikes + j, hop,
                    steps, reset)  # fmt: skip
    else:
        point_places(number, channels, apart, mode, potential, at, drive, at_drive, threshold, at_threshold, counts,
                     current, at_current, stride, spikes, at_spikes, hop, steps, reset, points, place, unit,
                     batch)  # fmt: skip


def point_places(
    number: int, channels: int, apart: int, mode: int, potential: Any, at: int, drive: Any, at_drive: int,
    threshold: Any, at_threshold: int, counts: Any, current: Any, at_current: int, stride: int, spikes: Any,
    at_spikes: int, hop: int, steps: int, reset: Any, points: Any, place: int, unit: int, batch: int,
) -> None:  # fmt: skip
    """`fire_places` where there are points: compiled by itself, for the loops that call it are faster so."""
    p = 0
    while p < number:
        j, here, few = p * channels, at_current + p * apart, 4 if number - p >= 4 else 1
        fire_place(few, channels, mode, potential, at + j, drive, at_drive + j, threshold, at_threshold + j, counts,
                   current, here, apart, stride, spikes, at_spikes + j, hop, steps, reset, points, place + p, unit,
                   batch)  # fmt: skip
        p += few


def fire_place(
    number: int, size: int, mode: int, potential: Any, at: int, drive: Any, at_drive: int, threshold: Any,
    at_threshold: int, counts: Any, current: Any, at_current: int, apart: int, stride: int, spikes: Any, at_spikes: int,
    hop: int, steps: int, reset: Any, points: Any, place: int, unit: int, batch: int,
) -> None:  # fmt: skip
    """The same for all neurons of one place or of four, in blocks: a step of one waits for that before."""
    j = 0
    further = 1 if number == 4 else 0
    wide = 16 if number == 4 else 64
    while j + wide <= size:
        point_block(16, 4, mode, potential, at + j, drive, at_drive + j, threshold, at_threshold + j, counts, current,
                    at_current + j, apart, stride, spikes, at_spikes + j, hop, steps, reset, points, place, further,
                    size, j, unit, batch)  # fmt: skip
        j += wide
    while number == 1 and j + 16 <= size:
        point_block(16, 1, mode, potential, at + j, drive, at_drive + j, threshold, at_threshold + j, counts, current,
                    at_current + j, apart, stride, spikes, at_spikes + j, hop, steps, reset, points, place, 0, size, j,
                    unit, batch)  # fmt: skip
        j += 16
    begin = j
    for p in range(number):
        j, to, here = begin, p * size, at_current + p * apart
        while j + 4 <= size:
            point_block(4, 1, mode, potential, at + to + j, drive, at_drive + to + j, threshold, at_threshold + to + j,
                        counts, current, here + j, apart, stride, spikes, at_spikes + to + j, hop, steps, reset, points,
                        place + p, 0, size, j, unit, batch)  # fmt: skip
            j += 4
        if j < size:
            point_neurons(size - j, mode, potential, at + to + j, drive, at_drive + to + j, threshold,
                          at_threshold + to + j, counts, current, here + j, stride, spikes, at_spikes + to + j, hop,
                          steps, reset, points, place + p, size, j, unit, batch)  # fmt: skip


def fire_points(
    n: int, channels: int, batch: int, steps: int, mode: int, potential: Any, drive: Any, shared: bool, threshold: Any,
    reset: Any, counts: Any, spikes: Any, current: Any, points: Any, first: int, last: int,
) -> None:  # fmt: skip
    """`fire` with what `points` bring beside `current`. A unit is some places of `channels` of one sample."""
    places = n // channels
    few = max(1, BLOCK // channels)
    blocks = (places + few - 1) // few
    for unit in range(first, last):
        sample = unit // blocks
        low = (unit - sample * blocks) * few
        lo = low * channels
        at = sample * n + lo
        for step in range(0, steps, TOGETHER):
            here = step * batch * n + at
            fire_places(min(few, places - low), channels, channels, mode, potential, at, drive, lo if shared else at,
                        threshold, lo, counts, current, here if mode & 1 else 0, batch * n, spikes, here, batch * n,
                        min(TOGETHER, steps - step), reset, points, low, step * batch + sample, batch)  # fmt: skip


INNER = (fire_neurons, point_neurons, advance, fire_place, fire_places)
"""What the loops call that is compiled with them."""

APART = (point_places,)
"""What they call that is compiled apart."""
