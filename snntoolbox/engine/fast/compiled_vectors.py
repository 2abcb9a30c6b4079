"""The innermost steps of the compiled loops, on blocks of neurons that fit vector registers: in plain Python here.

Where Numba compiles a loop that calls one of these, `intrinsics` puts vector instructions in its place: Numba's own
vectoriser would write sums and potentials to memory after every row or step, and ask before each whether arrays
overlap. All arrays are flat; offsets count values.
"""

from __future__ import annotations

from typing import Any


def fire_neurons(
    size: int, mode: int, potential: Any, at: int, drive: Any, at_drive: int, threshold: Any, at_threshold: int,
    counts: Any, current: Any, at_current: int, stride: int, spikes: Any, at_spikes: int, hop: int, steps: int,
    reset: Any,
) -> None:  # fmt: skip
    """Carry `size` neurons over all steps: V <- V + current + drive; z = V >= threshold; reset; count.

    Potentials and counts begin at `at`; currents and spikes of a step lie `stride` and `hop` behind those of the one
    before. `mode` is 1 where there are currents, plus 2 where a spike sets V to `reset` instead of V - threshold.
    """
    for step in range(steps):
        for j in range(size):
            x = potential[at + j]
            if mode & 1:
                x += current[at_current + step * stride + j]
            x += drive[at_drive + j]
            fired = x >= threshold[at_threshold + j]
            spikes[at_spikes + step * hop + j] = fired
            counts[at + j] += fired
            if fired:
                x = reset if mode & 2 else x - threshold[at_threshold + j]
            potential[at + j] = x


def fire_block(
    lanes: int, mode: int, potential: Any, at: int, drive: Any, at_drive: int, threshold: Any, at_threshold: int,
    counts: Any, current: Any, at_current: int, stride: int, spikes: Any, at_spikes: int, hop: int, steps: int,
    reset: Any,
) -> None:  # fmt: skip
    """The same for a whole block, whose size is a constant: potentials stay in registers over all steps."""
    fire_neurons(
        lanes, mode, potential, at, drive, at_drive, threshold, at_threshold, counts, current, at_current, stride,
        spikes, at_spikes, hop, steps, reset,
    )  # fmt: skip


def point_neurons(
    size: int, mode: int, potential: Any, at: int, drive: Any, at_drive: int, threshold: Any, at_threshold: int,
    counts: Any, current: Any, at_current: int, stride: int, spikes: Any, at_spikes: int, hop: int, steps: int,
    reset: Any, points: Any, place: int, channels: int, channel: int, unit: int, batch: int,
) -> None:  # fmt: skip
    """`fire_neurons` with single bytes, each times its gain, added to the currents: some of those of one place.

    `points` = (terms, neurons, places, gains (terms, neurons), starts (terms, places), sizes (terms), a, b, c, d): the
    bytes of term k are the k-th of a to d, `sizes` of it for each unit, where the `channels` of a place begin at its
    `starts`. The neurons are those from `channel` on; `unit` is that of the first step, and the next is `batch` behind.
    """
    terms, n, places, gains, starts, sizes, a, b, c, d = points
    for step in range(steps):
        now = unit + step * batch
        for j in range(size):
            total = gains[0] * 0
            if mode & 1:
                total += current[at_current + step * stride + j]
            g = place * channels + channel + j
            total += gains[g] * a[now * sizes[0] + starts[place] + channel + j]
            if terms > 1:
                total += gains[n + g] * b[now * sizes[1] + starts[places + place] + channel + j]
            if terms > 2:
                total += gains[2 * n + g] * c[now * sizes[2] + starts[2 * places + place] + channel + j]
            if terms > 3:
                total += gains[3 * n + g] * d[now * sizes[3] + starts[3 * places + place] + channel + j]
            x = potential[at + j] + total + drive[at_drive + j]
            fired = x >= threshold[at_threshold + j]
            spikes[at_spikes + step * hop + j] = fired
            counts[at + j] += fired
            if fired:
                x = reset if mode & 2 else x - threshold[at_threshold + j]
            potential[at + j] = x


def point_block(
    lanes: int, blocks: int, mode: int, potential: Any, at: int, drive: Any, at_drive: int, threshold: Any,
    at_threshold: int, counts: Any, current: Any, at_current: int, apart: int, stride: int, spikes: Any, at_spikes: int,
    hop: int, steps: int, reset: Any, points: Any, place: int, further: int, channels: int, channel: int, unit: int,
    batch: int,
) -> None:  # fmt: skip
    """The same for some blocks of a constant size: potentials and gains stay in registers over all steps.

    The blocks are those of neighbouring places, if `further` is 1, with currents `apart` apart; if 0, of one place.
    """
    for k in range(blocks):
        j = k * (channels if further else lanes)
        point_neurons(
            lanes, mode, potential, at + j, drive, at_drive + j, threshold, at_threshold + j, counts, current,
            at_current + k * (apart if further else lanes), stride, spikes, at_spikes + j, hop, steps, reset, points,
            place + k * further, channels, channel + (0 if further else j), unit, batch,
        )  # fmt: skip


def sum_rows(
    lanes: int, weighted: int, out: Any, at: int, weight: Any, column: int, width: int, rows: Any, factors: Any,
    number: int, most: int,
) -> None:  # fmt: skip
    """out[at:] = the sum of the first `number` of `rows` of `weight`, times `factors` if `weighted`.

    A row is `width` values, of which those from `column` on count. At most `most` rows of 16-bit weights together stay
    within 16 bits.
    """
    for j in range(lanes):
        out[at + j] = 0
    for e in range(number):
        place = int(rows[e]) * width + column
        for j in range(lanes):
            out[at + j] += weight[place + j] * (factors[e] if weighted else 1)


def add_block(lanes: int, total: Any, at: int, gain: Any, at_gain: int, values: Any, begin: int) -> None:
    """total[at:] += gain[at_gain:] * values[begin:], for so many bytes."""
    for j in range(lanes):
        total[at + j] += gain[at_gain + j] * values[begin + j]


def copy_block(lanes: int, source: Any, at: int, shift: int, target: Any, to: int) -> None:
    """target[to:] = source[at:] + shift, for so many whole numbers; places behind the last event are overwritten."""
    for j in range(lanes):
        target[to + j] = (int(source[at + j]) + shift) % 65536


def list_block(
    lanes: int, weighted: int, values: Any, at: int, base: int, index: Any, value: Any, n: int
) -> int:  # fmt: skip
    """Append base + j to `index` for each of `lanes` values from `at` on that is not 0; if `weighted`, it to `value`.

    How many are listed then is returned; up to `lanes` places behind may be overwritten.
    """
    for j in range(lanes):
        if values[at + j]:
            index[n] = base + j
            if weighted:
                value[n] = values[at + j]
            n += 1
    return n


def sum_pairs(channels: int, values: Any, above: int, below: int, out: Any, to: int) -> None:
    """Sums of 2 x 2 places for 64 bytes of each of two rows, which hold whole pairs of places; 32 bytes come out.

    `channels` is a power of two up to 32.
    """
    for j in range(32):
        a = j // channels * 2 * channels + j % channels
        b = a + channels
        out[to + j] = values[above + a] + values[above + b] + values[below + a] + values[below + b]
