"""How long the simulators of others take for a network of ours, and for the same one written for them by hand.

    python benchmarks/by_hand.py
    python benchmarks/by_hand.py --simulators brian2,nest --samples 10 --times 3

A small CNN (two convolutions, average pooling, dense) with random weights, constant input, reset to zero. *ours* builds
and runs it by the classes that the backends themselves use; *by hand* is what somebody writes who has its weights as
arrays: groups of the simulator's plainest neuron, array connects where it has them, spikes of all layers recorded,
samples side by side in Brian2 and one after the other in the others. CPU seconds of one process for building and
running, the least of some runs in turn; spikes of both, which differ where the plain neuron is not exact.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch

import snntoolbox as stb
from snntoolbox.ir.flat import FlatNetwork, flattened
from snntoolbox.ir.host import HostInput
from snntoolbox.ir.result import Record


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be run: the network and samples, and the same as arrays: synapses, currents (samples, neurons)."""

    network: Any
    x: np.ndarray
    steps: int
    flat: FlatNetwork
    currents: dict[str, np.ndarray]

    @property
    def sizes(self) -> dict[str, int]:
        """The neurons of each layer."""
        return {name: cells.size for name, cells in self.flat.cells.items()}


def task(samples: int, steps: int) -> Task:
    """The network that this script is about."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.AvgPool2d(2),
        torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.AvgPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(8 * 4 * 4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10),
    )  # fmt: skip
    x = np.random.default_rng(0).random((100, 1, 16, 16), dtype=np.float32)
    network = stb.convert(model, x, duration=steps, neuron=stb.IF(reset=stb.Reset.ZERO), layer_correction="none")
    x = x[:samples]
    return Task(network, x, steps, flattened(network), HostInput(network, (x,), steps, 0).drive)


# -- ours -----------------------------------------------------------------------------------------------------------


def ours(module: str, **options: Any) -> Callable[[Task], int]:
    """A run by the class of a backend; gives the number of spikes."""

    def run(given: Task) -> int:
        with import_module(module).Simulation(given.network, **options) as simulation:
            result = simulation.run(given.x, steps=given.steps, record=Record())
        return int(sum(counts.sum() for counts in result.counts.values()))

    return run


# -- by hand --------------------------------------------------------------------------------------------------------


def brian2(given: Task) -> int:
    """All samples side by side, as copies."""
    import brian2 as b2

    b2.prefs.codegen.target = "numpy"
    b2.defaultclock.dt = 1 * b2.ms
    copies, groups, parts = given.flat.replicated(len(given.x)), {}, []
    for name, cells in copies.cells.items():
        group = b2.NeuronGroup(cells.size, "v : 1\ntheta : 1\ndrive : 1", threshold="v >= theta", reset="v = 0")
        group.v, group.theta, group.drive = cells.initial, cells.threshold, given.currents[name].ravel()
        group.run_regularly("v += drive")
        groups[name] = group
    for c in copies.connections:
        made = b2.Synapses(groups[c.source], groups[c.target], "w : 1", on_pre="v_post += w")
        made.connect(i=c.pre, j=c.post)
        made.w = c.weight
        parts.append(made)
    monitors = [b2.SpikeMonitor(group) for group in groups.values()]
    b2.Network(*groups.values(), *parts, *monitors).run(given.steps * b2.ms)
    return sum(int(monitor.num_spikes) for monitor in monitors)


def nest(given: Task) -> int:
    """One network, samples one after the other with their currents."""
    from snntoolbox.backends.nest.kernel import quiet_nest

    nest, groups, spikes = quiet_nest(), {}, 0
    nest.ResetKernel()
    nest.set(resolution=1.0)
    recorder = nest.Create("spike_recorder")
    for name, cells in given.flat.cells.items():
        common = {"E_L": 0.0, "V_reset": 0.0, "C_m": 1.0, "tau_m": 1e6, "t_ref": 0.0, "V_th": 1.0, "V_m": 0.0}
        groups[name] = nest.Create("iaf_psc_delta", cells.size, common)
        groups[name].V_th = cells.threshold
        nest.Connect(groups[name], recorder)
    for c in given.flat.connections:
        pre, post = (np.array(groups[n].tolist())[i] for n, i in ((c.source, c.pre), (c.target, c.post)))
        nest.Connect(pre, post, "one_to_one", {"weight": c.weight, "delay": np.full(len(pre), 1.0)})
    for sample in range(len(given.x)):
        for name, cells in given.flat.cells.items():
            groups[name].set(V_m=cells.initial, I_e=given.currents[name][sample])
        nest.Simulate(float(given.steps))
        spikes += len(recorder.events["senders"])
        recorder.n_events = 0
    return spikes


def pynn(below: str) -> Callable[[Task], int]:
    """PyNN's plainest neuron; synapses from lists, samples one by one, on NEST each in a network of its own."""

    def run(given: Task) -> int:
        sim, groups, spikes = import_module(f"pyNN.{below}"), {}, 0
        for sample in range(len(given.x)):
            if groups and below != "nest":
                sim.reset()
            else:
                groups = _populations(sim, given)
            for name, group in groups.items():
                group.set(i_offset=given.currents[name][sample])
            sim.run(float(given.steps))
            for group in groups.values():
                spikes += sum(map(len, group.get_data("spikes", clear=True).segments[-1].spiketrains))
        sim.end()
        return spikes

    return run


def _populations(sim: Any, given: Task) -> dict[str, Any]:
    sim.setup(timestep=1.0, min_delay=1.0, max_delay=1.0)
    about = {"v_rest": 0.0, "v_reset": 0.0, "v_thresh": 1.0, "tau_m": 1e6, "cm": 1.0, "tau_refrac": 1.0}
    plain = sim.IF_curr_exp(**about, tau_syn_E=0.5, tau_syn_I=0.5)
    groups = {name: sim.Population(size, plain, initial_values={"v": 0.0}) for name, size in given.sizes.items()}
    for group in groups.values():
        group.record("spikes")
    for c in given.flat.connections:
        synapses = np.column_stack([c.pre, c.post, c.weight, np.ones(len(c.pre))])
        for sign, receptor in ((1, "excitatory"), (-1, "inhibitory")):
            own = sim.FromListConnector(synapses[np.sign(c.weight) == sign], column_names=["weight", "delay"])
            sim.Projection(groups[c.source], groups[c.target], own, sim.StaticSynapse(), receptor_type=receptor)
    return groups


BOTH = {
    "brian2": (ours("snntoolbox.backends.brian2.simulation"), brian2),
    "nest": (ours("snntoolbox.backends.nest.simulation"), nest),
    **{
        f"pynn.{below}": (ours("snntoolbox.backends.pynn.simulation", below=below), pynn(below))
        for below in ("brian2", "nest", "neuron")
    },
}


def seconds(run: Callable[[Task], int], given: Task) -> tuple[float, int]:
    """CPU seconds of a run and the number of its spikes."""
    before = time.process_time()
    spikes = run(given)
    return time.process_time() - before, spikes


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; see the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulators", default=",".join(BOTH), help="(%(default)s)")
    parser.add_argument("--samples", type=int, default=10, help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=32, help="(%(default)s)")
    parser.add_argument("--times", type=int, default=3, help="runs, of which the least counts (%(default)s)")
    given = parser.parse_args(arguments)
    os.environ.setdefault("PYNEST_QUIET", "1")
    torch.set_num_threads(1)
    work = task(given.samples, given.steps)
    size = f"{work.flat.neurons} neurons, {work.flat.synapses} synapses"
    print(f"{size}, {given.samples} samples, {given.steps} steps\n")
    print("| simulator | ours, s | by hand, s | ratio | spikes, ours | by hand |", flush=True)
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    for name in given.simulators.split(","):
        found = [[seconds(run, work) for run in BOTH[name]] for _ in range(given.times)]
        (own, fired), (hand, theirs) = (min(runs) for runs in zip(*found, strict=True))
        print(f"| {name} | {own:.2f} | {hand:.2f} | {own / hand:.2f} | {fired} | {theirs} |", flush=True)


if __name__ == "__main__":
    main()
