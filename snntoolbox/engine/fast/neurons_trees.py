"""Trees of max pooling: populations of which all neurons of a window are carried in one pass."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import neurons_tree_loops
from snntoolbox.engine.fast.bytes_layout import rows, shaped
from snntoolbox.engine.fast.events_joined import Joined
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.fast.neurons_firing import Firing
from snntoolbox.engine.fast.neurons_tree_loops import FORMS
from snntoolbox.engine.fast.neurons_windows import Read, Windows, windows
from snntoolbox.ir.node import Array, Shape

if TYPE_CHECKING:
    from snntoolbox.engine.counts import Counts

_SHORT = 2**15 - 1


class Tree:
    """Populations, `members`, that get nothing but single bytes of `source` and of one another.

    `parts` are their windows, `shapes` theirs and `size` that of a sample of the source, `peak` its largest byte.
    """

    def __init__(
        self, source: str, shapes: Mapping[str, Shape], size: int, peak: int, parts: Sequence[Windows]
    ) -> None:
        self.source, self.members, self.size, self.peak, self.parts = source, tuple(shapes), size, peak, parts
        self.shapes, self.channels = list(shapes.values()), next(iter(shapes.values()))[0]
        self.sizes = np.array([math.prod(shape) for shape in self.shapes])
        self.made: dict[Any, list[tuple[Any, ...]]] = {}
        self.kinds: dict[int, str] = {}
        self.room = torch.empty(0, dtype=torch.uint8)

    def fire(self, x: Tensor, firings: Sequence[Firing], steps: int, horizon: int) -> dict[str, Tensor] | None:
        """The spikes (steps * samples, *shape) of all members, which the next call overwrites.

        `x` are the bytes of the source in these of `horizon` steps. None where neurons are reset to a value, or
        constant currents are not the same for all samples.
        """
        if any(f.mode or not f.arrays[2] for f in firings):
            return None
        if horizon not in self.kinds:
            self.kinds = {horizon: self._kind(firings, horizon)}
        batch, kind = firings[0].batch, self.kinds[horizon]
        size = len(x) * int(self.sizes.sum())
        if len(self.room) < size:
            self.room = torch.empty(size, dtype=torch.uint8)
        out = self.room[:size]
        if kind not in self.made:
            self.made[kind] = self._made([f.flat[1] for f in firings], [f.flat[3] for f in firings], np.dtype(kind))
        short = np.empty(0, np.int16 if kind == "int16" else np.int32)
        states = tuple(f.flat[0] for f in firings), tuple(f.flat[2] for f in firings)
        end = self.sizes, out.numpy(), self._firsts(len(x))
        for part, arrays in zip(self.parts, self.made[kind], strict=True):
            given = part.form, len(part.places), self.channels, batch, steps, _flat(x), self.size
            call = *given, *arrays, short, *states, *end
            in_parallel(compiled(neurons_tree_loops.fire_tree), batch, *call)
        return self._split(out, len(x))

    def count(self, x: Tensor, makers: Sequence[Counts], starts: Sequence[Tensor]) -> dict[str, Tensor] | None:
        """The counts (samples, *shape) of all members; `starts` is what is there beside the sums.

        None where that is not the same for all samples, some do not count in bytes, or windows differ in length.
        """
        if any(m.table is not None or not m.fused for m in makers) or any(len(start) > 1 for start in starts):
            return None
        if any(m.total != makers[0].total for m in makers):
            return None
        dtype = np.float64 if any(start.dtype == torch.float64 for start in starts) else np.float32
        out = torch.empty(len(x) * int(self.sizes.sum()), dtype=torch.uint8)
        thresholds = [_flat(m.threshold[None]) for m in makers]
        given = self._made(thresholds, [_flat(start) for start in starts], np.dtype(dtype))
        end = makers[0].total, self.sizes, out.numpy(), self._firsts(len(x))
        for part, arrays in zip(self.parts, given, strict=True):
            call = part.form, len(part.places), self.channels, len(x), _flat(x), self.size, *arrays, *end
            in_parallel(compiled(neurons_tree_loops.count_tree), len(x), *call)
        return self._split(out, len(x))

    def _kind(self, firings: Sequence[Firing], horizon: int) -> str:
        """The type of sums: whole numbers of 16 bits where no potential can leave them."""
        numbers = [a for f in firings for a in (f.flat[1], f.flat[3], f.initial.numpy())]
        numbers += [part.gains for part in self.parts]
        if any(np.any(a != np.rint(a)) for a in numbers):
            return str(firings[0].flat[0].dtype)
        each = (numbers[i : -len(self.parts) : 3] for i in range(3))
        level, steady, initial = (max(float(np.abs(a).max(initial=0)) for a in some) for some in each)
        reach = max(map(self._reach, self.parts)) + steady
        return "int16" if (horizon + 1) * reach + initial + level <= _SHORT else str(firings[0].flat[0].dtype)

    def _reach(self, part: Windows) -> float:
        """What no sum of a step exceeds."""
        inputs, stages = FORMS[part.form]
        found, t = 0.0, 0
        for which in stages:
            most = np.array([self.peak if k < inputs else 1 for k in which])[:, None]
            sums = np.abs(most * part.gains[:, t : t + len(which)]).sum(axis=1)
            found, t = max(found, float(sums.max(initial=0))), t + len(which)
        return found

    def _made(self, levels: Sequence[Array], drives: Sequence[Array], dtype: Any) -> list[tuple[Any, ...]]:
        """What the loops take of each part: where its neurons read, and their parameters in a type."""
        found = []
        for part in self.parts:
            each = [part.of_stages([a.reshape(-1, self.channels) for a in given]) for given in (levels, drives)]
            numbers = [np.ascontiguousarray(a, dtype) for a in (part.gains, *each)]
            apart = int(any(np.any(a != a[:1]) for a in numbers))
            flat = (a[: None if apart else 1].reshape(-1) for a in numbers)
            where = part.taps.reshape(-1), part.places.reshape(-1), part.owners, part.gains.shape[1]
            found.append((*where, apart, *flat))
        return found

    def _firsts(self, units: int) -> Array:
        """Where what members send begins in memory."""
        return units * np.cumsum([0, *self.sizes[:-1]])

    def _split(self, out: Tensor, units: int) -> dict[str, Tensor]:
        parts = torch.split(out, [units * int(size) for size in self.sizes])
        return {n: shaped(p.view(units, -1), s) for n, p, s in zip(self.members, parts, self.shapes, strict=True)}


def _flat(values: Tensor) -> Array:
    return np.asarray(rows(values).contiguous().numpy().reshape(-1))


def trees(
    order: Iterable[str], joined: Mapping[str, Joined], shapes: Mapping[str, Shape], peaks: Mapping[str, int]
) -> list[Tree]:
    """All trees of more than one of the `joined` populations, in the order of the network."""
    groups: list[tuple[str, list[str]]] = []
    for name in order:
        if name not in joined or joined[name].products:
            continue
        reads = set(joined[name].sources)
        group = next((g for g in groups if reads <= {g[0], *g[1]} and reads & set(g[1])), None)
        if group is not None:
            group[1].append(name)
        elif len(reads) == 1:
            groups.append((reads.pop(), [name]))
    made = (_tree(source, members, joined, shapes, peaks) for source, members in groups if len(members) > 1)
    return [tree for tree in made if tree is not None]


def _tree(
    source: str, members: Sequence[str], joined: Mapping[str, Joined], shapes: Mapping[str, Shape],
    peaks: Mapping[str, int],
) -> Tree | None:  # fmt: skip
    """None where windows overlap or channels do not lie side by side."""
    channels = shapes[source][0]
    if any(shapes[name][0] != channels for name in members):
        return None
    reads = [_reads(joined[name], source, members, channels) for name in members]
    found = [r for r in reads if r is not None]
    places = [math.prod(shapes[name]) // channels for name in members]
    parts = windows(found, places, channels) if len(found) == len(reads) else None
    if parts is None:
        return None
    return Tree(source, {n: shapes[n] for n in members}, math.prod(shapes[source]), peaks[source], parts)


def _reads(joined: Joined, source: str, members: Sequence[str], channels: int) -> list[Read] | None:
    """What a member reads."""
    found = []
    for term in joined.points:
        moved = joined.moved[id(term)]
        if moved.starts is None or moved.channels != channels:
            return None
        gains = rows(torch.from_numpy(np.ascontiguousarray(term.gain))[None]).reshape(-1, channels).numpy()
        member = -1 if term.source == source else members.index(term.source)
        found.append(Read(member, moved.starts, gains))
    return found
