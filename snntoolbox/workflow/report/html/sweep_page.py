"""The page of a sweep: what each value reaches, what it costs, and a link to each run's own page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.config.values import show
from snntoolbox.workflow.report.html.about import settings_section
from snntoolbox.workflow.report.html.charts import Chart
from snntoolbox.workflow.report.html.front import front_chart
from snntoolbox.workflow.report.html.page import Section, page


def sweep_page(
    keys: Sequence[str], combined: Sequence[Sequence[object]], folders: Sequence[str],
    reports: Sequence[Mapping[str, Any]], settings: Settings,
) -> str:  # fmt: skip
    """The file: `combined` values of the keys, the folder and the report of each run."""
    words = [", ".join(show(value) for value in values) for values in combined]
    rows = [
        (*map(show, values), *_figures(report), folder)
        for values, report, folder in zip(combined, reports, folders, strict=True)
    ]
    header = (*keys, "accuracy or error", "same as original", "operations per sample", "seconds", "folder")
    values = {"charts": _charts(words, reports), "sentences": [], "tables": [(header, rows, f"{len(rows)} runs")]}
    heading = f"Sweep of {' and '.join(keys)}"
    pages = [(f"{folder}/report.html", word) for folder, word in zip(folders, words, strict=True)]
    links = Section("links", "The page of each run", {"links": pages})
    return page(heading, heading, [Section("charts", "At a glance", values), links, settings_section(settings)])


def _figures(report: Mapping[str, Any]) -> tuple[str, ...]:
    accuracy, error, operations = (report.get(k) for k in ("snn_accuracy", "snn_error", "synaptic_operations"))
    worth = f"{accuracy:.2%}" if accuracy is not None else "-" if error is None else f"rmse {error['rmse']:.4g}"
    agreement = report.get("agreement")
    return (
        worth,
        "-" if agreement is None else f"{agreement:.2%}",
        "-" if operations is None else f"{operations:,.0f}",
        f"{sum(report['seconds'].values()):.1f}",
    )


def _charts(words: Sequence[str], reports: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """Accuracy, else error, over operations and over steps, of the runs that have them."""
    kind = "snn_accuracy" if any(r.get("snn_accuracy") is not None for r in reports) else "snn_error"
    quality = "accuracy" if kind == "snn_accuracy" else "error (rmse)"
    charts = []
    for key, cost in {"synaptic_operations": "operations per sample", "duration": "duration (ms)"}.items():
        known = [i for i, r in enumerate(reports) if r.get(kind) is not None and r.get(key) is not None]
        costs, worths = [float(reports[i][key]) for i in known], [_worth(reports[i][kind]) for i in known]
        if len(set(costs)) > 1:
            said = [f"{words[i]}: {quality} {w:.4g}" for i, w in zip(known, worths, strict=True)]
            charts.append(front_chart(cost, costs, quality, worths, said, least=kind == "snn_error"))
    return charts


def _worth(measured: Any) -> float:
    return float(measured["rmse"] if isinstance(measured, Mapping) else measured)
