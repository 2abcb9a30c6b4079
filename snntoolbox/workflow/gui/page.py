"""The page: its tabs, its style, and what is drawn again while something runs."""

from __future__ import annotations

from snntoolbox.backends.templates import filled
from snntoolbox.ir.foreign import shown
from snntoolbox.workflow.gui.desk import Desk, View, sentence
from snntoolbox.workflow.gui.library import nicegui
from snntoolbox.workflow.gui.open_tab import INSPECT, open_tab, opened
from snntoolbox.workflow.gui.report_tab import report_tab, two_tab
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
    seen: list[object] = [None]

    def look() -> None:
        if view.is_behind():
            opened(view)
        runner = desk.runner
        now = (runner.command, runner.told, runner.ended, runner.is_stopping, int(runner.seconds))
        if now == seen[0]:
            return
        before, seen[0] = seen[0], now
        view.redraw("status", *([] if before and before[1] == now[1] else ["progress"]))  # type: ignore[index]
        if before is None or before[0] != now[0] or before[3] != now[3]:  # type: ignore[index]
            view.redraw("buttons", "output", "report", "two")
            if INSPECT in (now[0], before and before[0]):  # type: ignore[index]
                view.redraw("becomes")

    ui.timer(_SECONDS, look)


def style() -> str:
    """The style of the page, with that of the figures that pages of runs have too."""
    figures = filled("snntoolbox.workflow.report.html", "figures.css")
    return filled("snntoolbox.workflow.gui", "page.css", figures=figures)
