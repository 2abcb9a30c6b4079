"""Estimates the clocks of a sample from its spikes, by a model of the pipeline of layers.

In each step a layer begins its scan when it has taken all spikes of the step and its sources have sent theirs. Its own
spikes leave while it scans, in blocks of which a queue holds L: the last of a block leaves when all readers have taken
the block L before it. With g words scanned for a block, and c clocks that a reader r takes for it,

    sent[b]     = max(sent[b - 1] + g[b], taken[r, b - L] of all r)
    taken[r, b] = max(taken[r, b - 1] + c[r, b], sent[b]).

A reader begins where it is free: when it has finished the step before and what other sources have sent. Handshakes are
left out, that spikes of several sources come in turns, and what is still in a queue when a step begins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from snntoolbox.backends.verilog.clocks import scan_clocks, spike_clocks, step_clocks
from snntoolbox.backends.verilog.design import Design
from snntoolbox.backends.verilog.layer import Layer
from snntoolbox.ir.node import Array

_PARTS = 4
"""Blocks that a queue holds, unless it has fewer words."""

Loads = Mapping[tuple[str, str], Array]
"""For each layer and each of its sources the clocks (steps, samples) that the spikes from there take in each step."""


def loads(design: Design, spikes: Mapping[str, Array]) -> Loads:
    """The loads of all layers by these trains (steps, samples, *shape)."""
    clocks_of: dict[tuple[str, str], Array] = {}
    for layer in design.layers:
        for port in layer.ports:
            clocks = spike_clocks(port)
            each = np.tensordot(spikes[port.source] != 0, clocks, clocks.ndim)
            known = clocks_of.get((layer.name, port.source))
            clocks_of[layer.name, port.source] = each if known is None else known + each
    return clocks_of


def estimated_clocks(
    design: Design, spikes: Mapping[str, Array], arriving: Loads, steps: int, samples: int
) -> tuple[int, ...]:
    """The clocks of each sample by the model, for the trains (steps, samples, *shape) of all layers and their loads.

    The words of the input currents and values come first, those of the outputs last.
    """
    words = design.loaded
    last = sum(readout.neurons + 1 for readout in design.readouts)
    trains = {layer.name: layer.layout.ordered(spikes[layer.name]) for layer in design.layers if layer.spikes}
    readers = {layer.name: _readers(design, layer) for layer in design.layers}
    estimates = []
    for sample in range(samples):
        pipeline = _Pipeline(design, readers)
        for step in range(steps):
            pipeline.feed({key: float(clocks[step, sample]) for key, clocks in arriving.items()})
            for layer in design.layers:
                pipeline.pass_step(layer, step_clocks(layer, step, steps), _train(trains, layer, step, sample))
        estimates.append(math.ceil(words + last + max(pipeline.done.values())))
    return tuple(estimates)


def _train(trains: Mapping[str, Array], layer: Layer, step: int, sample: int) -> Array | None:
    """The spikes of a layer in a step; of a read-out none."""
    return trains[layer.name][step, sample] if layer.spikes else None


def _readers(design: Design, layer: Layer) -> dict[str, Array]:
    """For each reader of a layer the clocks that it takes for a spike of each neuron, in the order of the scan."""
    clocks_of: dict[str, Array] = {}
    for reader, port in design.readers(layer.name):
        clocks = layer.layout.ordered(spike_clocks(port))
        clocks_of[reader.name] = clocks_of[reader.name] + clocks if reader.name in clocks_of else clocks
    return clocks_of


class _Pipeline:
    """One sample on its way: when each layer has finished its last step, and when it is free to take more spikes."""

    def __init__(self, design: Design, readers: Mapping[str, Mapping[str, Array]]) -> None:
        self.design, self.readers = design, readers
        self.done = {layer.name: 0.0 for layer in design.layers}
        self.free = dict(self.done)

    def feed(self, arriving: Mapping[tuple[str, str], float]) -> None:
        """Take the spikes of inputs."""
        inputs = {i.name for i in self.design.inputs}
        for (name, source), clocks in arriving.items():
            if source in inputs:
                self.free[name] += clocks

    def pass_step(self, layer: Layer, scan: int, train: Array | None) -> None:
        """Scan a layer in so many clocks and send its spikes, a train (neurons) in the order of the scan."""
        begin = max([self.free[layer.name], *(self.done.get(port.source, 0.0) for port in layer.ports)])
        end = begin + scan
        if train is not None and train.any():
            end = max(end, self._sent(layer, np.flatnonzero(train), begin) + scan_clocks(layer) - layer.places)
        self.done[layer.name] = self.free[layer.name] = end

    def _sent(self, layer: Layer, fired: Array, begin: float) -> float:
        """When the last spike has left."""
        words = fired // layer.scanned
        size = max(1, self.design.choices.queue // _PARTS)
        lag = self.design.choices.queue // size
        blocks = np.arange(0, len(fired), size)
        scanned = np.add.reduceat(np.diff(words, prepend=0), blocks).tolist()
        readers = self.readers[layer.name]
        takes = [np.add.reduceat(clocks[fired], blocks).tolist() for clocks in readers.values()]
        taken = [max(begin, self.free[name]) for name in readers]
        sent, gone = begin, [begin] * lag
        for block, gap in enumerate(scanned):
            sent = max(sent + gap, gone[block])
            taken = [max(t + take[block], sent) for t, take in zip(taken, takes, strict=True)]
            gone.append(max(taken, default=sent))
        self.free.update(zip(readers, taken, strict=True))
        return sent + layer.places - 1 - float(words[-1])
