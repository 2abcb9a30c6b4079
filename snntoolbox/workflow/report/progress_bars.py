"""Bars on a terminal that say how far work is, and how long it may still take."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from snntoolbox.ir.foreign import shortened, shown
from snntoolbox.ir.progress import Advance, Pace
from snntoolbox.workflow.progress_lines import told_progress, whole
from snntoolbox.workflow.streams import shows_progress

_LONGEST_NAME = 34
_MOST_COUNTED = 100_000
"""Of more steps only the share is told."""


@contextmanager
def progress_bar(name: str, total: float, console: Console | None = None) -> Iterator[Advance]:
    """A bar on stderr while the block runs, if that is a terminal; yields ``advance(steps)``.

    Nothing at all is written elsewhere, but to programs that asked to be told; the bar is gone when the block ends.
    Bars of work within other work stand below each other.
    """
    with told_progress(name, total) as tell, _drawn(name, total, console) as draw:

        def advance(steps: float) -> None:
            draw(steps)
            tell(steps)

        yield advance


@contextmanager
def _drawn(name: str, total: float, console: Console | None) -> Iterator[Advance]:
    """The bar alone."""
    if not shows_progress() or (console is None and not sys.stderr.isatty()):
        yield lambda steps: None
        return
    pace, bars = Pace(total), _LIVE.begin(console)
    task = bars.add_task(shortened(shown(name), _LONGEST_NAME), total=total or None, pace=pace)

    def advance(steps: float) -> None:
        pace.advance(steps)
        bars.update(task, completed=pace.done)

    try:
        yield advance
    finally:
        bars.remove_task(task)
        _LIVE.end()


@dataclass
class _Live:
    """What all bars are drawn on: a terminal can be drawn on by one at a time."""

    bars: Progress | None = None
    open: int = 0

    def begin(self, console: Console | None) -> Progress:
        """Where to draw one bar more."""
        if self.bars is None:
            raw = getattr(sys.stderr, "raw", sys.stderr)  # a bar is drawn by what is escaped in foreign text
            name = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
            columns = (name, BarColumn(bar_width=14), _Count(), TimeElapsedColumn(), _Left())
            self.bars = Progress(*columns, console=console or Console(file=raw), transient=True)
            self.bars.start()
        self.open += 1
        return self.bars

    def end(self) -> None:
        """One bar is over."""
        self.open -= 1
        if self.open == 0 and self.bars is not None:
            self.bars.stop()
            self.bars = None


_LIVE = _Live()


class _Count(ProgressColumn):
    """Steps that are done, of all."""

    def render(self, task: Task) -> Text:
        """See the class."""
        if task.total is None:
            return Text("")
        if task.total > _MOST_COUNTED:
            return Text(f"{task.percentage:.0f} %", style="progress.download")
        return Text(f"{whole(task.completed)}/{task.total:.0f}", style="progress.download")


class _Left(ProgressColumn):
    """How long it may still take."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """See the class."""
        left = task.fields["pace"].seconds_left
        if left is None:
            return Text("")
        minutes, seconds = divmod(round(left), 60)
        return Text(f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left", style="progress.remaining")
