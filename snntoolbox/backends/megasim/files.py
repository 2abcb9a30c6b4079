"""The files of MegaSim, as the SNN Toolbox writes them: netlist, parameters, states and stimuli."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from snntoolbox.backends.megasim.clocked import BIAS, FIRE, LARGEST, RELEASE, START, Clocked, Module
from snntoolbox.ir.host import HostInput
from snntoolbox.ir.node import Array

NETLIST = "megasim.sch"
STATE = ".integers\ntime_busy_initial 0\n.floats\n"
ON_THE_WAY = (-1, -1)
"""Request and acknowledgement of an event that the simulator has still to send."""


def netlist(network: Clocked, steps: int) -> str:
    """Sources, then modules with the nodes that they read and the one that they write, and when it ends."""
    sources = [*network.inputs.values(), *network.clocks.values()]
    lines = [".netlist", *(f"source {{{node}}} {node}.stim" for node in sources), ""]
    for module in network.modules:
        name = module.node
        lines.append(f"module_fully_connected {{{','.join(module.ports)}}}{{{name}}} {name}.prm {name}.stt")
    return "\n".join([*lines, "", ".options", f"Tmax={network.begin(steps)}", ""])


def parameters(module: Module) -> str:
    """The parameters of a module: its neurons, and for each port the addresses and a row of weights for each."""
    size = len(module.neurons)
    before = {
        **{"n_in_ports": len(module.ports), "n_out_ports": 1, "delay_to_process": 0, "delay_to_ack": 0},
        **{"fifo_depth": 0, "n_repeat": 1, "delay_to_repeat": 15, "population_size": size, "Ny_array": 1},
        **{"Xmin": 0, "Ymin": 0, "THplus": module.threshold, "THplusInfo": 1, "THminus": -LARGEST, "THminusInfo": 0},
        **{"Reset_to_reminder": int(module.subtracts), "MembReset": 0, "TLplus": 0, "TLminus": 0, "Tmin": 0},
        "T_Refract": 0,
    }
    behind = {
        **{"crop_xmin": 0, "crop_xmax": size, "crop_ymin": 0, "crop_ymax": size, "xshift_pre": 0, "yshift_pre": 0},
        **{"x_subsmp": 1, "y_subsmp": 1, "xshift_pos": 0, "yshift_pos": 0, "rectify": 0},
    }
    lines = [".integers", *_pairs(before)]
    for weights in module.ports.values():
        lines += [*_pairs({"Nx_array_pre": len(weights), "Ny_array_pre": 1}), *_rows(weights)]
    return "\n".join([*lines, *_pairs(behind), ".floats", ""])


def _pairs(values: dict[str, int]) -> Iterator[str]:
    return (f"{key} {value}" for key, value in values.items())


def _rows(values: Array) -> Iterator[str]:
    return (" ".join(map(str, row)) for row in values.tolist())


def stimuli(network: Clocked, host: HostInput, sample: int) -> Iterator[tuple[str, str]]:
    """Node -> its events in a sample: spikes of inputs, and what the clocks say in each step."""
    for name, node in network.inputs.items():
        train = host.trains[name].reshape(host.steps, host.samples, -1)[:, sample]
        steps, addresses = np.nonzero(np.concatenate([train > 0, train < 0], axis=1))
        times = [network.begin(step) for step in steps.tolist()]
        yield node, events(zip(times, addresses.tolist(), strict=True))
    for onset, node in network.clocks.items():
        told = [(0, START)]
        for step in range(host.steps):
            at = network.fires(step, onset)
            told += [(network.begin(step), BIAS), (at, FIRE), (at + 1, RELEASE)]
        yield node, events(told)


def events(told: Iterable[tuple[int, int]]) -> str:
    """One line an event: time, request, acknowledgement, x, y, polarity."""
    request, acknowledgement = ON_THE_WAY
    return "".join(f"{time} {request} {acknowledgement} {address} 0 1\n" for time, address in told)
