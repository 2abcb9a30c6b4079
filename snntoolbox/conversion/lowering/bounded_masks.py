"""A mask that inputs give: what it takes off the values of a sum, and the same mask as small as leaves them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.conversion.lowering.mask_sources import LEAST, Scores, levels
from snntoolbox.ir.editing import Editing
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Scale


@dataclass(frozen=True)
class Mask:
    """What is given as a mask: what it is where values take part, and what it adds there, 0, and elsewhere, below 0.

    The `samples`' come first in `taken`.
    """

    scores: Scores
    level: Array
    taken: Array
    samples: int

    @classmethod
    def given(
        cls,
        scores: Scores,
        read: Mapping[str, Array],
        given: Mapping[str, Array],
        *,
        least: float = LEAST,
        sign: int = 1,
    ) -> Mask | None:
        """What samples of the inputs, and of what is read, show to be a mask; None where they show none.

        Of truth values it takes off `least` at least, of others more; with a `sign` of -1 it adds as much.
        """
        known = levels(scores.graph, scores.given, scores.sources)
        truth = takes_truths(scores, given)
        samples = read[scores.given]
        for k, level in enumerate(known if truth else known[:1]):
            others = [v for i, v in enumerate(known) if i != k] if truth else [level]
            taken = sign * scores.added(np.concatenate([samples, *others]) - level)
            if np.all((taken == 0) | (taken <= -(least if truth else LEAST))) and np.any(taken):
                return cls(scores, level, taken, len(samples))
        return None

    @property
    def least(self) -> float:
        """The least that it takes off what it leaves out."""
        return float(np.abs(self.taken[self.taken < 0]).min())

    def left(self, together: Sequence[Mask], read: Mapping[str, Array]) -> tuple[float, float]:
        """The least and the largest of the values, where all masks that are in the sum let them take part."""
        shown = {m.scores.given: np.repeat(m.level, len(read[self.scores.given]), 0) for m in together}
        others = {n: shown[n] if n in shown else read[n] for n in (*self.scores.others, self.scores.given)}
        values = self.scores.sum_of(others)[:, self.scores.there(self.level)]
        return float(values.min()), float(values.max())

    def smaller(self, editing: Editing, share: float) -> Scale:
        """What takes off that share of it, and says the same of values that take part."""
        mask = editing.nodes[self.scores.given]
        bias = (1 - share) * self.level[0]
        return Scale(
            name=editing.fresh(f"{mask.name}.bounded"), inputs=(mask.name,),
            gain=np.full((1,) * (self.level.ndim - 1), share), bias=bias if np.any(bias) else None, origin=mask.origin,
        )  # fmt: skip


def takes_truths(scores: Scores, given: Mapping[str, Array]) -> bool:
    """Whether samples of the inputs that give a part of a sum are 0 and 1 alone."""
    return all(bool(np.all((given[s] == 0) | (given[s] == 1))) for s in scores.sources)


def write(editing: Editing, shares: Sequence[tuple[Mask, float]], readers: Sequence[str]) -> None:
    """Let the readers of a sum read it with smaller masks; others that read it, or parts of it, go on as before."""
    names = own_sum(editing, shares[0][0].scores, readers)
    for mask, share in shares:
        smaller, reader, own = mask.smaller(editing, share), names[mask.scores.reader], mask.scores.given
        places = [smaller.name if i == own else i for i in editing.nodes[reader].inputs]
        editing.edit([smaller, editing.nodes[reader].with_inputs(*places)])


def own_sum(editing: Editing, scores: Scores, readers: Sequence[str]) -> dict[str, str]:
    """The names of the nodes of a sum that these readers alone read: its own, of copies where others read some too."""
    alone = {*scores.path, *readers}
    if all(not editing.is_output(n) and alone.issuperset(editing.readers(n)) for n in scores.path):
        return {n: n for n in scores.path}
    names = {n: editing.fresh(f"{n}.masked") for n in scores.path}
    ordered = [editing.nodes[n] for n in scores.graph.nodes if n in names]  # each behind those it reads
    ends = [editing.nodes[reader] for reader in readers]
    read = {node.name: tuple(names.get(i, i) for i in node.inputs) for node in (*ordered, *ends)}
    copies = [replace(node, name=names[node.name], inputs=read[node.name]) for node in ordered]
    editing.edit([*copies, *(end.with_inputs(*read[end.name]) for end in ends)])
    return names
