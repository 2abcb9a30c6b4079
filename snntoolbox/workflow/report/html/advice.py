"""What to change: the one setting that pays most for the first section, and all that was tried for one of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from snntoolbox.analysis.metrics import first_step_within
from snntoolbox.workflow.report.html.at_a_glance import CLOSE, reference
from snntoolbox.workflow.report.html.page import Section

_FEWER = 0.75
"""A shorter run is worth a word where it is enough to have this share of the steps."""


def best_advice(report: Mapping[str, Any], remedy: str) -> str:
    """In words: what helped most when tried, else the likely `remedy`, else fewer steps; empty where nothing does."""
    for item in (report.get("diagnosis") or {}).get("advice", ()):
        if item["helps"]:
            return f"{item['setting']} — {item['reason']}{_gain(item)}"
    if remedy:
        return f"{remedy} (not tried; snntoolbox diagnose tries it)"
    goal, shares = reference(report), report.get("snn_accuracy_per_step")
    first = None if goal is None or shares is None else first_step_within(shares, goal - CLOSE)
    if first is not None and shares is not None and first <= _FEWER * len(shares):
        now = report["duration"]
        return (
            f"the accuracy stays within 0.5 points of the original from step {first} of {len(shares)} on; "
            f"[simulation] duration = {max(1, math.ceil(now * first / len(shares)))} in place of {now} saves the rest"
        )
    return ""


def _gain(item: Mapping[str, Any]) -> str:
    before, after = item["before"], item["after"]
    if not before or not after or before["agreement"] is None or after["agreement"] is None:
        return ""
    return (
        f" (agreement {before['agreement']:.1%} to {after['agreement']:.1%} on {item['samples']} calibration samples)"
    )


def advice_section(report: Mapping[str, Any]) -> Iterator[Section]:
    """All that was tried; no section where nothing was."""
    if items := (report.get("diagnosis") or {}).get("advice"):
        rows = [(i["setting"], i["reason"], i["cost"] or "nothing", _outcome(i)) for i in items]
        tables = [(("setting", "why", "what it costs", "what it gave"), rows, "What was tried, the best first")]
        yield Section(template="charts", title="Advice", values={"charts": [], "sentences": [], "tables": tables})


def _outcome(item: Mapping[str, Any]) -> str:
    before, after = item["before"], item["after"]
    if not after:
        return f"not tried: {item['untried']}" if item["untried"] else "not tried"
    error = f"error of the output {before['output_error']:.1%} to {after['output_error']:.1%}"
    agree = "" if before["agreement"] is None else f"agreement {before['agreement']:.1%} to {after['agreement']:.1%}, "
    return f"{agree}{error}"
