"""Holds signals that end the process back while something must not stop half way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What a terminal, a scheduler of jobs or a system that goes down sends."""


@contextmanager
def held_back() -> Iterator[None]:
    """Signals that come within the block take effect at its end; what is ignored stays ignored.

    In any other thread than the main one this does nothing: Python handles signals in that one alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, frame: object) -> None:
        came.append(number)

    handlers = {number: signal.getsignal(number) for number in ENDING}
    ours = {n: h for n, h in handlers.items() if h is not None and h is not signal.SIG_IGN}
    try:
        for number in ours:
            signal.signal(number, note)
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        for number in dict.fromkeys(came):
            signal.raise_signal(number)
