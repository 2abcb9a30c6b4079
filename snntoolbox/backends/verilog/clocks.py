"""How many clocks a sample takes: estimated from rates, or worked out from the spikes of a run.

In each step a layer spends, for every spike that arrives, the beats of its port (entries of its axes times words of the
loop; 1 + synapses for a list), and then WORDS + 4 clocks for its scan (a read-out WORDS + 3, or 1 without a bias).
Layers work on different steps at the same time, so the busiest sets the pace.
"""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.backends.verilog.design import Design, Layer
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
    """The clocks at the end of each step."""
    if layer.spikes:
        return layer.words + 4
    return layer.words + 3 if layer.bias.any() or layer.current_bits else 1


def expected_clocks(design: Design, steps: int, rate: float) -> int:
    """The clocks of a sample if every neuron spikes with this rate."""
    loads = [
        scan_clocks(layer) + rate * sum(float(spike_clocks(port).sum()) for port in layer.ports)
        for layer in design.layers
    ]
    return math.ceil(steps * max(loads)) + design.loaded + round(sum(loads))
