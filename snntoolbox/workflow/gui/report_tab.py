"""The tabs that show the pages of runs: one, with its layers to pick, or two side by side."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote

from snntoolbox.ir.foreign import shown
from snntoolbox.workflow.gui.desk import View, figures, heading, sentence
from snntoolbox.workflow.gui.library import nicegui
from snntoolbox.workflow.gui.runs import differing, measured, names_of

ADDRESS = "/report"
"""Where pages of runs are served; behind it ``?page=`` and the path from the folder."""


def report_tab(view: View) -> None:
    """One page."""
    heading("Report")
    view.part("report", partial(_report, view))


def two_tab(view: View) -> None:
    """Two of them."""
    heading("Two runs side by side")
    view.part("two", partial(_two, view))


def _report(view: View) -> None:
    reports = view.desk.folder.reports()
    if not reports:
        sentence("Nothing has run in this folder yet.")
        return
    if view.chosen.get("report") not in reports:
        view.chosen["report"] = reports[0]
    _choice(view, "report", "Run", reports, "report")
    sentence("A click on a layer of its network shows the figures of that layer.")
    _frame(view.chosen["report"])


def _two(view: View) -> None:
    reports = view.desk.folder.reports()
    if len(reports) < 2:
        sentence("This needs two runs: give the second another runlabel, so that it has a folder of its own.")
        return
    for name, at in (("left", 1), ("right", 0)):
        if view.chosen.get(name) not in reports:
            view.chosen[name] = reports[at]
    ui = nicegui().ui
    with ui.element("div").classes("two"):
        _choice(view, "left", "First", reports, "two")
        _choice(view, "right", "Second", reports, "two")
    left, right = view.chosen["left"], view.chosen["right"]
    header = ("what", *map(shown, names_of(left, right)))
    tables = [(measured(view.desk.folder, left, right), "What they measured")]
    tables.append((differing(view.desk.folder, left, right), "Settings that differ"))
    figures(tables=[(header, rows, name) for rows, name in tables if rows])
    with ui.element("div").classes("two"):
        _frame(left)
        _frame(right)


def _choice(view: View, name: str, label: str, reports: list[str], part: str) -> None:
    def choose(event: Any) -> None:
        view.chosen[name] = event.value
        view.redraw(part)

    ui = nicegui().ui
    options = {report: shown(report) for report in reports}
    ui.select(options, value=view.chosen[name], label=label, on_change=choose).classes("wide-field")


def _frame(report: str) -> None:
    """The page in a frame that may do nothing but run its own script."""
    ui = nicegui().ui
    address = f"{ADDRESS}?page={quote(report)}"
    with ui.element("div"):
        ui.link("Open it alone", address, new_tab=True)
        frame = ui.element("iframe").classes("report").props('sandbox="allow-scripts"')
        frame.props["src"], frame.props["title"] = address, f"Report {shown(report)}"
