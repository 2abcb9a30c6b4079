"""The page: its tabs, its style, and what is drawn again while something runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from snntoolbox.backends.templates import filled
from snntoolbox.ir.foreign import shown
from snntoolbox.workflow.gui.desk import Desk, View, sentence
from snntoolbox.workflow.gui.followed import Told
from snntoolbox.workflow.gui.library import nicegui
from snntoolbox.workflow.gui.open_tab import open_tab, opened
from snntoolbox.workflow.gui.report_tab import look_at_reports, report_tab, two_tab
from snntoolbox.workflow.gui.run_tab import run_tab
from snntoolbox.workflow.gui.settings_tab import settings_tab

_SECONDS = 0.4
"""The page looks so often whether there is something new."""

_TABS = {"Open": open_tab, "Settings": settings_tab, "Run": run_tab, "Report": report_tab, "Two runs": two_tab}


def draw(desk: Desk) -> None:
    """Draw the page for a browser."""
    ui = nicegui().ui
    view = View(desk, texts=desk.session.texts)
    ui.add_css(style())
    ui.colors(primary="#0057a3", positive="#00664b", negative="#a33a00")
    ui.dark_mode(None)
    with ui.header().classes("head"):
        ui.html("snntoolbox", sanitize=False, tag="h1")
        ui.label(shown(desk.folder.path)).classes("place")
    with ui.element("div").classes("content"):
        if desk.session.restored:
            sentence(desk.session.restored, "note")
        with ui.tabs().props('no-caps align=left inline-label outside-arrows mobile-arrows') as tabs:
            for name in _TABS:
                ui.tab(name)
        with ui.tab_panels(tabs, value="Open", animated=False, keep_alive=True).classes("panels"):
            for name, tab in _TABS.items():
                with ui.tab_panel(name):
                    tab(view)
    seen = _Seen.of(desk)

    def look() -> None:
        nonlocal seen
        if view.is_behind():
            opened(view)
        now = _Seen.of(desk)
        if seen != now:
            seen, before = now, seen
            _redraw(view, now, before)

    ui.timer(_SECONDS, look)


@dataclass(frozen=True)
class _Seen:
    """What the page showed when it looked last."""

    command: str
    told: Told
    ended: object
    is_stopping: bool
    seconds: int
    looks: bool

    @classmethod
    def of(cls, desk: Desk) -> Self:
        """What there is to be shown."""
        runner, looks = desk.runner, bool(desk.looking.command)
        return cls(runner.command, runner.told, runner.ended, runner.is_stopping, int(runner.seconds), looks)


def _redraw(view: View, now: _Seen, before: _Seen) -> None:
    view.redraw("status", "bars", *(["progress"] if before.told != now.told else []))
    if (before.command, before.is_stopping) != (now.command, now.is_stopping):
        if before.command and not now.command:
            view.chosen.pop("report", None)  # the newest is shown
        view.redraw("stopping", "output")
        look_at_reports(view)
    if before.looks != now.looks:
        view.redraw("becomes")


def style() -> str:
    """The style of the page, with that of the figures that pages of runs have too."""
    figures = filled("snntoolbox.workflow.report.html", "figures.css")
    return filled("snntoolbox.workflow.gui", "page.css", figures=figures)
