"""The Pareto front: what nothing else beats in every respect at once."""

from __future__ import annotations

from collections.abc import Sequence

Costs = tuple[float, ...]
"""What is to be small in each respect."""


def dominates(one: Costs, other: Costs) -> bool:
    """Whether `one` is nowhere worse than `other` and somewhere better."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


def front(points: Sequence[Costs]) -> list[int]:
    """The indices, in order, of the points that none dominates; of equal points all."""
    return [i for i, p in enumerate(points) if not any(dominates(q, p) for q in points)]


def ranks(points: Sequence[Costs]) -> list[int]:
    """For each point 0 on the front, 1 on the front of what is left without that, and so on."""
    rank_of = [0] * len(points)
    left, rank = list(range(len(points))), 0
    while left:
        best = {left[i] for i in front([points[i] for i in left])}
        for i in best:
            rank_of[i] = rank
        left, rank = [i for i in left if i not in best], rank + 1
    return rank_of
