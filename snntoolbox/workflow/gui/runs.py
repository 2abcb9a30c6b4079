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


def side_by_side(folder: WorkFolder, left: str, right: str) -> list[tuple[str, str, str]]:
    """What two runs, named by their pages, measured, and the settings in which they differ."""
    reports = [_report(folder, name) for name in (left, right)]
    rows = [(words, *(_told(key, report.get(key)) for report in reports)) for key, words in _FIGURES.items()]
    seconds = [report.get("seconds") or {} for report in reports]
    rows.append(("seconds", *(f"{sum(s.values()):.1f}" if s else "-" for s in seconds)))
    one, other = (_settings(folder, name) for name in (left, right))
    for key in dict.fromkeys([*one, *other]):
        if one.get(key) != other.get(key) and key not in _NOT_CHOSEN:
            rows.append((key, one.get(key, "-"), other.get(key, "-")))
    return [row for row in rows if row[1:] != ("-", "-")]  # type: ignore[misc]


def _report(folder: WorkFolder, page: str) -> Mapping[str, Any]:
    with suppress(OSError, ValueError):
        path = folder.inside(Path(page).with_name("report.json"))
        return dict(json.loads(path.read_text("utf-8")))
    return {}


def _settings(folder: WorkFolder, page: str) -> Mapping[str, str]:
    with suppress(OSError, SNNToolboxError):
        return texts_in(folder.inside(Path(page).with_name("config.ini")))
    return {}


def _told(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2%}" if value <= 1 and "operations" not in key else f"{value:,.0f}"
    return str(value)
