"""What all tabs of the page work on: the folder, what is set, what runs; and how parts of a page are drawn again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.foreign import shown, shown_lines
from snntoolbox.workflow.gui.folder import WorkFolder
from snntoolbox.workflow.gui.library import nicegui
from snntoolbox.workflow.gui.runner import Runner
from snntoolbox.workflow.gui.session import Session
from snntoolbox.workflow.report.html.charts import Chart
from snntoolbox.workflow.report.html.page import Section


@dataclass(frozen=True, eq=False)
class Desk:
    """One folder and what is done in it: by `runner`, while `looking` looks at the model.

    `most_bytes` are taken of a file that is sent.
    """

    folder: WorkFolder
    session: Session
    runner: Runner
    looking: Runner
    most_bytes: int

    def poll(self) -> None:
        """Take in what commands have said."""
        self.runner.poll()
        self.looking.poll()

    def close(self) -> None:
        """End what runs."""
        self.runner.close()
        self.looking.close()


@dataclass(eq=False)
class View:
    """One opened page: its desk, and its parts by name, each with what draws it.

    `chosen` is what is picked on it by name, `reports` the pages of runs in its lists.
    """

    desk: Desk
    parts: dict[str, tuple[Any, Callable[[], None]]] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)
    texts: Mapping[str, str] = field(default_factory=dict)
    refusal: Any = None

    def is_behind(self) -> bool:
        """Whether another page has set something since this one last did, or looked."""
        before, self.texts = self.texts, self.desk.session.texts
        return before != self.texts

    def part(self, name: str, draw: Callable[[], None]) -> None:
        """A place on the page whose content `draw` makes, now and when it is asked for again."""
        self.parts[name] = (nicegui().ui.element("div").classes("part"), draw)
        self.redraw(name)

    def redraw(self, *names: str) -> None:
        """Draw parts again."""
        for name in names:
            if name in self.parts:
                place, draw = self.parts[name]
                place.clear()
                with place:
                    draw()

    def attempt(self, action: Callable[[], object], done: str = "") -> bool:
        """Do something; what is wrong with it is told on the page, as is that it is done.

        What is wrong stays there until the next attempt.
        """
        ui = nicegui().ui
        self.forget()
        try:
            action()
        except SNNToolboxError as error:
            hint = f"\n{error.hint}" if error.hint else ""
            self.refusal = ui.notification(
                shown_lines(error.message + hint), type="negative", multi_line=True, close_button="Close", timeout=None,
                classes="refusal",
            )  # fmt: skip
            return False
        if done:
            ui.notify(shown(done), type="positive")
        return True

    def forget(self) -> None:
        """What was refused last is mended, or tried anew: take its notice away."""
        if self.refusal is not None:
            self.refusal.dismiss()
            self.refusal = None


def heading(text: str, level: int = 2) -> None:
    """A heading."""
    nicegui().ui.html(escape(text), sanitize=False, tag=f"h{level}")


def sentence(text: str, classes: str = "") -> None:
    """A paragraph."""
    nicegui().ui.html(escape(shown_lines(text)), sanitize=False, tag="p").classes(classes)


def figures(
    sentences: Sequence[str] = (), charts: Sequence[Chart] = (),
    tables: Sequence[tuple[Sequence[str], Sequence[Sequence[str]], str]] = (),
) -> None:  # fmt: skip
    """Sentences, charts and tables as the pages of runs have them; all of it is escaped there."""
    values: Mapping[str, Any] = {"sentences": sentences, "charts": charts, "tables": tables}
    nicegui().ui.html(str(Section("charts", "", values).html), sanitize=False)
