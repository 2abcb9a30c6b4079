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

from snntoolbox.conversion.lowering.chosen_scores import without_choices
from snntoolbox.conversion.lowering.mask_sources import LEAST, Scores, levels
from snntoolbox.conversion.lowering.softmax_tables import FADED, SHOWING
from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Scale, Softmax

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
        editing, masks = Editing(graph), dict[str, list[_Mask]]()
        for scores in sums:
            if (mask := found._look(scores, read, given)) is not None:
                masks.setdefault(scores.softmax, []).append(mask)
        for name, together in masks.items():
            if _leave_some(together):
                for mask in together:
                    found._bound(editing, mask, together, read)
            else:
                found.refused[name] = NOTHING
        found.graph = editing.graph()
        return found

    def _look(self, scores: Scores, read: Mapping[str, Array], given: Mapping[str, Array]) -> _Mask | None:
        """What is given as a mask; None where it is none, or refused."""
        name, known = scores.softmax, levels(scores.graph, scores.given, scores.sources)
        step = scores.added(np.concatenate(known[1:]) - known[0])
        if not given:
            if np.abs(step).max() >= LEAST:
                self.refused[name] = UNSEEN
            return None
        truth = all(bool(np.all((given[s] == 0) | (given[s] == 1))) for s in scores.sources)
        samples = read[scores.given]
        for k, level in enumerate(known if truth else known[:1]):
            others = [v for i, v in enumerate(known) if i != k] if truth else [level]
            taken = scores.added(np.concatenate([samples, *others]) - level)
            if np.all((taken == 0) | (taken <= -LEAST)) and np.any(taken):
                return _Mask(scores, level, taken, len(samples))
        below = scores.added(samples)
        below -= below.max()
        # Of what is no mask hardly two values are the largest.
        if (truth and np.abs(step).max() >= LEAST) or (np.sum(below == 0) > 1 and np.any(below <= -LEAST)):
            self.refused[name] = UNCLEAR
        elif not np.any(np.ptp(samples, axis=0)):
            log.warning(SAME, scores.graph.nodes[name].label)
        return None

    def _bound(self, editing: Editing, own: _Mask, together: Sequence[_Mask], read: Mapping[str, Array]) -> None:
        """Write the mask anew: what it says of values that take part, and as much less of others as is enough."""
        scores, level, taken = own.scores, own.level, own.taken
        shown = {m.scores.given: np.repeat(m.level, len(read[scores.given]), 0) for m in together}
        others = {n: shown[n] if n in shown else read[n] for n in (*scores.others, scores.given)}
        values = scores.sum_of(others)[:, scores.there(level)]
        low, high = float(values.min()), float(values.max())
        share = (high - low + FADED) / float(np.abs(taken[taken < 0]).min())
        if share > 1:  # then it leaves nothing out of the original, either
            self.refused[scores.softmax] = SMALL
            return
        mask = editing.nodes[scores.given]
        rank = level.ndim - 1
        name = editing.fresh(f"{mask.name}.bounded")
        bias = (1 - share) * level[0]
        smaller = Scale(
            name=name, inputs=(mask.name,), gain=np.full((1,) * rank, share), bias=bias if np.any(bias) else None,
            origin=mask.origin,
        )  # fmt: skip
        reader = editing.nodes[scores.reader]
        place = [name if i == mask.name else i for i in reader.inputs]
        editing.edit([smaller, reader.with_inputs(*place)])
        self.lowest[scores.softmax] = low


@dataclass(frozen=True)
class _Mask:
    """What is given as a mask: what it is where values take part, and what it adds there, 0, and elsewhere.

    The `samples`' come first in `taken`.
    """

    scores: Scores
    level: Array
    taken: Array
    samples: int


def _leave_some(masks: Sequence[_Mask]) -> bool:
    """Whether masks leave some of each row of a softmax in all samples, together and with its constants."""
    first = masks[0]
    left = first.scores.there(first.level)[None]
    for mask in masks:
        left = left & (mask.taken[: mask.samples] == 0)
    return bool(np.all(left.any(first.scores.axis + 1)))
