"""Counts what an inference costs: spikes, synaptic operations and clocks per layer, and a dense design beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snntoolbox.backends.fpga.estimate import estimated_clocks, loads
from snntoolbox.backends.verilog.clocks import fixed_clocks, scan_clocks
from snntoolbox.backends.verilog.design import Design
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.operations import fan_out
from snntoolbox.ir.result import Result


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """One layer and its module, means over the samples.

    spikes: those it fires in a sample, None for a read-out. arriving: those that reach it. scan: clocks at the end of
    each step that is scanned. per_spike: clocks that an arriving spike takes, on average. busy: clocks that a sample
    keeps it busy.
    """

    name: str
    module: str
    neurons: int
    bits: int
    lanes: int
    spikes: float | None
    arriving: float
    scan: int
    per_spike: float
    busy: float


@dataclass(frozen=True, kw_only=True)
class InferenceCost:
    """Means per sample. estimated: clocks of each sample by `estimated_clocks`. dense: see `dense_entries`."""

    layers: tuple[LayerCost, ...]
    spikes: float
    operations: float
    estimated: tuple[int, ...]
    synapses: int
    dense: int
    weight_memory: int


def dense_entries(network: SpikingNetwork) -> int:
    """The entries of all matrices of a dense design: for each layer its neurons times the neurons it reads from.

    A fully parallel one has an adder for each; one that does a row at a time stores all of them, zeros and the
    repeated weights of convolutions included.
    """
    sizes = {t: math.prod(network.wiring.shapes[c]) for t, c in _currents(network).items()}
    sources = {p.name: p.size for p in network.populations.values()}
    return sum(sizes[p.target] * sources.get(p.source, 0) for p in network.projections)


def _currents(network: SpikingNetwork) -> dict[str, str]:
    targets: list[Population | Readout] = [*network.populations.values(), *network.readouts]
    return {t.name: t.current for t in targets}


def inference_cost(
    network: SpikingNetwork, design: Design, run: Result, trains: Mapping[str, Array], weights: int
) -> InferenceCost:
    """The costs of a run whose spikes were recorded; `trains` are those of spiking inputs, `weights` bits stored."""
    spikes = {**trains, **run.spikes}
    arriving = loads(design, spikes)
    each = {name: float((train != 0).sum()) / run.samples for name, train in spikes.items()}
    layers = []
    for layer in design.layers:
        arrived = sum(each[port.source] for port in layer.ports)
        clocks = sum(float(a.sum()) for (reader, _), a in arriving.items() if reader == layer.name) / run.samples
        layers.append(
            LayerCost(
                name=layer.label, module=layer.module, neurons=layer.neurons, bits=layer.bits, lanes=layer.lanes,
                spikes=each.get(layer.name), arriving=arrived, scan=scan_clocks(layer),
                per_spike=clocks / arrived if arrived else 0.0, busy=clocks + fixed_clocks(layer, run.steps),
            )
        )  # fmt: skip
    fans = fan_out(network)
    operations = sum(float(np.vdot((t != 0).sum(axis=0), fans[n])) for n, t in _summed(spikes).items()) / run.samples
    return InferenceCost(
        layers=tuple(layers),
        spikes=sum(each[name] for name in run.spikes),
        operations=operations,
        estimated=estimated_clocks(design, spikes, arriving, run.steps, run.samples),
        synapses=sum(int(fans[name].sum()) for name in network.populations),
        dense=dense_entries(network),
        weight_memory=weights,
    )


def _summed(spikes: Mapping[str, Array]) -> dict[str, Array]:
    """Trains (steps, samples, *shape) with steps and samples as one axis."""
    return {name: train.reshape(-1, *train.shape[2:]) for name, train in spikes.items()}
