"""Standard output and error as a terminal can take them: no foreign signs that it obeys, none that it does not know."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TextIO, cast

from snntoolbox.ir.foreign import shown_lines

_TYPEWRITTEN = str.maketrans({"…": "...", "×": "x", "±": "+-", "–": "-", "→": "->", "’": "'", "·": ".", "≤": "<="})
"""What stands for our own signs where a terminal knows ASCII alone."""


class SafeStream:
    """A stream for people: what is written to it is plain text in letters that `raw` knows."""

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write a text, see the class."""
        self.raw.write(encodable(shown_lines(text), self.raw.encoding))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def encodable(text: str, encoding: str | None) -> str:
    """A text in letters that an encoding has; others as Python writes them."""
    encoding = encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_TYPEWRITTEN).encode(encoding, "backslashreplace").decode(encoding)
    return text


@contextmanager
def safe_streams() -> Iterator[None]:
    """Standard output and error as `SafeStream`s; where one is closed, what is written to it is lost, nothing else."""
    before = sys.stdout, sys.stderr
    out, err = (SafeStream(stream or _nowhere()) for stream in before)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _nowhere() -> TextIO:
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


@contextmanager
def silent_output() -> Iterator[None]:
    """Inside the block nothing reaches standard output, nor what libraries write to it past Python.

    That goes to standard error, as a defect of theirs may need it.
    """
    out, kept = sys.stdout, -1
    out.flush()
    with suppress(OSError):  # one of them is closed
        kept = os.dup(1)
        os.dup2(2, 1)
    nowhere = _nowhere()
    sys.stdout = cast(TextIO, SafeStream(nowhere))
    try:
        yield
    finally:
        sys.stdout = out
        nowhere.close()
        if kept >= 0:
            os.dup2(kept, 1)
            os.close(kept)


@contextmanager
def silent() -> Iterator[None]:
    """Inside the block there are no bars and no warnings either."""
    token, level = _SILENT.set(True), logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        _SILENT.reset(token)


_SILENT: ContextVar[bool] = ContextVar("nothing is wanted but results", default=False)


def shows_progress() -> bool:
    """Whether anybody wants to see bars."""
    return not _SILENT.get()


def end_output() -> None:
    """All is told on standard output: what is printed while this process ends goes to standard error."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        os.dup2(2, sys.stdout.fileno())


def give_up_output() -> None:
    """Whoever reads standard output is gone, or its disk is full: what is still to be written there is dropped."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
