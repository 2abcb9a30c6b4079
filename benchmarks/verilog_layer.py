"""What single layers take on an FPGA: cells of a dense layer with its queue and streams, by Yosys."""

import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from snntoolbox.backends.verilog.design import Choices, designed
from snntoolbox.backends.verilog.hardware import hardware, write
from snntoolbox.ir.encodings import Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input

SIZES = ((16, 10), (64, 64))
STEPS = 64


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


def cells(net: SpikingNetwork) -> dict[str, int]:
    """The cells of module `layer` on a Xilinx 7-series device."""
    texts = hardware(designed(net, Choices(steps=STEPS, currents={})))
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), texts)
        sources = " ".join(sorted(n for n in texts if n.endswith(".v")))
        script = f"read_verilog {sources}; synth_xilinx -family xc7 -noiopad -flatten -top layer; stat"
        done = subprocess.run(["yosys", "-p", script], cwd=folder, capture_output=True, text=True, check=True)
    found = re.findall(r"^ +([A-Z]\w+) +(\d+)$", done.stdout[done.stdout.rfind("Number of cells") :], re.MULTILINE)
    return {name: int(count) for name, count in found}


if __name__ == "__main__":
    for inputs, neurons in SIZES:
        counted = cells(network(inputs, neurons))
        luts = sum(n for name, n in counted.items() if name.startswith("LUT"))
        print(f"{inputs} -> {neurons}: {luts} LUTs; {', '.join(f'{n} {name}' for name, n in counted.items())}")
