"""Reads the text of one key as its value."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from snntoolbox.workflow.config.key import Key
from snntoolbox.workflow.config.naming import did_you_mean
from snntoolbox.workflow.config.values import parse, unquoted


def value_of(row: Key, text: str) -> Any:
    """Return `text` as the value of `row`; the message of a ValueError is ``" = text: what is wrong"``."""
    text = unquoted(text) if row.choices else text
    text = row.aliases.get(text, text)
    if row.choices and text not in row.choices:
        _check_choice(row, text)
        return text
    try:
        value = parse(text, row.kind if not row.choices else str)
    except ValueError as error:
        comment = "; a comment needs a line of its own" if " #" in text or " ;" in text else ""
        raise ValueError(f" = {text}: must be {error}{comment}") from None
    if row.rule and not row.rule.holds(value):
        raise ValueError(f" = {text}: must be {row.rule.text}")
    return _expanded(row, text, value) if row.all_of else value


def _check_choice(row: Key, text: str) -> None:
    """Accept the name of an installed plug-in; else ValueError with the reason."""
    installed = entry_points(group=row.plugins).names if row.plugins else set()
    if text in installed:
        return
    if text in row.refused:
        raise ValueError(f" = {text}: {row.refused[text]}")
    names = [*filter(None, row.choices), *sorted(installed - set(row.choices))]
    nearest = did_you_mean(text, [*names, *filter(None, row.aliases)])
    raise ValueError(f" = {text}: must be one of {', '.join(names)}{nearest}")


def _expanded(row: Key, text: str, names: frozenset[str]) -> frozenset[str]:
    wrong = [f"{name} {row.refused[name]}" for name in sorted(names & row.refused.keys())]
    for name in sorted(names - row.refused.keys() - set(row.all_of) - {"all"}):
        nearest = did_you_mean(name, row.all_of)
        wrong.append(f"{name} is not known{nearest or '; known are all, ' + ', '.join(row.all_of)}")
    if wrong:
        raise ValueError(f" = {text}: {'; '.join(wrong)}")
    return frozenset(row.all_of) if "all" in names else names
