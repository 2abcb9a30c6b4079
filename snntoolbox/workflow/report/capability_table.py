"""The table of what each backend can run, and each exporter write, in Markdown, as text and as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import ascii_uppercase
from textwrap import fill, wrap
from types import MappingProxyType
from typing import Any

from snntoolbox.ir import features, summary
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.feature import Feature

ROLE = "what it does"
"""The first row: whether a column runs networks, writes them, or both."""

MOST_COLUMNS = 8
"""Of a table in a terminal of 80 columns."""

RUNS: Mapping[str, str] = MappingProxyType({})
"""The roles where all do the same."""

VALUES: Mapping[str, Callable[[Capabilities], str]] = {
    "steps that a spike needs to the next layer": lambda capabilities: str(capabilities.latency),
    "weights and sums: integers exact below": lambda capabilities: f"2^{capabilities.exact_bits}",
    "installed by": lambda capabilities: _installer(capabilities),
}
"""Rows of numbers and names."""


def rows_of(capabilities: Mapping[str, Capabilities]) -> tuple[Feature, ...]:
    """The features in order: those of the table, then what backends of others have beside them, by name."""
    held = {feature for c in capabilities.values() for feature in c.features if feature.given is None}
    return (*features.FEATURES, *sorted(held - set(features.FEATURES), key=lambda feature: feature.name))


def _installer(capabilities: Capabilities) -> str:
    if capabilities.installer:
        return capabilities.installer
    if capabilities.programs:
        return f"apt-get install {' or '.join(capabilities.programs)}"
    return f"snntoolbox[{capabilities.extra}]" if capabilities.extra else "snntoolbox"


def capability_data(
    capabilities: Mapping[str, Capabilities], roles: Mapping[str, str] = RUNS
) -> dict[str, dict[str, Any]]:
    """For each backend or exporter each feature: true, false, "lowered", or the resets with which it runs.

    `roles` are those of the registry; what has none runs. `reasons` says why each no is there, or what lowers it away;
    `installed here` whether the backend is installed.
    """
    rows = rows_of(capabilities)
    return {
        name: {
            ROLE: roles.get(name, "runs"),
            **{feature.name: _plain(feature, c) for feature in rows},
            **{row: value(c) for row, value in VALUES.items()},
            "reasons": {feature.name: why for feature in rows if (why := reason(feature, c))},
            "installed here": c.installed(),
        }
        for name, c in capabilities.items()
    }


def lowered_in(feature: Feature, capabilities: Capabilities) -> bool:
    """Whether something lowers a feature to what these capabilities hold."""
    return feature.lowered_by is not None and feature.lowered_by.helps(capabilities.features)


def _plain(feature: Feature, capabilities: Capabilities) -> bool | str | list[str]:
    if feature.by_form or feature in capabilities.features:
        return True
    if conditions := feature.conditions(capabilities.features):
        return [condition.value or condition.name for condition in conditions]
    return "lowered" if lowered_in(feature, capabilities) else False


def reason(feature: Feature, capabilities: Capabilities) -> str:
    """Why a backend lacks a feature or has it with some resets alone, or what lowers it away; empty for a yes."""
    held = _plain(feature, capabilities)
    if held is True:
        return ""
    if held == "lowered" and feature.lowered_by is not None:
        return f"lowered by {feature.lowered_by.setting}{feature.lowered_by.more}"
    return capabilities.reasons.get(feature, "" if held else feature.why_not)


def beside(feature: Feature, capabilities: Capabilities) -> str:
    """With what alone a feature is there: ``'reset zero'``."""
    conditions = feature.conditions(capabilities.features)
    kinds = dict.fromkeys(f"{condition.kind} " for condition in conditions if condition.kind)
    return f"{''.join(kinds)}{', '.join(condition.value or condition.name for condition in conditions)}"


def text_table(capabilities: Mapping[str, Capabilities], roles: Mapping[str, str] = RUNS) -> str:
    """For a terminal of 80 columns: who there is, the tables with a letter for each, and the reasons below.

    What runs networks and what writes them stand in a table each. In place of what is not simply there stands the
    number of its reason.
    """
    letters = dict(zip(capabilities, ascii_uppercase, strict=False))
    about = [
        (letters[name], name, roles.get(name, "runs").replace("runs, writes", "both"), *(v(c) for v in VALUES.values()))
        for name, c in capabilities.items()
    ]
    who = summary.text_table(("", "name", "does", "delay", "exact", "installed by"), about, set(), total=False)
    numbers: dict[str, int] = {}
    groups = [[n for n in letters if roles.get(n, "runs").startswith(role)] for role in ("runs", "writes")]
    pieces = [piece for group in groups for piece in _pieces(group)]
    tables = [_letter_table(capabilities, {n: letters[n] for n in piece}, numbers) for piece in pieces]
    notes = (fill(why, 80, initial_indent=f"{n:2}  ", subsequent_indent=" " * 4) for why, n in numbers.items())
    meaning = "delay: steps that a spike needs to the next layer; exact: whole numbers below"
    return "\n".join([who, *wrap(meaning, 80), *(line for table in tables for line in ("", table)), "", *notes]) + "\n"


def _pieces(names: list[str]) -> list[list[str]]:
    """The names in as few pieces as there is room for in a table, of about the same size."""
    count = -(-len(names) // MOST_COLUMNS)
    return [names[len(names) * i // count : len(names) * (i + 1) // count] for i in range(count)]


def _letter_table(
    capabilities: Mapping[str, Capabilities], letters: Mapping[str, str], numbers: dict[str, int]
) -> str:
    """One column for each of these names, under its letter; `numbers` are those of the reasons, which grow."""

    def cell(feature: Feature, c: Capabilities) -> str:
        held, why = _plain(feature, c), reason(feature, c)
        why = f"runs with {beside(feature, c)} alone: {why}" if isinstance(held, list) else why
        return str(numbers.setdefault(why, len(numbers) + 1)) if why else "yes" if held else "no"

    columns = [capabilities[name] for name in letters]
    rows = [[f.name, *(cell(f, c) for c in columns)] for f in rows_of(capabilities)]
    rows.append(["installed here", *("yes" if c.installed() else "no" for c in columns)])
    return summary.text_table(("feature", *letters.values()), rows, set(range(1, len(letters) + 1)))


def capability_table(capabilities: Mapping[str, Capabilities], roles: Mapping[str, str] = RUNS) -> str:
    """In Markdown one row per feature and one column per name, in the order given; the reasons stand below."""
    (header, *rows), notes = _cells(capabilities, roles)
    rules = ["---", *[":---:"] * len(capabilities)]
    lines = [f"| {' | '.join(row)} |" for row in (header, rules, *rows)]
    return "\n".join([*lines, "", "<br>\n".join(notes)]).rstrip() + "\n"


def _cells(capabilities: Mapping[str, Capabilities], roles: Mapping[str, str]) -> tuple[list[list[str]], list[str]]:
    """The cells row by row, the header first, and the numbered reasons."""
    numbers: dict[str, int] = {}

    def cell(feature: Feature, c: Capabilities) -> str:
        why, held = reason(feature, c), _plain(feature, c)
        note = f" ({numbers.setdefault(why, len(numbers) + 1)})" if why else ""
        if isinstance(held, list):
            return f"{beside(feature, c)}{note}"
        return f"{held}{note}" if isinstance(held, str) else ("yes" if held else f"no{note}")

    rows = [["feature", *capabilities], [ROLE, *(roles.get(name, "runs") for name in capabilities)]]
    rows += [[f.name, *(cell(f, c) for c in capabilities.values())] for f in rows_of(capabilities)]
    rows += [[row, *(value(c) for c in capabilities.values())] for row, value in VALUES.items()]
    return rows, [f"({number}) {why}" for why, number in numbers.items()]
