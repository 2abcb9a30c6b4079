"""Whether the default recipe keeps up with the fixed ones: over all models, by paired differences with their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from latency_cells import Cell
from latency_rows import ROWS

ALLOWED = 0.5
"""Points of accuracy that the default may lie behind."""

NEAR, CLOSE = 1.0, 0.3
"""Points of accuracy that networks with windows are to lose at most: of nine models in ten, and beyond the error."""

Models = Mapping[str, Mapping[str, Mapping[int, Cell]]]
"""By model, then by row, then by number of steps."""


@dataclass(frozen=True)
class Lag:
    """By how many points of accuracy the default lies behind a row, and the standard error of that.

    The error is that of the mean difference over the samples, which both have classified: sqrt(var(d) / n).
    """

    model: str
    row: str
    points: float
    error: float

    @property
    def missed(self) -> bool:
        """Whether it is more than `ALLOWED`, as measured."""
        return self.points > ALLOWED + 1e-9

    @property
    def surely(self) -> bool:
        """Whether it is, and is beyond two standard errors."""
        return self.missed and self.points > 2 * self.error

    def __str__(self) -> str:
        return f"{self.model} {self.points:.1f} ± {self.error:.1f} behind {self.row}"


def lag(model: str, row: str, own: Cell, other: Cell) -> Lag:
    """The default's cell against another's, on the same samples."""
    n = min(own.samples, other.samples)
    difference = 100.0 * (other.correct()[:n].astype(int) - own.correct()[:n])
    return Lag(model, row, float(difference.mean()), float(difference.std() / np.sqrt(n)))


def losses(models: Models, originals: Mapping[str, Cell], row: str, steps: Sequence[int]) -> str:
    """What a row loses against the originals, in points with standard errors, and how many models keep to the aims."""
    found = {t: [lag(m, "the original", c[row][t], originals[m]) for m, c in models.items() if t in c.get(row, {})]
             for t in steps}  # fmt: skip
    lines = [["model", "original", *(f"{t} steps" for t in steps)], ["---", *["--:"] * (1 + len(steps))]]
    for m in models:
        own = [next((f"{one.points:.2f} ± {one.error:.2f}" for one in found[t] if one.model == m), "") for t in steps]
        lines.append([m, f"{100 * float(np.mean(originals[m].correct())):.1f}", *own])
    told = []
    for t, of in found.items():
        if not of:
            continue  # every model refuses it
        points = np.array([one.points for one in of])
        beyond = [one.model for one in of if one.points - one.error > CLOSE]
        kept = f"{np.mean(points <= NEAR):.0%} lose at most {NEAR}"
        told.append(f"- {t} steps, {len(of)} models: mean {points.mean():.2f}; {kept}; "
                    f"more than {CLOSE} beyond the standard error: {', '.join(beyond) or 'none'}")  # fmt: skip
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([f"Accuracy that {row} loses, points.", drawn, "\n".join(told)])


def lags(models: Models, steps: int) -> list[list[Lag]]:
    """For each model with cells of that number of steps the default against each fixed row of plain neurons."""
    found = []
    for model, cells in models.items():
        own = cells.get("default", {}).get(steps)
        others = {r: c[steps] for r, c in cells.items() if r != "default" and ROWS[r].plain and steps in c}
        if own is not None and own.right and others:
            found.append([lag(model, r, own, c) for r, c in others.items() if c.right])
    return found


def best_over_all(of_models: Sequence[Sequence[Lag]]) -> str:
    """The row of the largest mean accuracy over the models: the one by which the default lags most on average."""
    rows = set.intersection(*({one.row for one in found} for found in of_models))
    means = {r: np.mean([one.points for found in of_models for one in found if one.row == r]) for r in sorted(rows)}
    return max(means, key=lambda r: float(means[r]))


def verdict(models: Models, steps: Sequence[int]) -> str:
    """A table of shares for each number of steps, and the models where the default is surely behind, in Markdown."""
    head = ["T", "models", "best row over all", "default's mean lag", "not behind it", "not surely",
            "not behind the best of each", "not surely"]  # fmt: skip
    lines, missed = [head, ["--:", "--:", "---", *["--:"] * 5]], []
    for t in steps:
        of_models = lags(models, t)
        if not of_models:
            continue
        row = best_over_all(of_models)
        against = [next(one for one in found if one.row == row) for found in of_models]
        worst = [max(found, key=lambda one: one.points) for found in of_models]
        shares = [_share(s, flag) for s in (against, worst) for flag in ("missed", "surely")]
        behind = f"{np.mean([one.points for one in against]):+.2f}"
        lines.append([str(t), str(len(of_models)), row, behind, *shares])
        missed += [f"- T = {t}: {one}" for one in worst if one.surely]
    title = f"The default against fixed recipes of plain neurons: where it is at most {ALLOWED} points behind"
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join(filter(None, [f"{title}.", drawn, "\n".join(missed)]))


def _share(found: Sequence[Lag], flag: str) -> str:
    kept = sum(not getattr(one, flag) for one in found)
    return f"{kept} of {len(found)} ({100 * kept / len(found):.0f} %)"
