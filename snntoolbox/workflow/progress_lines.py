"""What a program that has started a command learns while it works: a line of JSON for each thing that happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

from snntoolbox.ir.progress import Advance, Pace

_SECONDS = 0.1
"""Steps of progress are told no more often."""

_LINES: ContextVar[TextIO | None] = ContextVar("where lines are written", default=None)


@contextmanager
def told_to(path: Path | None) -> Iterator[None]:
    """Inside the block what happens is written behind the end of this file, which may be a pipe; None: nowhere."""
    if path is None:
        yield
        return
    try:
        lines = path.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        from snntoolbox.ir.writing import explained  # numpy, which `--help` does without

        raise explained(error, path) from error
    token = _LINES.set(lines)
    try:
        yield
    finally:
        _LINES.reset(token)
        with suppress(OSError):
            lines.close()


def is_told() -> bool:
    """Whether anybody reads."""
    return _LINES.get() is not None


def tell(what: str, **about: object) -> None:
    """Write one line ``{"what": what, ...}``; whoever read may be gone, which changes nothing."""
    if (lines := _LINES.get()) is not None:
        with suppress(OSError, ValueError):
            lines.write(json.dumps({"what": what, **about}) + "\n")


@contextmanager
def told_progress(name: str, total: float) -> Iterator[Advance]:
    """Tell of steps out of `total` while the block runs: begin, advance and end; yields ``advance(steps)``.

    An advance has the seconds that the rest may take, where the steps so far tell.
    """
    if not is_told():
        yield lambda steps: None
        return
    pace, last = Pace(total), -_SECONDS
    tell("begin", name=name, total=int(total))

    def advance(steps: float) -> None:
        nonlocal last
        pace.advance(steps)
        if pace.done >= total or time.monotonic() - last >= _SECONDS:
            last, left = time.monotonic(), pace.seconds_left
            known = {} if left is None else {"left": round(left, 1)}
            tell("advance", name=name, done=whole(pace.done), **known)

    try:
        yield advance
    finally:
        tell("end", name=name, done=whole(pace.done))


def whole(steps: float) -> int:
    """Steps that are done, of which none is half done; free of rounding."""
    return int(steps + 1e-6)
