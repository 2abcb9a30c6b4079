"""What a single layer takes on each family of FPGAs, memories in LUTs included, against the figures aimed at.

python benchmarks/rtl_size.py           all families
python benchmarks/rtl_size.py artix7    one of them
python benchmarks/rtl_size.py artix7 opening    layers with a window, and what a table and a product take beside that
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.backends.fpga.cells import Resources, cells_of, resources
from snntoolbox.backends.fpga.targets import TARGETS, Target
from snntoolbox.backends.verilog.design import Choices, designed
from snntoolbox.backends.verilog.hardware import hardware, write
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Grid, Population, Readout, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input, Scale
from snntoolbox.ir.tabulating import Table

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


WINDOW = 4
OPENING = ("a window", "a table", "a product")
"""Kinds of layers in windows of binary digits, of as many inputs and neurons as the larger layer."""


def in_windows(kind: str, inputs: int = 64, neurons: int = 64) -> SpikingNetwork:
    """A layer of 8-bit weights in windows of 4 binary digits; a table of 256 entries, or a factor for each neuron."""
    random = np.random.default_rng(0)
    coding = BinaryDigits(window=WINDOW, signed=False)
    weight = random.integers(-127, 128, (neurons, inputs)).astype(float)
    nodes = [
        *(Input(name=n, shape=(inputs,)) for n in ("x", "first")),
        Dense(name="dense", inputs=("first",), weight=weight),
        Scale(name="factors", inputs=("x",), gain=np.full(1, 127.0)),
        Scale(name="all", inputs=("x",), gain=np.full(1, 127.0)),
        Input(name="layer", shape=(neurons,)),
        Dense(name="sums", inputs=("layer",), weight=np.eye(neurons)),
    ]
    levels = 2**WINDOW - 1
    table = Table(random.integers(0, levels + 1, (1, 256)), -128, levels, np.ones(1)) if kind == "a table" else None
    latched = kind == "a product"
    first = IF(threshold=127.0, initial=63.0, window=(WINDOW, 2 * WINDOW), counting=Counting.DIGIT)
    neuron = IF(
        threshold=random.integers(100, 200, neurons).astype(float) * (127 if latched else 1),
        initial=random.integers(50, 100, neurons).astype(float),
        window=(2 * WINDOW, 3 * WINDOW),
        counting=Counting.DIGIT,
        latched=latched,
        table=table,
    )
    common: dict[str, Any] = {"scale": np.ones(1), "shape": (neurons,)}
    populations = [
        Population(name="first", neuron=first, current="all", activation="first", **common),
        Population(
            name="layer", neuron=neuron, current="dense", activation="layer", latched="factors" if latched else None,
            **common,
        ),
    ]  # fmt: skip
    readout = Readout(name="out", current="sums", shape=(neurons,))
    outputs = ["all", "dense", "sums", *(["factors"] if latched else [])]
    schedule = Schedule("radix", WINDOW, 4 * WINDOW, counting=Counting.DIGIT)
    grid = Grid(8, 20000, 127 * inputs)
    return SpikingNetwork(Graph(nodes, outputs), {"x": coding}, populations, [readout], grid=grid, schedule=schedule)


def taken(target: Target, inputs: int, neurons: int) -> Resources:
    """What the module of one layer takes: its queue, its memories and both streams, no pins."""
    return synthesised(target, network(inputs, neurons), STEPS)


def synthesised(target: Target, net: SpikingNetwork, steps: int) -> Resources:
    """What the module called layer takes."""
    texts = hardware(designed(net, Choices(steps=steps, currents={})))
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), texts)
        script = f"read_verilog *.v; {target.synthesis} -top layer; tee -q -o cells.json stat -json"
        subprocess.run(["yosys", "-q", "-p", script], cwd=folder, check=True, timeout=600)
        return resources(cells_of((Path(folder) / "cells.json").read_text()))


def main() -> None:
    """Print one line for each family and size."""
    given = [name for name in sys.argv[1:] if name != "opening"]
    for name in given or [n for n in TARGETS if n != "generic"]:
        layers: dict[str, Callable[[Target], Resources]] = {
            f"{size[0]} -> {size[1]}": partial(taken, inputs=size[0], neurons=size[1]) for size in GOALS
        }
        if "opening" in sys.argv[1:]:
            layers = {k: partial(synthesised, net=in_windows(k), steps=4 * WINDOW) for k in OPENING}
        for what, taking in layers.items():
            found = taking(TARGETS[name])
            logic = found.luts - found.lut_ram - found.cells.get("INV", 0)
            parts = f"{logic} logic, {found.cells.get('INV', 0)} inverters, {found.lut_ram} memory"
            rest = f"{found.flipflops} flip-flops, {found.blocks} block RAMs, {found.dsps} DSPs"
            print(f"{name}, {what}: {found.luts} LUTs ({parts}), {rest}")


if __name__ == "__main__":
    main()
