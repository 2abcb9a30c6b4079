"""What a single layer takes on each family of FPGAs, memories in LUTs included, against the figures aimed at.

python benchmarks/rtl_size.py           all families
python benchmarks/rtl_size.py artix7    one of them
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from snntoolbox.backends.fpga.cells import Resources, cells_of, resources
from snntoolbox.backends.fpga.targets import TARGETS, Target
from snntoolbox.backends.verilog.design import Choices, designed
from snntoolbox.backends.verilog.hardware import hardware, write
from snntoolbox.ir.encodings import Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input

STEPS = 64

GOALS = {(16, 10): (400, 4), (64, 64): (1000, 4)}
"""Inputs and neurons of a layer of 8-bit weights -> LUTs and halves of block RAMs (RAMB18) on artix7."""


def network(inputs: int, neurons: int) -> SpikingNetwork:
    """One layer of 8-bit weights with thresholds, start potentials and biases of its own, and a read-out."""
    random = np.random.default_rng(0)
    nodes = [
        Input(name="x", shape=(inputs,)),
        Dense(name="dense", inputs=("x",), weight=random.integers(-127, 128, (neurons, inputs)).astype(float)),
        Input(name="layer", shape=(neurons,)),
        Dense(name="sums", inputs=("layer",), weight=np.eye(neurons)),
    ]
    neuron = IF(
        threshold=random.integers(100, 200, neurons).astype(float),
        initial=random.integers(50, 100, neurons).astype(float),
    )
    population = Population(
        name="layer",
        shape=(neurons,),
        neuron=neuron,
        current="dense",
        bias=random.integers(-20, 20, neurons).astype(float),
        scale=np.ones(1),
        activation="layer",
    )
    readout = Readout(name="out", current="sums", shape=(neurons,))
    wiring = Graph(nodes, ["dense", "sums"])
    return SpikingNetwork(wiring, {"x": Poisson()}, [population], [readout], grid=Grid(8, 200, 127 * inputs + 20))


def taken(target: Target, inputs: int, neurons: int) -> Resources:
    """What the module of one layer takes: its queue, its memories and both streams, no pins."""
    texts = hardware(designed(network(inputs, neurons), Choices(steps=STEPS, currents={})))
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), texts)
        script = f"read_verilog *.v; {target.synthesis} -top layer; tee -q -o cells.json stat -json"
        subprocess.run(["yosys", "-q", "-p", script], cwd=folder, check=True, timeout=600)
        return resources(cells_of((Path(folder) / "cells.json").read_text()))


def main() -> None:
    """Print one line for each family and size."""
    for name in sys.argv[1:] or [n for n in TARGETS if n != "generic"]:
        for size in GOALS:
            found = taken(TARGETS[name], *size)
            logic = found.luts - found.lut_ram - found.cells.get("INV", 0)
            parts = f"{logic} logic, {found.cells.get('INV', 0)} inverters, {found.lut_ram} memory"
            rest = f"{found.flipflops} flip-flops, {found.blocks} block RAMs, {found.dsps} DSPs"
            print(f"{name}, {size[0]} -> {size[1]}: {found.luts} LUTs ({parts}), {rest}")


if __name__ == "__main__":
    main()
