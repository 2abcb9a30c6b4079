"""The section with the network as a picture; a click on a layer shows its figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snntoolbox.analysis.diagnosis.diagnosis import Diagnosis
from snntoolbox.analysis.metrics import PopulationStatistics
from snntoolbox.ir.drawing.layout import BOX
from snntoolbox.ir.drawing.network_picture import LEVELS, Box, boxes_of, level, picture_of, svg_path
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.summary import shape_text, span
from snntoolbox.workflow.figures import Figures
from snntoolbox.workflow.report.html.layer_charts import layer_charts
from snntoolbox.workflow.report.html.page import Section

MOST_PANELS = 40
"""Layers with figures of their own: of more those that follow the original least."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """A network and what a run found of it; `made_of` names for a population the layers of the model that are in it."""

    network: SpikingNetwork
    statistics: PopulationStatistics
    figures: Figures
    diagnosis: Diagnosis | None = None
    made_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """A box of the picture, and a row of the table: with what was measured."""

    box: Box
    number: int = 0
    rate: float = math.nan
    correlation: float = math.nan
    panel: bool = False

    @property
    def level(self) -> int:
        """Which colour its rate has."""
        return level(self.rate)


def layers_of(network: SpikingNetwork, graph: Graph | None, layers: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """For each population the layers of the model that are in it: those up to it from the population before."""
    if graph is None:
        return {}
    owner = {p.activation: p.name for p in network.populations.values() if p.activation in graph.nodes}
    for name in reversed([*graph.nodes]):
        behind = next((owner[c] for c in graph.consumers.get(name, ()) if c in owner), None)
        if name not in owner and behind is not None:
            owner[name] = behind
    made_of: dict[str, tuple[str, ...]] = {}
    for label, node in layers.items():
        if node in owner:
            made_of[owner[node]] = (*made_of.get(owner[node], ()), label)
    several = {p.name: owner[p.activation] for p in network.populations.values() if p.activation in owner}
    return {name: made_of[of] for name, of in several.items() if of in made_of}


def network_section(measured: Measured) -> Section:
    """The picture, the panels and the table."""
    picture = picture_of(measured.network)
    layers = _layers(measured, boxes_of(measured.network) if picture is None else picture.boxes)
    panels = [_panel(measured, layer) for layer in layers if layer.panel]
    left_out = sum(layer.box.what == "population" for layer in layers) - len(panels)
    values = {
        "layers": layers, "picture": picture, "panels": panels, "left_out": left_out, "shape_text": shape_text,
        "size": BOX, "levels": LEVELS, "lines": [svg_path(line) for line in picture.lines] if picture else [],
    }  # fmt: skip
    return Section(template="network", title="The network", values=values)


def _layers(measured: Measured, boxes: Iterable[Box]) -> list[_Layer]:
    chosen, found = _chosen(measured), measured.statistics
    rates, correlations = found.mean_rates, found.correlations
    return [
        _Layer(box=box, number=i, panel=box.name in chosen, rate=rates.get(box.name, math.nan),
               correlation=correlations.get(box.name, math.nan))
        for i, box in enumerate(boxes)
    ]  # fmt: skip


def _chosen(measured: Measured) -> set[str]:
    """The populations that have a panel."""
    known = measured.statistics.correlations
    worst = sorted(measured.network.populations, key=lambda n: known[n] if math.isfinite(known[n]) else 2.0)
    return set(worst[:MOST_PANELS])


def _panel(measured: Measured, layer: _Layer) -> dict[str, Any]:
    """What is shown of a layer."""
    network, box = measured.network, layer.box
    name = box.name
    population, values = network.populations[name], measured.figures.layers.get(name)
    found = {} if measured.diagnosis is None else {each.name: each for each in measured.diagnosis.layers}
    diagnosed = found.get(name, found.get(population.activation))  # several say the values of a layer together
    facts = [("map into it", box.kind), ("shape", shape_text(box.shape)), ("neurons", f"{box.neurons:,}")]
    facts += [("scale", span(population.scale)), ("spikes per neuron and step", _number(layer.rate))]
    facts += [("correlation with the original", _number(layer.correlation))]
    if values is not None:
        first = f"in the first {values.samples} samples"
        facts += [(f"never fire {first}", f"{values.silent:,} neurons")]
        facts += [(f"fire in every step {first}", f"{values.always:,} neurons")]
    if diagnosed is not None:
        facts += [("dead channels", f"{diagnosed.dead} of {diagnosed.channels}")]
        facts += [("saturated channels", f"{diagnosed.full} of {diagnosed.channels}")]
    made_of = measured.made_of.get(name, ())
    error = None if diagnosed is None else _error(diagnosed)
    return {
        "layer": layer,
        "facts": facts,
        "made_of": made_of,
        "error": error,
        "charts": layer_charts(network, name, measured.figures),
    }


def _error(diagnosed: Any) -> dict[str, Any]:
    """The terms of a layer's error in percent of the activation."""
    terms = [(name, size.rms) for name, size in diagnosed.terms.items() if size.rms > 5e-4]
    longest = max([*(rms for _, rms in terms), diagnosed.total.rms, 1e-9])
    rows = [("whole error", diagnosed.total.rms), *sorted(terms, key=lambda term: -term[1])]
    return {
        "rows": [(name, f"{rms:.1%}", round(100 * rms / longest, 1)) for name, rms in rows],
        "undefined": diagnosed.undefined,
    }


def _number(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else "not known"
