"""The page of a run: what its report says, as sections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.report.html.about import repeat_section, settings_section
from snntoolbox.workflow.report.html.advice import advice_section, best_advice
from snntoolbox.workflow.report.html.at_a_glance import summary_section
from snntoolbox.workflow.report.html.chips import chip_section
from snntoolbox.workflow.report.html.network_section import Measured, network_section
from snntoolbox.workflow.report.html.outcome import accuracy_section, confusion_section, samples_section
from snntoolbox.workflow.report.html.page import Section, page
from snntoolbox.workflow.report.html.work import operations_section


@dataclass(frozen=True, eq=False, kw_only=True)
class RunFacts:
    """What a page is made of: the `report`, what was `measured` where something was simulated, a `remedy` in words.

    The settings, and the `folder` in which the configuration will be.
    """

    report: Mapping[str, Any]
    settings: Settings
    folder: Path
    measured: Measured | None = None
    remedy: str = ""


def run_page(facts: RunFacts) -> str:
    """The file."""
    name = Path(str(facts.report["model"])).name
    sections = [section for sections_of in SECTIONS for section in sections_of(facts)]
    return page(f"{name}: run of snntoolbox", f"{name} as a spiking network", sections)


def _summary(facts: RunFacts) -> Iterator[Section]:
    yield summary_section(facts.report, best_advice(facts.report, facts.remedy))


def _accuracy(facts: RunFacts) -> Iterator[Section]:
    if any(facts.report.get(key) is not None for key in ("snn_accuracy_per_step", "agreement_per_step")):
        yield accuracy_section(facts.report)


def _network(facts: RunFacts) -> Iterator[Section]:
    if facts.measured is not None:
        yield network_section(facts.measured)


def _answers(facts: RunFacts) -> Iterator[Section]:
    if facts.measured is not None:
        if facts.measured.figures.confusion is not None:
            yield confusion_section(facts.measured.figures.confusion)
        yield from samples_section(facts.measured.figures)


def _operations(facts: RunFacts) -> Iterator[Section]:
    if facts.report["synaptic_operations"] is not None:
        yield operations_section(facts.report, None if facts.measured is None else facts.measured.figures)
    if facts.report.get("hardware_per_sample"):
        yield chip_section({str(facts.report["simulator"]): facts.report["hardware_per_sample"]})


def _advice(facts: RunFacts) -> Iterator[Section]:
    yield from advice_section(facts.report)


def _about(facts: RunFacts) -> Iterator[Section]:
    yield settings_section(facts.settings)
    yield repeat_section(facts.report, ["run", str(facts.folder / "config.ini")])


SECTIONS: tuple[Callable[[RunFacts], Iterable[Section]], ...] = (
    *(_summary, _accuracy, _network, _answers, _operations, _advice, _about),
)
"""In the order of the page; each gives the sections that there are data for."""
