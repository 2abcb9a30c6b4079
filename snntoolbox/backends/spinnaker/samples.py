"""What samples bring to a network on SpiNNaker and what must come of them, as the script reads it, and its trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.backends.spinnaker.chip import Chip
from snntoolbox.backends.spinnaker.spinnaker_network import Network, compared
from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.host import HostInput
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record
from snntoolbox.ir.writing import replacing


def save_arrays(path: Path, arrays: Mapping[str, Array], *, lasting: bool = True) -> None:
    """Write arrays into a file, which is there whole or not at all; `lasting` ones take less room and more time."""
    with replacing(path, sync=lasting) as file:
        (np.savez_compressed if lasting else np.savez)(file, **arrays)  # type: ignore[arg-type]


def no_samples(network: SpikingNetwork) -> HostInput:
    """A step of a sample that brings nothing: what remains is what every sample brings."""
    shapes = [(1, *network.wiring.shapes[name]) for name in network.encodings]
    return HostInput(network, tuple(np.zeros(shape) for shape in shapes), 1, 0)


def room(network: SpikingNetwork) -> dict[str, Array]:
    """For currents of samples that are not known: as much as a spike in each step."""
    host = no_samples(network)
    neurons = {n: p.neuron for n, p in network.populations.items() if n in host.constant and isinstance(p.neuron, IF)}
    peaks = {name: np.max(neuron.threshold) for name, neuron in neurons.items()}
    return {n: np.stack([d[0] + peaks.get(n, 0), d[0] - peaks.get(n, 0)]) for n, d in host.drive.items()}


def given_by(network: SpikingNetwork, x: tuple[Array, ...], host: HostInput) -> dict[str, Array]:
    """The content of ``samples.npz``: what samples bring to the network, and the spikes and outputs they must give."""
    meant = interpret(network, *x, steps=host.steps, record=Record(spikes=True), first_sample=host.first_sample)
    arrays = {f"drive of {name}": np.rint(drive).astype(np.int64) for name, drive in host.drive.items()}
    for name, train in host.trains.items():
        own = np.moveaxis(train.reshape(host.steps, host.samples, -1), 1, 0)
        arrays[f"train of {name}"] = np.concatenate([own > 0, own < 0], axis=2)
    for name, spikes in meant.spikes.items():
        arrays[f"spikes of {name}"] = np.moveaxis(spikes.reshape(host.steps, host.samples, -1), 1, 0).astype(bool)
    for readout in network.readouts:
        current = host.constant.get(readout.name, np.zeros((host.samples, *readout.shape)))
        arrays[f"current of {readout.name}"] = current.reshape(host.samples, -1)
        arrays[f"output of {readout.name}"] = meant.outputs[readout.name].reshape(host.samples, -1)
    return {**arrays, "steps": np.array(host.steps), "samples": np.array(host.samples)}


def tried(network: SpikingNetwork, weights: Path, given: dict[str, Any]) -> tuple[dict[str, Array], list[str]]:
    """What the script gives on cells with the chip's numbers: layer -> (steps, samples, neurons); outputs that differ.

    UnsupportedError names layers whose potentials are cut there, so that spikes are others.
    """
    spikes, differ, wrong = compared(Network(weights), Chip(), given)
    if any(differ.values()):
        offenders = [
            Unsupported(network.populations[name].label, f"{count:,} spikes differ: potentials fall below the lowest")
            for name, count in differ.items()
            if count
        ]
        raise UnsupportedError("a core of SpiNNaker", offenders, hint="fewer weight_bits, or a shorter duration")
    return spikes, wrong
