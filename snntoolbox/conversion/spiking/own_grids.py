"""Finds the grid of integers that weights lie on already, as those of quantised models do."""

from __future__ import annotations

import numpy as np

from snntoolbox.ir.node import Array, LinearNode
from snntoolbox.ir.nodes import Conv, Dense

MOST = 128
"""The largest integer that is looked for: those of eight bits."""

EXACT = 1e-6
"""A weight is a whole number of steps to within this share of the largest: models hold them in float32."""

_LOOKED_AT = 16
"""So many weights of a row are looked at first."""


def own_steps(node: LinearNode, largest: int) -> Array:
    """The step of the grid of the weights into each output, in a shape that broadcasts to the output's.

    It is the finest one in which they are whole numbers up to `largest`; 0 where all are 0, inf where there is none.
    """
    if isinstance(node, Conv):
        found = _steps(node.weight.reshape(len(node.weight), -1), largest)
        return found.reshape(-1, *[1] * (node.weight.ndim - 2))
    if isinstance(node, Dense):
        along = node.axis == -1
        found = _steps(node.weight if along else node.weight.reshape(1, -1), largest)
        return found if along else found[0]
    return np.asarray(np.inf)


def _steps(rows: Array, largest: int) -> Array:
    """For each row, one number."""
    peaks = np.abs(rows).max(axis=1).astype(np.float64)
    some = rows[:, np.linspace(0, rows.shape[1] - 1, min(_LOOKED_AT, rows.shape[1])).astype(int)]
    counts = np.zeros(len(rows))  # of steps in the largest weight
    for count in range(1, min(largest, MOST) + 1):
        undecided = np.flatnonzero((counts == 0) & (peaks > 0))
        likely = undecided[_whole(some[undecided], peaks[undecided], count)]
        counts[likely[_whole(rows[likely], peaks[likely], count)]] = count
    fine = counts * (largest // np.maximum(counts, 1))
    return np.where(peaks > 0, np.divide(peaks, fine, out=np.full_like(peaks, np.inf), where=fine > 0), 0.0)


def _whole(rows: Array, peaks: Array, count: int) -> Array:
    """In which rows all weights are whole numbers of the step of which the largest has so many."""
    scaled = rows * (count / peaks)[:, None]
    return np.asarray((np.abs(scaled - np.rint(scaled)) <= EXACT * count).all(axis=1))
