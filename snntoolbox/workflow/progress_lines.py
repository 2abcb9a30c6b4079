"""What a program that has started a command learns while it works: a line of JSON for each thing that happens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

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
def told_progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Tell of steps out of `total` while the block runs: begin, advance and end; yields ``advance(steps)``."""
    if not is_told():
        yield lambda steps: None
        return
    done, last = 0, -_SECONDS
    tell("begin", name=name, total=total)

    def advance(steps: int) -> None:
        nonlocal done, last
        done += steps
        if done >= total or time.monotonic() - last >= _SECONDS:
            last = time.monotonic()
            tell("advance", name=name, done=done)

    yield advance
    tell("end", name=name)
