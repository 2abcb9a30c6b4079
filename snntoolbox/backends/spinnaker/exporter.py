"""SpiNNaker as an exporter: a script with its weights, tried in the chip's arithmetic and placed on a virtual board."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snntoolbox.backends.check_options import CheckOptions, unchecked
from snntoolbox.backends.options import chosen_options
from snntoolbox.backends.protocol import Check, Exported
from snntoolbox.backends.spinnaker.backend import CAPABILITIES, Placing
from snntoolbox.backends.spinnaker.board import SPYNNAKER, mapped
from snntoolbox.errors import BackendError
from snntoolbox.ir.io import load_network, save
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.timing import run_steps
from snntoolbox.ir.writing import write_text

CODE, WEIGHTS, SAMPLES, NETWORK = "network.py", "weights.npz", "samples.npz", "network.npz"


@dataclass(frozen=True, kw_only=True)
class Options(Placing, CheckOptions):
    """How it is checked: the interpreter `python` places it, if it has sPyNNaker; see `CheckOptions`, `Placing`."""

    python: str = ""

    def __post_init__(self) -> None:
        Placing.__post_init__(self)
        CheckOptions.__post_init__(self)


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
        from snntoolbox.backends.spinnaker.samples import given_by, room, save_arrays
        from snntoolbox.ir.host import HostInput

        first, steps = chosen.first(samples), run_steps(network, chosen.duration)
        host = HostInput(network, first, steps, 0) if first else None
        drive, per_core = host.drive if host else room(network), chosen.number_of_neurons_per_core
        arrays = described(network, drive, neurons_per_core=per_core)
        write_text(folder / CODE, Path(__file__).with_name("spinnaker_network.py").read_text("utf-8"))
        save_arrays(folder / WEIGHTS, arrays)
        save(network, folder / NETWORK)
        lowest = {n: int(arrays[f"lowest of {n}"]) for n in network.populations}
        report: dict[str, Any] = {"lowest potentials": lowest}
        checks = [unchecked(EQUAL), unchecked(PLACED)]
        if host:
            given = given_by(network, first, host)
            save_arrays(folder / SAMPLES, given)
            checks = [_tried(network, folder, given), *_placed(folder, chosen.python, report)]
        return Exported(folder=folder, checks=tuple(checks), report=report)

    def read(self, folder: Path) -> SpikingNetwork:
        """The network that the script was written from: the check compares the script's spikes with that one's."""
        return load_network(folder / NETWORK)


EQUAL, PLACED = "equal spikes in the arithmetic of its cells", "placed and routed on a virtual board of 48 chips"


def _tried(network: SpikingNetwork, folder: Path, given: dict[str, Array]) -> Check:
    """The script on cells with the chip's numbers; UnsupportedError names layers whose potentials are cut there."""
    from snntoolbox.backends.spinnaker.samples import tried

    begun = time.monotonic()
    _, wrong = tried(network, folder / WEIGHTS, given)
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
