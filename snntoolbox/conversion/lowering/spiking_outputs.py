"""What a read-out by spikes cannot say, seen on calibration samples: spikes do not show values below zero."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from snntoolbox.engine.executor import Executor
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array

log = logging.getLogger(__name__)

SAMPLES = 200
"""At most so many calibration samples are looked at."""


def tell_what_spikes_lose(lowered: Graph, data: Sequence[Array]) -> None:
    """Warn where rectified outputs decide nothing for some of the samples, or cut values below zero."""
    x = [a[:SAMPLES] for a in data]
    rectified = {output: lowered.nodes[output].inputs[0] for output in lowered.outputs}
    values = Executor(lowered).values(*x, keep=list(rectified.values()))
    for (output, before), head in zip(rectified.items(), lowered.heads, strict=True):
        if head.decides:
            silent = float(np.mean(~(head.scores(values[before]) > 0).any(axis=-1)))
            told = "of %.0f%% of the calibration samples no class of '%s' is above zero, so no spike says it"
        else:
            silent = float(np.mean(values[before] < 0))
            told = "%.0f%% of the values of '%s' on calibration samples are below zero, which spikes do not show"
        if silent > 0:
            log.warning(f"readout = spikes: {told}; readout = linear keeps them", 100 * silent, output)
