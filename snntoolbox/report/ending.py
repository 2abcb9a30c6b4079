"""What is told at the end of a run: tables of layers and of accuracies, and a sentence for each other number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.report.metrics import PopulationStatistics
from snntoolbox.report.terminal import AccuracyRow, accuracy_table, layer_rows, layer_table

if TYPE_CHECKING:
    from rich.table import Table


def run_told(
    report: Mapping[str, Any], network: SpikingNetwork | None, statistics: PopulationStatistics | None
) -> Iterator[Table | str]:
    """Tables and lines, in order; `report` is what ``report.json`` holds."""
    if network is not None and statistics is not None:
        yield layer_table(layer_rows(network, statistics.mean_rates, statistics.correlations))
    if rows := _accuracies(report):
        yield accuracy_table(rows)
    yield from _sentences(report)


def _accuracies(report: Mapping[str, Any]) -> list[AccuracyRow]:
    names = {"ann_accuracy": "ANN", "parsed_accuracy": "parsed", "snn_accuracy_unquantized": "SNN, float weights"}
    names["snn_accuracy"] = f"SNN, {report['duration']} ms on {report['simulator']}"
    known = {k: n for k, n in names.items() if report.get(k) is not None}
    return [AccuracyRow(network=n, accuracy=report[k], samples=report["samples"]) for k, n in known.items()]


def _sentences(report: Mapping[str, Any]) -> Iterator[str]:
    samples = report["samples"]
    if "agreement" in report:
        share = f"{report['agreement']:.1%} of {samples} samples"
        yield f"The spiking network agrees with the original on {share}."
    if report.get("throughput") and report["latency_steps"] * report["throughput"]["one_membrane"] > 1:
        one, two = (1 / report["throughput"][key] for key in ("one_membrane", "two_membranes"))
        latency = f"An answer takes {report['latency_steps']} steps"
        yield f"{latency}; a sample can follow every {one:.0f} ({two:.0f} with two membranes per neuron)."
    if exits := report.get("early_exit"):
        kept = f"the prediction after all steps on {exits['agreement']:.1%} of {samples} samples"
        yield f"Early exit: {exits['mean_steps']:.1f} steps on average, {kept}."
    for key, name in {"parsed_error": "model", "snn_error": "spiking network"}.items():
        if key in report:
            yield f"Error of the {name}: rmse {report[key]['rmse']:.4g}, largest {report[key]['largest']:.4g}."
    spiking, analogue = report["synaptic_operations"], report["ann_operations"]
    if spiking is not None and analogue is not None:
        yield f"Operations per sample: {spiking:,.0f} synaptic, {analogue:,} in the ANN."
