"""What Lava is given of a network: neurons and synapses as whole numbers, weights in the 8 bits of Loihi."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from snntoolbox.backends.written_readouts import readouts_of
from snntoolbox.ir.flat import Connection, FlatNetwork, flattened
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import Reset
from snntoolbox.ir.node import Array
from snntoolbox.ir.relays import with_relays

UNIT = 2
"""What all potentials are multiplied by: Lava's weights of both signs are even, from -256 to 254."""

BITS = 7
"""Of a weight, beside its sign; what is larger is the sum of several synapses with exponents."""


def on_relays(network: SpikingNetwork) -> FlatNetwork:
    """The network as flat arrays in which every spike acts in the next step."""
    return with_relays(flattened(network))


def arrays_of(network: SpikingNetwork, flat: FlatNetwork) -> dict[str, Array]:
    """The content of ``weights.npz``, see `lava_network.Network`."""
    arrays: dict[str, Array] = {}
    layers: dict[str, Any] = {}
    for name, cells in flat.cells.items():
        layers[name] = {
            "shown": name in network.populations,
            "subtracts": cells.neuron.reset is Reset.SUBTRACT,
            "low": UNIT * int(cells.neuron.reset_potential),
            "onset": cells.onset,
        }
        arrays[f"threshold of {name}"] = whole(cells.threshold)
        arrays[f"initial of {name}"] = whole(cells.initial)
    sizes = {**flat.inputs, **{name: cells.size for name, cells in flat.cells.items()}}
    synapses: list[dict[str, Any]] = []
    for connection in flat.connections:
        for exponent, chosen, weight in _eight_bits(connection):
            arrays[f"weight {len(synapses)}"] = weight.astype(np.int16)
            arrays[f"pre {len(synapses)}"] = connection.pre[chosen].astype(np.int32)
            arrays[f"post {len(synapses)}"] = connection.post[chosen].astype(np.int32)
            shape = (sizes[connection.target], sizes[connection.source])
            synapses.append(
                {"source": connection.source, "target": connection.target, "shape": shape, "exponent": exponent}
            )
    readouts = dict(readouts_of(network, flat, arrays))
    about = {"layers": layers, "synapses": synapses, "readouts": readouts, "lead": flat.lead}
    return {**arrays, "about": np.array(json.dumps(about))}


def whole(values: Array) -> Array:
    """Values on the grid in Lava's unit."""
    return np.asarray(np.rint(UNIT * values), np.int32)


def _eight_bits(connection: Connection) -> Iterator[tuple[int, Array, Array]]:
    """The weights as sums of 8-bit ones: exponent, which synapses have any, and their weights in Lava's unit."""
    rest = np.rint(connection.weight).astype(np.int64)
    exponent = 0
    while rest.any():
        fits = (rest >= -(1 << BITS)) & (rest < 1 << BITS)
        low = np.where(fits, rest, (rest + (1 << BITS - 1)) % (1 << BITS) - (1 << BITS - 1))
        chosen = low != 0
        if chosen.any():
            yield exponent, chosen, UNIT * low[chosen]
        rest, exponent = (rest - low) >> BITS, exponent + BITS
