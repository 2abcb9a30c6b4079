"""Fits a read-out to what a run of so many steps leaves over: how many first steps to forget, and a bias."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snntoolbox.ir.network import Readout
from snntoolbox.ir.node import Array

_NEAR_LEAST = 1.25
"""Errors of read-outs up to this multiple of the least count as equal to it."""


def fitted(readout: Readout, values: Array, target: Array, *, grid: bool = False, whole: bool = False) -> Readout:
    """The read-out that forgets some first steps and has the mean error added to its bias.

    `values` (steps, samples, *shape) are what it says after each step, `target` (samples, *shape) what it should. Of
    0, 1/8, 1/4 and 1/2 of the steps it forgets the fewest that leave about the least squared error, and adds
    ``mean(y_ann - y_snn)``. With `whole` it forgets what it did: in a network with a schedule that says which spikes
    count. (Bias correction of Li et al. 2021; delayed read-out as in arXiv 2409.03368.)
    """
    start, shift = _fit(values, target.astype(np.float64), whole)
    shift = shift / readout.scale
    bias = shift if readout.bias is None else readout.bias + shift
    return replace(readout, start=readout.start if whole else start, bias=np.rint(bias) if grid else bias)


def at_end(fit: Readout, readout: Readout, values: Array, *, whole: bool = False) -> Array:
    """What `fit`, made by `fitted` of `readout`, says after the last step where `readout` said `values` after each.

    With `whole` they are of the last step alone, and what `readout` forgets is not in them.
    """
    added = (0.0 if fit.bias is None else fit.bias) - (0.0 if readout.bias is None else readout.bias)
    return np.asarray(_since(values, 0 if whole else fit.start) + fit.scale * added)


def _fit(values: Array, target: Array, whole: bool) -> tuple[int, Array]:
    """How many of the first steps to forget, and what to add then."""
    steps = len(values)
    fits: list[tuple[float, int, Array]] = []
    for start in dict.fromkeys((0,) if whole else (0, steps // 8, steps // 4, steps // 2)):
        rest = target - _since(values, start)
        shift = rest.mean(axis=0)
        fits.append((float(np.mean((rest - shift) ** 2)), start, shift))
    # Few samples tell errors apart only roughly: of those near the least the one that forgets least.
    enough = _NEAR_LEAST * min(error for error, _, _ in fits)
    return next((start, shift) for error, start, shift in fits if error <= enough)


def _since(values: Array, start: int) -> Array:
    """The mean over the steps from `start` on: it follows from the means over all steps so far at its two ends."""
    before = start * values[start - 1] if start else 0.0
    return np.asarray((len(values) * values[-1] - before) / (len(values) - start))
