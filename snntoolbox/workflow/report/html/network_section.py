"""The section with the network as a picture; a click on a layer shows its figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import networkx as nx
import numpy as np

from snntoolbox.analysis.diagnosis.diagnosis import Diagnosis
from snntoolbox.analysis.metrics import PopulationStatistics
from snntoolbox.ir.foreign import shortened
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.node import Shape
from snntoolbox.ir.summary import incoming, shape_text, span
from snntoolbox.workflow.figures import Figures
from snntoolbox.workflow.report.html.layer_charts import layer_charts
from snntoolbox.workflow.report.html.layout import BOX, layered, long_lines
from snntoolbox.workflow.report.html.page import Section

MOST_BOXES = 800
"""A larger network is a table alone."""

MOST_LINES = 600
"""Of more lines those over several rows are left out of the picture."""

MOST_PANELS = 40
"""Layers with figures of their own: of more those that follow the original least."""

_LEVELS = 6
"""Colours of rates."""


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
    """An input, a population or a read-out: a row of the table, and a box."""

    name: str
    what: str
    kind: str
    shape: Shape
    number: int = 0
    label: str = ""
    neurons: int = 0
    rate: float = math.nan
    correlation: float = math.nan
    panel: bool = False

    @property
    def level(self) -> int:
        """Which colour its rate has; rates are far apart, so by powers of 3 below one spike per step."""
        if not self.rate > 0:
            return 0
        return max(1, min(_LEVELS - 1, _LEVELS - 1 + math.floor(math.log(self.rate, 3) + 0.5)))


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
    return made_of


def network_section(measured: Measured) -> Section:
    """The picture, the panels and the table."""
    layers = _layers(measured)
    graph = _graph(measured.network)
    panels = [_panel(measured, layer) for layer in layers if layer.panel]
    left_out = sum(layer.what == "population" for layer in layers) - len(panels)
    drawn = _drawn(graph, layers) if len(graph) <= MOST_BOXES else None
    values = {"layers": layers, "picture": drawn, "panels": panels, "left_out": left_out, "shape_text": shape_text}
    return Section(template="network", title="The network", values=values)


def _graph(network: SpikingNetwork) -> nx.DiGraph:
    """Who reads whom, delays included."""
    graph = nx.DiGraph()
    graph.add_nodes_from(network.encodings)
    currents = {p.name: p.current for p in network.populations.values()}
    currents |= {r.name: r.current for r in network.readouts}
    order = [n for n in network.targets if n in currents]
    graph.add_nodes_from([*order, *(n for n in currents if n not in order)])
    graph.add_edges_from((s, n) for n, current in currents.items() for s in sorted(network.sources[current]))
    return graph


def _layers(measured: Measured) -> list[_Layer]:
    network, chosen = measured.network, _chosen(measured)
    layers = [
        _Layer(name=n, what="input", kind=e.words(network.dt), shape=network.wiring.shapes[n])
        for n, e in network.encodings.items()
    ]
    for name in network.targets:
        if name in network.populations:
            layers.append(_population(measured, network.populations[name], name in chosen))
    for r in network.readouts:
        layers.append(_Layer(name=r.name, what="read-out", kind=incoming(network, r.current), shape=r.shape))
    return [replace(layer, number=i) for i, layer in enumerate(layers)]


def _population(measured: Measured, p: Population, panel: bool) -> _Layer:
    return _Layer(
        name=p.name, what="population", label="" if p.origin is None else str(p.origin),
        kind=incoming(measured.network, p.current), shape=p.shape, neurons=p.size, panel=panel,
        rate=measured.statistics.mean_rates[p.name], correlation=measured.statistics.correlations[p.name],
    )  # fmt: skip


def _chosen(measured: Measured) -> set[str]:
    """The populations that have a panel."""
    known = measured.statistics.correlations
    worst = sorted(measured.network.populations, key=lambda n: known[n] if math.isfinite(known[n]) else 2.0)
    return set(worst[:MOST_PANELS])


def _drawn(graph: nx.DiGraph, layers: Iterable[_Layer]) -> dict[str, Any]:
    """Boxes and lines in pixels."""
    left_out = 0
    if graph.number_of_edges() > MOST_LINES:
        long = long_lines(graph)
        graph, left_out = nx.restricted_view(graph, [], long), len(long)
    layout = layered(graph)
    boxes = [
        {"layer": layer, "x": round(x - BOX[0] / 2, 1), "y": round(y - BOX[1] / 2, 1),
         "title": shortened(layer.name, 19), "kind": shortened(layer.kind, 24)}
        for layer in layers for x, y in [layout.places[layer.name]]
    ]  # fmt: skip
    lines = [_curve(points) for points in layout.lines.values()]
    size = {"width": math.ceil(layout.width), "height": math.ceil(layout.height)}
    return {"boxes": boxes, "lines": lines, "box": BOX, "levels": range(_LEVELS), "left_out": left_out, **size}


def _curve(points: Any) -> str:
    """A smooth path from below the first box to above the last, or back."""
    (x, y), *others = [(round(px, 1), round(py, 1)) for px, py in points]
    path = f"M{x:g} {y:g}"
    for px, py in others:
        middle = (y + py) / 2
        path += f"C{x:g} {middle:g} {px:g} {middle:g} {px:g} {py:g}"
        x, y = px, py
    return path


def _panel(measured: Measured, layer: _Layer) -> dict[str, Any]:
    """What is shown of a layer."""
    network, name = measured.network, layer.name
    population, values = network.populations[name], measured.figures.layers.get(name)
    found = {} if measured.diagnosis is None else {each.name: each for each in measured.diagnosis.layers}
    diagnosed = found.get(name)
    facts = [("map into it", layer.kind), ("shape", shape_text(layer.shape)), ("neurons", f"{layer.neurons:,}")]
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
