"""What earlier runs left in the folder: their pages, and two of them side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from snntoolbox.errors import SNNToolboxError
from snntoolbox.workflow.config.load import texts_in
from snntoolbox.workflow.gui.folder import WorkFolder

_FIGURES = {
    "snn_accuracy": "accuracy of the spiking network",
    "ann_accuracy": "accuracy of the original",
    "agreement": "same class as the original",
    "samples": "samples",
    "duration": "duration (ms)",
    "simulator": "simulator",
    "synaptic_operations": "operations per sample",
    "ann_operations": "operations of the original",
}
_NOT_CHOSEN = ("paths.log_dir_of_current_run", "paths.runlabel")


Row = tuple[str, str, str]
"""A name, and what it is in the one and in the other."""


def names_of(left: str, right: str) -> tuple[str, str]:
    """What two runs, named by their pages, are called beside each other: their folders, as far as these differ."""
    one, other = (Path(page).parent.parts or (page,) for page in (left, right))
    pairs = list(zip(one[:-1], other[:-1], strict=False))
    same = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
    return "/".join(one[same:]), "/".join(other[same:])


def measured(folder: WorkFolder, left: str, right: str) -> list[Row]:
    """What two runs, named by their pages, measured."""
    one, other = _report(folder, left), _report(folder, right)
    rows = [(words, _told(key, one.get(key)), _told(key, other.get(key))) for key, words in _FIGURES.items()]
    rows.append(("seconds", _seconds(one), _seconds(other)))
    return [row for row in rows if row[1:] != ("-", "-")]


def differing(folder: WorkFolder, left: str, right: str) -> list[Row]:
    """The settings in which two runs, named by their pages, differ."""
    one, other = _settings(folder, left), _settings(folder, right)
    keys = [key for key in dict.fromkeys([*one, *other]) if key not in _NOT_CHOSEN]
    return [(key, one.get(key, "-"), other.get(key, "-")) for key in keys if one.get(key) != other.get(key)]


def _report(folder: WorkFolder, page: str) -> Mapping[str, Any]:
    with suppress(OSError, ValueError):
        path = folder.inside(Path(page).with_name("report.json"))
        return dict(json.loads(path.read_text("utf-8")))
    return {}


def _settings(folder: WorkFolder, page: str) -> Mapping[str, str]:
    with suppress(OSError, SNNToolboxError):
        return texts_in(folder.inside(Path(page).with_name("config.ini")))
    return {}


def _seconds(report: Mapping[str, Any]) -> str:
    seconds = report.get("seconds") or {}
    return f"{sum(seconds.values()):.1f}" if seconds else "-"


def _told(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2%}" if value <= 1 and "operations" not in key else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
