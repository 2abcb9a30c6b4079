"""How the hardware of a network is simulated: written, compiled and fed in a folder of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from snntoolbox.backends.verilog import tools
from snntoolbox.backends.verilog.bench import BENCH, INPUT, OUTPUT, bench, hex_words
from snntoolbox.backends.verilog.capabilities import Options
from snntoolbox.backends.verilog.clocks import expected_clocks
from snntoolbox.backends.verilog.design import Choices, Design, designed
from snntoolbox.backends.verilog.hardware import hardware, write
from snntoolbox.backends.verilog.streams import Outputs, input_words, outputs_from, spikes_from
from snntoolbox.errors import BackendError
from snntoolbox.ir.host import HostInput, assembled, checked_batch
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result
from snntoolbox.ir.scratch import Scratch

log = logging.getLogger(__name__)
FEW_CLOCKS = 200_000
"""What Icarus has simulated before Verilator has compiled, roughly."""
RATE = 0.2
"""Spikes per neuron and step that are expected where nothing is known."""


class Simulation:
    """The hardware of a network, built when a run first asks for it and again for more steps or current."""

    def __init__(self, network: SpikingNetwork, options: Options) -> None:
        self.network, self.options = network, options
        self.folder: Scratch | None = Scratch(prefix="snntoolbox-verilog-")
        self.choices: Choices | None = None
        self.design: Design
        self.commands: dict[str, list[str]] = {}
        self.clocks: list[int] = []

    def run(
        self,
        *x: Array,
        steps: int,
        record: Record | None = None,
        first_sample: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run the samples of a batch one after the other; `clocks` then holds the clocks of each."""
        record = record or Record()
        x = checked_batch(self.network, x, steps)
        host = HostInput(self.network, x, steps, first_sample)
        folder = self._prepared(host)
        command = self._command(folder, host)
        write(folder, {INPUT: hex_words(input_words(self.design, host))})

        def told(samples: int) -> None:
            if progress is not None:
                progress(steps * samples // host.samples)

        stalls = [f"+stalls={self.options.stalls}"] if self.options.stalls else []
        arguments = ["+record", f"+samples={host.samples}", f"+steps={steps}", *stalls]
        self.clocks = tools.simulated(command, folder, arguments, told)
        spiking = [layer for layer in self.design.layers if layer.spikes]
        spikes = {
            layer.name: spikes_from(layer, _words(folder / f"{layer.module}.spikes.hex"), steps, host.samples)
            for layer in spiking
        }
        result = assembled(self.network, host, spikes, {}, record)
        given = outputs_from(self.design, _words(folder / OUTPUT), host.samples)
        return self._with_sums(result, given, steps)

    def _with_sums(self, result: Result, given: Mapping[str, Outputs], steps: int) -> Result:
        """The result with the hardware's own sums as the outputs."""
        outputs = {}
        for readout in self.network.readouts:
            counted = readout.counted(steps, self.network.window)
            bias = 0.0 if readout.bias is None else readout.bias
            sums = given[readout.name].sums - counted * bias
            outputs[readout.name] = np.asarray(readout.scale * (sums / counted + bias))
        return replace(result, outputs=outputs)

    def _prepared(self, host: HostInput) -> Path:
        """The folder with the hardware for these inputs."""
        if self.folder is None:
            raise BackendError("the simulation is closed", hint="build the network again")
        folder, wanted = self.folder.path, largest_currents(self.network, host)
        known = self.choices
        if known is None or host.steps > known.steps or any(c > known.currents[n] for n, c in wanted.items()):
            # Room for batches like this one.
            room = {name: (1 << current.bit_length()) - 1 for name, current in wanted.items()}
            self.choices = Choices(
                steps=host.steps, currents=room, lanes=self.options.lanes, queue=self.options.queue,
                membrane_bits=self.options.membrane_bits,
            )  # fmt: skip
            self.design = designed(self.network, self.choices)
            self.texts = {**hardware(self.design), BENCH: bench(self.design)}
            write(folder, self.texts)
            self.commands = {}
        return folder

    def _command(self, folder: Path, host: HostInput) -> list[str]:
        """The command that simulates the hardware, compiled once."""
        simulator = self._simulator(host)
        if simulator not in self.commands:
            log.info("compiling %d modules with %s", len(self.design.layers), simulator)
            self.commands[simulator] = tools.compiled(simulator, folder, (n for n in self.texts if n.endswith(".v")))
        return self.commands[simulator]

    def _simulator(self, host: HostInput) -> str:
        present = tools.present()
        wanted = self.options.verilog_simulator
        if wanted != "auto":
            if wanted not in present:
                program = tools.PROGRAMS[wanted]
                raise BackendError(f"there is no {program} here", hint=f"apt-get install {program}")
            return wanted
        if len(present) > 1 and "verilator" not in self.commands:
            clocks = host.samples * expected_clocks(self.design, host.steps, RATE)
            return "icarus" if clocks < FEW_CLOCKS else "verilator"
        return "verilator" if "verilator" in present else "icarus"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.folder is not None:
            self.folder.close()
            self.folder = None


def largest_currents(network: SpikingNetwork, host: HostInput) -> dict[str, int]:
    """For each population and read-out with an input current the largest amount of it, bias included."""
    biases = {**{n: p.bias for n, p in network.populations.items()}, **{r.name: r.bias for r in network.readouts}}
    found = {}
    for name, constant in host.constant.items():
        bias = biases[name]
        found[name] = int(np.abs(constant + (0.0 if bias is None else bias)).max(initial=0))
    return found


def _words(file: Path) -> Array:
    """The words of a file of hexadecimal numbers."""
    text = file.read_text("utf-8").split()
    return np.fromiter((int(word, 16) for word in text), np.int64, len(text))
