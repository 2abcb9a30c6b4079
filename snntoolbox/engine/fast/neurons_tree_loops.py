"""The compiled loops of trees of max pooling: all neurons of a window in one pass; plain Python otherwise.

Arrays are flat, channels innermost. A window has taps, the places of the train that it reads, and stages, its neurons;
a value is that of a tap or of an earlier stage, numbered in this order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from snntoolbox.engine.fast.neurons_loops import TOGETHER

FORMS = ((2, ((0, 1),)), (4, ((0, 1), (2, 3), (1, 3, 4, 5))), (4, ((0, 1), (2, 3), (1, 4, 3, 5))))
"""Forms of windows: the number of their taps, and which values each stage adds, times a gain each. They are the larger
of two, and the largest of four: of b + larger(a, b) and d + larger(c, d), in two orders of summing."""

MOST = 3
"""Stages of a window."""


def carry(
    lanes: int, form: int, steps: int, train: Any, origin: Any, hop: int, gains: Any, at_gains: int, channels: int,
    levels: Any, drives: Any, at: int, volts: Any, fired: Any, spikes: Any, begin: Any, hops: Any,
) -> None:  # fmt: skip
    """Carry `lanes` channels of a window over all steps: V <- V + sums + drive; z = V >= level; V <- V - level.

    `volts` and `fired` (stages, lanes) hold potentials and numbers of spikes. Taps begin at `origin` and spikes at
    `begin`, and the next step `hop` and `hops` behind. Gains of terms, levels and drives of stages lie `channels`
    apart. In compiled loops vector instructions stand for it.
    """
    for j in range(lanes):
        carry_one(lanes, form, j, steps, train, origin, hop, gains, at_gains, channels, levels, drives, at, volts,
                  fired, spikes, begin, hops)  # fmt: skip


def carry_one(
    lanes: int, form: int, j: int, steps: int, train: Any, origin: Any, hop: int, gains: Any, at_gains: int,
    channels: int, levels: Any, drives: Any, at: int, volts: Any, fired: Any, spikes: Any, begin: Any, hops: Any,
) -> None:  # fmt: skip
    """The same for the channel numbered j of these."""
    inputs, stages = FORMS[form]
    values = np.zeros(inputs + len(stages), gains.dtype)
    for step in range(steps):
        for e in range(inputs):
            values[e] = train[origin[e] + step * hop + j]
        t = at_gains + j
        for s, which in enumerate(stages):
            total = values[0] * 0
            for k in which:
                total += gains[t] * values[k]
                t += channels
            x, level = volts[s * lanes + j] + total + drives[at + s * channels + j], levels[at + s * channels + j]
            values[inputs + s] = spikes[begin[s] + step * hops[s] + j] = x >= level
            fired[s * lanes + j] += x >= level
            volts[s * lanes + j] = x - level if x >= level else x


def tally(
    lanes: int, form: int, train: Any, origin: Any, gains: Any, at_gains: int, channels: int, levels: Any, starts: Any,
    at: int, total: int, out: Any, begin: Any,
) -> None:  # fmt: skip
    """`carry` for all steps at once: counts are clip(floor((sums + start) / level), 0, total)."""
    for j in range(lanes):
        tally_one(form, j, train, origin, gains, at_gains, channels, levels, starts, at, total, out, begin)


def tally_one(
    form: int, j: int, train: Any, origin: Any, gains: Any, at_gains: int, channels: int, levels: Any, starts: Any,
    at: int, total: int, out: Any, begin: Any,
) -> None:  # fmt: skip
    """The same for the channel numbered j of these."""
    inputs, stages = FORMS[form]
    values = [gains.dtype.type(train[origin[e] + j]) for e in range(inputs)]
    t = at_gains + j
    for s, which in enumerate(stages):
        found = gains.dtype.type(0)
        for k in which:
            found += gains[t] * values[k]
            t += channels
        found = (found + starts[at + s * channels + j]) / levels[at + s * channels + j]
        count = int(min(max(found, 0), total))  # what is clipped has no fraction below 0: cutting it off rounds down
        out[begin[s] + j] = count
        values.append(gains.dtype.type(count))


def begin_window(
    sample: int, now: int, batch: int, lanes: int, channel: int, channels: int, size: int, taps: Any, places: Any,
    u: int, owners: Any, sizes: Any, firsts: Any, origin: Any, at: Any, begin: Any, hops: Any,
) -> None:  # fmt: skip
    """Where the channels from `channel` on of taps, neurons and their spikes begin, and how far apart steps lie.

    `now` is the first step of the sample among all steps of all samples.
    """
    inputs, stages = len(origin), len(owners)
    for e in range(inputs):
        origin[e] = now * size + taps[u * inputs + e] + channel
    for s in range(stages):
        k = owners[s]
        at[s] = sample * sizes[k] + places[u * stages + s] * channels + channel
        begin[s], hops[s] = firsts[k] + at[s] + (now - sample) * sizes[k], batch * sizes[k]


def fire_tree(
    form: int, n: int, channels: int, batch: int, steps: int, train: Any, size: int, taps: Any, places: Any,
    owners: Any, terms: int, apart: int, gains: Any, levels: Any, drives: Any, short: Any, potentials: Any, counts: Any,
    sizes: Any, spikes: Any, firsts: Any, first: int, last: int,
) -> None:  # fmt: skip
    """The neurons of `n` windows of one form of some samples over all steps.

    `train` (steps, batch, size); `taps` (n, inputs) where channels begin in it. Stage s is the place ``places[:, s]``
    (n, stages) of population ``owners[s]``, of which `potentials` and `counts` (batch, sizes) are one each; its spikes
    (steps, batch, sizes) begin at `firsts` of `spikes`. `gains` (n, terms, channels), `levels` and `drives` (n, stages,
    channels), or one for all where `apart` is 0. Sums are of the type of `gains`, spikes are counted in that of
    `short`. A unit is a sample.
    """
    stages, inputs = len(owners), len(taps) // max(n, 1)
    volts, fired = np.empty(stages * 16, gains.dtype), np.empty(stages * 16, short.dtype)
    origin, begin = np.empty(inputs, np.int64), np.empty(stages, np.int64)
    at, hops = np.empty(stages, np.int64), np.empty(stages, np.int64)
    for sample in range(first, last):
        for step in range(0, steps, TOGETHER):
            together, now = min(TOGETHER, steps - step), step * batch + sample
            for u in range(n):
                j = 0
                while j < channels:
                    lanes = 16 if channels - j >= 16 else 1
                    begin_window(sample, now, batch, lanes, j, channels, size, taps, places, u, owners, sizes, firsts,
                                 origin, at, begin, hops)  # fmt: skip
                    for s in range(stages):
                        take_lanes(lanes, potentials[owners[s]], at[s], volts, fired, s * lanes)
                    g, p = apart * u * terms * channels + j, apart * u * stages * channels + j
                    carry_lanes(lanes, form, together, train, origin, batch * size, gains, g, channels, levels, drives,
                                p, volts, fired, spikes, begin, hops)  # fmt: skip
                    for s in range(stages):
                        k = owners[s]
                        keep_lanes(lanes, volts, fired, s * lanes, potentials[k], counts[k], at[s])
                    j += lanes


def carry_lanes(
    lanes: int, form: int, steps: int, train: Any, origin: Any, hop: int, gains: Any, at_gains: int, channels: int,
    levels: Any, drives: Any, at: int, volts: Any, fired: Any, spikes: Any, begin: Any, hops: Any,
) -> None:  # fmt: skip
    """`carry` of 16 channels or one."""
    if lanes == 16:
        carry(16, form, steps, train, origin, hop, gains, at_gains, channels, levels, drives, at, volts, fired, spikes,
              begin, hops)  # fmt: skip
    else:
        carry(1, form, steps, train, origin, hop, gains, at_gains, channels, levels, drives, at, volts, fired, spikes,
              begin, hops)  # fmt: skip


def take_lanes(lanes: int, potential: Any, at: int, volts: Any, fired: Any, to: int) -> None:
    """`take_state` of 16 channels or one."""
    if lanes == 16:
        take_state(16, potential, at, volts, fired, to)
    else:
        take_state(1, potential, at, volts, fired, to)


def keep_lanes(lanes: int, volts: Any, fired: Any, at: int, potential: Any, counts: Any, to: int) -> None:
    """`keep_state` of 16 channels or one."""
    if lanes == 16:
        keep_state(16, volts, fired, at, potential, counts, to)
    else:
        keep_state(1, volts, fired, at, potential, counts, to)


def take_state(lanes: int, potential: Any, at: int, volts: Any, fired: Any, to: int) -> None:
    """The potentials from `at` on, and no spikes yet. In compiled loops vector instructions stand for it."""
    for j in range(lanes):
        volts[to + j] = potential[at + j]
        fired[to + j] = 0


def keep_state(lanes: int, volts: Any, fired: Any, at: int, potential: Any, counts: Any, to: int) -> None:
    """What `take_state` took, back again with the spikes since then; with vector instructions likewise."""
    for j in range(lanes):
        potential[to + j] = volts[at + j]
        counts[to + j] += fired[at + j]


def count_tree(
    form: int, n: int, channels: int, batch: int, train: Any, size: int, taps: Any, places: Any, owners: Any,
    terms: int, apart: int, gains: Any, levels: Any, starts: Any, total: int, sizes: Any, out: Any, firsts: Any,
    first: int, last: int,
) -> None:  # fmt: skip
    """The counts of `n` windows of some samples, as `fire_tree` has their spikes, of the counts `train` (batch, size).

    `starts` (n, stages, channels) is what is there beside sums, `levels` what is divided by.
    """
    stages, inputs = len(owners), len(taps) // max(n, 1)
    origin, begin = np.empty(inputs, np.int64), np.empty(stages, np.int64)
    at, hops = np.empty(stages, np.int64), np.empty(stages, np.int64)
    for sample in range(first, last):
        for u in range(n):
            j = 0
            while j < channels:
                lanes = 16 if channels - j >= 16 else 1
                begin_window(sample, sample, batch, lanes, j, channels, size, taps, places, u, owners, sizes, firsts,
                             origin, at, begin, hops)  # fmt: skip
                g, p = apart * u * terms * channels + j, apart * u * stages * channels + j
                tally_lanes(lanes, form, train, origin, gains, g, channels, levels, starts, p, total, out,
                            begin)  # fmt: skip
                j += lanes


def tally_lanes(
    lanes: int, form: int, train: Any, origin: Any, gains: Any, at_gains: int, channels: int, levels: Any, starts: Any,
    at: int, total: int, out: Any, begin: Any,
) -> None:  # fmt: skip
    """`tally` of 16 channels or one."""
    if lanes == 16:
        tally(16, form, train, origin, gains, at_gains, channels, levels, starts, at, total, out, begin)
    else:
        tally(1, form, train, origin, gains, at_gains, channels, levels, starts, at, total, out, begin)


INNER = (begin_window, carry_lanes, take_lanes, keep_lanes, tally_lanes)
"""What the loops call that is compiled with them."""
