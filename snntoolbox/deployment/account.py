"""Counts what an inference costs: spikes, synaptic operations and clocks per layer, and a dense design beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snntoolbox.backends.verilog.clocks import scan_clocks, spike_clocks
from snntoolbox.backends.verilog.design import Design
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Result
from snntoolbox.report.operations import fan_out


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """One layer, means over the samples.

    spikes: those it fires in a sample, None for a read-out. arriving: those that reach it. scan: clocks at the end of
    each step. per_spike: clocks that an arriving spike takes, on average. busy: clocks that a sample keeps it busy.
    """

    name: str
    neurons: int
    bits: int
    lanes: int
    spikes: float | None
    arriving: float
    scan: int
    per_spike: float
    busy: float


@dataclass(frozen=True, kw_only=True)
class Account:
    """Means per sample. estimated: clocks of each sample by `estimated_clocks`. dense: see `dense_entries`."""

    layers: tuple[LayerCost, ...]
    spikes: float
    operations: float
    estimated: tuple[int, ...]
    synapses: int
    dense: int
    weight_memory: int


Loads = Mapping[tuple[str, str], Array]
"""For each layer and each of its sources the clocks (steps, samples) that the spikes from there take in each step."""


def loads(design: Design, spikes: Mapping[str, Array]) -> Loads:
    """The loads of all layers by these trains (steps, samples, *shape)."""
    found: dict[tuple[str, str], Array] = {}
    for layer in design.layers:
        for port in layer.ports:
            clocks = spike_clocks(port)
            taken = np.tensordot(spikes[port.source] != 0, clocks, clocks.ndim)
            known = found.get((layer.name, port.source))
            found[layer.name, port.source] = taken if known is None else known + taken
    return found


def estimated_clocks(design: Design, arriving: Loads, steps: int, samples: int) -> tuple[int, ...]:
    """The clocks of each sample by a model of the pipeline; rather too few.

    It leaves out handshakes, and that a scan which waits for a reader in one place does not run ahead in another.

    A layer scans when it has taken all spikes of the step and its sources have sent theirs. Its own spikes leave while
    it scans, as fast as each reader takes them, which begins when that has finished the step before. The words of the
    input currents come first, those of the outputs last.
    """
    words = sum(layer.neurons for layer in design.driven)
    last = sum(readout.neurons + 1 for readout in design.readouts)
    readers = {layer.name: {r.name for r, _ in design.readers(layer.name)} for layer in design.layers}
    return tuple(
        math.ceil(words + _finished(design, readers, {k: v[:, sample] for k, v in arriving.items()}, steps) + last)
        for sample in range(samples)
    )


def _finished(design: Design, readers: Mapping[str, set[str]], arriving: Loads, steps: int) -> float:
    """When the last layer has finished the last step of a sample."""
    done = {layer.name: 0.0 for layer in design.layers}
    # When each layer has taken all spikes that have left their sources so far.
    free = dict(done)
    for step in range(steps):
        for source in design.inputs:
            for name in {reader.name for reader, _ in design.readers(source.name)}:
                free[name] += float(arriving[name, source.name][step])
        for layer in design.layers:
            scan = max([free[layer.name], *(done.get(port.source, 0.0) for port in layer.ports)])
            done[layer.name] = scan + scan_clocks(layer)
            for reader in readers[layer.name]:
                free[reader] = max(free[reader], scan) + float(arriving[reader, layer.name][step])
                done[layer.name] = max(done[layer.name], free[reader])
            free[layer.name] = done[layer.name]
    return max(done.values())


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


def account(network: SpikingNetwork, design: Design, run: Result, trains: Mapping[str, Array], weights: int) -> Account:
    """The costs of a run whose spikes were recorded; `trains` are those of spiking inputs, `weights` bits stored."""
    spikes = {**trains, **run.spikes}
    arriving = loads(design, spikes)
    each = {name: float((train != 0).sum()) / run.samples for name, train in spikes.items()}
    layers = []
    for layer in design.layers:
        came = sum(each[port.source] for port in layer.ports)
        clocks = sum(float(a.sum()) for (reader, _), a in arriving.items() if reader == layer.name) / run.samples
        layers.append(
            LayerCost(
                name=layer.label, neurons=layer.neurons, bits=layer.bits, lanes=layer.lanes,
                spikes=each.get(layer.name), arriving=came, scan=scan_clocks(layer),
                per_spike=clocks / came if came else 0.0, busy=clocks + run.steps * scan_clocks(layer),
            )
        )  # fmt: skip
    fans = fan_out(network)
    operations = sum(float(np.vdot((t != 0).sum(axis=0), fans[n])) for n, t in _summed(spikes).items()) / run.samples
    return Account(
        layers=tuple(layers),
        spikes=sum(each[name] for name in run.spikes),
        operations=operations,
        estimated=estimated_clocks(design, arriving, run.steps, run.samples),
        synapses=sum(int(fans[name].sum()) for name in network.populations),
        dense=dense_entries(network),
        weight_memory=weights,
    )


def _summed(spikes: Mapping[str, Array]) -> dict[str, Array]:
    """Trains (steps, samples, *shape) with steps and samples as one axis."""
    return {name: train.reshape(-1, *train.shape[2:]) for name, train in spikes.items()}
