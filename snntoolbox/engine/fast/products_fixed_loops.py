"""The loops of first layers in fixed point: short sums of float32 products, added as whole numbers; plain Python else.

A sum is a number of units of 2^-shift, 32 bits. What of it lies within its error of a middle between two whole numbers
is doubtful, and summed again in float64. Layouts are those of `products_tile_loops`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from snntoolbox.engine.fast.products_tile_loops import round_one

PLACES, LANES = (8, 4, 1), (32, 16)
"""Sizes of tiles."""

FEW = 12
"""Products that are summed in float32 before they become whole numbers."""

PANEL = 20 * FEW
"""Inputs of a dense layer that are taken at once: their weights stay in the first-level cache."""

TOGETHER = 128
"""Samples of a dense layer that are taken at once: they stay in the second-level cache beside weights."""


def blocks(rows: int, groups: int) -> tuple[int, int]:
    """How many of the rows, and of the products of a row, are one short sum of about `FEW`."""
    return max(1, FEW // groups), min(groups, FEW)


def sum_tile(
    places: int, lanes: int, values: Any, at: int, hop: int, rows: int, line: int, groups: int, tall: int, long: int,
    weight: Any, column: int, width: int, out: Any, to: int,
) -> None:  # fmt: skip
    """The sums of `places` by `lanes` products, cut to whole numbers after every `tall` rows and `long` of a row.

    Otherwise as `products_tile_loops.multiply_tile`. In compiled loops vector instructions stand for it.
    """
    for p in range(places):
        for f in range(lanes):
            total = 0
            for low in range(0, rows, tall):
                for left in range(0, groups, long):
                    part = np.float32(0)
                    for r in range(low, min(low + tall, rows)):
                        for g in range(left, min(left + long, groups)):
                            factor = weight[(r * groups + g) * width + column + f]
                            part += factor * values[at + p * hop + r * line + g]
                    total += int(part)
            out[to + p * width + f] += total


def most_places() -> int:
    """The largest of `PLACES` whose sums stay in registers; in compiled loops the processor's."""
    return PLACES[0]


def sum_places(
    number: int, values: Any, at: int, hop: int, rows: int, line: int, groups: int, tall: int, long: int, weight: Any,
    width: int, out: Any, to: int,
) -> None:  # fmt: skip
    """The sums of `number` places by `width` filters, a multiple of 16; places of `out` lie `width` apart."""
    most = most_places()
    widest = 32 if most == 8 else 16
    place = 0
    while place < number:
        left = min(number - place, most)
        tile = 8 if left >= 8 else 4 if left >= 4 else 1
        column = 0
        while column < width:
            lanes = widest if width - column >= widest else 16
            sum_tile(tile, lanes, values, at + place * hop, hop, rows, line, groups, tall, long, weight, column, width,
                     out, to + place * width + column)  # fmt: skip
            column += lanes
        place += tile


def settle_one(
    sums: Any, at: int, shift: Any, error: Any, share: Any, least: int, column: int, out: Any, to: int
) -> bool:
    """out[to] = the sum at `at`, rounded to a whole number; whether a middle is no further than its error.

    That is `share` of the `error` of its filter, and `least`.
    """
    value, bits, off = int(sums[at]), int(shift[column]), int(error[column] * share) + least
    out[to] = (value >> bits) + ((value >> (bits - 1)) & 1)
    return ((value + (1 << (bits - 1)) + off) & ((1 << bits) - 1)) <= 2 * off


def settle_block(
    sums: Any, at: int, shift: Any, error: Any, share: Any, least: int, column: int, out: Any, to: int, doubts: Any,
    n: int,
) -> int:  # fmt: skip
    """`settle_one` for 16 neighbours; where a doubtful one goes is appended to `doubts`, and their number returned.

    Up to 16 places behind it may be overwritten. In compiled loops vector instructions stand for it.
    """
    for j in range(16):
        if settle_one(sums, at + j, shift, error, share, least, column + j, out, to + j):
            doubts[n] = to + j
            n += 1
    return n


def settle(
    filters: int, sums: Any, at: int, shift: Any, error: Any, share: Any, least: int, first: int, out: Any, to: int,
    doubts: Any, n: int,
) -> int:  # fmt: skip
    """The same for the sums of any number of filters from `first` on."""
    f = 0
    while f + 16 <= filters:
        n = settle_block(sums, at + f, shift, error, share, least, first + f, out, to + f, doubts, n)
        f += 16
    while f < filters:
        if settle_one(sums, at + f, shift, error, share, least, first + f, out, to + f):
            doubts[n] = to + f
            n += 1
        f += 1
    return n


def dot(number: int, values: Any, at: int, weight: Any, begin: int) -> float:
    """The sum of `number` products in float64. In compiled loops vector instructions stand for it."""
    total = 0.0
    for k in range(number):
        total += float(values[at + k]) * float(weight[begin + k])
    return total


def scaled_rows(
    number: int, channels: int, values: Any, at: int, factor: Any, out: Any, spread: float, shares: Any
) -> None:
    """out = `number` rows of values times `factor`; shares = `spread` times the norms of these, up to 1."""
    for k in range(number * channels):
        out[k] = values[at + k] * factor
    for p in range(number):
        shares[p] = min(1.0, spread * np.sqrt(dot(channels, out, p * channels, out, p * channels)))


def connect_fixed(
    values: Any, batch: int, channels: int, filters: int, size: int, weight: Any, exact: Any, scale: float, shift: Any,
    error: Any, least: int, spread: float, limit: float, out: Any, near: Any, first: int, last: int,
) -> None:  # fmt: skip
    """A dense layer, its sums rounded to whole numbers; where float32 cannot tell which, in float64.

    `values` (samples, channels) float32, times `scale`, a power of two; `weight` (size / 32, channels, 32), its last
    block (channels, 16) where `size` is no multiple of 32; `exact` (filters, channels) float64; `shift` and `error`
    (size). `spread` times the norm of a sample's scaled values is no less than its share of `error`. `out` (samples,
    filters) float32; `near` (samples) counts what float64 cannot tell either: what is not within `limit` of a whole
    number. A unit is `PLACES[0]` samples.
    """
    most = min(TOGETHER, (last - first) * PLACES[0])
    given, shares = np.empty(most * channels, np.float32), np.empty(most, np.float32)
    sums, doubts, one = np.empty(most * 32, np.int32), np.empty(most * 32 + 16, np.int64), np.empty(1, np.float64)
    back = 1 / scale
    end = min(last * PLACES[0], batch)
    for low in range(first * PLACES[0], end, TOGETHER):
        number = min(TOGETHER, end - low)
        scaled_rows(number, channels, values, low * channels, np.float32(scale), given, spread, shares)
        near[low : low + number] = 0
        for column in range(0, size, 32):
            width = min(32, size - column)
            block = weight[column * channels : (column + width) * channels]
            sums[: number * width] = 0
            for k in range(0, channels, PANEL):
                few = min(PANEL, channels - k)
                sum_places(number, given, k, channels, 1, 0, few, 1, FEW, block[k * width :], width, sums, 0)
            found = 0
            for p in range(number):
                to = (low + p) * filters + column
                found = settle(min(width, filters - column), sums, p * width, shift, error, shares[p], least, column,
                               out, to, doubts, found)  # fmt: skip
            for d in range(found):
                sample = doubts[d] // filters
                f = doubts[d] - sample * filters
                one[0] = dot(channels, given, (sample - low) * channels, exact, f * channels) * back
                near[sample] += round_one(one, 0, limit, out, doubts[d])


def convolve_fixed(
    values: Any, geometry: Any, weight: Any, exact: Any, scale: float, shift: Any, error: Any, least: int,
    limit: float, out: Any, near: Any, first: int, last: int,
) -> None:  # fmt: skip
    """A convolution, rounded as in `connect_fixed`, with the neurons' order of places.

    `values` (samples, channels, height, width) float32; `geometry` as in `gather`, without dilation along a row;
    `weight` (kernel rows, kernel columns * channels, columns of weights); `exact` (filters, kernel rows, kernel columns
    * channels) float64; `out` (samples, height, width, filters). A unit is a sample.
    """
    height, width, channels, rows, columns, filters, size, taps = geometry[:8]
    top, left, groups = geometry[11], geometry[12], geometry[8] * channels
    tall = (rows - 1) * geometry[9] + (taps - 1) * geometry[13] + 1
    line = ((columns - 1) * geometry[10] + geometry[8]) * channels
    given, sums = np.zeros(tall * line, np.float32), np.empty(columns * size, np.int32)
    doubts, one = np.empty(columns * filters + 16, np.int64), np.empty(1, np.float64)
    factor, back = np.float32(scale), 1 / scale
    (few, long), whole = blocks(taps, groups), np.float32(1)
    inside = min(width, line // channels - left)
    for sample in range(first, last):
        for c in range(channels):
            for row in range(min(height, tall - top)):
                at, to = ((sample * channels + c) * height + row) * width, (row + top) * line + left * channels + c
                for x in range(inside):
                    given[to + x * channels] = values[at + x] * factor
        near[sample] = 0
        for y in range(rows):
            begin, place = y * geometry[9] * line, (sample * rows + y) * columns
            sums[:] = 0
            sum_places(columns, given, begin, geometry[10] * channels, taps, geometry[13] * line, groups, few, long,
                       weight, size, sums, 0)  # fmt: skip
            found = 0
            for x in range(columns):
                found = settle(filters, sums, x * size, shift, error, whole, least, 0, out, (place + x) * filters,
                               doubts, found)  # fmt: skip
            for d in range(found):
                x = doubts[d] // filters - place
                f = doubts[d] - (place + x) * filters
                here = begin + x * geometry[10] * channels
                one[0] = 0
                for r in range(taps):
                    there = (f * taps + r) * groups
                    one[0] += dot(groups, given, here + r * geometry[13] * line, exact, there) * back
                near[sample] += round_one(one, 0, limit, out, doubts[d])


INNER = (blocks, sum_places, settle_one, settle, scaled_rows)
"""What the loops call that is compiled with them."""
