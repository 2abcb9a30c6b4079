"""The windows of trees of max pooling: neurons of several populations that read the same few places of one train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snntoolbox.engine.fast.neurons_tree_loops import FORMS, MOST
from snntoolbox.ir.node import Array


@dataclass(frozen=True, eq=False)
class Read:
    """A part of a population's current: bytes times `gains` (places, channels).

    They are those of an earlier member of the tree, numbered `member`, or of the train that all read (-1). Those of a
    place begin at its `starts`, below 0 for none.
    """

    member: int
    starts: Array
    gains: Array


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of a form, ``FORMS[form]``: a row each of `taps`, where channels begin in the train, and of `places`.

    Stage s is a place of population ``owners[s]``; `gains` (windows, terms, channels) are those of all its terms, one
    stage after the other.
    """

    form: int
    taps: Array
    places: Array
    owners: Array
    gains: Array

    def of_stages(self, each: Sequence[Array]) -> Array:
        """What neurons of each population have, (places, channels), as (windows, stages, channels)."""
        return np.stack([each[k][self.places[:, s]] for s, k in enumerate(self.owners)], axis=1)


def windows(reads: Sequence[Sequence[Read]], places: Sequence[int], channels: int) -> list[Windows] | None:
    """All windows of populations of so many `places`, those alike together.

    None where windows overlap, or have none of `FORMS`.
    """
    labels = _labels(reads, places, channels)
    if labels is None:
        return None
    inside: dict[int, list[tuple[int, int]]] = {}
    for k, label in enumerate(labels):
        for p, window in enumerate(label):
            inside.setdefault(window, []).append((k, p))
    alike: dict[object, list[_Window]] = {}
    for neurons in inside.values():
        if len(neurons) > MOST:
            return None
        found = _Window(neurons, reads, channels)
        if found.form not in FORMS:
            return None
        alike.setdefault((found.form, found.owners), []).append(found)
    return [_together(some) for some in alike.values()]


def _labels(reads: Sequence[Sequence[Read]], places: Sequence[int], channels: int) -> list[list[int]] | None:
    """The window of each place of each population: that of the one later neuron that reads it, or a new one."""
    labels, number = [[-1] * n for n in places], 0
    for k in reversed(range(len(places))):
        for p in range(places[k]):
            if labels[k][p] < 0:
                labels[k][p], number = number, number + 1
            for read in reads[k]:
                start = int(read.starts[p])
                if read.member < 0 or start < 0:
                    continue
                before = labels[read.member]
                if before[start // channels] not in (-1, labels[k][p]):
                    return None
                before[start // channels] = labels[k][p]
    return labels


class _Window:
    """One window: its neurons as (population, place), and what they read."""

    def __init__(
        self, neurons: Sequence[tuple[int, int]], reads: Sequence[Sequence[Read]], channels: int
    ) -> None:
        stages = {neuron: s for s, neuron in enumerate(neurons)}
        taps, self.gains = dict[int, int](), list[Array]()
        which: list[list[tuple[bool, int]]] = []
        for k, p in neurons:
            there = [read for read in reads[k] if read.starts[p] >= 0]
            self.gains += [read.gains[p] for read in there]
            which.append([])
            for read in there:
                start = int(read.starts[p])
                earlier = read.member >= 0
                at = stages[read.member, start // channels] if earlier else taps.setdefault(start, len(taps))
                which[-1].append((earlier, at))
        self.taps, self.places = list(taps), [p for _, p in neurons]
        self.owners = tuple(k for k, _ in neurons)
        self.form = len(taps), tuple(tuple(at + earlier * len(taps) for earlier, at in stage) for stage in which)


def _together(some: Sequence[_Window]) -> Windows:
    return Windows(
        form=FORMS.index(some[0].form),
        taps=np.array([w.taps for w in some], np.int64),
        places=np.array([w.places for w in some], np.int64),
        owners=np.array(some[0].owners, np.int64),
        gains=np.array([w.gains for w in some]),
    )
