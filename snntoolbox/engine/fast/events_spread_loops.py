"""The loop that spreads events: each adds its weights to all sums that it reaches, row by row of the input."""

from __future__ import annotations

from typing import Any

import numpy as np

from snntoolbox.engine.fast.compiled_loops import list_values
from snntoolbox.engine.fast.neurons_loops import TOGETHER, fire_places

SIDE, SIZES = 3, (16, 32)
"""Rows and columns of a kernel, and filters, filled up, of which all sums that an event reaches stay in registers."""

_MANY = 2.3
"""Events of a place from which on they are added together."""


def add_place(
    size: int, weighted: bool, sums: Any, at: int, line: int, ring: int, weight: Any, rows: Any, index: Any,
    value: Any, first: int, last: int,
) -> None:  # fmt: skip
    """The weights of the events `first` to `last` - 1, all of one place, added to the sums that they reach.

    An event's weights (`SIDE` rows of `SIDE` times `size`) begin at ``rows[index[e]]``. They go to ``at + r * line``
    and on in the rows r of a ring: the first to r = `ring`, the others to those before it. If `weighted` they are
    multiplied by ``value[e]``. In compiled loops vector instructions stand for it.
    """
    run = SIDE * size
    for e in range(first, last):
        for i in range(SIDE):
            to, source = at + (ring - i) % SIDE * line, int(rows[index[e]]) + i * run
            for j in range(run):
                sums[to + j] += weight[source + j] * (int(value[e]) if weighted else 1)


def add_events(
    size: int, weighted: bool, sums: Any, at: int, line: int, ring: int, weight: Any, columns: Any, rows: Any,
    index: Any, value: Any, number: int,
) -> None:  # fmt: skip
    """`add_place` for the first `number` events; the sums of one begin at ``columns[index[e]]``.

    Those of a place go together, unless there are so few that finding out where they end costs more.
    """
    many = number > _MANY * (line // size)
    first = 0
    while first < number:
        column, last = columns[index[first]], first + 1
        while many and last < number and columns[index[last]] == column:
            last += 1
        add_place(size, weighted, sums, at + column, line, ring, weight, rows, index, value, first, last)
        first = last


def spread(
    values: Any, geometry: Any, bands: int, batch: int, steps: int, weight: Any, weighted: bool, column_of: Any,
    row_of: Any, like: Any, mode: int, potential: Any, drive: Any, shared: bool, threshold: Any, reset: Any,
    counts: Any, spikes: Any, points: Any, first: int, last: int,
) -> None:  # fmt: skip
    """`compiled_loops.gather` with neurons, the other way round, for windows that move by one place.

    The kernel is `SIDE` x `SIDE`, and of the sums as many rows are kept, of all steps, in the type of `like`: the
    neurons of a row take them when the last input that reaches it has been spread. `column_of` and `row_of` hold for
    each value of a row of the input where its sums begin in a row, and where its weights (kernel rows, kernel columns
    from the last on, `size` filters) do.
    """
    height, width, channels, rows, columns, filters, size = geometry[:7]
    above, before = SIDE - 1 - geometry[11], SIDE - 1 - geometry[12]
    line = (width + SIDE - 1) * size
    plane, n = SIDE * line, rows * columns * filters
    index = np.empty(width * channels + 64, np.uint16)
    value = np.empty(len(index) if weighted else 64, np.uint8)
    room = np.empty(steps * plane + 64, like.dtype)
    sums = room[-room.ctypes.data // room.itemsize % 16 :]  # from a line of the cache on
    for unit in range(first, last):
        sample = unit // bands
        top, bottom = rows * (unit - sample * bands) // bands, rows * (unit - sample * bands + 1) // bands
        sums[:] = 0
        for y in range(max(0, top + above - SIDE + 1), bottom + above):
            ring = y % SIDE
            for step in range(steps if y < height else 0):
                here = ((step * batch + sample) * height + y) * width * channels
                number = list_values(width * channels, weighted, values, here, 0, index, value, 0)
                add_events(size, weighted, sums, step * plane, line, ring - 1 if ring else SIDE - 1, weight,
                           column_of, row_of, index, value, number)  # fmt: skip
            start = ring * line + before * size
            if y >= top + above:
                place = (y - above) * columns * filters
                for step in range(0, steps, TOGETHER):
                    together = min(TOGETHER, steps - step)
                    at = sample * n + place
                    fire_places(columns, filters, size, mode, potential, at, drive, place if shared else at,
                                threshold, place, counts, sums, step * plane + start, plane, spikes,
                                step * batch * n + at, batch * n, together, reset, points, (y - above) * columns,
                                step * batch + sample, batch)  # fmt: skip
            for step in range(steps):
                to = step * plane + ring * line
                sums[to : to + line] = 0


INNER = (add_events,)
"""What the loops call that is compiled with them."""
