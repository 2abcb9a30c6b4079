"""The vectors of a project's test bench: what goes in, and every spike and output word that must come out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snntoolbox.backends.verilog.bench import INPUT, OUTPUT, hex_words
from snntoolbox.backends.verilog.design import Design
from snntoolbox.backends.verilog.streams import input_words, output_words, spike_words
from snntoolbox.ir.host import HostInput, checked_batch
from snntoolbox.ir.interpreter import constant_currents, interpret
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result

_BATCH = 100


def largest_currents(network: SpikingNetwork, x: Sequence[Array]) -> dict[str, int]:
    """For each layer with an input current the largest amount of it for these samples, bias included.

    Rounded up to one less than a power of two: what its bits can hold anyway.
    """
    biases = {**{n: p.bias for n, p in network.populations.items()}, **{r.name: r.bias for r in network.readouts}}
    found: dict[str, int] = {}
    for start in range(0, len(x[0]), _BATCH):
        for name, constant in constant_currents(network, *(a[start : start + _BATCH] for a in x)).items():
            bias = biases[name]
            largest = int(np.abs(constant + (0.0 if bias is None else bias)).max(initial=0))
            found[name] = max(found.get(name, 0), largest)
    return {name: (1 << current.bit_length()) - 1 for name, current in found.items()}


def reference(network: SpikingNetwork, x: Sequence[Array], steps: int, *, potentials: bool = False) -> Result:
    """The run of these samples by the reference interpreter, every spike recorded, and potentials if asked for."""
    record = Record(spikes=True, potentials=potentials)
    return interpret(network, *checked_batch(network, tuple(x), steps), steps=steps, record=record)


def vectors(design: Design, network: SpikingNetwork, x: Sequence[Array], expected: Result) -> dict[str, str]:
    """The files of the test bench: name -> text; `expected` is the reference's run of the same samples."""
    host = HostInput(network, tuple(np.asarray(a) for a in x), expected.steps, 0)
    sums = {}
    for readout in network.readouts:
        steps = expected.steps
        counted = steps - readout.start if readout.start and steps >= 2 * readout.start else steps
        sums[readout.name] = np.rint(expected.outputs[readout.name] / readout.scale * counted)
    texts = {INPUT: hex_words(input_words(design, host)), OUTPUT: hex_words(output_words(design, sums))}
    for layer in design.layers:
        if layer.spikes:
            words = spike_words(layer, expected.spikes[layer.name])
            texts[f"{layer.module}.spikes.hex"] = hex_words(words)
    return texts
