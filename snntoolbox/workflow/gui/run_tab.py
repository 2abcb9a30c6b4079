"""The tab on which a command is started, followed and stopped."""

from __future__ import annotations

import time
from functools import partial
from html import escape
from typing import Any

import numpy as np

from snntoolbox.errors import ConfigError
from snntoolbox.ir.foreign import shown_lines
from snntoolbox.workflow.commands import COMMANDS
from snntoolbox.workflow.gui.desk import View, figures, heading, sentence
from snntoolbox.workflow.gui.followed import Told
from snntoolbox.workflow.gui.forms import arguments, fields, options
from snntoolbox.workflow.gui.library import nicegui
from snntoolbox.workflow.gui.settings_tab import asked, explain
from snntoolbox.workflow.report.html.charts import Chart, lines

SWEEP = "sweep"
STARTED = {
    "run": COMMANDS["run"],
    SWEEP: "one run for each value of a key",
    **{name: COMMANDS[name] for name in ("compare", "diagnose", "tune", "deploy")},
}
"""What can be started, and what it does."""


_LAST_LETTERS = 6000


def run_tab(view: View) -> None:
    """Draw it."""
    ui = nicegui().ui
    heading("Run")
    view.chosen.setdefault("command", "run")

    def choose(event: Any) -> None:
        view.chosen["command"] = event.value
        view.redraw("command")

    ui.select(
        {name: f"{name}: {text}" for name, text in STARTED.items()}, value=view.chosen["command"], label="Command",
        on_change=choose,
    ).classes("wide-field")  # fmt: skip
    view.part("command", partial(_command, view))
    _buttons(view)
    parts = {"stopping": _stopping, "status": _status, "bars": _bars, "progress": _progress, "output": _output}
    for name, part in parts.items():
        view.part(name, partial(part, view))


def _command(view: View) -> None:
    """What the chosen command is asked."""
    ui, name = nicegui().ui, view.chosen["command"]
    if name == SWEEP:
        with ui.element("div").classes("keys"):
            for field in fields()["parameter_sweep"]:
                asked(view, field)
        return
    with ui.element("div").classes("keys"):
        for field in options(name):
            kept = f"{name} {field.path}"
            entry: Any
            if field.is_switch:
                entry = ui.checkbox(field.name, value=view.chosen.get(kept) == "True")
                entry.on_value_change(lambda event, kept=kept: view.chosen.update({kept: str(event.value)}))
            else:
                label = f"{field.name} (required)" if field.required else field.name
                entry = ui.input(label=label, value=view.chosen.get(kept, ""), placeholder=field.default)
                entry.props("stack-label dense outlined").classes("key")
                entry.on_value_change(lambda event, kept=kept: view.chosen.update({kept: event.value or ""}))
            explain(entry, field)


def _start(view: View) -> None:
    """Start what is chosen with what is set; what is wrong is told."""
    desk, name = view.desk, view.chosen["command"]

    def begin() -> None:
        checked = desk.session.check()
        if checked.problems:
            raise ConfigError("\n".join(["the settings are refused:", *checked.problems]))
        if name == SWEEP and not (checked.settings and checked.settings.parameter_sweep.param_values):
            raise ConfigError("there are no values to sweep", hint="param_values = [16, 32, 64]")
        command = "run" if name == SWEEP else name
        own = f"{name} "
        said = {path.removeprefix(own): text for path, text in view.chosen.items() if path.startswith(own)}
        words = arguments(command, said, desk.folder)
        desk.session.keep()
        desk.runner.start(command, [str(desk.session.file), *words])

    if view.attempt(begin):
        view.redraw("stopping", "status", "bars", "progress", "output")


def _stop(view: View) -> None:
    view.desk.runner.stop()
    view.redraw("stopping")


def _buttons(view: View) -> None:
    """What starts and stops; it stays as it is drawn, as a click on one that is drawn anew meanwhile would be lost."""
    ui, runner = nicegui().ui, view.desk.runner
    with ui.row().classes("line-up"):
        start = ui.button("Start", on_click=partial(_start, view)).props("no-caps")
        stop = ui.button("Stop", on_click=partial(_stop, view)).props("no-caps color=negative")
        start.bind_enabled_from(runner, "command", lambda command: not command)
        stop.bind_enabled_from(runner, "can_stop")


def _stopping(view: View) -> None:
    if view.desk.runner.is_stopping:
        sentence("Stopping: what is finished is kept.")


def _status(view: View) -> None:
    """What runs, or how the last one ended."""
    runner = view.desk.runner
    ended, told = runner.ended, runner.told
    if runner.command:
        stage = told.stage or ("under way" if told.bars else "starting")
        sentence(f"{runner.command}: {stage}, {runner.seconds:.0f} s", "status")
    elif ended is not None:
        good = ended.code == 0 or ended.was_stopped
        sentence(ended.words, "status fine" if good else "status refused")


def _bars(view: View) -> None:
    """How far it is, and how long it may still take."""
    ui, now = nicegui().ui, time.monotonic()
    for bar in view.desk.runner.told.bars:
        words = bar.words(now)
        ui.label(words).classes("bar-name")
        drawn = ui.linear_progress(value=bar.share, show_value=False)
        drawn.props["aria-label"] = words
        drawn.props["indeterminate"] = bar.total <= 0 and not bar.is_over and bool(view.desk.runner.command)


def _progress(view: View) -> None:
    """How right it is so far, and what it warned of."""
    told = view.desk.runner.told
    if told.per_step:
        figures([_so_far(told)], [accuracy_chart(told)])
    for text in told.warnings:
        sentence(text, "note")


def _output(view: View) -> None:
    """What it printed, once it has ended."""
    ui, ended = nicegui().ui, view.desk.runner.ended
    if ended is not None and ended.output:
        with ui.expansion("Last words" if ended.code else "Output", value=True).classes("section"):
            text = escape(shown_lines(ended.output[-_LAST_LETTERS:]))
            place = ui.html(text, sanitize=False, tag="pre").props('tabindex="0"')
            if ended.code:  # sentences; tables are as wide as they are
                place.classes("wrapped")


def _so_far(told: Told) -> str:
    name = {"accuracy": "Accuracy", "agreement": "Same class as the original"}.get(told.of, told.of)
    return f"{name} after {told.samples:,} samples: {told.per_step[-1]:.2%}"


def accuracy_chart(told: Told) -> Chart:
    """The shares after each step, over the samples so far."""
    steps = np.arange(1, len(told.per_step) + 1)
    return lines(
        f"{told.of.capitalize()} over time, {told.samples:,} samples so far", _so_far(told), ("time step", steps),
        told.of, {told.of: np.array(told.per_step)}, percent=True,
    )  # fmt: skip
