"""What a command has told so far, as the page shows it: how far it is, how right, and what it warned of."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from snntoolbox.ir.progress import spoken

_MOST_WARNINGS = 50


@dataclass(frozen=True)
class Bar:
    """Steps done out of all, 0 where nobody knows how many; the rest took `left` seconds more, as told at `at`."""

    name: str
    total: int
    done: int = 0
    is_over: bool = False
    left: float | None = None
    at: float = field(default=0.0, compare=False)

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else float(self.is_over)

    def words(self, now: float) -> str:
        """What it says at a time of `time.monotonic`."""
        if self.total <= 0:
            return f"{self.name}: {'ended' if self.is_over else 'under way'}"
        counted = f"{self.name}: {self.done:,} of {self.total:,}"
        if self.is_over or self.left is None:
            return counted
        return f"{counted}, {spoken(max(0.0, self.left - (now - self.at)))} left"


@dataclass(frozen=True)
class Told:
    """Everything so far; `accuracy` after each step over the first `samples`, or with `of` the agreement."""

    stage: str = ""
    bars: tuple[Bar, ...] = ()
    of: str = "accuracy"
    samples: int = 0
    per_step: tuple[float, ...] = ()
    growth: tuple[tuple[int, float], ...] = ()
    warnings: tuple[str, ...] = ()


def after(told: Told, lines: Iterable[str]) -> Told:
    """What is known after these lines too; one that is none of ours is left out."""
    for line in lines:
        try:
            about = json.loads(line)
            told = _TAKEN[about["what"]](told, about)
        except (ValueError, KeyError, TypeError):
            continue
    return told


def _stage(told: Told, about: dict[str, Any]) -> Told:
    return replace(told, stage=str(about["name"]))


def _begin(told: Told, about: dict[str, Any]) -> Told:
    others = tuple(bar for bar in told.bars if bar.name != about["name"])
    return replace(told, bars=(*others, Bar(str(about["name"]), int(about["total"]))))


def _advance(told: Told, about: dict[str, Any]) -> Told:
    name, done, now = about["name"], int(about["done"]), time.monotonic()
    left = float(about["left"]) if "left" in about else None
    bars = (replace(b, done=done, left=left, at=now) if b.name == name else b for b in told.bars)
    return replace(told, bars=tuple(bars))


def _end(told: Told, about: dict[str, Any]) -> Told:
    name, done = about["name"], int(about["done"])
    bars = (replace(b, done=done, is_over=True) if b.name == name else b for b in told.bars)
    return replace(told, bars=tuple(bars))


def _accuracy(told: Told, about: dict[str, Any]) -> Told:
    per_step, samples = tuple(map(float, about["per_step"])), int(about["samples"])
    growth = () if samples <= told.samples else told.growth  # another run begins
    return replace(
        told, of=str(about["of"]), samples=samples, per_step=per_step, growth=(*growth, (samples, per_step[-1]))
    )


def _warning(told: Told, about: dict[str, Any]) -> Told:
    return replace(told, warnings=(*told.warnings, str(about["message"]))[-_MOST_WARNINGS:])


_TAKEN = {
    "stage": _stage,
    "begin": _begin,
    "advance": _advance,
    "end": _end,
    "accuracy": _accuracy,
    "warning": _warning,
}
