"""How sure thresholds are: whether halves of the calibration data give the same, and whether more would move them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from snntoolbox.analysis.diagnosis.diagnosis import Confidence
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array

UNSURE = 0.2
"""A channel is unsure whose halves differ by more than this share."""

Rule = Callable[[Graph, Sequence[Array]], Mapping[str, Array]]
"""Scales of every rectifier from calibration data."""


def threshold_confidence(
    rule: Rule, graph: Graph, x: Sequence[Array], scales: Mapping[str, Array]
) -> dict[str, Confidence]:
    """For each rectifier how sure its `scales`, which the rule chose on all of `x`, are; empty for under 4 samples.

    The samples are dealt out to two halves by turns. A scale with a variance of v / n over n samples differs between
    the halves by a variance of 4 v / n, so half of the difference estimates its standard error on all samples.
    """
    samples = len(x[0])
    if samples < 4:
        return {}
    halves = [rule(graph, [a[start::2] for a in x]) for start in (0, 1)]
    return {
        name: _compared(samples, *(np.asarray(half[name], np.float64).ravel() for half in (*halves, scales)))
        for name in scales
        if all(name in half for half in halves)
    }


def _compared(samples: int, first: Array, second: Array, whole: Array) -> Confidence:
    difference = (first - second) / whole
    return Confidence(
        samples=samples,
        spread=float(np.sqrt(np.mean(difference**2)) / 2),
        drift=float(np.mean(1 - (first + second) / 2 / whole)),
        unsure=int(np.sum(np.abs(difference) > UNSURE)),
        channels=difference.size,
    )
