"""What SpiNNaker's cells are given of a network: thresholds, lowest potentials and synapses, within sums of 16 bits."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from snntoolbox.backends.spinnaker.spinnaker_network import SUMS
from snntoolbox.backends.written_readouts import readouts_of
from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.flat import Cells, FlatNetwork, flattened
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array

HIGHEST = 2**31 - 1 - 2 * SUMS
"""Above it the sum of a potential and what arrives in a step may leave the 32 bits of an S16.15 number."""

FEWER_BITS = "fewer weight_bits"


NEURONS_PER_CORE = 64
"""The default of the SNN Toolbox; with fewer a core has more time for each."""


def described(
    network: SpikingNetwork,
    drive: Mapping[str, Array],
    *,
    neurons_per_core: int = NEURONS_PER_CORE,
    flat: FlatNetwork | None = None,
) -> dict[str, Array]:
    """The content of ``weights.npz``, see `spinnaker_network.Network`; UnsupportedError lists what has no room.

    `drive`: population -> (samples, neurons), the currents that there have to be room for beside the synapses. `flat`
    is the network flattened, where that is known.
    """
    flat = flat or flattened(network)
    received = {name: _received(flat, cells, drive[name]) for name, cells in flat.cells.items()}
    wrong = {name: why for name, cells in flat.cells.items() if (why := _wrong(cells, *received[name]))}
    if wrong:
        offenders = [Unsupported(flat.cells[name].label, why) for name, (why, _) in wrong.items()]
        ways = dict.fromkeys(way for _, way in wrong.values())
        raise UnsupportedError("a core of SpiNNaker", offenders, hint="; ".join(ways))
    arrays: dict[str, Array] = {}
    layers = {}
    for name, cells in flat.cells.items():
        layers[name] = {"size": cells.size, "onset": cells.onset, "refractory": cells.neuron.refractory}
        lowest = lowest_potential(cells, received[name][0])
        arrays[f"threshold of {name}"], arrays[f"initial of {name}"] = whole(cells.threshold), whole(cells.initial)
        arrays[f"lowest of {name}"] = np.array(lowest)
        arrays[f"lift of {name}"] = np.full(cells.size, _reset(cells) - lowest)
    synapses = []
    for number, connection in enumerate(flat.connections):
        arrays[f"pre {number}"], arrays[f"post {number}"] = connection.pre, connection.post
        arrays[f"weight {number}"] = whole(connection.weight)
        synapses.append({"source": connection.source, "target": connection.target, "delay": connection.delay})
    readouts = dict(readouts_of(network, flat, arrays))
    about = {"layers": layers, "inputs": dict(flat.inputs), "synapses": synapses, "readouts": readouts}
    about["neurons per core"] = neurons_per_core
    return {**arrays, "about": np.array(json.dumps(about)), "lead": np.array(flat.lead)}


def whole(values: Array) -> Array:
    """Values on the grid as integers."""
    return np.asarray(np.rint(values), np.int64)


def lowest_potential(cells: Cells, excitation: int) -> int:
    """Below which no potential goes: where the network's saturate, else as deep as one step can lift it again."""
    if (saturation := cells.neuron.saturation) is not None:
        return round(saturation[0])
    return _reset(cells) - (SUMS - excitation)


def _reset(cells: Cells) -> int:
    return round(cells.neuron.reset_potential)


def _received(flat: FlatNetwork, cells: Cells, drive: Array) -> tuple[int, int]:
    """The most that a neuron may be given in a step by synapses of each sign, the clock's included."""
    sums = np.zeros((2, cells.size))
    for connection in flat.connections:
        if connection.target == cells.name:
            for sign, total in zip((1, -1), sums, strict=True):
                np.add.at(total, connection.post, np.maximum(sign * connection.weight, 0))
    clock = np.maximum(np.stack([drive.max(axis=0), -drive.min(axis=0)]), 0)
    excitation, inhibition = (sums + clock).max(axis=1, initial=0)
    return int(excitation), int(inhibition)


def _wrong(cells: Cells, excitation: int, inhibition: int) -> tuple[str, str] | None:
    """What of a layer a core cannot hold, if anything, and what mends it.

    A grid of `weight_bits` knows no limits and resets to 0 alone: whatever else there is was given as it is.
    """
    lowest = lowest_potential(cells, excitation)
    if max(excitation, inhibition) > SUMS:
        told = f"a neuron may receive {max(excitation, inhibition):,} in a step, and {SUMS:,} is the most there"
        return told, FEWER_BITS
    if _reset(cells) - lowest + excitation > SUMS:
        told = f"potentials down to {lowest:,}, and {_reset(cells) - SUMS + excitation:,} is the lowest there"
        return told, "a `saturation` that begins nearer to the reset potential"
    if cells.threshold.max(initial=0) > HIGHEST:
        return f"a threshold of {cells.threshold.max():,.0f}, and {HIGHEST:,} is the most there", FEWER_BITS
    if cells.initial.min(initial=0) < lowest:
        told = f"an initial potential of {cells.initial.min():,.0f}, and {lowest:,} is the lowest there"
        nearer = "initial potentials nearer to the reset potential"
        return told, nearer if _reset(cells) else f"{FEWER_BITS}, or v_init = 0"
    saturation = cells.neuron.saturation
    if saturation is not None and saturation[1] < cells.threshold.max(initial=0) - 1:
        told = "potentials that saturate below the threshold, where its cells have a lowest one alone"
        return told, "a `saturation` that ends at the threshold or above"
    return None
