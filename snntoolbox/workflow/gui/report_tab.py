"""The tabs that show the pages of runs: one, with its layers to pick, or two side by side."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from snntoolbox.ir.foreign import shown
from snntoolbox.workflow.gui.desk import View, figures, heading, sentence
from snntoolbox.workflow.gui.library import nicegui
from snntoolbox.workflow.gui.runs import differing, measured, names_of

ADDRESS = "/report"
"""Where pages of runs are served; behind it ``?page=`` and the path from the folder."""

_ONE = {"report": "Run"}
_TWO = {"left": "First", "right": "Second"}
_TOO_FEW = {
    1: "Nothing has run in this folder yet.",
    2: "This needs two runs: give the second another runlabel, so that it has a folder of its own.",
}


def report_tab(view: View) -> None:
    """One page."""
    heading("Report")
    view.part("one listed", partial(_lists, view, _ONE, "report"))
    view.part("report", partial(_report, view))


def two_tab(view: View) -> None:
    """Two of them."""
    heading("Two runs side by side")
    view.part("two listed", partial(_lists, view, _TWO, "two"))
    view.part("two", partial(_two, view))


def look_at_reports(view: View) -> None:
    """Draw pages of runs anew; lists of them only where others are in them, as that closes one that is open."""
    reports = view.desk.folder.reports()
    if "report" not in view.chosen or reports != view.reports:
        view.redraw("one listed", "two listed")
    view.redraw("report", "two")


def _lists(view: View, labels: Mapping[str, str], part: str) -> None:
    """Lists of all pages, one for each label; they are not drawn anew when one is picked, so that no click is lost."""
    view.reports = reports = view.desk.folder.reports()
    if len(reports) < len(labels):
        for name in labels:
            view.chosen.pop(name, None)
        sentence(_TOO_FEW[len(labels)])
        return

    def choose(name: str, event: Any) -> None:
        view.chosen[name] = event.value
        view.redraw(part)

    ui = nicegui().ui
    options = {report: shown(report) for report in reports}
    with ui.element("div").classes("two"):
        for at, (name, label) in enumerate(labels.items(), start=1):
            if view.chosen.get(name) not in reports:
                view.chosen[name] = reports[len(labels) - at]
            entry = ui.select(options, value=view.chosen[name], label=label, on_change=partial(choose, name))
            entry.classes("wide-field")


def _report(view: View) -> None:
    if "report" in view.chosen:
        sentence("A click on a layer of its network shows the figures of that layer.")
        _frame(view.chosen["report"])


def _two(view: View) -> None:
    left, right = (view.chosen.get(name) for name in _TWO)
    if not left or not right:
        return
    header = ("what", *map(shown, names_of(left, right)))
    tables = [(measured(view.desk.folder, left, right), "What they measured")]
    tables.append((differing(view.desk.folder, left, right), "Settings that differ"))
    figures(tables=[(header, rows, name) for rows, name in tables if rows])
    with nicegui().ui.element("div").classes("two"):
        _frame(left)
        _frame(right)


def _frame(report: str) -> None:
    """The page in a frame that may do nothing but run its own script."""
    ui = nicegui().ui
    address = f"{ADDRESS}?page={quote(report)}"
    with ui.element("div"):
        ui.link("Open it alone", address, new_tab=True)
        frame = ui.element("iframe").classes("report").props('sandbox="allow-scripts"')
        frame.props["src"], frame.props["title"] = address, f"Report {shown(report)}"
