"""How long simulators take to build synapses.

    python benchmarks/build_synapses.py                     1 million synapses on brian2 and nest
    python benchmarks/build_synapses.py -n 4e6 brian2 nest pynn.nest

Two populations, joined all to all, on one sample. Starting the simulator's process is timed on its own, with a tiny
network; `build and 2 steps` is what a first run of 2 steps takes with the network built (brian2 and PyNN connect then).
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from snntoolbox.backends.isolated import end_idle
from snntoolbox.backends.registry import backend_named
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input
from snntoolbox.ir.result import Record


def network(synapses: float) -> SpikingNetwork:
    """A population that spikes, all of it joined to a second one."""
    size = math.isqrt(round(synapses))
    weight = np.random.default_rng(0).normal(size=(size, size)) / size
    nodes = [Input(name="x", shape=(size,)), Input(name="a", shape=(size,)), Input(name="b", shape=(size,))]
    wiring = Graph([*nodes, Dense(name="w", inputs=("a",), weight=weight)], ["x", "w", "b"])
    shared = {"shape": (size,), "neuron": IF(), "scale": np.ones(1)}
    first = Population(name="a", current="x", activation="a", **shared)
    second = Population(name="b", current="w", activation="b", **shared)
    readout = Readout(name="out", current="b", shape=(size,))
    return SpikingNetwork(wiring, {"x": ConstantCurrent()}, [first, second], [readout])


def seconds(simulator: str, net: SpikingNetwork) -> float:
    """The time in which a network is built and runs 2 steps."""
    x = np.full((1, *net.wiring.shapes["x"]), 0.75)
    begin = time.perf_counter()
    with backend_named(simulator).build(net) as executable:
        executable.run(x, steps=2, record=Record(outputs_per_step=False))
        return time.perf_counter() - begin


def main() -> None:
    """Print one line per simulator."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("simulators", nargs="*", default=["brian2", "nest"])
    parser.add_argument("-n", type=float, default=1e6, help="synapses")
    options = parser.parse_args()
    large, tiny = network(options.n), network(4)
    print(f"{'simulator':<12} {'synapses':>10} {'start (s)':>10} {'build and 2 steps (s)':>22}")
    for simulator in options.simulators:
        start = seconds(simulator, tiny) - seconds(simulator, tiny)  # the second time its process is there already
        print(f"{simulator:<12} {options.n:>10,.0f} {start:>10.1f} {seconds(simulator, large):>22.1f}", flush=True)
    end_idle()


if __name__ == "__main__":
    main()
