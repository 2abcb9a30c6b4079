"""Fields of forms, made from the table of keys and from the options of commands: what is asked, and what is wrong."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.commands import UsageError, parser
from snntoolbox.workflow.config.key import Key
from snntoolbox.workflow.config.load import settings_in
from snntoolbox.workflow.config.raw_config import read_overrides
from snntoolbox.workflow.config.reading import value_of
from snntoolbox.workflow.config.schema import keys, sections
from snntoolbox.workflow.config.template import default_text, meaning
from snntoolbox.workflow.gui.folder import WorkFolder


@dataclass(frozen=True)
class Field:
    """One thing that is asked: its `name` and what it means, what holds if nothing is said, and known answers."""

    path: str
    name: str
    help: str
    default: str
    choices: tuple[str, ...] = ()
    required: bool = False
    is_switch: bool = False


# -- keys -------------------------------------------------------------------------------------------------------------


@cache
def fields() -> Mapping[str, tuple[Field, ...]]:
    """The fields of each section, in the order of the file."""
    return {s: tuple(_field(row) for row in keys().values() if row.section == s) for s in sections()}


def field_of(path: str) -> Field:
    """That of a key."""
    return next(field for field in fields()[path.split(".")[0]] if field.path == path)


def _field(row: Key) -> Field:
    known: tuple[str, ...] = ("True", "False") if row.kind is bool else (*filter(None, row.choices), *row.all_of)
    installed = sorted(entry_points(group=row.plugins).names - set(known)) if row.plugins else []
    return Field(row.path, row.name, meaning(row), default_text(row), (*known, *installed))


def problem(path: str, text: str) -> str:
    """What is wrong with the text of one key, with the nearest known name; empty where nothing is."""
    if not text.strip() or "%(" in text:  # what refers to others is asked with them
        return ""
    try:
        value_of(keys()[path], text.strip())
    except ValueError as error:
        return str(error).partition(": ")[2]
    return ""


def assignment(line: str) -> tuple[str, str]:
    """The key and the text of ``section.key = value``; ConfigError names the nearest known key, or what is wrong."""
    raw = read_overrides([line])
    if raw.problems:
        raise ConfigError("write section.key = value, such as simulation.duration = 32")
    ((names, text),) = raw.texts.items()
    path = ".".join(names)
    try:
        settings = settings_in({"paths.filename_ann": "model", path: text}, Path.cwd())
    except ConfigError as error:
        raise ConfigError("; ".join(problems_in(error))) from None
    known = {row.path.casefold(): row.path for row in keys().values()}
    if path.casefold() not in known:
        raise ConfigError("; ".join(settings.without_effect) or f"{path} has no effect")
    return known[path.casefold()], text


def problems_in(error: ConfigError) -> list[str]:
    """The problems of a configuration, one by one."""
    first, *others = error.message.split("\n")
    return [line.strip() for line in others] or [first]


# -- options of commands ----------------------------------------------------------------------------------------------

_OF_THE_PAGE = ("help", "config", "set", "quiet", "json", "progress", "end_with_input", "terminal")
"""What the page says itself."""


def _actions(command: str) -> Iterator[argparse.Action]:
    whole = parser(command)
    subparsers = next(a for a in whole._actions if isinstance(a, argparse._SubParsersAction))
    yield from (a for a in subparsers.choices[command]._actions if a.dest not in _OF_THE_PAGE)


@cache
def options(command: str) -> tuple[Field, ...]:
    """What may be said behind the name of a command."""
    found = []
    for action in _actions(command):
        name = action.option_strings[-1] if action.option_strings else action.dest
        default = "" if action.default in (None, (), []) or action.nargs == 0 else str(action.default)
        known = tuple(map(str, action.choices or ()))
        label, is_switch = name.lstrip("-"), action.nargs == 0
        found.append(Field(name, label, action.help or "", default, known, action.required, is_switch))
    return tuple(found)


def arguments(command: str, texts: Mapping[str, str], folder: WorkFolder) -> list[str]:
    """What is said behind the name of a command and its configuration; ConfigError for what is wrong with it.

    `texts` are by the name of each option; paths stay within the folder.
    """
    said = []
    for action, field in zip(_actions(command), options(command), strict=True):
        text = texts.get(field.path, "").strip()
        if field.is_switch:
            said += [field.path] if text == "True" else []
        elif text:
            said.append(f"{field.path}={folder.inside(text) if action.type is Path else text}")
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            parser(command).parse_args([command, "config.ini", *said])
    except UsageError as error:
        raise ConfigError(error.message) from None
    return said
