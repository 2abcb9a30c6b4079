"""The section on what an answer costs: operations over time, by layer, and energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snntoolbox.workflow.figures import Figures
from snntoolbox.workflow.report.html.axis import short
from snntoolbox.workflow.report.html.charts import lines
from snntoolbox.workflow.report.html.page import Section
from snntoolbox.workflow.report.terminal import joules


def operations_section(report: Mapping[str, Any], figures: Figures | None) -> Section:
    """A chart of the first sample where its spikes are known, and tables."""
    charts, original = [], report["ann_operations"]
    if figures is not None and figures.operations is not None:
        done = np.asarray(figures.operations, float)
        levels = {} if original is None else {"original, at once": float(original)}
        about = f"Synaptic operations summed up over the steps: {short(float(done[-1]))} at the end."
        charts = [lines("Operations of the first sample over time", about, ("step", np.arange(1, len(done) + 1)),
                        "operations so far", {"spiking network": done}, levels)]  # fmt: skip
    spikes = [(name, f"{count:,.1f}") for name, count in (report["spikes_per_layer"] or {}).items()]
    tables: list[Any] = [(("layer", "spikes per sample"), spikes, "Spikes per sample")]
    if report.get("energy"):
        tables.insert(0, _energy(report["energy"]))
    mean = f"{report['synaptic_operations']:,.0f} synaptic operations per sample on average"
    sentence = f"{mean}; the original takes {original:,}." if original is not None else f"{mean}."
    return Section(template="charts", title="Operations and energy",
                   values={"charts": charts, "sentences": [sentence], "tables": tables})  # fmt: skip


def _energy(energy: Mapping[str, Any]) -> Any:
    rows = [
        (name, joules(d["spiking"]), "-" if d["original"] is None else joules(d["original"]))
        for name, d in energy["devices"].items()
    ]
    return ("device", "spiking network", "original"), rows, "Energy per sample: operations times published costs"
