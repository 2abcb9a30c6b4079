"""The words that go into the hardware and come out of it, for a batch of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snntoolbox.backends.verilog.axi_text import axi_bits
from snntoolbox.backends.verilog.design import Design, SpikeInput
from snntoolbox.backends.verilog.layer import Layer
from snntoolbox.backends.verilog.ports import coordinates, spike_bits
from snntoolbox.ir.host import HostInput
from snntoolbox.ir.node import Array


def currents(design: Design, host: HostInput) -> dict[str, Array]:
    """For each layer that gets an input current (samples, neurons) in its own order; the bias is in it."""
    found = {}
    for layer in design.driven:
        constant = host.constant[layer.name]
        bias = 0.0 if layer.target.bias is None else layer.target.bias
        found[layer.name] = np.rint(layer.layout.ordered(constant + np.broadcast_to(bias, layer.shape))).astype(
            np.int64
        )
    return found


def input_words(design: Design, host: HostInput) -> Array:
    """The input stream of all samples, one after the other."""
    given = currents(design, host)
    words: list[Array] = []
    for sample in range(host.samples):
        words += [given[layer.name][sample] for layer in design.driven]
        if design.digits:
            words += [_values(i, host, sample) for i in design.inputs]
        elif design.inputs:
            words += _input_spikes(design, host, sample)
    joined = np.concatenate(words) if words else np.zeros(0, np.int64)
    return np.asarray(joined & ((1 << design.input_bits) - 1))


def _values(given: SpikeInput, host: HostInput, sample: int) -> Array:
    """The values of an input in C order, {sign, magnitude}, from the digits that it presents."""
    digits = host.trains[given.name][: given.digits, sample].reshape(-1, given.values).astype(np.int64)
    places = given.digits - 1 - np.arange(len(digits))
    signs = (digits < 0).any(axis=0).astype(np.int64)
    return np.asarray((np.abs(digits) << places[:, None]).sum(axis=0) | signs << given.digits)


def _input_spikes(design: Design, host: HostInput, sample: int) -> list[Array]:
    low, id_bits = design.input_spike_bits, design.input_id_bits
    marker = np.array([1 << (low + id_bits + 1)], np.int64)
    tables = [coordinates(i.shape) for i in design.inputs]
    trains = [host.trains[i.name][:, sample].reshape(host.steps, -1) for i in design.inputs]
    words = []
    for step in range(host.steps):
        for number, (table, train) in enumerate(zip(tables, trains, strict=True)):
            fired = np.flatnonzero(train[step])
            words.append(
                table[fired] | (number << low) | ((train[step][fired] < 0).astype(np.int64) << (low + id_bits))
            )
        words.append(marker)
    return words


def spike_words(layer: Layer, spikes: Array) -> Array:
    """A layer's output for these spikes (steps, samples, *shape): in its own order, a marker after each step."""
    steps, samples = spikes.shape[:2]
    table = coordinates(layer.shape)[layer.layout.c_order]
    marker = 1 << spike_bits(layer.shape)
    ordered = layer.layout.ordered(spikes).swapaxes(0, 1)
    marked = np.concatenate([ordered, np.ones((samples, steps, 1), bool)], axis=2)
    words = np.broadcast_to(np.append(table, marker), marked.shape).copy()
    words[:, -1, -1] |= 1
    return np.asarray(words[marked])


def spikes_from(layer: Layer, words: Array, steps: int, samples: int) -> Array:
    """The spikes (steps, samples, *shape) of a layer from its output."""
    marker = 1 << spike_bits(layer.shape)
    ends = (words & marker) != 0
    moment = np.cumsum(ends) - ends
    index = np.full(int(coordinates(layer.shape).max()) + 1, -1)
    index[coordinates(layer.shape)] = np.arange(layer.neurons)
    raster = np.zeros((samples * steps, layer.neurons), bool)
    raster[moment[~ends], index[words[~ends]]] = True
    return raster.reshape(samples, steps, *layer.shape).swapaxes(0, 1)


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a read-out gives: sums (samples, *shape) and the index of the largest (samples,)."""

    sums: Array
    classes: Array


def output_words(design: Design, sums: Mapping[str, Array]) -> Array:
    """The output stream for these sums (samples, *shape) of each read-out: as `outputs_from` takes it apart.

    Words of {TLAST, TUSER, TDATA} of the AXI-Stream wrapper.
    """
    _, bits = axi_bits(design)
    parts, mask = [], (1 << bits) - 1
    for layer in design.readouts:
        ordered = layer.layout.ordered(sums[layer.name]).astype(np.int64)
        parts += [ordered & mask, ordered.argmax(axis=1)[:, None] | 1 << bits]
    parts[-1] = parts[-1] | 2 << bits
    return np.asarray(np.concatenate(parts, axis=1).reshape(-1))


def outputs_from(design: Design, words: Array, samples: int) -> dict[str, Outputs]:
    """Each read-out's sums and classes from the output stream."""
    _, bits = axi_bits(design)
    frame = words.reshape(samples, -1) & ((1 << bits) - 1)
    signed = np.where(frame >> (bits - 1) & 1, frame - (1 << bits), frame)
    found, place = {}, 0
    for layer in design.readouts:
        ordered = signed[:, place : place + layer.neurons]
        sums = np.empty_like(ordered)
        sums[:, layer.layout.c_order] = ordered
        found[layer.name] = Outputs(sums.reshape(samples, *layer.shape), frame[:, place + layer.neurons])
        place += layer.neurons + 1
    return found
