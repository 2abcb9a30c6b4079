"""The page of a comparison: every simulator, where rasters differ, and the first divergence with both membranes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snntoolbox.analysis.comparison.comparison import Comparison, Divergence, Side
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.report.comparison_table import raster_text
from snntoolbox.workflow.report.html.about import repeat_section, settings_section
from snntoolbox.workflow.report.html.axis import short
from snntoolbox.workflow.report.html.charts import Chart, lines
from snntoolbox.workflow.report.html.chips import chip_section
from snntoolbox.workflow.report.html.page import Section, page


def compare_page(comparison: Comparison, report: Mapping[str, Any], settings: Settings, config: str) -> str:
    """The file; `report` has versions and seconds, `config` is the configuration that repeats it."""
    simulators = ",".join(side.simulator for side in comparison.sides)
    chips = {side.simulator: side.hardware for side in comparison.sides if side.hardware}
    diverging = [side for side in comparison.sides if side.divergence is not None]
    sections = [
        _summary(comparison),
        _populations(comparison),
        *([chip_section(chips)] if chips else []),
        *(_divergence(side, side.divergence, comparison) for side in diverging if side.divergence is not None),
        settings_section(settings),
        repeat_section(report, ["compare", config, "--simulators", simulators, "--samples", str(comparison.samples)]),
    ]
    count = f"{len(comparison.sides)} simulators compared"
    return page(f"{comparison.model}: {count}", f"{comparison.model}: {count}", sections)


def _summary(comparison: Comparison) -> Section:
    verdict = "All rasters are equal" if comparison.equal else "Rasters differ"
    if not comparison.equal and comparison.as_expected:
        verdict += ", by rounding alone"
    if not any(side.compared for side in comparison.sides):
        verdict = "Nothing could be compared"
    about = f"{verdict}: {comparison.samples:,} samples over {comparison.steps:,} steps."
    rows = [_row(side, comparison) for side in comparison.sides]
    header = (
        "simulator",
        "raster",
        "samples",
        "right",
        "same as original",
        "same as first",
        "spikes",
        "seconds",
        "why",
    )
    values = {"charts": [], "sentences": [about], "tables": [(header, rows, "Simulators; the first is the reference")]}
    return Section("charts", "At a glance", values)


def _row(side: Side, comparison: Comparison) -> tuple[str, ...]:
    shares = ["-" if v is None else f"{v:.2%}" for v in (side.accuracy, side.ann_agreement, side.agreement)]
    seconds = f"{side.seconds_to_build + side.seconds_to_run:.1f}"
    spikes = f"{sum(side.spikes.values()):,.0f}"
    return side.simulator, raster_text(side, comparison), f"{side.samples:,}", *shares, spikes, seconds, side.reason


def _populations(comparison: Comparison) -> Section:
    compared = [side for side in comparison.sides if side.compared]
    names = comparison.side(comparison.reference).spikes if comparison.reference else {}
    rows = [
        (name, comparison.layers.get(name, ""), f"{spikes:,.1f}", *(_cells(side, name) for side in compared))
        for name, spikes in names.items()
    ]
    header = ("population", "of the model", "spikes per sample", *(f"differ on {side.simulator}" for side in compared))
    tables = [(header, rows, "Cells (neuron, step, sample) that differ")] if rows else []
    return Section("charts", "Populations", {"charts": [], "sentences": [], "tables": tables})


def _cells(side: Side, name: str) -> str:
    return f"{side.differing.get(name, 0):,} of {side.cells.get(name, 0):,}"


def _divergence(side: Side, first: Divergence, comparison: Comparison) -> Section:
    """The first cell that differs."""
    where = f"sample {first.sample}, step {first.step}, {first.layer}, neuron {first.neuron} at {first.position}"
    sentences = [f"Where it begins: {where}.", f"Likely cause: {first.cause}. {first.evidence}"]
    if first.departs:
        sentences.append(f"Otherwise than the semantics: {', '.join(first.departs)}.")
    rows = [_membrane(comparison.reference, first, True), _membrane(side.simulator, first, False)]
    header = ("simulator", "before the step", "at the threshold", "after the reset", "spike")
    tables = [(header, rows, "Membrane potential")]
    charts = [_chart(side, first, comparison)] if any(_potentials(first, own) for own in (True, False)) else []
    values = {"charts": charts, "sentences": sentences, "tables": tables}
    return Section("charts", f"{side.simulator}: first divergence", values)


def _potentials(first: Divergence, reference: bool) -> list[float]:
    """What is known of a membrane around the step, in order; nan for what is not; empty where nothing is."""
    membrane = first.reference if reference else first.simulator
    values = [membrane.previous, membrane.before, membrane.after]
    return [] if all(v is None for v in values) else [np.nan if v is None else v for v in values]


def _membrane(simulator: str, first: Divergence, reference: bool) -> tuple[str, ...]:
    values = _potentials(first, reference) or [np.nan] * 3
    spiked = (first.reference if reference else first.simulator).spiked
    return simulator, *("not known" if np.isnan(v) else f"{v:.9g}" for v in values), "yes" if spiked else "no"


def _chart(side: Side, first: Divergence, comparison: Comparison) -> Chart:
    """Both membranes: after the step before, at the threshold's comparison (half a step on), after the reset."""
    names = {comparison.reference: True, side.simulator: False}
    series = {name: np.array(_potentials(first, own) or [np.nan] * 3) for name, own in names.items()}
    times = first.step - 1 + np.array([0.0, 0.5, 1.0])
    levels = {} if first.threshold is None else {"threshold": first.threshold}
    ends = ", ".join(f"{name} {short(float(v[1]))}" for name, v in series.items())
    return lines("Both membranes", f"At the threshold: {ends}.", ("step", times), "potential", series, levels)
