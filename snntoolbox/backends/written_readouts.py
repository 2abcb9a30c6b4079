"""What a script of another library needs to sum read-outs itself: matrices, biases and steps to forget, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from snntoolbox.ir.flat import FlatNetwork, spread
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array


def readouts_of(network: SpikingNetwork, flat: FlatNetwork, arrays: dict[str, Array]) -> Iterator[tuple[str, Any]]:
    """What is summed on the host: one matrix for each projection from what spikes, added to `arrays`."""
    sources = {*flat.inputs, *network.populations}
    for readout in network.readouts:
        parts: list[dict[str, Any]] = []
        for projection in network.projections:
            if projection.target == readout.name and projection.source in sources:
                matrix = projection.synapses().toarray()
                signed = projection.source in flat.inputs
                arrays[f"weight {len(parts)} to {readout.name}"] = np.hstack([matrix, -matrix]) if signed else matrix
                parts.append({"source": projection.source, "lag": projection.lag})
        arrays[f"bias to {readout.name}"] = spread(0.0 if readout.bias is None else readout.bias, readout.shape)
        yield readout.name, {"parts": parts, "scale": readout.scale, "start": readout.start}
