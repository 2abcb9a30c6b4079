"""The charts of one layer: rates against activations, their distribution, spikes and potentials of one sample."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from snntoolbox.ir.drawing.canvas import spread
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Result
from snntoolbox.workflow.figures import Figures, LayerValues
from snntoolbox.workflow.report.html.axis import short
from snntoolbox.workflow.report.html.charts import Chart, histogram, lines, raster, scatter

ROWS = 36
"""Neurons of a raster."""

MOST_SPIKES = 2500
MOST_STEPS = 400
"""Of a longer run the first steps are drawn."""

TRACES = 3


def layer_charts(network: SpikingNetwork, name: str, figures: Figures) -> list[Chart]:
    """Those that there are data for."""
    charts: list[Chart] = []
    if (values := figures.layers.get(name)) is not None:
        charts += _of_values(values)
    if figures.trace is not None and name in figures.trace.spikes:
        charts += _of_sample(network, name, figures.trace)
    return charts


def _of_values(values: LayerValues) -> Iterator[Chart]:
    if values.activations is not None:
        pairs = zip(values.activations.tolist(), values.rates.tolist(), strict=True)
        words = [f"activation {short(a)}, rate × scale {short(r)}" for a, r in pairs]
        yield scatter(
            "Rates against activations",
            f"Spike rates times scale over activations of the original, {len(words)} neurons and samples; "
            "on the dashed line both are equal.",
            ("activation of the original", values.activations), ("rate × scale", values.rates), words,
        )  # fmt: skip
    spiking, original = values.counts
    counts = {"spiking network": spiking} | ({} if original is None else {"original": original})
    yield histogram("Distribution of activations", values.edges, counts)


def _of_sample(network: SpikingNetwork, name: str, trace: Result) -> Iterator[Chart]:
    spikes = trace.spikes[name][:MOST_STEPS, 0].reshape(min(trace.steps, MOST_STEPS), -1) != 0
    counts = spikes.sum(axis=0)
    rows = min(ROWS, max(4, int(MOST_SPIKES / max(float(counts.mean()), 1e-9))), spikes.shape[1])
    chosen = spread(spikes.shape[1], rows)
    yield raster("Spikes of the first sample", spikes[:, chosen], chosen, network.dt, spikes.shape[1])
    neuron = network.populations[name].neuron
    if isinstance(neuron, IF) and name in trace.potentials:
        yield _potentials(network, name, trace.potentials[name][: len(spikes), 0], _busy(counts))


def _busy(counts: Array) -> Array:
    """A few neurons: that which fires most, and others that fire less, or all the first where none does."""
    order = np.argsort(counts, kind="stable")
    firing = order[counts[order] > 0]
    order = firing if len(firing) >= TRACES else order
    few: Array = order[np.unique(np.linspace(len(order) - 1, 0, TRACES).round().astype(int))][::-1]
    return few


def _potentials(network: SpikingNetwork, name: str, potentials: Array, chosen: Array) -> Chart:
    population = network.populations[name]
    threshold = np.broadcast_to(np.asarray(population.neuron.threshold, float), population.shape).ravel()  # type: ignore[union-attr]
    values = np.asarray(potentials, float).reshape(len(potentials), -1)
    series = {f"neuron {int(n):,}": values[:, n] / threshold[n] for n in chosen}
    times = np.arange(1, len(values) + 1) * network.dt
    about = "Membrane potentials of some neurons for the first sample after each step, in thresholds."
    return lines("Membrane potentials of the first sample", about, ("time (ms)", times), "potential / threshold",
                 series, {"threshold": 1.0})  # fmt: skip
