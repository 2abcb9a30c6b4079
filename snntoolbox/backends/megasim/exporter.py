"""MegaSim as an exporter: its files for each sample, played back event by event."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.backends.check_options import CheckOptions, unchecked
from snntoolbox.backends.options import chosen_options
from snntoolbox.backends.protocol import Check, Exported
from snntoolbox.errors import TooLargeError
from snntoolbox.ir import features as f
from snntoolbox.ir import parts
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.io import load_network, save
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.part import features_of
from snntoolbox.ir.timing import run_steps
from snntoolbox.ir.writing import write_text

NODES, NETWORK = "nodes.json", "network.npz"
MOST_WEIGHTS = 50_000_000
"""Files have every weight of a pair of layers, also those that are 0."""

PARTS = (
    *(parts.Delta, parts.PerfectIntegrator, parts.ConstantThreshold, parts.BinarySpikes),
    *(parts.Subtract, parts.ToPotential),
)
CAPABILITIES = Capabilities(
    features=(features_of(PARTS) | f.INPUTS | {f.BIAS, f.INITIAL_POTENTIAL}) - {f.CONSTANT_INPUT},
    exact_bits=29,
    installer="nothing: MegaSim is not to be had",
    reasons={
        f.CONSTANT_INPUT: "its inputs are events",
        f.REFRACTORY: "what its parameter T_Refract does to what arrives is not known",
        f.DELAYS: "what its delays do to events that wait is not known",
        f.RECURRENT: "its events take no time",
    },
)
PLAYED, RUN = "equal spikes when its files are played, one for a neuron at an event", "equal spikes in MegaSim"


@dataclass(frozen=True, kw_only=True)
class Options(CheckOptions):
    """Stimuli are written of the samples that are checked, and played back. `force`: write what is too large too."""

    check_samples: int = 1
    force: bool = False


class MegasimExporter:
    """A network as the files of MegaSim, for which nothing here can run it."""

    name = "megasim"
    capabilities = CAPABILITIES
    options = Options

    def export(
        self, network: SpikingNetwork, folder: Path, samples: tuple[Array, ...] = (), **options: Any
    ) -> Exported:
        """Write the files, and play them with the first samples; `options` as in `Options`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        from snntoolbox.backends.megasim.clocked import clocked
        from snntoolbox.backends.megasim.files import NETLIST, STATE, netlist, parameters
        from snntoolbox.ir.flat import flattened, spread

        assert network.grid is not None
        flat, steps = flattened(network), run_steps(network, chosen.duration)
        if not chosen.force:
            _check_size({c.label: sum(_sources(flat, c.name)) * c.size for c in flat.cells.values()})
        drive = {n: spread(0.0 if p.bias is None else p.bias, p.shape) for n, p in network.populations.items()}
        made = clocked(network, flat, drive, int(network.grid.bound(steps, 0.0)))
        write_text(folder / NETLIST, netlist(made, steps))
        for module in made.modules:
            write_text(folder / f"{module.node}.prm", parameters(module))
            write_text(folder / f"{module.node}.stt", STATE)
        nodes = {m.node: {"layer": m.layer, "neurons": m.neurons.tolist(), "onset": m.onset} for m in made.modules}
        about = {"steps": steps, "time of a step": made.period, "nodes": nodes, "inputs": dict(made.inputs)}
        write_text(folder / NODES, json.dumps(about, indent=1) + "\n")
        save(network, folder / NETWORK)
        report: dict[str, Any] = {"modules": len(made.modules), "time of a step": made.period}
        first = chosen.first(samples)
        elsewhere = Check(goal=RUN, outcome="not checked", why="the program is not to be had, and was never run here")
        tried = _tried(network, made, folder, first, steps, report) if first else unchecked(PLAYED)
        return Exported(folder=folder, checks=(tried, elsewhere), report=report)

    def read(self, folder: Path) -> SpikingNetwork:
        """The network that the files were written from: the check compares what they say with that one's spikes."""
        return load_network(folder / NETWORK)


def _sources(flat: Any, target: str) -> list[int]:
    sizes = {**flat.inputs, **{name: cells.size for name, cells in flat.cells.items()}}
    return [sizes[c.source] for c in flat.connections if c.target == target]


def _check_size(weights: Mapping[str, int]) -> None:
    if (total := sum(weights.values())) > MOST_WEIGHTS:
        shares = "; ".join(f"{label} {count:,}" for label, count in weights.items())
        raise TooLargeError(
            f"the files would have {total:,} weights, with those that are 0 (limit: {MOST_WEIGHTS:,}): {shares}",
            hint="--force (in Python force=True) writes them all the same",
        )


def _tried(
    network: SpikingNetwork, made: Any, folder: Path, x: tuple[Array, ...], steps: int, report: dict[str, Any]
) -> Check:
    """Stimuli, with the spikes that have to come of them, and whether they do when the files are read."""
    from snntoolbox.backends.megasim.files import events, stimuli
    from snntoolbox.backends.megasim.replay import READINGS, played
    from snntoolbox.ir.host import HostInput
    from snntoolbox.ir.interpreter import interpret
    from snntoolbox.ir.result import Record

    begun = time.monotonic()
    host = HostInput(network, x, steps, 0)
    meant = interpret(network, *x, steps=steps, record=Record(spikes=True)).spikes
    wrong: set[str] = set()
    twice = 0
    for sample in range(host.samples):
        own = folder / f"sample_{sample}"
        own.mkdir()
        for node, text in stimuli(made, host, sample):
            write_text(own / f"{node}.stim", text)
        expected = {module.node: _expected(made, module, meant[module.layer][:, sample]) for module in made.modules}
        for node, told in expected.items():
            write_text(own / f"expected_{node}.evs", events(told))
        for reading in READINGS:
            found = played(folder, own, reading)
            wrong |= {node for node, told in expected.items() if sorted(found.spikes[node]) != told}
        twice += found.twice
    report["spikes after which a second one would follow at once"] = twice
    seconds = round(time.monotonic() - begun, 1)
    if wrong:
        why = f"the spikes of {', '.join(sorted(wrong))} differ"
        return Check(goal=PLAYED, outcome="failed", why=why, seconds=seconds)
    return Check(goal=PLAYED, outcome="passed", seconds=seconds)


def _expected(made: Any, module: Any, spikes: Array) -> list[tuple[int, int]]:
    """The times and addresses of a module's events, in order."""
    steps, addresses = np.nonzero(spikes.reshape(len(spikes), -1)[:, module.neurons])
    times = [made.fires(step, module.onset) for step in steps.tolist()]
    return sorted(zip(times, addresses.tolist(), strict=True))
