"""Makes masks that are inputs of the model as small as leaves values out, for schedules that count.

What is added to the scores of a softmax, 0 where a value takes part and -10,000 or minus infinity, for instance, where
it does not, would take all levels of what compares scores. With scores from l to u it is enough to take off
``u - l + 32``: below the least that takes part, and 0 to exp. So it is scaled, which is exact for such scores. Scores
that truth values choose from, ``x m - c (1 - m)``, are seen to be such a sum before (`chosen_scores`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snntoolbox.conversion.lowering.bounded_masks import Mask, takes_truths, write
from snntoolbox.conversion.lowering.chosen_scores import without_choices
from snntoolbox.conversion.lowering.mask_sources import LEAST, Scores, levels
from snntoolbox.conversion.lowering.softmax_tables import FADED, SHOWING
from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Softmax

log = logging.getLogger(__name__)

UNCLEAR = "what an input adds to what it reads is 1000 and more below 0, or 0, as a mask, and something between as well"
NOTHING = (
    "in some sample a mask that is an input leaves nothing of a row: leave those samples out, or let one value of such "
    "rows take part"
)
SAME = (
    "%s: what an input adds to what it reads is the same in all calibration samples; if it is a mask, give some that "
    "leave values out, or it is taken for a score"
)
SMALL = (
    "in calibration samples what it reads is about as far apart as what a mask that is an input takes off, so that "
    "nothing is left out: give a mask of larger numbers"
)
UNSEEN = "a mask that is an input needs calibration data, which say how far apart the values are that it reads"


@dataclass
class GivenMasks:
    """What was found: the graph with smaller masks, the least score of each softmax under one, and refusals."""

    graph: Graph
    lowest: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: Graph, data: Sequence[Array] | None) -> GivenMasks:
        """Those of a graph, by samples of each input."""
        shown = None if data is None else [np.asarray(a[:SHOWING], np.float64) for a in data]
        given = {} if shown is None else dict(zip(graph.inputs, shown, strict=True))
        graph = without_choices(graph, given)
        sums = [s for n in graph.nodes.values() if isinstance(n, Softmax) for s in Scores.under_inputs(graph, n)]
        found = cls(graph)
        if not sums:
            return found
        read = {} if shown is None else graph.values(*shown, keep={n for s in sums for n in (*s.others, s.given)})
        editing, masks = Editing(graph), dict[str, list[Mask]]()
        for scores in sums:
            if (mask := found._look(scores, read, given)) is not None:
                masks.setdefault(scores.reads, []).append(mask)
        for name, together in masks.items():
            if _leave_some(graph.nodes[name], together):
                found._bound(editing, name, together, read)
            else:
                found.refused[name] = NOTHING
        found.graph = editing.graph()
        return found

    def _look(self, scores: Scores, read: Mapping[str, Array], given: Mapping[str, Array]) -> Mask | None:
        """What is given as a mask; None where it is none, or refused."""
        name, known = scores.reads, levels(scores.graph, scores.given, scores.sources)
        step = scores.added(np.concatenate(known[1:]) - known[0])
        if not given:
            if np.abs(step).max() >= LEAST:
                self.refused[name] = UNSEEN
            return None
        if (mask := Mask.given(scores, read, given)) is not None:
            return mask
        samples = read[scores.given]
        below = scores.added(samples)
        below -= below.max()
        # Of what is no mask hardly two values are the largest.
        truth = takes_truths(scores, given)
        if (truth and np.abs(step).max() >= LEAST) or (np.sum(below == 0) > 1 and np.any(below <= -LEAST)):
            self.refused[name] = UNCLEAR
        elif not np.any(np.ptp(samples, axis=0)):
            log.warning(SAME, scores.graph.nodes[name].label)
        return None

    def _bound(self, editing: Editing, name: str, together: Sequence[Mask], read: Mapping[str, Array]) -> None:
        """Write masks anew: what they say of values that take part, and as much less of others as is enough."""
        ranges = [mask.left(together, read) for mask in together]
        shares = [(high - low + FADED) / m.least for m, (low, high) in zip(together, ranges, strict=True)]
        if max(shares) > 1:  # then one leaves nothing out of the original, either
            self.refused[name] = SMALL
            return
        write(editing, list(zip(together, shares, strict=True)), [name])
        self.lowest[name] = min(low for low, _ in ranges)


def _leave_some(softmax: Node, masks: Sequence[Mask]) -> bool:
    """Whether masks leave some of each row of a softmax in all samples, together and with its constants."""
    first = masks[0]
    left = first.scores.there(first.level)[None]
    for mask in masks:
        left = left & (mask.taken[: mask.samples] == 0)
    assert isinstance(softmax, Softmax)
    return bool(np.all(left.any(softmax.axis % (left.ndim - 1) + 1)))
