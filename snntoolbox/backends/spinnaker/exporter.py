"""SpiNNaker as an exporter: a script with its weights, tried in the chip's arithmetic and placed on a virtual board."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.backends.check_options import CheckOptions, unchecked
from snntoolbox.backends.options import chosen_options
from snntoolbox.backends.protocol import Check, Exported
from snntoolbox.backends.spinnaker.board import SPYNNAKER, mapped
from snntoolbox.errors import BackendError, Unsupported, UnsupportedError
from snntoolbox.ir import features as f
from snntoolbox.ir import parts
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.io import load_network, save
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.part import features_of
from snntoolbox.ir.timing import run_steps
from snntoolbox.ir.writing import replacing, write_text

CODE, WEIGHTS, SAMPLES, NETWORK = "network.py", "weights.npz", "samples.npz", "network.npz"

PARTS = (
    *(parts.Delta, parts.PerfectIntegrator, parts.ConstantThreshold, parts.BinarySpikes),
    *(parts.ToPotential, parts.RefractoryPeriod, parts.Saturation),
)

CAPABILITIES = Capabilities(
    features=features_of(PARTS) | f.INPUTS | {f.BIAS, f.INITIAL_POTENTIAL, f.DELAYS, f.RECURRENT},
    latency=1,
    exact_bits=31,
    installer="sPyNNaker, for placing it on a board",
    reasons={f.RESET_SUBTRACT: "none of its cells keeps what is left above the threshold"},
)


@dataclass(frozen=True, kw_only=True)
class Options(CheckOptions):
    """How it is checked: the interpreter `python` places it, if it has sPyNNaker; see `CheckOptions`."""

    python: str = ""


class SpinnakerExporter:
    """A network as a Python file for sPyNNaker and its weights, for who has a board."""

    name = "pynn.spiNNaker"
    capabilities = CAPABILITIES
    options = Options

    def export(
        self, network: SpikingNetwork, folder: Path, samples: tuple[Array, ...] = (), **options: Any
    ) -> Exported:
        """Write the files and check them by the first samples; `options` as in `Options`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        if chosen.python:  # one that is named has to be right; the usual one may lack it
            SPYNNAKER.found(chosen.python)
        from snntoolbox.backends.spinnaker.description import described

        first = chosen.first(samples)
        host = _host(network, first or _nothing(network), run_steps(network, chosen.duration))
        arrays = described(network, host.drive if first else _room(network))
        write_text(folder / CODE, Path(__file__).with_name("spinnaker_network.py").read_text("utf-8"))
        _save(folder / WEIGHTS, arrays)
        save(network, folder / NETWORK)
        lowest = {n: int(arrays[f"lowest of {n}"]) for n in network.populations}
        report: dict[str, Any] = {"lowest potentials": lowest}
        checks = [unchecked(EQUAL), unchecked(PLACED)]
        if first:
            _save_samples(network, folder, first, host)
            checks = [_tried(network, folder), *_placed(folder, chosen.python, report)]
        return Exported(folder=folder, checks=tuple(checks), report=report)

    def read(self, folder: Path) -> SpikingNetwork:
        """The network that the script was written from: the check compares the script's spikes with that one's."""
        return load_network(folder / NETWORK)


EQUAL, PLACED = "equal spikes in the arithmetic of its cells", "placed and routed on a virtual board of 48 chips"


def _save(path: Path, arrays: Mapping[str, Array]) -> None:
    with replacing(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _nothing(network: SpikingNetwork) -> tuple[Array, ...]:
    shapes = [(1, *network.wiring.shapes[name]) for name in network.encodings]
    return tuple(np.zeros(shape) for shape in shapes)


def _room(network: SpikingNetwork) -> dict[str, Array]:
    """For currents of samples that are not known: as much as a spike in each step."""
    host = _host(network, _nothing(network), 1)
    neurons = {n: p.neuron for n, p in network.populations.items() if n in host.constant and isinstance(p.neuron, IF)}
    peaks = {name: np.max(neuron.threshold) for name, neuron in neurons.items()}
    return {n: np.stack([d[0] + peaks.get(n, 0), d[0] - peaks.get(n, 0)]) for n, d in host.drive.items()}


def _host(network: SpikingNetwork, x: tuple[Array, ...], steps: int) -> Any:
    from snntoolbox.ir.host import HostInput

    return HostInput(network, x, steps, 0)


def _save_samples(network: SpikingNetwork, folder: Path, x: tuple[Array, ...], host: Any) -> None:
    """What the samples bring to the network, and the spikes that it has to give: sample by sample."""
    from snntoolbox.ir.interpreter import interpret
    from snntoolbox.ir.result import Record

    meant = interpret(network, *x, steps=host.steps, record=Record(spikes=True))
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
    _save(folder / SAMPLES, {**arrays, "steps": np.array(host.steps), "samples": np.array(host.samples)})


def _tried(network: SpikingNetwork, folder: Path) -> Check:
    """The script on cells with the chip's numbers; UnsupportedError names layers whose potentials are cut there."""
    from snntoolbox.backends.spinnaker.chip import Chip
    from snntoolbox.backends.spinnaker.spinnaker_network import Network, compared

    begun = time.monotonic()
    with np.load(folder / SAMPLES) as file:
        given = dict(file)
    differ, wrong = compared(Network(folder / WEIGHTS), Chip(), given)
    if any(differ.values()):
        offenders = [
            Unsupported(network.populations[name].label, f"{count:,} spikes differ: potentials fall below the lowest")
            for name, count in differ.items()
            if count
        ]
        raise UnsupportedError("a core of SpiNNaker", offenders, hint="fewer weight_bits, or a shorter duration")
    outcome: Any = "failed" if wrong else "passed"
    why = f"the outputs {', '.join(wrong)} differ" if wrong else ""
    return Check(goal=EQUAL, outcome=outcome, why=why, seconds=round(time.monotonic() - begun, 1))


def _placed(folder: Path, python: str, report: dict[str, Any]) -> list[Check]:
    """Whether the script finds a place on a board, and that in `report`; not checked where there is no sPyNNaker."""
    begun = time.monotonic()
    try:
        path = SPYNNAKER.found(python or SPYNNAKER.usual)
    except BackendError as error:
        return [Check(goal=PLACED, outcome="not checked", why=f"{error.message}; {error.hint}")]
    try:
        found = mapped(folder / CODE, folder / SAMPLES, path)
    except BackendError as error:
        return [Check(goal=PLACED, outcome="failed", why=error.message, seconds=round(time.monotonic() - begun, 1))]
    except subprocess.TimeoutExpired as error:
        return [Check(goal=PLACED, outcome="not finished", why=f"after {error.timeout:.0f} s", seconds=error.timeout)]
    report |= found
    seconds = round(time.monotonic() - begun, 1)
    if differ := found["synapses that differ"]:
        return [Check(goal=PLACED, outcome="failed", why=f"{differ} synapses differ there", seconds=seconds)]
    return [Check(goal=PLACED, outcome="passed", seconds=seconds)]
