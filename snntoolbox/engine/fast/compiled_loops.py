"""The loops that are compiled: bytes moved and summed, and sums over the events of a spike train; plain Python else.

Arrays are flat, channels innermost. Each loop works on the units `first` <= unit < `last`, which threads share.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from snntoolbox.engine.fast.compiled_vectors import add_block, copy_block, list_block, sum_pairs, sum_rows
from snntoolbox.engine.fast.neurons_loops import fire_places


def sum_points(
    unit: int, low: int, number: int, channels: int, sums: Any, to: int, current: Any, given: bool, points: Any
) -> None:
    """What `points` bring to `number` places from `low` on in one unit, beside `current` where it is given.

    The sums begin at ``sums[to]``; see `compiled_vectors.point_neurons`.
    """
    terms, n, places, gains, starts, sizes, a, b, c, d = points
    lo, size = low * channels, number * channels
    if given:
        sums[to : to + size] = current[unit * n + lo : unit * n + lo + size]
    else:
        sums[to : to + size] = 0
    add_places(sums, to, gains, lo, a, unit * sizes[0], starts, low, number, channels)
    if terms > 1:
        add_places(sums, to, gains, n + lo, b, unit * sizes[1], starts, places + low, number, channels)
    if terms > 2:
        add_places(sums, to, gains, 2 * n + lo, c, unit * sizes[2], starts, 2 * places + low, number, channels)
    if terms > 3:
        add_places(sums, to, gains, 3 * n + lo, d, unit * sizes[3], starts, 3 * places + low, number, channels)


def add_places(
    total: Any, at: int, gain: Any, at_gain: int, values: Any, base: int, starts: Any, low: int, number: int,
    channels: int,
) -> None:  # fmt: skip
    """total[at:] += gain[at_gain:] * values, place by place, in blocks: see `compiled_vectors.add_block`."""
    wide = channels // 16 * 16
    for p in range(number):
        begin, to, g = base + starts[low + p], at + p * channels, at_gain + p * channels
        j = 0
        while j < wide:  # no range of three arguments: it divides
            add_block(16, total, to + j, gain, g + j, values, begin + j)
            j += 16
        for j in range(wide, channels):
            total[to + j] += gain[g + j] * values[begin + j]


def take_places(
    values: Any, size: int, channels: int, starts: Any, out: Any, total: int, hop: int, column: int, first: int,
    last: int,
) -> None:  # fmt: skip
    """The `channels` bytes of each place, to `out` (units, total) from `column` on, `hop` apart.

    `values` (units, size), where they begin at `starts`, below 0 for zeros. A unit is one step of one sample.
    """
    wide = channels // 16 * 16
    for unit in range(first, last):
        to = unit * total + column
        for p in range(len(starts)):
            begin = unit * size + starts[p]
            if starts[p] < 0:
                for j in range(channels):
                    out[to + j] = 0
            else:
                j = 0
                while j < wide:
                    copy_block(16, values, begin + j, 0, out, to + j)
                    j += 16
                for j in range(wide, channels):
                    out[to + j] = values[begin + j]
            to += hop


def sum_by_two(values: Any, height: int, width: int, channels: int, out: Any, first: int, last: int) -> None:
    """Sums of 2 x 2 bytes: `values` (samples, height, width, channels), `out` half as high and wide, rounded down.

    A unit is a sample.
    """
    rows, columns, line = height // 2, width // 2, width * channels
    pairs = 2 * columns * channels
    whole = pairs - pairs % 64 if channels <= 32 and channels & (channels - 1) == 0 else 0
    for row in range(first * rows, last * rows):
        sample = row // rows
        above = (sample * height + 2 * (row - sample * rows)) * line
        to = row * columns * channels
        j = 0
        while j < whole:
            sum_pairs(channels, values, above + j, above + line + j, out, to + j // 2)
            j += 64
        for column in range(whole // 2 // channels, columns):
            a, o = above + 2 * column * channels, to + column * channels
            total, high = out[o : o + channels], values[a : a + 2 * channels]
            low = values[a + line : a + line + 2 * channels]
            for f in range(channels):
                total[f] = high[f] + high[channels + f] + low[f] + low[channels + f]


def list_values(size: int, weighted: bool, values: Any, at: int, base: int, index: Any, value: Any, n: int) -> int:
    """Any number of bytes that are not 0, in blocks: see `compiled_vectors.list_block`."""
    j = 0
    while j + 32 <= size:
        n = list_block(32, weighted, values, at + j, base + j, index, value, n)
        j += 32
    while j + 16 <= size:
        n = list_block(16, weighted, values, at + j, base + j, index, value, n)
        j += 16
    for k in range(j, size):  # no branch: a wrong guess costs more than a write that is overwritten
        byte = values[at + k]
        index[n] = base + k
        if weighted:
            value[n] = byte
        n += byte != 0
    return n


def list_rows(
    values: Any, sample: int, batch: int, steps: int, low: int, high: int, geometry: Any, weighted: bool,
    index: Any, value: Any, starts: Any,
) -> None:  # fmt: skip
    """The events of a sample in the rows `low` to `high` - 1 of all steps, one position after the other.

    An event is its column times the channels plus its channel; those of a position begin where `starts` (steps,
    rows, columns + 1) says.
    """
    height, width, channels = geometry[0], geometry[1], geometry[2]
    n = 0
    for step in range(steps):
        for row in range(low, high):
            at = ((step * batch + sample) * height + row) * width * channels
            place = (step * height + row) * (width + 1)
            for x in range(width):
                starts[place + x] = n
                base = x * channels
                n = list_values(channels, weighted, values, at + base, base, index, value, n)
            starts[place + width] = n


def list_window(
    step: int, y: int, x: int, geometry: Any, weighted: bool, index: Any, value: Any, starts: Any, rows: Any,
    factors: Any,
) -> int:  # fmt: skip
    """The events in the window of one output position: their rows of the weights to `rows`, values to `factors`.

    The taps of a row lie side by side, and so do their events, unless they are dilated. How many there are is returned.
    """
    height, width, channels = geometry[0], geometry[1], geometry[2]
    taps, gap = geometry[8], geometry[14]
    runs, together = (1, taps) if gap == 1 else (taps, 1)
    left = x * geometry[10] - geometry[12]
    n = 0
    for i in range(geometry[7]):
        row = y * geometry[9] - geometry[11] + i * geometry[13]
        if row < 0 or row >= height:
            continue
        place = (step * height + row) * (width + 1)
        for j in range(runs):  # no range of three arguments: it divides
            begin = left + j * gap
            a, b = max(begin, 0), min(begin + together, width)
            if a < b:
                first, last = starts[place + a], starts[place + b]
                shift = (i * taps + j - begin) * channels
                e, at = first, n
                while e < last:
                    copy_block(32, index, e, shift, rows, at)
                    if weighted:
                        copy_block(32, value, e, 0, factors, at)
                    e += 32
                    at += 32
                n += last - first
    return n


def sum_window(
    size: int, weighted: bool, out: Any, at: int, weight: Any, rows: Any, factors: Any, number: int, most: int
) -> None:  # fmt: skip
    """A row of `size` sums, a multiple of 16, in blocks: see `compiled_vectors.sum_rows`."""
    j = 0
    while j + 128 <= size:
        sum_rows(128, weighted, out, at + j, weight, j, size, rows, factors, number, most)
        j += 128
    while j + 64 <= size:
        sum_rows(64, weighted, out, at + j, weight, j, size, rows, factors, number, most)
        j += 64
    while j + 32 <= size:
        sum_rows(32, weighted, out, at + j, weight, j, size, rows, factors, number, most)
        j += 32
    if j < size:
        sum_rows(16, weighted, out, at + j, weight, j, size, rows, factors, number, most)


def gather(
    values: Any, geometry: Any, bands: int, batch: int, steps: int, weight: Any, weighted: bool, most: int,
    out: Any, fires: bool, mode: int, potential: Any, drive: Any, shared: bool, threshold: Any, reset: Any,
    counts: Any, spikes: Any, points: Any, first: int, last: int,
) -> None:  # fmt: skip
    """A convolution of bytes as sums of the weight rows of the events in each window; then, if asked, the neurons.

    `values` (steps, batch, height, width, channels); `geometry` holds height, width and channels of these and of the
    output, the columns of `weight` (taps * channels, columns), then kernel, stride, padding before and dilation, each
    for both axes. A dense layer is the case of one position. Without `fires` the sums go to `out` (steps, batch,
    height, width, channels), else to the neurons, as in `neurons_loops.fire_points`. A unit is one of `bands` of a
    sample's output rows.
    """
    height, width, channels, rows, columns, filters, size = geometry[:7]
    index = np.empty(steps * height * width * channels + 64, np.uint16)
    value = np.empty(len(index) if weighted else 64, np.uint8)
    starts = np.empty(steps * height * (width + 1), np.int64)
    window = np.empty(geometry[7] * geometry[8] * channels + 64, np.uint16)
    factors = np.empty(len(window) if weighted else 64, np.uint8)
    sums = np.empty(steps * size, potential.dtype)
    for unit in range(first, last):
        sample = unit // bands
        top, bottom = rows * (unit - sample * bands) // bands, rows * (unit - sample * bands + 1) // bands
        low = max(top * geometry[9] - geometry[11], 0)
        high = min((bottom - 1) * geometry[9] - geometry[11] + (geometry[7] - 1) * geometry[13] + 1, height)
        list_rows(values, sample, batch, steps, low, high, geometry, weighted, index, value, starts)
        for y in range(top, bottom):
            for x in range(columns):
                place = (y * columns + x) * filters
                n = rows * columns * filters
                for step in range(steps):
                    number = list_window(step, y, x, geometry, weighted, index, value, starts, window, factors)
                    sum_window(size, weighted, sums, step * size, weight, window, factors, number, most)
                if fires:
                    at = sample * n + place
                    fire_places(1, filters, filters, mode, potential, at, drive, place if shared else at, threshold,
                                place, counts, sums, 0, size, spikes, at, batch * n, steps, reset, points,
                                y * columns + x, sample, batch)  # fmt: skip
                else:
                    for step in range(steps):
                        at = (step * batch + sample) * n + place
                        for f in range(filters):
                            out[at + f] = sums[step * size + f]


INNER = (add_places, sum_points, list_values, list_rows, list_window, sum_window)
"""What the loops call that is compiled with them."""
