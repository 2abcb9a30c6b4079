"""Writes a network as a hardware project in a folder; nothing is run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snntoolbox.backends.verilog.axi_text import axi_module
from snntoolbox.backends.verilog.backend import VerilogBackend, check_sizes
from snntoolbox.backends.verilog.bench import BENCH, bench
from snntoolbox.backends.verilog.design import Choices, Design, designed
from snntoolbox.backends.verilog.hardware import hardware
from snntoolbox.deployment.memories import Fit, Memory, check_fits, fit, memories
from snntoolbox.deployment.saturation import Saturating, saturated
from snntoolbox.deployment.scripts import scripts
from snntoolbox.deployment.targets import Device, Target
from snntoolbox.deployment.vectors import largest_currents, vectors
from snntoolbox.errors import BackendError, DataError
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Result


@dataclass(frozen=True, kw_only=True)
class Build:
    """What is built, and for what. None of it changes a spike, but for `saturate`.

    clock_mhz: of the report and the constraints. lanes, queue, membrane_bits: see `Choices`. saturate: clip potentials
    to membrane_bits instead of refusing them. force: also what does not fit.
    """

    target: Target
    device: Device | None
    clock_mhz: float
    lanes: int = 1
    queue: int = 4
    membrane_bits: int = 0
    saturate: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.clock_mhz <= 10000:
            raise BackendError(f"a clock of {self.clock_mhz} MHz is not above 0 and at most 10000")
        check_sizes(self.lanes, self.queue)
        if not 0 <= self.membrane_bits <= 64:
            raise BackendError(f"membranes of {self.membrane_bits} bits are not from 1 to 64, or 0 for what is needed")


@dataclass(frozen=True, eq=False, kw_only=True)
class Project:
    """The hardware of a network for runs of up to `steps` steps, its files and what its memories take.

    `network` is what is built, `saturating` the layers in which it differs from the one given.
    """

    network: SpikingNetwork
    build: Build
    design: Design
    steps: int
    texts: dict[str, str]
    memories: list[Memory]
    fit: Fit
    saturating: tuple[Saturating, ...] = ()

    @property
    def top(self) -> str:
        """The name of the top module."""
        return self.design.module

    def export(self, folder: Path, x: Sequence[Array], expected: Result) -> None:
        """Write everything but the report into a folder; the vectors are those of the samples x and their run."""
        build, samples = self.build, len(x[0])
        files = {f"rtl/{name}": text for name, text in self.texts.items()}
        files.update({f"sim/{n}": t for n, t in vectors(self.design, self.network, x, expected).items()})
        files[f"sim/{BENCH}"] = bench(self.design)
        wrapper = axi_module(self.design)
        files.update(scripts(build.target, build.device, self.top, wrapper, samples, build.clock_mhz))
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def project(network: SpikingNetwork, x: Sequence[Array], steps: int, build: Build) -> Project:
    """The project of a network whose input currents reach what they do for the samples `x`.

    UnsupportedError lists everything that the hardware cannot be, BackendError layers that need wider membranes,
    TooLargeError says that the memories are more than the device has, unless forced.
    """
    VerilogBackend.capabilities.check(VerilogBackend.name, network)
    if not len(x[0]):
        raise DataError("there are no samples for the test bench")
    currents = largest_currents(network, x)
    saturating: tuple[Saturating, ...] = ()
    if build.saturate:
        network, saturating = saturated(network, currents, steps, build.membrane_bits)
    choices = Choices(
        steps=steps, currents=currents, lanes=build.lanes, queue=build.queue,
        membrane_bits=0 if build.saturate else build.membrane_bits,
    )  # fmt: skip
    design = designed(network, choices)
    texts = with_mem_files(hardware(design))
    found = memories(design, texts)
    bits = network.grid.weight_bits if network.grid is not None else 0
    taken = (
        fit(found, build.target, build.device)
        if build.force
        else check_fits(found, build.target, build.device, bits, build.lanes)
    )
    return Project(
        network=network, build=build, design=design, steps=steps, texts=texts, memories=found, fit=taken,
        saturating=saturating,
    )  # fmt: skip


def with_mem_files(texts: dict[str, str]) -> dict[str, str]:
    """The same files with memories named .mem, as vendors' tools know them."""
    memory_files = {name for name in texts if name.endswith(".hex")}
    renamed = {}
    for name, text in texts.items():
        if name in memory_files:
            renamed[f"{name.removesuffix('.hex')}.mem"] = text
        else:
            renamed[name] = re.sub(
                r'"([^"\n]+)\.hex"', lambda m: f'"{m[1]}.mem"' if f"{m[1]}.hex" in memory_files else m[0], text
            )
    return renamed
