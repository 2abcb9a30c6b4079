"""How many clocks a sample takes: estimated from rates, or worked out from the spikes of a run.

In each step a layer spends, for every spike that arrives, the beats of its port (entries of its axes times words of the
loop; 1 + synapses for a list), and then PLACES + 4 clocks for its scan (a read-out WORDS + 3, or 1 without a bias).
A layer that only spikes reach is scanned in the steps of its window and in the last alone, see `Layer.silent`; one with
a table or a product also in the step before, in which each neuron takes `Layer.opening_clocks` more.
Layers work on different steps at the same time, so the busiest sets the pace.
"""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.backends.verilog.design import Design
from snntoolbox.backends.verilog.layer import Layer
from snntoolbox.backends.verilog.ports import ListPort, Port
from snntoolbox.ir.node import Array


def spike_clocks(port: Port) -> Array:
    """The clocks that a spike of each source neuron takes, of the source's shape."""
    if isinstance(port, ListPort):
        return np.asarray(np.diff(port.starts).reshape(port.shape) + 1)
    counts = np.full(port.shape, port.loop)
    for position, axis in enumerate(port.axes):
        if axis.rows is not None:
            entries = np.array([len(row) for row in axis.rows])
            counts = counts * entries.reshape([-1 if a == position else 1 for a in range(len(port.shape))])
    return np.asarray(np.maximum(counts, 1))


def scan_clocks(layer: Layer) -> int:
    """The clocks at the end of each step in which the layer is scanned."""
    if layer.spikes:
        return layer.places + 4
    return layer.words + 3 if layer.bias.any() or layer.current_bits else 1


def step_clocks(layer: Layer, step: int, steps: int) -> int:
    """The clocks at the end of this step, counted from 0: one that is not scanned takes two."""
    first, last = layer.window
    if layer.opening_clocks and step == first - 1 and step < steps - 1:
        return scan_clocks(layer) + layer.places * layer.opening_clocks
    return scan_clocks(layer) if not layer.silent or first <= step < last or step == steps - 1 else 2


def fixed_clocks(layer: Layer, steps: int) -> int:
    """Those of all steps, without any spike."""
    return sum(step_clocks(layer, step, steps) for step in range(steps))


def expected_clocks(design: Design, steps: int, rate: float) -> int:
    """The clocks of a sample if every neuron spikes with this rate."""
    loads = [
        fixed_clocks(layer, steps) / steps + rate * sum(float(spike_clocks(port).sum()) for port in layer.ports)
        for layer in design.layers
    ]
    return math.ceil(steps * max(loads)) + design.loaded + round(sum(loads))
