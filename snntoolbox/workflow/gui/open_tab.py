"""The tab on which a model and its data are opened, and that says what the model becomes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from snntoolbox.ir.foreign import shown
from snntoolbox.workflow.gui.desk import View, figures, heading, sentence
from snntoolbox.workflow.gui.folder import UPLOADED
from snntoolbox.workflow.gui.library import nicegui
from snntoolbox.workflow.gui.runner import read_by

INSPECT = "inspect"


def open_tab(view: View) -> None:
    """Draw it."""
    ui = nicegui().ui
    heading("Model")
    with ui.row().classes("line-up"):
        ui.button("Open the demo", on_click=partial(_open_demo, view)).props("no-caps")
        ui.button("Look again", on_click=lambda: view.redraw("models", "data")).props("no-caps flat")
    view.part("take back", partial(take_back, view))
    view.part("models", partial(_models, view))
    heading("Data")
    view.part("data", partial(_data, view))
    heading("Send files into the folder", 3)
    _upload(view)
    heading("What it becomes")
    view.part("becomes", partial(_becomes, view))


def opened(view: View) -> None:
    """Everything that shows settings, after others were taken."""
    view.is_behind()
    view.redraw("take back", "take back again", "models", "data", "form", "problems", "command", "becomes")


def take_back(view: View) -> None:
    """What leads back to settings that were replaced."""

    def back() -> None:
        if view.attempt(view.desk.session.take_back, "The settings are as they were."):
            opened(view)

    if view.desk.session.can_take_back:
        with nicegui().ui.row().classes("line-up beside"):
            sentence("The settings before are kept.", "note")
            nicegui().ui.button("Take them back", on_click=back).props("no-caps flat")


def _open_demo(view: View) -> None:
    if view.attempt(view.desk.session.open_demo, "The demo is open."):
        opened(view)


def _open_model(view: View, name: str | None) -> None:
    if name and view.attempt(partial(view.desk.session.open_model, name), f"{name} is open."):
        opened(view)


def _models(view: View) -> None:
    ui, texts = nicegui().ui, view.desk.session.texts
    models = view.desk.folder.models()
    name = f"{texts.get('paths.path_wd', '.')}/{texts.get('paths.filename_ann', '')}".removeprefix("./")
    if not models:
        sentence("There is no model in this folder yet: open the demo, or send a file.")
        return
    options = {model: shown(model) for model in models}
    ui.select(
        options, value=name if name in models else None, label="Model file",
        on_change=lambda event: _open_model(view, event.value),
    ).classes("wide-field")  # fmt: skip


def _data(view: View) -> None:
    checked = view.desk.session.check()
    if checked.settings is None:
        sentence("Open a model first; its samples are looked for beside it.")
        return
    settings = checked.settings
    folder = settings.paths.dataset_path
    there = view.desk.folder.data(folder)
    name = view.desk.folder.name_of(view.desk.folder.inside(folder))
    if settings.input.dataset_format != "npz":
        sentence(f"dataset_format = {settings.input.dataset_format}: folders of classes in '{name}'.")
        return
    rows = [(file, f"{size:,}") for file, size in there]
    words = "A run takes x_test and y_test; x_norm sets the thresholds. Another folder: paths.dataset_path."
    figures([words], tables=[(("file", "bytes"), rows, f"Arrays in '{name}'")] if rows else [])
    if not any(file.startswith("x_test.") for file, _ in there):
        sentence("x_test.npz is missing: send it, or set input.keras_dataset.", "refused")


def _upload(view: View) -> None:
    ui, most = nicegui().ui, view.desk.most_bytes

    async def take(event: Any) -> None:
        data = await event.file.read()
        folder = view.desk.session.texts.get("paths.path_wd", ".")
        save = partial(view.desk.folder.save_upload, folder, event.file.name, data)
        if view.attempt(save, f"{shown(event.file.name)} is in the folder."):
            view.redraw("models", "data")

    def reject() -> None:
        ui.notify(f"Not taken: at most {most // 2**20} MiB, {', '.join(UPLOADED)}", type="negative")

    uploader = ui.upload(multiple=True, auto_upload=True, max_file_size=most, on_upload=take, on_rejected=reject)
    uploader.props(f'accept="{",".join(UPLOADED)}"').classes("unseen")  # its own buttons have no names
    with ui.row().classes("line-up"):
        ui.button("Choose files", on_click=lambda: uploader.run_method("pickFiles")).props("no-caps")
    sentence(f"Models and arrays, each of at most {most // 2**20} MiB. They go beside the model that is open.")


def _becomes(view: View) -> None:
    ui, runner = nicegui().ui, view.desk.looking
    checked = view.desk.session.check()
    if checked.settings is None:
        sentence("Open a model first.")
        return

    paths = checked.settings.paths
    choices = [c for c in view.desk.session.choices() if not c.startswith("simulation.simulator=")]
    words = [str(paths.path_wd / paths.filename_ann), "--json", *(w for c in choices for w in ("--set", c))]

    def look() -> None:
        view.attempt(partial(runner.start, INSPECT, words))
        view.redraw("becomes")

    ui.button("See what it becomes", on_click=look).props("no-caps").set_enabled(not runner.command)
    if runner.command:
        sentence("Reading the model …")
    elif runner.ended is not None and runner.ended.arguments != tuple(words):
        sentence("Other settings have been chosen since it was looked at.", "note")
    elif runner.ended is not None:
        _shown(read_by(runner.data), runner.ended.output, checked.settings.simulation.simulator)


def _shown(report: Mapping[str, Any], output: str, simulator: str) -> None:
    """Layers, populations and simulators; or what is refused."""
    if "error" in report or not report:
        error = report.get("error", {"message": output or "nothing was said"})
        heading("Refused", 3)
        for line in [*error["message"].split("\n"), error.get("hint", "")]:
            if line:
                sentence(line, "refused")
        return
    shape = "×".join
    layers = [
        (row["name"], row["operation"], shape(map(str, row["shape"])), row["layer"] or "") for row in report["layers"]
    ]
    spiking = [
        (row["name"], row["label"] or row["what"], shape(map(str, row["shape"])), f"{row['neurons'] or '':}")
        for row in report["populations"]
    ]
    words = [report["compared"], f"Simulators that can run it: {', '.join(report['simulators'])}."]
    if report.get("folded"):
        words.append(f"Folded into weights: {', '.join(report['folded'])}.")
    if report.get("too_large_for"):
        words.append(f"Too large for: {', '.join(report['too_large_for'])}.")
    if simulator not in report["simulators"]:
        words.append(f"The simulator that is set, {simulator}, cannot run it.")
    figures(
        words,
        tables=[
            (("layer", "operation", "shape", "of the model"), layers, "Read as"),
            (("name", "made of", "shape", "neurons"), spiking, "As a spiking network"),
        ],
    )
