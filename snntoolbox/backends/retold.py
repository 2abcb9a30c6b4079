"""Bars of work that another process does: told through a pipe there, and here to whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any, Self

from snntoolbox.ir.progress import Advance, Watcher, bar

_SECONDS = 0.1
"""Steps are sent no more often."""


def sending(send: Callable[[tuple[Any, ...]], None]) -> Watcher:
    """A watcher that sends what it is told, for `Retold` at the other end."""
    numbers = count()

    @contextmanager
    def watcher(name: str, total: float) -> Iterator[Advance]:
        number, waiting, last = next(numbers), 0.0, time.monotonic()
        send((number, "begin", name, total))

        def advance(steps: float) -> None:
            nonlocal waiting, last
            waiting += steps
            if time.monotonic() - last >= _SECONDS:
                send((number, "advance", waiting))
                waiting, last = 0.0, time.monotonic()

        try:
            yield advance
        finally:
            send((number, "advance", waiting))
            send((number, "end"))

    return watcher


class Retold:
    """A context manager that shows bars as they are told; those that nobody has ended by then are over too."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[ExitStack, Advance]] = {}

    def __call__(self, number: int, what: str, *about: Any) -> None:
        """Do what was sent."""
        if what == "begin":
            stack = ExitStack()
            self._open[number] = stack, stack.enter_context(bar(*about))
        elif what == "advance":
            self._open[number][1](*about)
        else:
            self._open.pop(number)[0].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        while self._open:
            self._open.popitem()[1][0].close()
