"""The vision transformer of examples/digits_transformer.py as hardware: its spikes against the built-in simulator's.

python examples/digits_transformer.py .                           leaves the model
python benchmarks/rtl_transformer.py digits_transformer.pt2       4 binary digits, 2 images, in Verilator
python benchmarks/rtl_transformer.py digits_transformer.pt2 --digits 6 --images 5 --lanes 4
python benchmarks/rtl_transformer.py digits_transformer.pt2 --size     what layers take of artix7, one of each kind

Prints clocks and memories too. Verilator compiles for some minutes; --size takes some more, for Yosys.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

import snntoolbox as stb
from snntoolbox.backends.fpga.cells import cells_of, resources
from snntoolbox.backends.fpga.memories import Memory, memories
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.backends.verilog.backend import VerilogBackend
from snntoolbox.backends.verilog.design import Choices, Design, designed
from snntoolbox.backends.verilog.hardware import hardware, write
from snntoolbox.backends.verilog.layer import Layer
from snntoolbox.backends.verilog.simulation import largest_currents
from snntoolbox.ir.host import HostInput
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from digits_transformer import CALIBRATION, split

MEMORIES = ("snn_rom", "snn_ram")
"""Modules that are memories and nothing else."""
SYNTHESIS = "synth_xilinx -family xc7 -noiopad -flatten"


def design_of(net: SpikingNetwork, x: Array, lanes: int) -> Design:
    """The hardware for these images."""
    assert net.schedule is not None
    assert net.schedule.steps is not None
    steps = net.schedule.steps
    host = HostInput(net, (x,), steps, 0)
    return designed(net, Choices(steps=steps, currents=largest_currents(net, host), lanes=lanes))


def held(net: SpikingNetwork, x: Array, simulator: str, lanes: int) -> None:
    """Run the images in both, and print spikes, differences, and clocks."""
    assert net.schedule is not None
    assert net.schedule.steps is not None
    steps, begun = net.schedule.steps, time.perf_counter()
    with InisimBackend().build(net) as executable:
        expected = executable.run(x, steps=steps, record=Record(spikes=True))
    with VerilogBackend().build(net, verilog_simulator=simulator, lanes=lanes) as executable:
        found = executable.run(x, steps=steps, record=Record(spikes=True))
        clocks = executable.clocks
    spikes = sum(int(train.sum()) for train in expected.spikes.values())
    differing = sum(int((found.spikes[n] != train).sum()) for n, train in expected.spikes.items())
    same = int((found.predictions == expected.predictions).sum())
    print(f"{len(x)} image(s) in {simulator}: {spikes:,} spikes of {len(expected.spikes)} layers, {differing} differ")
    print(f"outputs {'equal' if np.array_equal(found.output, expected.output) else 'DIFFER'}, {same} classes the same")
    print(f"clocks of an image: {', '.join(f'{c:,}' for c in clocks)}; {time.perf_counter() - begun:.0f} s", flush=True)


def told(listed: list[Memory]) -> str:
    """The bits of memories, of those that are filled when it is written, and of the others."""
    written = sum(m.size for m in listed if m.name.endswith(".hex"))
    return f"{written / 1e6:.1f} Mbit read-only, {(sum(m.size for m in listed) - written) / 1e6:.2f} Mbit written"


def kind(layer: Layer) -> tuple[str, int]:
    """What a layer is in each block: its name without numbers, and how many ports it has."""
    return re.sub(r"blocks\.|\.?_?\d+\.?", "", layer.name), len(layer.ports)


def sizes(design: Design) -> None:
    """The LUTs of one layer of each kind without its memories, times how many there are of it."""
    count = Counter(kind(layer) for layer in design.layers)
    total, seen = 0, set()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), hardware(design))
        for layer in design.layers:
            if kind(layer) in seen:
                continue
            seen.add(kind(layer))
            luts, flipflops = taken(Path(folder), layer)
            total += luts * count[kind(layer)]
            many = f"{count[kind(layer)]} of {layer.neurons} neurons, {len(layer.ports)} ports"
            print(f"{layer.name}: {luts} LUTs, {flipflops} flip-flops; {many}", flush=True)
    print(f"all layers: about {total:,} LUTs of logic and queues")


def taken(folder: Path, layer: Layer) -> tuple[int, int]:
    """LUTs and flip-flops of one layer."""
    library = [p.name for p in folder.glob("snn_*.v") if p.stem not in MEMORIES]
    own = [f"{layer.module}.v", *(f"{layer.module}_port{i}.v" for i in range(len(layer.ports)))]
    script = (
        f"read_verilog -lib {' '.join(f'{m}.v' for m in MEMORIES)}; read_verilog {' '.join([*library, *own])}; "
        f"{SYNTHESIS} -top {layer.module}; tee -q -o cells.json stat -json"
    )
    subprocess.run(["yosys", "-q", "-p", script], cwd=folder, check=True, timeout=3600, capture_output=True)
    cells = cells_of((folder / "cells.json").read_text())
    found = resources({name: number for name, number in cells.items() if "snn_r" not in name})
    return found.luts, found.flipflops


def main() -> None:
    """Convert, and print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--digits", type=int, default=4)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--simulator", default="verilator")
    parser.add_argument("--size", action="store_true", help="what layers take, in the place of a run")
    options = parser.parse_args()
    x_train, x_test, _, _ = split()
    graph = stb.load(options.model)
    net = stb.convert(graph, x_train[:CALIBRATION], schedule="radix", duration=options.digits, weight_bits=8)
    x = x_test[: options.images]
    design = design_of(net, x, options.lanes)
    shown = told(memories(design, hardware(design)))
    print(f"{net.neurons:,} neurons in {len(design.layers)} layers, {net.schedule.steps} steps; memories: {shown}")
    if options.size:
        sizes(design)
    else:
        held(net, x, options.simulator, options.lanes)


if __name__ == "__main__":
    main()
