"""Deploys a network: writes the project, runs its checks, and reports; the folder appears at the end or not at all."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.backends.fpga.account import account
from snntoolbox.backends.fpga.checks import Measured, measured, tidy
from snntoolbox.backends.fpga.project import Build, Project, project, reference
from snntoolbox.backends.fpga.report import Facts, report_data, report_text
from snntoolbox.backends.fpga.saturation import at_limits, saturation
from snntoolbox.backends.fpga.targets import target_of
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.registry import backend_named
from snntoolbox.errors import BackendError, ConfigError
from snntoolbox.ir.arguments import checked, misfits
from snntoolbox.ir.files import MARKER, OutputError, RunFolder, write_json
from snntoolbox.ir.host import HostInput
from snntoolbox.ir.io import save
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.samples import checked_arrays
from snntoolbox.ir.timing import run_steps

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a deployment is asked for: for which device and clock, how wide, and how long checks may take (seconds).

    queue: words of each queue of spikes. membrane_bits: refuse potentials that need more, or with `saturate` clip them,
    see `saturated`; 0 for any. 0 seconds check nothing. samples: how many go into the test bench. clock_mhz 0: that of
    the device. force: replace an earlier deployment, and write what does not fit the device.
    """

    target: str
    device: str = ""
    samples: int = 3
    clock_mhz: float = 0.0
    lanes: int = 1
    queue: int = 4
    membrane_bits: int = 0
    saturate: bool = False
    sim_seconds: float = 600.0
    synth_seconds: float = 600.0
    force: bool = False

    def build(self) -> Build:
        """The same with the target and the device themselves; BackendError where a choice cannot be."""
        if wrong := misfits(self):
            raise BackendError(f"nothing can be deployed so: {'; '.join(wrong)}", hint="see snntoolbox deploy --help")
        target = target_of(self.target)
        device = target.device(self.device)
        if self.samples < 1:
            raise BackendError(f"{self.samples} samples are no test", hint="--samples 1 or more")
        if not (self.sim_seconds >= 0 and self.synth_seconds >= 0):
            raise BackendError("a check cannot take less than 0 seconds")
        if self.saturate and not self.membrane_bits:
            raise BackendError("potentials that saturate need a width", hint="--membrane-bits 16, for instance")
        return Build(
            target=target, device=device, clock_mhz=self.clock_mhz or (100.0 if device is None else device.clock_mhz),
            lanes=self.lanes, queue=self.queue, membrane_bits=self.membrane_bits, saturate=self.saturate,
            force=self.force,
        )  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Deployment:
    """The folder of a project, and what was measured: `report` is what its ``report.json`` holds."""

    folder: Path
    project: Project
    measured: Measured
    report: Mapping[str, Any]


@checked
def deploy(
    network: SpikingNetwork,
    x: Array | Sequence[Array],
    folder: Path | str,
    *,
    target: str,
    duration: float | None = None,
    **choices: Any,
) -> Deployment:
    """Write a network on the integer grid as a hardware project for a target, check it and report.

    `x` are samples: all of them set the largest input current, the first few go into the test bench. `target` is
    artix7, ice40, ecp5 or generic; `choices` are fields of `Wanted`. UnsupportedError lists all that hardware cannot
    be, TooLargeError says that the device is too small, OutputError that the folder is not empty.
    """
    known = [f.name for f in fields(Wanted)]
    if unknown := sorted(set(choices) - set(known)):
        raise BackendError(f"a deployment has no choice {', '.join(unknown)}", hint=f"it has {', '.join(known)}")
    return deployed(network, x, Path(folder), Wanted(target=target, **choices), duration)


def deployed(
    network: SpikingNetwork,
    x: Array | Sequence[Array],
    folder: Path,
    wanted: Wanted,
    duration: float | None,
    accuracy: Callable[[SpikingNetwork, SpikingNetwork], Mapping[str, Any]] = lambda network, wide: {},
) -> Deployment:
    """The same with all choices in one object.

    `accuracy` gives those of the report, for the network as deployed and before potentials saturate.
    """
    build = wanted.build()
    refuse_used(folder, wanted.force)
    arrays = checked_arrays({n: network.wiring.shapes[n] for n in network.encodings}, x, network.encodings)
    steps = run_steps(network, duration)
    network = legalized(network, backend_named("verilog"), arrays)
    if wanted.samples > len(arrays[0]):
        log.warning("samples of the test bench: %d, there are no more", len(arrays[0]))
    made = project(network, arrays, steps, build)
    first = [a[: wanted.samples] for a in arrays]
    accuracies = accuracy(made.network, network)
    loss = None
    if wanted.saturate:
        loss = saturation(network, made.network, made.saturating, arrays, steps, wanted.membrane_bits)
    network = made.network
    with RunFolder(folder) as temporary:
        expected = reference(network, first, steps, potentials=bool(made.saturating))
        if loss is not None:
            loss = replace(loss, at_limits=at_limits(made.saturating, expected))
        made.export(temporary, first, expected)
        save(network, temporary / "network.npz")
        trains = HostInput(network, tuple(np.asarray(a) for a in first), steps, 0).trains
        weights = sum(m.size for m in made.memories if m.weights or m.name.endswith("_synapses.mem"))
        costs = account(network, made.design, expected, trains, weights)
        router = build.target.router
        found = measured(
            temporary, router, build.device, wanted.sim_seconds, wanted.synth_seconds, lambda goal: log.info("%s", goal)
        )
        tidy(temporary)
        told = Facts(project=made, account=costs, measured=found, accuracy=accuracies, saturation=loss)
        data = report_data(told)
        write_json(temporary / "report.json", data)
        (temporary / "report.md").write_text(report_text(told))
    return Deployment(folder=folder, project=made, measured=found, report=data)


def refuse_used(folder: Path, force: bool) -> None:
    """OutputError where a folder has files in it, unless they are a deployment and `force` replaces it; at once."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise OutputError(f"'{folder}' is a file, not a folder", hint="choose another output folder")
    used = any(folder.iterdir())
    if used and not force:
        raise OutputError(
            f"'{folder}' is not empty", hint="choose another output folder; --force replaces an earlier deployment"
        )
    if used and not (folder / MARKER).exists():
        told = f"'{folder}' holds files that are no deployment, and is not replaced"
        raise OutputError(told, hint="choose another output folder")


def needs_network(network: SpikingNetwork | None) -> SpikingNetwork:
    """The network, or ConfigError."""
    if network is None:
        raise ConfigError("there is no spiking network to deploy", hint="set convert = True")
    return network
