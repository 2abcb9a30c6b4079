"""The page of a hardware project: what was checked, what it takes of the chip, how fast it answers, how well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from snntoolbox.workflow.report.html.page import Section, page

_PARTS = {"luts": "LUTs", "flipflops": "flip-flops", "blocks": "block RAMs", "dsps": "multipliers (DSP)"}
_FORMS = {
    "ann": "original",
    "parsed": "parsed",
    "snn_float": "spiking, float weights",
    "snn": "spiking, on the grid: what the hardware runs",
    "snn_unsaturated": "spiking, on the grid, potentials not clipped",
}


def deploy_page(report: Mapping[str, Any]) -> str:
    """The file: `report` is what ``report.json`` of a project holds."""
    heading = f"{report['network']} as hardware for {report['target']}"
    return page(heading, heading, [*_sections(report)])


def _sections(report: Mapping[str, Any]) -> Iterator[Section]:
    cards, checks = [*_cards(report)], report["checks"]
    failed = [f"{c['goal']}: {c['outcome']}{_why(c)}" for c in checks if c["outcome"] != "passed"]
    yield Section("summary", "At a glance", {"cards": cards, "advice": "", "warnings": failed, "failure": ""})
    header = ("what", "outcome", "seconds")
    rows = [(c["goal"], f"{c['outcome']}{_why(c)}", f"{c['seconds']:.1f}") for c in checks]
    yield _table("Checks", header, rows, "What was checked")
    if report["resources"] is not None:
        yield _table("Resources", ("part", "taken", "of the chip", "share"), [*_resources(report)], "What it takes")
    yield _table("Layers", _LAYER, [*_layers(report)], "Layers, means over the samples of the test bench")
    if accuracies := [(n, f"{report['accuracy'][k]:.2%}") for k, n in _FORMS.items() if _known(report, k)]:
        samples = report["accuracy"]["samples"]
        yield _table("Accuracy", ("network", "accuracy"), accuracies, f"On {samples} test samples")


def _cards(report: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    checks = report["checks"]
    passed = sum(c["outcome"] == "passed" for c in checks)
    yield "Checks passed", f"{passed} of {len(checks)}", ""
    if report["microseconds"] is not None:
        yield "Time of an answer", f"{report['microseconds']:,.1f} µs", f"at {report['clock_mhz']:g} MHz"
        yield "Samples a second", f"{report['samples_per_second']:,.0f}", "one after the other"
    if (estimate := report["energy_estimated"]) is not None:
        yield "Energy, an estimate", f"{1e6 * estimate['joules']:,.3g} µJ", f"at {estimate['watts']:g} W"
    if report["routed_mhz"] is not None:
        yield "Fastest clock after routing", f"{report['routed_mhz']:.1f} MHz", ""
    for row in _resources(report):
        yield row[0], row[3] or row[1], f"{row[1]} of {row[2]}" if row[3] else ""
    yield "Steps", str(report["steps"]), f"weights of {report['weight_bits']} bits"


def _resources(report: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Part, number, number in the chip, share of it; the last two empty where there is no chip."""
    taken, chip = report["resources"] or {}, report["device"]
    for key, name in _PARTS.items():
        if key in taken:
            there = 0 if chip is None else chip[key]
            share = f"{taken[key] / there:.0%}" if there else ""
            yield name, f"{taken[key]:,}", f"{there:,}" if there else "", share


_LAYER = ("layer", "neurons", "bits of a potential", "lanes", "spikes", "arriving spikes", "clocks it is busy")


def _layers(report: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for layer in report["layers"]:
        spikes = "-" if layer["spikes"] is None else f"{layer['spikes']:,.1f}"
        numbers = (f"{layer['neurons']:,}", str(layer["bits"]), str(layer["lanes"]), spikes)
        yield layer["name"], *numbers, f"{layer['arriving']:,.1f}", f"{layer['busy']:,.0f}"


def _known(report: Mapping[str, Any], form: str) -> bool:
    return report["accuracy"].get(form) is not None


def _why(check: Mapping[str, Any]) -> str:
    return f": {check['why']}" if check["why"] else ""


def _table(title: str, header: Sequence[str], rows: Sequence[tuple[str, ...]], caption: str) -> Section:
    return Section("charts", title, {"charts": [], "sentences": [], "tables": [(header, rows, caption)]})
