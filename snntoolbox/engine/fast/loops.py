"""The loops that are compiled: firing neurons, and sums over the events of a spike train. Plain Python otherwise.

Arrays are contiguous, channels innermost. Each loop works on the units `first` <= unit < `last`, which threads share.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BLOCK = 1024
"""Neurons that go through all steps of a chunk together: their state stays in the first-level cache."""


def fire(
    potential: Any,
    current: Any,
    given: bool,
    drive: Any,
    threshold: Any,
    subtract: bool,
    reset: Any,
    spikes: Any,
    counts: Any,
    trace: Any,
    traced: bool,
    first: int,
    last: int,
) -> None:
    """Integrate, fire, reset and count in one pass: V <- V + current + drive; z = V >= threshold; V <- V - threshold.

    `potential`, `counts` (batch, n); `current` (steps, batch, n) where `given`; `drive` (batch or 1, n); `threshold`
    (n); `spikes` and, where `traced`, `trace` (steps, batch, n). Without `subtract` a spike sets V to `reset`.
    A unit is a block of neurons of one sample.
    """
    steps, _, n = spikes.shape
    blocks = (n + BLOCK - 1) // BLOCK
    for unit in range(first, last):
        b = unit // blocks
        lo = (unit - b * blocks) * BLOCK
        hi = min(lo + BLOCK, n)
        size = hi - lo
        v = potential[b, lo:hi]
        theta = threshold[lo:hi]
        steady = drive[b if drive.shape[0] > 1 else 0, lo:hi]
        count = counts[b, lo:hi]
        for s in range(steps):
            z = spikes[s, b, lo:hi]
            if given:
                incoming = current[s, b, lo:hi]
                if subtract:
                    for j in range(size):
                        x = v[j] + incoming[j] + steady[j]
                        fired = x >= theta[j]
                        z[j] = fired
                        count[j] += fired
                        v[j] = x - theta[j] if fired else x
                else:
                    for j in range(size):
                        x = v[j] + incoming[j] + steady[j]
                        fired = x >= theta[j]
                        z[j] = fired
                        count[j] += fired
                        v[j] = reset if fired else x
            elif subtract:
                for j in range(size):
                    x = v[j] + steady[j]
                    fired = x >= theta[j]
                    z[j] = fired
                    count[j] += fired
                    v[j] = x - theta[j] if fired else x
            else:
                for j in range(size):
                    x = v[j] + steady[j]
                    fired = x >= theta[j]
                    z[j] = fired
                    count[j] += fired
                    v[j] = reset if fired else x
            if traced:
                kept = trace[s, b, lo:hi]
                for j in range(size):
                    kept[j] = v[j]


def sum_by_two(values: Any, out: Any, first: int, last: int) -> None:
    """Sums of 2 x 2 bytes: `values` (samples, rows, columns, channels), `out` half as high and wide.

    A unit is a sample.
    """
    _, rows, columns, channels = out.shape
    for unit in range(first, last):
        for row in range(rows):
            above, below = values[unit, 2 * row], values[unit, 2 * row + 1]
            for column in range(columns):
                a, b = above[2 * column], above[2 * column + 1]
                c, d = below[2 * column], below[2 * column + 1]
                total = out[unit, row, column]
                for f in range(channels):
                    total[f] = a[f] + b[f] + c[f] + d[f]


def list_events(values: Any, binary: bool, index: Any, number: Any, first: int, last: int) -> None:
    """For each row of `values` (rows, channels), uint8, which channels are not zero, each as often as its value.

    `index` (rows, capacity) gets the channels, `number` (rows) how many. A unit is a row.
    """
    channels = values.shape[1]
    for row in range(first, last):
        n = 0
        if binary:
            for c in range(channels):  # no branch: a wrong guess costs more than a write that is overwritten
                index[row, n] = c
                n += values[row, c]
        else:
            for c in range(channels):
                for _ in range(values[row, c]):
                    index[row, n] = c
                    n += 1
        number[row] = n


def gather(
    index: Any,
    number: Any,
    channels: int,
    weight: Any,
    height: int,
    width: int,
    out: Any,
    kernel: Any,
    stride: Any,
    before: Any,
    dilation: Any,
    first: int,
    last: int,
) -> None:
    """A convolution as the sum of the weight rows of the events in each window.

    `index`, `number` list the events of each position (samples * height * width) of an input of so many `channels`;
    `weight` is (taps * channels, filters), `out` (samples, rows, columns, filters). A dense layer is the case of one
    position. Eight rows are summed at a time, which saves seven of eight passes over the output. A unit is a row of
    one sample's output.
    """
    _, rows, columns, filters = out.shape
    chosen = np.empty(kernel[0] * kernel[1] * index.shape[1], np.int64)
    for unit in range(first, last):
        sample = unit // rows
        top = (unit - sample * rows) * stride[0] - before[0]
        for column in range(columns):
            left = column * stride[1] - before[1]
            n = 0
            for i in range(kernel[0]):
                y = top + i * dilation[0]
                if y < 0 or y >= height:
                    continue
                for j in range(kernel[1]):
                    x = left + j * dilation[1]
                    if x < 0 or x >= width:
                        continue
                    place = (sample * height + y) * width + x
                    base = (i * kernel[1] + j) * channels
                    for e in range(number[place]):
                        chosen[n] = base + index[place, e]
                        n += 1
            total = out[sample, unit - sample * rows, column]
            for f in range(filters):
                total[f] = 0
            whole = n - n % 8
            for e in range(0, whole, 8):
                a, b, c, d = weight[chosen[e]], weight[chosen[e + 1]], weight[chosen[e + 2]], weight[chosen[e + 3]]
                p, q, r, s = weight[chosen[e + 4]], weight[chosen[e + 5]], weight[chosen[e + 6]], weight[chosen[e + 7]]
                for f in range(filters):
                    total[f] += ((a[f] + b[f]) + (c[f] + d[f])) + ((p[f] + q[f]) + (r[f] + s[f]))
            for e in range(whole, n):
                a = weight[chosen[e]]
                for f in range(filters):
                    total[f] += a[f]
