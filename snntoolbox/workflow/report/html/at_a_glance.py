"""The first section of a run's page: accuracies, the steps that are enough, operations and energy, one advice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from snntoolbox.analysis.metrics import confidence_interval, first_step_within
from snntoolbox.workflow.report.html.axis import short
from snntoolbox.workflow.report.html.chips import chip_cards
from snntoolbox.workflow.report.html.page import Section
from snntoolbox.workflow.report.terminal import joules

Card = tuple[str, str, str]
"""What it is, its value, and a note."""

CLOSE = 0.005
"""A spiking network is as good as the original where its accuracy is lower by no more."""


def summary_section(report: Mapping[str, Any], advice: str) -> Section:
    """The cards, the advice, and what went wrong."""
    cards = [*_accuracies(report), *_enough(report), *_errors(report), *_work(report)]
    warned = {"warnings": report["warnings"], "failure": report.get("failure", "")}
    return Section(template="summary", title="At a glance", values={"cards": cards, "advice": advice, **warned})


def _accuracies(report: Mapping[str, Any]) -> Iterator[Card]:
    samples, names = report["samples"], {"ann_accuracy": "Original", "parsed_accuracy": "Parsed"}
    names |= {"snn_accuracy_unquantized": "Spiking, float weights", "snn_accuracy": f"Spiking on {report['simulator']}"}
    for key, name in names.items():
        if report.get(key) is not None:
            low, high = confidence_interval(report[key], samples)
            yield f"{name}: accuracy", f"{report[key]:.2%}", f"95 % sure: {low:.1%} to {high:.1%}, {samples:,} samples"
    if report.get("agreement") is not None:
        yield "Same class as the original", f"{report['agreement']:.2%}", f"of {samples:,} samples"


def _enough(report: Mapping[str, Any]) -> Iterator[Card]:
    """From which step on the spiking network is as good as the original."""
    goal, shares = reference(report), report.get("snn_accuracy_per_step")
    if goal is None or shares is None:
        return
    first = first_step_within(shares, goal - CLOSE)
    what = "Within 0.5 points of the original"
    if first is None:
        yield what, "not reached", f"{goal - shares[-1]:.2%} are missing after {len(shares)} steps"
    else:
        yield what, f"from step {first}", f"of {len(shares)}"


def reference(report: Mapping[str, Any]) -> float | None:
    """The accuracy to be reached: that of the original, or of the parsed network."""
    known: list[float] = [report[k] for k in ("ann_accuracy", "parsed_accuracy") if report.get(k) is not None]
    return known[0] if known else None


def _errors(report: Mapping[str, Any]) -> Iterator[Card]:
    for key, name in {"parsed_error": "Original: error", "snn_error": "Spiking: error"}.items():
        if report.get(key):
            yield name, f"{report[key]['rmse']:.4g}", f"root mean square; largest {report[key]['largest']:.4g}"


def _work(report: Mapping[str, Any]) -> Iterator[Card]:
    spiking, original = report["synaptic_operations"], report["ann_operations"]
    if spiking is not None:
        than = f"the original: {short(original)} ({spiking / original:.3g} times)" if original else ""
        yield "Operations per sample", short(spiking), than
    for name, device in list((report.get("energy") or {}).get("devices", {}).items())[:1]:
        original = device["original"]
        note = "" if original is None else f"; the original: {joules(original)}"
        yield "Energy per sample, estimated", joules(device["spiking"]), f"{name}{note}"
    yield from chip_cards(report.get("hardware_per_sample") or {}, report["simulator"])
