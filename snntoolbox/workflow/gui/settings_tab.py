"""The tab on which keys are set: a field for each, checked as one types, and the file that they are kept in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.config.schema import sections
from snntoolbox.workflow.gui.desk import View, heading, sentence
from snntoolbox.workflow.gui.forms import Field, assignment, fields, problem
from snntoolbox.workflow.gui.library import nicegui
from snntoolbox.workflow.gui.open_tab import opened, take_back


def settings_tab(view: View) -> None:
    """Draw it."""
    heading("Settings")
    view.part("problems", partial(_problems, view))
    _by_name(view)
    _files(view)
    view.part("take back again", partial(take_back, view))
    heading("All keys", 3)
    view.part("form", partial(_form, view))


def asked(view: View, field: Field) -> None:
    """The field of one key."""
    ui = nicegui().ui

    def wrong(text: str | None) -> str | None:
        return problem(field.path, text or "") or view.desk.session.outside(field.path, text or "")

    def change(event: Any) -> None:
        view.attempt(partial(view.desk.session.set, field.path, event.value or ""))
        view.is_behind()  # its own change: the form stays as it is
        view.redraw("problems", "data", "becomes")

    entry = ui.input(
        label=field.name, value=view.desk.session.texts.get(field.path, ""), placeholder=field.default or "(empty)",
        validation=wrong, on_change=change,
    ).props("stack-label dense outlined debounce=250 bottom-slots").classes("key")  # fmt: skip
    explain(entry, field)
    _suggested(entry, field.name, field.choices)


def explain(entry: Any, field: Field) -> None:
    """The text of a field as its tooltip, for screen readers too."""
    entry.props["aria-description"] = field.help
    with entry:
        nicegui().ui.tooltip(field.help).props("max-width=24rem delay=300")


def _suggested(entry: Any, name: str, known: Sequence[str]) -> None:
    """Known answers: the first that fits what is typed is shown behind it, and a menu has them all."""
    ui = nicegui().ui
    if not known:
        return
    entry.set_autocomplete(list(known))
    with entry.add_slot("append"), ui.button(icon="arrow_drop_down") as opens:
        opens.props("flat dense round")
        opens.props["aria-label"] = f"What {name} may be"
        with ui.menu():
            for choice in known:
                ui.menu_item(choice, partial(entry.set_value, choice)).props("role=menuitem")


def _problems(view: View) -> None:
    checked = view.desk.session.check()
    for text in checked.problems:
        sentence(text, "refused")
    for text in checked.notes:
        sentence(text, "note")
    if not checked.problems:
        sentence("All settings go together.", "fine")


def _by_name(view: View) -> None:
    """One key by its name."""
    ui = nicegui().ui

    def wrong(text: str | None) -> str | None:
        view.forget()  # a notice of what stood here before
        if not text or "=" not in text:
            return None
        try:
            assignment(text)
        except ConfigError as error:
            return error.message
        return None

    def take() -> None:
        def keep() -> None:
            view.desk.session.set_inside(*assignment(line.value or ""))

        if view.attempt(keep, "Set."):
            line.value = ""
            opened(view)

    with ui.row().classes("line-up"):
        line = ui.input(label="Set a key by its name: section.key = value", validation=wrong)
        line.props("outlined dense debounce=250 bottom-slots").classes("wide-field").on("keydown.enter", take)
        ui.button("Set", on_click=take).props("no-caps")


def _files(view: View) -> None:
    """Loading and saving."""
    ui, session = nicegui().ui, view.desk.session
    with ui.row().classes("line-up"):
        name = ui.input(label="Configuration in the folder", value="config.ini").props("outlined dense")
        _suggested(name, "the name", view.desk.folder.configurations())

        def load() -> None:
            if view.attempt(lambda: session.load(name.value), f"{name.value} is loaded."):
                opened(view)

        ui.button("Load", on_click=load).props("no-caps")
        ui.button(
            "Save", on_click=lambda: view.attempt(lambda: session.save(name.value), f"{name.value} is saved.")
        ).props("no-caps")


def _form(view: View) -> None:
    """Sections that open at a click; those with keys that are set say how many."""
    ui = nicegui().ui
    for section, kind in sections().items():
        count = sum(path.startswith(f"{section}.") for path in view.desk.session.texts)
        about = (kind.__doc__ or "").strip()
        title = f"{section} ({count} set)" if count else section
        with ui.expansion(title, caption=about).classes("section"), ui.element("div").classes("keys"):
            for field in fields()[section]:
                asked(view, field)
