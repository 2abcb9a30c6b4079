"""The page of a search: what settings reach and cost, the best of them, and what was left untried."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.config.values import show
from snntoolbox.workflow.report.html.about import settings_section
from snntoolbox.workflow.report.html.charts import Chart
from snntoolbox.workflow.report.html.front import front_chart
from snntoolbox.workflow.report.html.page import Section, page

_COSTS = {
    "mean_steps": "steps to an answer",
    "steps_between_samples": "steps between samples",
    "synaptic_operations": "operations per sample",
    "spikes": "spikes per sample",
    "neurons": "neurons",
}
"""What a trial costs, by its name in the data."""


def tune_page(data: Mapping[str, Any], settings: Settings, tuned: str) -> str:
    """The file: `data` is what ``tune.json`` holds, `tuned` the configuration that was written."""
    sections = [_best(data, tuned), _trials(data), _effort(data), settings_section(settings)]
    heading = f"Settings that were tried: {settings.paths.filename_ann or 'network'}"
    return page(heading, heading, sections)


def _best(data: Mapping[str, Any], tuned: str) -> Section:
    best, start = data["best"], data["start"]
    reached = "The target is reached." if data["reached"] else "NOT REACHED: this is the nearest to the target."
    before = {} if start is None else {key: f"{_amount(start[key])} before" for key in _COSTS}
    cards = [(*_quality(best), f"of {data['samples']['held_back']} calibration samples held back")]
    cards += [(name.capitalize(), _amount(best[key]), before.get(key, "")) for key, name in _COSTS.items()]
    settings = "; ".join(f"{path} = {show(value)}" for path, value in best["settings"].items())
    advice = f"{settings}. Run it: {shlex.join(['snntoolbox', 'run', tuned])}"
    target = data["target"]
    warned = [] if data["reached"] and (target["agreement"] or target["operations"]) else [reached]
    warned = [] if not any(target.values()) else warned
    return Section("summary", "The best", {"cards": cards, "advice": advice, "warnings": warned, "failure": ""})


def _amount(value: float) -> str:
    """A cost as people read it: a whole number, or if it is small one of four digits."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.4g}"


def _quality(trial: Mapping[str, Any]) -> tuple[str, str]:
    if trial["agreement"] is None:
        return "Error of the output", f"{trial['output_error']:.2%}"
    return "Same class as the original", f"{trial['agreement']:.2%}"


def _trials(data: Mapping[str, Any]) -> Section:
    trials: Sequence[Mapping[str, Any]] = data["trials"]
    classes = data["best"]["agreement"] is not None
    key, quality = ("agreement", "same class as original") if classes else ("output_error", "error of the output")
    words = [f"{_quality(t)[1]}, {t['duration_steps']} steps{_chosen(t)}" for t in trials]
    charts: list[Chart] = [
        front_chart(name, [t[cost] for t in trials], quality, [t[key] for t in trials], words, least=not classes)
        for cost, name in _COSTS.items()
    ]
    rows = [
        (_quality(t)[1], *(_amount(t[cost]) for cost in _COSTS), _chosen(t)[2:] or "as it was")
        for t in data["front"]
    ]
    header = (quality, *_COSTS.values(), "settings")
    tables = [(header, rows, "What nothing beats in quality and in all that it costs")]
    return Section("charts", "What settings reach", {"charts": charts, "sentences": [], "tables": tables})


def _chosen(trial: Mapping[str, Any]) -> str:
    return "".join(f", {name} = {show(value)}" for name, value in trial["choices"].items())


def _effort(data: Mapping[str, Any]) -> Section:
    tried = f"{data['screened']} of {data['candidates']} settings were tried in {data['seconds']:.0f} s"
    sentences = [f"{tried}; {len(data['trials'])} of them on the samples held back. The test set was not read."]
    rows = [(value, reason) for part in ("left_out", "failed") for value, reason in data[part].items()]
    tables = [(("setting", "why"), rows, "Left out, or could not be converted")] if rows else []
    return Section("charts", "How it was searched", {"charts": [], "sentences": sentences, "tables": tables})
