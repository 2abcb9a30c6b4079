"""Runs a network of VGG-16's size (random weights, 224 x 224, batch 1) and prints its peak memory.

    python benchmarks/memory.py --steps 4
    python benchmarks/memory.py --size 64 --width 0.25 --steps 8,64

Memory must not grow with the number of steps: each is run in turn, and the peak after it is printed.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import AveragePool, Conv, Dense, Input, Reshape
from snntoolbox.ir.result import Record

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Filters and convolutions of each block of VGG-16 (Simonyan and Zisserman, 2015), pooled by averages here."""


def network(size: int, width: float) -> SpikingNetwork:
    """VGG-16 with `width` times the filters for square images; weights that let a few percent of neurons fire."""
    random = np.random.default_rng(0)
    nodes: list[Node] = [Input(name="image", shape=(3, size, size))]
    populations: list[Population] = []
    end, shape = "image", (3, size, size)

    def weights(*shape: int) -> np.ndarray:
        return random.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(np.prod(shape[1:])))

    def neurons(current: str, shape: tuple[int, ...]) -> str:
        name = f"relu{len(populations)}"
        one = np.ones((1,) * len(shape))
        cell = IF(initial=0.5)
        given = {"current": current, "activation": name, "scale": one, "bias": -0.05 * one}
        populations.append(Population(name=name, shape=shape, neuron=cell, **given))
        nodes.append(Input(name=name, shape=shape))
        return name

    for block, (filters, convolutions) in enumerate(BLOCKS):
        for _ in range(convolutions):
            channels, *space = shape
            out = max(1, int(filters * width))
            conv = Conv(
                name=f"conv{len(nodes)}", inputs=(end,), weight=weights(out, channels, 3, 3),
                stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1),
            )  # fmt: skip
            nodes.append(conv)
            shape = (out, *space)
            end = neurons(conv.name, shape)
        none = ((0, 0), (0, 0))
        nodes.append(AveragePool(name=f"pool{block}", inputs=(end,), kernel=(2, 2), stride=(2, 2), padding=none))
        end, shape = f"pool{block}", (shape[0], shape[1] // 2, shape[2] // 2)
    nodes.append(Reshape(name="flat", inputs=(end,), shape=(int(np.prod(shape)),)))
    end, length = "flat", int(np.prod(shape))
    for units in (4096, 4096):
        out = max(1, int(units * width))
        nodes.append(Dense(name=f"dense{len(nodes)}", inputs=(end,), weight=weights(out, length)))
        end, length = neurons(nodes[-1].name, (out,)), out
    nodes.append(Dense(name="classes", inputs=(end,), weight=weights(1000, length)))
    graph = Graph(nodes, [*(p.current for p in populations), "classes"], name="vgg16")
    readout = Readout(name="output", current="classes", shape=(1000,))
    return SpikingNetwork(graph, {"image": ConstantCurrent()}, populations, [readout])


def peak() -> float:
    """The most memory this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print neurons, seconds per step, densities and the peak after each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--steps", default="4", help="numbers of steps, one run after the other")
    parser.add_argument("--engine", default="auto")
    given = parser.parse_args()
    from snntoolbox.backends.inisim.simulation import Simulation

    spiking = network(given.size, given.width)
    x = np.random.default_rng(1).random((1, 3, given.size, given.size), dtype=np.float32)
    weights = spiking.wiring.node_weights()
    print(f"{spiking.neurons / 1e6:.1f} M neurons, {weights / 1e6:.1f} M weights, {peak():.0f} MB")
    with Simulation(spiking, engine=given.engine) as simulation:
        for steps in map(int, given.steps.split(",")):
            start = time.perf_counter()
            result = simulation.run(x, steps=steps, record=Record(outputs_per_step=False))
            seconds = (time.perf_counter() - start) / steps
            rate = sum(int(c.sum()) for c in result.counts.values()) / spiking.neurons / steps
            print(f"{steps} steps: {seconds:.2f} s a step, {rate:.1%} of the neurons fire, peak {peak():.0f} MB")


if __name__ == "__main__":
    main()
