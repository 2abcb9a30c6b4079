"""Writes a network as a hardware project in a folder; nothing is run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snntoolbox.backends.fpga.build import Build
from snntoolbox.backends.fpga.memories import Fit, Memory, check_fits, fit, memories
from snntoolbox.backends.fpga.saturation import Saturating, saturated
from snntoolbox.backends.fpga.scripts import scripts
from snntoolbox.backends.verilog.axi_text import axi_module
from snntoolbox.backends.verilog.bench import BENCH, INPUT, OUTPUT, bench, hex_words
from snntoolbox.backends.verilog.design import Choices, Design, designed
from snntoolbox.backends.verilog.hardware import hardware
from snntoolbox.backends.verilog.streams import input_words, output_words, spike_words
from snntoolbox.ir.host import HostInput, checked_batch
from snntoolbox.ir.interpreter import constant_currents, interpret
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result
from snntoolbox.ir.writing import write_text

_BATCH = 100


def largest_currents(network: SpikingNetwork, x: Sequence[Array]) -> dict[str, int]:
    """For each layer with an input current the largest amount of it for these samples, bias included.

    Rounded up to one less than a power of two: what its bits can hold anyway.
    """
    biases = {**{n: p.bias for n, p in network.populations.items()}, **{r.name: r.bias for r in network.readouts}}
    largest: dict[str, int] = {}
    for start in range(0, len(x[0]), _BATCH):
        for name, constant in constant_currents(network, *(a[start : start + _BATCH] for a in x)).items():
            bias = biases[name]
            here = int(np.abs(constant + (0.0 if bias is None else bias)).max(initial=0))
            largest[name] = max(largest.get(name, 0), here)
    return {name: (1 << current.bit_length()) - 1 for name, current in largest.items()}


def reference(network: SpikingNetwork, x: Sequence[Array], steps: int, *, potentials: bool = False) -> Result:
    """The run of these samples by the reference interpreter, every spike recorded, and potentials if asked for."""
    record = Record(spikes=True, potentials=potentials)
    return interpret(network, *checked_batch(network, tuple(x), steps), steps=steps, record=record)


def vectors(design: Design, network: SpikingNetwork, x: Sequence[Array], expected: Result) -> dict[str, str]:
    """The files of the test bench: name -> text; `expected` is the reference's run of the same samples."""
    host = HostInput(network, tuple(np.asarray(a) for a in x), expected.steps, 0)
    sums = {}
    for readout in network.readouts:
        counted = readout.counted(expected.steps, expected.window)
        sums[readout.name] = np.rint(expected.outputs[readout.name] / readout.scale * counted)
    texts = {INPUT: hex_words(input_words(design, host)), OUTPUT: hex_words(output_words(design, sums))}
    for layer in design.layers:
        if layer.spikes:
            words = spike_words(layer, expected.spikes[layer.name])
            texts[f"{layer.module}.spikes.hex"] = hex_words(words)
    return texts


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
            write_text(path, text, sync=False)


def project(network: SpikingNetwork, x: Sequence[Array], steps: int, build: Build) -> Project:
    """The project of a network whose input currents reach what they do for the samples `x`.

    It must be one that the capabilities allow. BackendError names layers that need wider membranes, TooLargeError says
    that the memories are more than the device has, unless forced.
    """
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
    listed = memories(design, texts)
    bits = network.grid.weight_bits if network.grid is not None else 0
    fitting = (
        fit(listed, build.target, build.device)
        if build.force
        else check_fits(listed, build.target, build.device, bits, build.lanes)
    )
    return Project(
        network=network, build=build, design=design, steps=steps, texts=texts, memories=listed, fit=fitting,
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
