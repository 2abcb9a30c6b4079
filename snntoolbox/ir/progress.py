"""How far long work is, told from wherever it is done to whoever watches."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

Advance = Callable[[float], None]
"""Is told how many steps have been made since it was told last."""

Watcher = Callable[[str, float], AbstractContextManager[Advance]]
"""Is told the name of some work and its number of steps, 0 where nobody knows it, while that work is done."""

T = TypeVar("T")

_WATCHER: ContextVar[Watcher | None] = ContextVar("who is told how far work is", default=None)


@contextmanager
def watched(watcher: Watcher | None) -> Iterator[None]:
    """Inside the block `watcher` is told of all work with a `bar`; None: nobody is."""
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def is_watched() -> bool:
    """Whether anybody is told."""
    return _WATCHER.get() is not None


@contextmanager
def bar(name: str, total: float = 0) -> Iterator[Advance]:
    """Tell of work with so many steps (0: nobody knows) while the block runs; yields ``advance(steps)``."""
    watcher = _WATCHER.get()
    if watcher is None:
        yield lambda steps: None
        return
    with watcher(name, total) as advance:
        yield advance


def counted(name: str, items: Sequence[T], work: Callable[[T], float] = lambda item: 1) -> Iterator[T]:
    """The items one by one, with a bar of the work of those that are done; by default each is one step."""
    with bar(name, sum(map(work, items))) as advance:
        for item in items:
            yield item
            advance(work(item))


def portion(advance: Advance, steps: float, whole: float = 1.0) -> Callable[[float], None]:
    """What is told how much of `whole` has been done, and passes it on as that share of `steps`; never backwards."""
    told = 0.0

    def done(part: float) -> None:
        nonlocal told
        now = max(told, steps * min(1.0, part / whole)) if whole else 0.0
        advance(now - told)
        told = now

    return done


def spoken(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


@dataclass
class Pace:
    """How long work of `total` steps will still take, as far as the steps tell that are done."""

    total: float
    done: float = 0.0
    begun: float = field(default_factory=time.monotonic)
    last: float = 0.0

    def advance(self, steps: float) -> None:
        """So many steps more are done."""
        self.done += steps
        self.last = time.monotonic() - self.begun

    @property
    def seconds_left(self) -> float | None:
        """As long for each step as for those before, less what has passed since the last; None where nobody knows."""
        if not 0 < self.done <= self.total or self.last <= 0:
            return None
        since = time.monotonic() - self.begun - self.last
        return max(0.0, self.last * (self.total - self.done) / self.done - since)
