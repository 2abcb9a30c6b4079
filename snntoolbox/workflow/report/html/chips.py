"""What a simulator of chips says that a sample takes there: energy by part, and time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from snntoolbox.workflow.report.html.page import Section
from snntoolbox.workflow.report.terminal import figure, quantity

_FIGURE = re.compile(r"(.*) \((\w+)\)")
"""A name and its unit."""

WHOLE = "total energy (J)"
_FIRST = (WHOLE, "time (s)")
"""What the first screen has, where it is known."""


def chip_cards(figures: Mapping[str, float], simulator: str) -> Iterator[tuple[str, str, str]]:
    """Energy and time for the first screen."""
    for name in _FIRST:
        if name in figures:
            what, value = _told(name, figures[name])
            yield f"{what[0].upper()}{what[1:]} per sample on the chip", value, f"as {simulator} models it"


def chip_section(chips: Mapping[str, Mapping[str, float]]) -> Section:
    """A table of the figures of each simulator; energies beside their shares of the whole where there is only one."""
    names = list(dict.fromkeys(name for figures in chips.values() for name in figures))
    (first, *others) = chips.values()
    shared = not others and WHOLE in first
    rows: list[tuple[str, ...]] = []
    for name in names:
        told = ["-" if name not in figures else _told(name, figures[name])[1] for figures in chips.values()]
        rows.append((_told(name, 0.0)[0], *told, *([_share(name, first)] if shared else [])))
    header = ("per sample", *chips, *(["share"] if shared else []))
    sentence = "What the model of the chip says that a sample takes there, on average."
    values = {"charts": [], "sentences": [sentence], "tables": [(header, rows, "What it takes")]}
    return Section("charts", "On the chip", values)


def _told(name: str, value: float) -> tuple[str, str]:
    """A figure's name without its unit, and its value with it."""
    found = _FIGURE.fullmatch(name)
    return (found[1], quantity(value, found[2])) if found else (name, figure(name, value))


def _share(name: str, figures: Mapping[str, float]) -> str:
    """Which part of the whole energy this is; nothing of what is no part of it."""
    whole = figures.get(WHOLE, 0.0)
    return f"{figures[name] / whole:.1%}" if whole > 0 and name != WHOLE and name.endswith("energy (J)") else ""
