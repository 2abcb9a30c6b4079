"""What a person sees of a run on the terminal: short tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

from snntoolbox.analysis.metrics import PopulationStatistics
from snntoolbox.ir.foreign import shortened
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Shape
from snntoolbox.ir.summary import incoming, shape_text, text_table

WEAK_CORRELATION = 0.9
"""Layers that follow the analogue network less closely than this are marked."""

TOP_K = "_top_k"
"""Behind the name of an accuracy in a report: a sample counts if its class is among the k best."""

LONGEST_NAME = 30
"""Letters of a layer's name that are shown."""


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One population of the table; `mean_rate` in spikes per neuron and step, nan for what is not known."""

    name: str
    kind: str
    shape: Shape
    neurons: int
    mean_rate: float = math.nan
    correlation: float = math.nan


@dataclass(frozen=True, kw_only=True)
class AccuracyRow:
    """One network of the table: what was tested, the share of right predictions, on how many samples; the top-k one."""

    network: str
    accuracy: float | None
    samples: int
    top_k: float | None = None


def layer_rows(
    network: SpikingNetwork, mean_rates: Mapping[str, float], correlations: Mapping[str, float]
) -> list[LayerRow]:
    """One row per population, in order; see `metrics.PopulationStatistics` for the two mappings."""
    populations = [network.populations[name] for name in network.targets if name in network.populations]
    return [
        LayerRow(
            name=p.name,
            kind=incoming(network, p.current),
            shape=p.shape,
            neurons=p.size,
            mean_rate=mean_rates.get(p.name, math.nan),
            correlation=correlations.get(p.name, math.nan),
        )
        for p in populations
    ]


def accuracy_table(rows: Sequence[AccuracyRow], width: int = 0, k: int = 1) -> str:
    """Accuracy of each network in percent, with the number of right samples; `width` as in `ir.summary.text_table`.

    Where k is above 1 the top-k accuracy stands beside it.
    """
    cells = []
    for row in rows:
        known = row.accuracy is not None and not math.isnan(row.accuracy)
        share = row.accuracy if row.accuracy is not None else math.nan
        right = f"{round(share * row.samples):,}" if known else "-"
        best = ["-" if row.top_k is None else f"{row.top_k:.2%}"] if k > 1 else []
        cells.append((row.network, f"{share:.2%}" if known else "-", *best, right, f"{row.samples:,}"))
    header = ("network", "accuracy", *([f"top {k}"] if k > 1 else []), "right", "samples")
    return text_table(header, cells, {*range(1, len(header))}, width, total=False)


def rate_note(network: SpikingNetwork) -> str:
    """What a rate is in a network whose spikes come in windows; empty where it is that of a run."""
    if network.schedule is None:
        return ""
    steps = network.schedule.window
    window = f"step of its window of {steps} steps" if steps > 1 else "sample"
    window = "step of its window" if network.schedule.ends else window
    return f"rate: spikes per neuron and {window} ({network.schedule.name}), whatever a spike counts"


def layer_table(rows: Sequence[LayerRow], width: int = 0, rates: str = "") -> str:
    """One line per population and one with the totals; a weak correlation is marked, and told what `rates` are."""
    header = ("layer", "shape", "neurons", "rate", "correlation", "", "map into it")
    weak = [row.correlation < WEAK_CORRELATION for row in rows]
    cells = [
        (
            shortened(row.name, LONGEST_NAME),
            shape_text(row.shape),
            f"{row.neurons:,}",
            _number(row.mean_rate),
            _number(row.correlation),
            "*" if marked else "",
            row.kind,
        )
        for row, marked in zip(rows, weak, strict=True)
    ]
    neurons = f"{sum(row.neurons for row in rows):,}"
    total = ("total", "", neurons, _number(_mean_rate(rows)), "", "", f"{len(rows)} populations")
    note = f"\n* correlation with the analogue layer below {WEAK_CORRELATION:g}" if any(weak) else ""
    return text_table(header, [*cells, total], {2, 3, 4}, width) + note + (f"\n{rates}" if rates else "")


def energy_table(energy: Mapping[str, Any], width: int = 0) -> str:
    """One line per device: joules per sample of the spiking network, and of the original where it has costs for it."""
    rows = [
        (name, joules(device["spiking"]), "-" if device["original"] is None else joules(device["original"]))
        for name, device in energy["devices"].items()
    ]
    table = text_table(("energy per sample", "SNN", "ANN"), rows, {1, 2}, width, total=False)
    note = "An estimate: counted operations times published costs of one; docs/energy.md has sources and limits."
    return f"{table}\n{fill(note, width or 120, break_on_hyphens=False)}"


def hardware_table(figures: Mapping[str, float], simulator: str, width: int = 0) -> str:
    """One line for each figure of a simulator of chips, per sample; names end with their unit if they have one."""
    rows = [(name, figure(name, value)) for name, value in figures.items()]
    return text_table((f"per sample on {simulator}", ""), rows, {1}, width, total=False)


def figure(name: str, value: float) -> str:
    """A figure of a simulator of chips, in the unit at the end of its name; a count where there is none."""
    return f"{value:.3e}" if name.endswith(")") else f"{value:.6g}"


def joules(energy: float) -> str:
    """See `quantity`."""
    return quantity(energy, "J")


def quantity(value: float, unit: str) -> str:
    """With three digits and a prefix that every terminal has: ``'4.56 uJ'``."""
    for prefix, size in (("", 1.0), ("m", 1e-3), ("u", 1e-6), ("n", 1e-9)):
        if value >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value / 1e-12:.3g} p{unit}"


def _mean_rate(rows: Sequence[LayerRow]) -> float:
    """Spikes per neuron and step of all layers whose rate is known."""
    known = [row for row in rows if not math.isnan(row.mean_rate)]
    weight = sum(row.neurons for row in known)
    return sum(row.mean_rate * row.neurons for row in known) / weight if weight else math.nan


def sweep_table(
    name: str | tuple[str, ...], values: Sequence[Any], reports: Sequence[Mapping[str, Any]], width: int = 0
) -> str:
    """One line per point of a sweep: its value or values, accuracy (or error), agreement, operations and seconds."""
    names = (name,) if isinstance(name, str) else name
    cells = []
    for value, report in zip(values, reports, strict=True):
        accuracy, agreement, error = (report.get(k) for k in ("snn_accuracy", "agreement", "snn_error"))
        rmse = "-" if error is None else f"rmse {error['rmse']:.4g}"
        operations = report.get("synaptic_operations")
        cells.append(
            (
                *map(str, (value,) if isinstance(name, str) else value),
                rmse if accuracy is None else f"{accuracy:.2%}",
                "-" if agreement is None else f"{agreement:.2%}",
                "-" if operations is None else f"{operations:,.0f}",
                f"{sum(report['seconds'].values()):.1f}",
            )
        )
    header = (*names, "accuracy", "agreement", "synaptic operations", "seconds")
    return text_table(header, cells, {*range(len(names), len(header))}, width, total=False)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def run_paragraphs(
    report: Mapping[str, Any], network: SpikingNetwork | None, statistics: PopulationStatistics | None, width: int
) -> Iterator[str]:
    """Tables and sentences, in order; `report` is what ``report.json`` holds."""
    if network is not None and statistics is not None:
        rows = layer_rows(network, statistics.mean_rates, statistics.correlations)
        yield f"{layer_table(rows, width, rate_note(network))}\n"
    if accuracies := _accuracies(report):
        yield f"{accuracy_table(accuracies, width, report.get('top_k', 1))}\n"
    yield from (fill(sentence, width, break_on_hyphens=False) for sentence in _sentences(report))
    if report.get("hardware_per_sample"):
        yield f"\n{hardware_table(report['hardware_per_sample'], report['simulator'], width)}"
    if report.get("energy"):
        yield f"\n{energy_table(report['energy'], width)}"


def _accuracies(report: Mapping[str, Any]) -> list[AccuracyRow]:
    names = {"ann_accuracy": "ANN", "parsed_accuracy": "parsed", "snn_accuracy_unquantized": "SNN, float weights"}
    names["snn_accuracy"] = f"SNN, {report['duration']} ms on {report['simulator']}"
    known = {k: n for k, n in names.items() if report.get(k) is not None}
    return [
        AccuracyRow(network=n, accuracy=report[k], samples=report["samples"], top_k=report.get(f"{k}{TOP_K}"))
        for k, n in known.items()
    ]


def _sentences(report: Mapping[str, Any]) -> Iterator[str]:
    samples = report["samples"]
    counted = f"{samples} sample{'' if samples == 1 else 's'}"
    if "agreement" in report:
        share = f"{report['agreement']:.1%} of {counted}"
        yield f"The spiking network agrees with the original on {share}."
    if report.get("throughput") and report["latency_steps"] * report["throughput"]["one_membrane"] > 1:
        one, two = (1 / report["throughput"][key] for key in ("one_membrane", "two_membranes"))
        latency = f"An answer takes {report['latency_steps']} steps"
        yield f"{latency}; a sample can follow every {one:.0f} ({two:.0f} with two membranes per neuron)."
    if exits := report.get("early_exit"):
        kept = f"the prediction after all steps on {exits['agreement']:.1%} of {counted}"
        yield f"Early exit: {exits['mean_steps']:.1f} steps on average, {kept}."
    for key, name in {"parsed_error": "model", "snn_error": "spiking network"}.items():
        if key in report:
            yield f"Error of the {name}: rmse {report[key]['rmse']:.4g}, largest {report[key]['largest']:.4g}."
    spiking, analogue = report["synaptic_operations"], report["ann_operations"]
    if spiking is not None and analogue is not None:
        yield f"Operations per sample: {spiking:,.0f} synaptic, {analogue:,} in the ANN."
