"""Times short trials before a search whose first one may take longer than all of its budget."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import replace

from snntoolbox.analysis.trials import Budget
from snntoolbox.analysis.tuning.search import Rung
from snntoolbox.analysis.tuning.space import Candidate
from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.operations import ann_operations

log = logging.getLogger(__name__)

FEW_HELD, FEW_FITTED = 8, 16
"""Samples of a short trial; with fewer to choose thresholds no layer would be corrected."""

LONGER = 8
"""A trial at most so many times as large as one that was timed is judged by it."""

_PER_SECOND = 4e9
"""Operations that a slow processor does; wrong by ten it costs a few short trials, or is mended by them."""
_PASSES = 5
"""About how often a trial runs the steps of one simulation: layers are corrected as well."""
_PER_NEURON = 10
"""Operations of each neuron and step."""


def guessed_seconds(graph: Graph, work: float) -> float:
    """About how long a trial of so many steps times samples takes, by the size of the network alone."""
    neurons = sum(math.prod(shape) for shape in graph.shapes.values())
    return _PASSES * work * (ann_operations(graph) + _PER_NEURON * neurons) / _PER_SECOND


def time_short_trials(queue: Sequence[Candidate], short: Rung, first: Rung, graph: Graph, budget: Budget) -> None:
    """Let the budget know what trials take, if the first of `queue` could use half of it.

    Of the first candidate that can be tried one step is timed on few samples, then eight times as many steps and so on,
    as long as the budget allows the next, up to where the trials of the rung `first` are no more than eight times as
    large. What is too long for the budget is thus known before it is begun.
    """
    if not queue or guessed_seconds(graph, first.work(queue[0])) <= budget.seconds / 2:
        return
    for candidate in queue:
        try:
            # What is imported and compiled once is no part of what a trial takes.
            short.measure(replace(candidate, window=1))
            _climb(candidate, short, first.work(candidate), budget)
        except SNNToolboxError:
            continue
        return


def _climb(candidate: Candidate, short: Rung, work: float, budget: Budget) -> None:
    steps = 1
    while True:
        one = replace(candidate, window=steps)
        if steps > 1 and not budget.allows(short.work(one)):
            return
        begin = time.perf_counter()
        short.measure(one)
        budget.took(short.work(one), time.perf_counter() - begin)
        log.debug("a trial of %d steps on %d samples: %.3f s", steps, short.samples, time.perf_counter() - begin)
        if work <= LONGER * short.work(one) or steps >= candidate.window:
            return
        steps = min(LONGER * steps, candidate.window)
