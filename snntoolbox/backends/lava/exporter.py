"""Lava as an exporter: a script with its weights, for who has Loihi 2 or wants to go on from there."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.backends.check_options import CheckOptions, unchecked
from snntoolbox.backends.lava.backend import CAPABILITIES
from snntoolbox.backends.lava.interpreter import LAVA
from snntoolbox.backends.options import chosen_options
from snntoolbox.backends.protocol import Check, Exported
from snntoolbox.errors import BackendError
from snntoolbox.ir.io import load_network, save
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.other_python.installation import surroundings
from snntoolbox.ir.timing import run_steps
from snntoolbox.ir.writing import replacing, write_text

CODE, WEIGHTS, SAMPLES, NETWORK = "network.py", "weights.npz", "samples.npz", "network.npz"
_SECONDS = 600.0
CHIP_BITS = 24
"""Of a potential on Loihi 2, with its sign."""


@dataclass(frozen=True, kw_only=True)
class Options(CheckOptions):
    """How it is checked: in the interpreter `python`, if it has Lava; see `CheckOptions`."""

    python: str = LAVA.usual


class LavaExporter:
    """A network as a Python file for Lava and its weights, checked there."""

    name = "lava"
    capabilities = CAPABILITIES
    options = Options

    def export(
        self, network: SpikingNetwork, folder: Path, samples: tuple[Array, ...] = (), **options: Any
    ) -> Exported:
        """Write the files and check them by the first samples; `options` as in `Options`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        from snntoolbox.backends.lava.weights import arrays_of, on_relays

        arrays = arrays_of(network, on_relays(network))
        write_text(folder / CODE, Path(__file__).with_name("lava_network.py").read_text("utf-8"))
        _save(folder / WEIGHTS, arrays)
        save(network, folder / NETWORK)
        first = chosen.first(samples)
        synapses = sum(len(values) for name, values in arrays.items() if name.startswith("weight "))
        report: dict[str, Any] = {"8-bit synapses": synapses}
        if not first:
            return Exported(folder=folder, checks=(unchecked(GOAL),), report=report)
        steps = run_steps(network, chosen.duration)
        largest = _save_samples(network, folder, first, steps)
        report["potentials may reach"] = largest
        report["fits the 24 bits of Loihi 2"] = largest < 1 << CHIP_BITS - 1
        return Exported(folder=folder, checks=(_run(folder, chosen.python),), report=report)

    def read(self, folder: Path) -> SpikingNetwork:
        """The network that the script was written from: the check compares the script's spikes with that one's."""
        return load_network(folder / NETWORK)


GOAL = "equal spikes in Lava"


def _save(path: Path, arrays: dict[str, Array]) -> None:
    with replacing(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _save_samples(network: SpikingNetwork, folder: Path, x: tuple[Array, ...], steps: int) -> int:
    """What the samples bring to the network and the spikes that it has to give; the largest potential there may be."""
    from snntoolbox.backends.lava.simulation import check_range, inputs_of, largest_potential
    from snntoolbox.ir.host import HostInput
    from snntoolbox.ir.interpreter import interpret
    from snntoolbox.ir.result import Record

    host = HostInput(network, x, steps, 0)
    check_range(network, host, steps)
    meant = interpret(network, *x, steps=steps, record=Record(spikes=True))
    spikes = {f"spikes of {n}": s.reshape(steps, host.samples, -1).astype(bool) for n, s in meant.spikes.items()}
    nothing = {readout.name: np.zeros((host.samples, *readout.shape)) for readout in network.readouts}
    currents = {n: host.constant.get(n, zero).reshape(host.samples, -1) for n, zero in nothing.items()}
    outputs = {f"output of {n}": meant.outputs[n].reshape(host.samples, -1) for n in nothing}
    given = {**inputs_of(network, host), **{f"current of {n}": current for n, current in currents.items()}}
    _save(folder / SAMPLES, {**given, **spikes, **outputs})
    return largest_potential(network, host, steps)


def _run(folder: Path, python: str) -> Check:
    """What the script itself says of its spikes; not checked where there is no Lava."""
    try:
        path = LAVA.found(python)
    except BackendError as error:
        why = f"{error.message}; --option python=..., or there: python {CODE} {SAMPLES}"
        return Check(goal=GOAL, outcome="not checked", why=why)
    begun = time.monotonic()
    try:
        done = subprocess.run(
            [path, CODE, SAMPLES], cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False,
            env=surroundings(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Check(goal=GOAL, outcome="not finished", why=f"after {_SECONDS:.0f} s", seconds=_SECONDS)
    said = (done.stdout or done.stderr).strip().splitlines()[-1:]
    seconds = round(time.monotonic() - begun, 1)
    if done.returncode:
        return Check(goal=GOAL, outcome="failed", why="".join(said), seconds=seconds)
    return Check(goal=GOAL, outcome="passed", seconds=seconds)
