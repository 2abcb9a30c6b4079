"""Settings as the text of a configuration file."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from snntoolbox.config.key import Key
from snntoolbox.config.load import value_of
from snntoolbox.config.schema import Settings, keys, sections
from snntoolbox.config.values import show
from snntoolbox.errors import ConfigError

_HEAD = """\
# Configuration of snntoolbox. Run it with: snntoolbox THIS_FILE
# Keys behind a "#" are at their default. A comment needs a line of its own.
"""


def default_config_text(values: Mapping[str, object] | None = None) -> str:
    """Return a commented configuration of all keys.

    `values` maps ``section.key`` to what is set; the other keys are commented out at their default, except the few
    for which a better value than the default is suggested. ConfigError if a name or value is not valid.
    """
    values = dict(values or {})
    texts = {row.path: show(row.suggested) for row in keys().values() if row.suggested is not None}
    for path, value in values.items():
        texts[path] = _checked(path, show(value))
    blocks = [_HEAD]
    for section, kind in sections().items():
        about = "\n".join(_comment((kind.__doc__ or "").strip()))
        rows = [row for row in keys().values() if row.section == section]
        blocks.append("\n".join([about, f"[{section}]", *(_entry(row, texts.get(row.path)) for row in rows)]) + "\n")
    return "\n".join(blocks)


def config_text(settings: Settings) -> str:
    """Return a configuration that spells out every key of `settings`, read back as equal settings."""
    lines = []
    for section in sections():
        rows = [row for row in keys().values() if row.section == section]
        part = getattr(settings, section)
        lines += [f"[{section}]", *(f"{row.name} = {show(getattr(part, row.name))}".rstrip() for row in rows), ""]
    return "\n".join(lines)


def meaning(row: Key) -> str:
    """Return the documentation of a key with what it accepts."""
    accepts = ""
    if row.choices:
        accepts = f"One of {', '.join([*row.choices, *row.aliases])}."
    elif row.all_of:
        accepts = f"A set of {', '.join(row.all_of)}; {{'all'}} is all of them."
    elif row.rule:
        accepts = f"Must be {row.rule.text}."
    return f"{row.doc} {accepts}".rstrip()


def default_text(row: Key) -> str:
    """Return the default of a key in words or as it is written."""
    return row.derived or show(row.default)


def _checked(path: str, text: str) -> str:
    row = keys().get(path)
    if row is None:
        raise ConfigError(f"{path}: unknown key")
    if "\n" in text or "\r" in text:
        raise ConfigError(f"{path}: a value must be one line")
    try:
        value_of(row, text)
    except ValueError as error:
        raise ConfigError(f"{path}{error}") from None
    return text


def _entry(row: Key, text: str | None) -> str:
    about = _comment(meaning(row) + (f" Default: {row.derived}." if row.derived else ""))
    line = f"# {row.name} = {show(row.default) if not row.derived else ''}" if text is None else f"{row.name} = {text}"
    return "\n".join(["", *about, line.rstrip()])


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 100, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
