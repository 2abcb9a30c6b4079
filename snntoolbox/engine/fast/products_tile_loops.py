"""The loops of dense products: tiles of some places by some filters, whose sums stay in registers.

A convolution reads rows of its input with zeros on both sides. Bytes and 8-bit weights are multiplied in groups of
four, as processors add them, and the sums of a row go straight to the neurons behind, see `neurons_loops`;
inputs coded as constant current are float64 and multiplied one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from snntoolbox.engine.fast.neurons_loops import TOGETHER, fire_places

PLACES, LANES = (8, 4, 2, 1), (32, 16)
"""Sizes of tiles: as many sums as stay in registers, and fewer at the end of a row."""

_SHIFT = 1.5 * 2.0**52
"""A number so large has no places behind the point."""


def multiply_tile(
    places: int, lanes: int, each: int, values: Any, at: int, hop: int, rows: int, line: int, groups: int, weight: Any,
    column: int, width: int, out: Any, to: int,
) -> None:  # fmt: skip
    """The sums of `places` by `lanes` products: of `PLACES` and `LANES`, no more than 256 (bytes) or 128.

    Place p reads `rows` times `each` * `groups` values, from ``at + p * hop`` on, a row `line` behind the one before.
    `weight` (rows, groups, width, each), of which the filters from `column` on count; `each` is 4 for bytes, 1 for
    float64. Sums go to ``out[to + p * width]`` and on. In compiled loops vector instructions stand for it: of bytes
    some processors add those of a row in 16 bits, see `products_tiled.short_rows`.
    """
    for p in range(places):
        for f in range(lanes):
            total = 0
            for r in range(rows):
                for g in range(groups):
                    for e in range(each):
                        factor = weight[((r * groups + g) * width + column + f) * each + e].item()
                        total += factor * values[at + p * hop + r * line + each * g + e].item()
            out[to + p * width + f] = total


def most_places(each: int) -> int:
    """The largest of `PLACES` whose sums stay in registers; in compiled loops the processor's."""
    return PLACES[0]


def widest(each: int) -> int:
    """The largest of `LANES` whose sums stay in registers for so many places; in compiled loops the processor's."""
    return LANES[0] if each == 4 else LANES[1]


def copy_line(values: Any, at: int, size: int, out: Any, to: int) -> None:
    """out[to:] = `size` of the values from `at` on."""
    out[to : to + size] = values[at : at + size]


def multiply_places(
    number: int, each: int, values: Any, at: int, hop: int, rows: int, line: int, groups: int, weight: Any, width: int,
    out: Any, to: int,
) -> None:  # fmt: skip
    """The sums of `number` places by `width` filters, a multiple of 16; places of `out` lie `width` apart."""
    most, wide = most_places(each), widest(each)
    place = 0
    while place < number:
        left = number - place
        tile = 8 if min(left, most) >= 8 else 4 if min(left, most) >= 4 else 2 if left >= 2 else 1
        column = 0
        while column < width:
            lanes = wide if width - column >= wide else 16
            multiply_tile(tile, lanes, each, values, at + place * hop, hop, rows, line, groups, weight, column, width,
                          out, to + place * width + column)  # fmt: skip
            column += lanes
        place += tile


def convolve(
    values: Any, geometry: Any, bands: int, batch: int, steps: int, weight: Any, mode: int, potential: Any,
    drive: Any, shared: bool, threshold: Any, reset: Any, counts: Any, spikes: Any, points: Any, first: int, last: int,
) -> None:  # fmt: skip
    """A convolution of bytes with 8-bit weights, and the neurons that it drives.

    `values` (steps, batch, height, width, channels); `geometry` as in `gather`, without dilation along a row;
    `weight` (kernel rows, groups, columns of weights, 4), groups of four among the bytes of a row of the kernel. The
    rest as in `neurons_loops.fire_points`. A unit is one of `bands` of a sample's output rows.
    """
    height, width, channels, rows, columns, filters, size = geometry[:7]
    taps, before = geometry[7], geometry[12]
    reach = (columns - 1) * geometry[10] + geometry[8]
    line, groups = reach * channels, (geometry[8] * channels + 3) // 4
    inside = min(width, reach - before) * channels
    given = np.zeros(taps * line + 4, np.uint8)
    sums = np.empty(TOGETHER * columns * size, potential.dtype)
    n = rows * columns * filters
    for unit in range(first, last):
        sample = unit // bands
        top, bottom = rows * (unit - sample * bands) // bands, rows * (unit - sample * bands + 1) // bands
        for y in range(top, bottom):
            place = y * columns * filters
            at = sample * n + place
            for step in range(0, steps, TOGETHER):
                together = min(TOGETHER, steps - step)
                for s in range(together):
                    for i in range(taps):
                        row = y * geometry[9] - geometry[11] + i * geometry[13]
                        to = i * line + before * channels
                        if 0 <= row < height:
                            here = (((step + s) * batch + sample) * height + row) * width * channels
                            copy_line(values, here, inside, given, to)
                        else:
                            given[to : to + inside] = 0
                    multiply_places(columns, 4, given, 0, geometry[10] * channels, taps, line, groups, weight, size,
                                    sums, s * columns * size)  # fmt: skip
                fire_places(columns, filters, size, mode, potential, at, drive, place if shared else at, threshold,
                            place, counts, sums, 0, columns * size, spikes, step * batch * n + at, batch * n, together,
                            reset, points, y * columns, step * batch + sample, batch)  # fmt: skip


def connect(
    values: Any, batch: int, steps: int, rows: int, channels: int, filters: int, size: int, weight: Any, mode: int,
    potential: Any, drive: Any, shared: bool, threshold: Any, reset: Any, counts: Any, spikes: Any, points: Any,
    first: int, last: int,
) -> None:  # fmt: skip
    """A dense layer on bytes, and the neurons that it drives: `convolve` with the time steps as places.

    `values` (steps, batch, channels), channels a multiple of 4 times `rows`, in which they are summed; `weight`
    (channels / 4, size, 4). A unit is a sample.
    """
    groups = channels // (4 * rows)
    sums = np.empty(TOGETHER * size, potential.dtype)
    for sample in range(first, last):
        at = sample * filters
        for step in range(0, steps, TOGETHER):
            together = min(TOGETHER, steps - step)
            here = (step * batch + sample) * channels
            multiply_places(together, 4, values, here, batch * channels, rows, 4 * groups, groups, weight, size, sums,
                            0)  # fmt: skip
            fire_places(1, filters, filters, mode, potential, at, drive, 0 if shared else at, threshold, 0, counts,
                        sums, 0, size, spikes, step * batch * filters + at, batch * filters, together, reset, points,
                        0, step * batch + sample, batch)  # fmt: skip


def round_one(sums: Any, at: int, limit: float, out: Any, to: int) -> int:
    """out[to] = the sum at `at`, rounded half to even; 1 if it is not within `limit` of a whole number, or is none."""
    value = sums[at]
    whole = (value + _SHIFT) - _SHIFT
    out[to] = whole
    return 0 if abs(value - whole) < limit else 1


def round_eight(sums: Any, at: int, limit: float, out: Any, to: int) -> int:
    """`round_one` for eight neighbours, and how many are not. In compiled loops vector instructions stand for it."""
    return sum(round_one(sums, at + j, limit, out, to + j) for j in range(8))


def round_places(number: int, size: int, filters: int, sums: Any, limit: float, out: Any, to: int) -> int:
    """`round_one` for the sums of `number` places by the first `filters` of `size`, and how many are not."""
    found = 0
    for x in range(number):
        f = 0
        while f + 8 <= filters:
            found += round_eight(sums, x * size + f, limit, out, to + x * filters + f)
            f += 8
        while f < filters:
            found += round_one(sums, x * size + f, limit, out, to + x * filters + f)
            f += 1
    return found


def convolve_rounded(
    values: Any, geometry: Any, weight: Any, limit: float, out: Any, near: Any, first: int, last: int
) -> None:
    """A convolution in float64, rounded, with the neurons' order of places: see `round_places`.

    `values` (samples, channels, height, width), float32 or float64; `geometry` as in `gather`, without dilation
    along a row; `weight` (kernel rows, kernel columns * channels, columns of weights); `out` (samples, height, width,
    filters). `near` (samples) counts what lies near a middle. A unit is a sample.
    """
    height, width, channels, rows, columns, filters, size = geometry[:7]
    top, left = geometry[11], geometry[12]
    tall = (rows - 1) * geometry[9] + (geometry[7] - 1) * geometry[13] + 1
    wide = (columns - 1) * geometry[10] + geometry[8]
    line = wide * channels
    given = np.zeros(tall * line, np.float64)
    sums = np.empty(columns * size, np.float64)
    for sample in range(first, last):
        for c in range(channels):
            for row in range(min(height, tall - top)):
                at, to = ((sample * channels + c) * height + row) * width, (row + top) * line + left * channels + c
                for x in range(min(width, wide - left)):
                    given[to + x * channels] = values[at + x]
        found = 0
        for y in range(rows):
            multiply_places(columns, 1, given, y * geometry[9] * line, geometry[10] * channels, geometry[7],
                            geometry[13] * line, geometry[8] * channels, weight, size, sums, 0)  # fmt: skip
            found += round_places(columns, size, filters, sums, limit, out, (sample * rows + y) * columns * filters)
        near[sample] = found


def connect_rounded(
    values: Any, batch: int, channels: int, filters: int, size: int, weight: Any, limit: float, out: Any, near: Any,
    first: int, last: int,
) -> None:  # fmt: skip
    """A dense layer in float64, rounded: see `round_places`.

    `values` (samples, channels), float32 or float64; `weight` (size / 16, channels, 16); `out` (samples, filters). A
    unit is `PLACES[0]` samples. Some samples and the weights of 16 filters together stay in the second-level cache.
    """
    few = 4 * PLACES[0]
    given, sums = np.empty(few * channels, np.float64), np.empty(few * 16, np.float64)
    end = min(last * PLACES[0], batch)
    for low in range(first * PLACES[0], end, few):
        number = min(few, end - low)
        for k in range(number * channels):
            given[k] = values[low * channels + k]
        near[low : low + number] = 0
        for column in range(0, size, 16):
            block = weight[column * channels : (column + 16) * channels]
            multiply_places(number, 1, given, 0, channels, 1, 0, channels, block, 16, sums, 0)
            for k in range(number):
                row, to = sums[k * 16 : k * 16 + 16], (low + k) * filters + column
                near[low + k] += round_places(1, 16, min(16, filters - column), row, limit, out, to)


INNER = (multiply_places, round_one, round_places)
"""What the loops call that is compiled with them."""
