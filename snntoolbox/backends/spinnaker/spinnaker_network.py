"""A spiking network on a SpiNNaker board, by sPyNNaker: its cells, its synapses, and what runs or places them.

It needs sPyNNaker alone. The board is the one that ``~/.spynnaker.cfg`` names; the spikes are compared with those in
the file: python network.py samples.npz. With --map at the end it is placed and routed, and nothing runs.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

UNIT = 2.0**-15
"""A whole number of the network is the last bit of the S16.15 numbers of the chip."""

SUMS = 2**16 - 1
"""What a neuron receives in a step by its excitatory synapses, and by its inhibitory ones, is summed in 16 bits."""

BELOW_ONE = 0.99
"""The largest sum that sPyNNaker is told to expect, so that the last bit of weights is that of potentials."""

FIRST = 2
"""The time in ms when the clock fires for the first time."""


class Network:
    """A network in a file: cells without a leak that fire where V >= threshold.

    On a chip a spike sets V to the cell's lowest potential, and nothing goes below it. So that potential lies as deep
    as sums allow, and a synapse of each neuron onto itself lifts V to where the network resets it, in the first step
    after the spike that counts.
    """

    def __init__(self, path: Any) -> None:
        with np.load(path) as file:
            self.arrays = dict(file)
        about = json.loads(str(self.arrays["about"]))
        self.layers: dict[str, dict[str, Any]] = about["layers"]
        self.inputs: dict[str, int] = about["inputs"]
        self.synapses: list[dict[str, Any]] = about["synapses"]
        self.readouts: dict[str, dict[str, Any]] = about["readouts"]
        self.neurons_per_core = int(about["neurons per core"])
        self.onsets = sorted({0, *(layer["onset"] for layer in self.layers.values())})
        self.populations: dict[str, Any] = {}
        self.witness: Any = None
        self.projections: list[tuple[Any, Any]] = []

    def run(self, sim: Any, drive: dict[str, Any], trains: dict[str, Any], steps: int) -> dict[str, Any]:
        """Run a sample: layer -> spikes (steps, neurons).

        `drive` has what each neuron of a layer gets in every step, `trains` the spikes of inputs (steps, sources).
        """
        self.build(sim, drive, trains, steps)
        first = _trains(self.witness)[0]
        begin = round(first[0]) if len(first) else 0
        found = {name: np.zeros((steps, layer["size"]), bool) for name, layer in self.layers.items()}
        for name, layer in self.layers.items():
            for neuron, times in enumerate(_trains(self.populations[name])):
                own = np.rint(np.asarray(times, float)).astype(int) - begin - layer["onset"]
                found[name][own[(own >= 0) & (own < steps)], neuron] = True
        sim.end()
        return found

    def build(self, sim: Any, drive: dict[str, Any], trains: dict[str, Any], steps: int) -> None:
        """Make all of it and have it run, which on a virtual board only places it."""
        sim.setup(timestep=1.0)
        sim.set_number_of_neurons_per_core(sim.extra_models.IFTruncDelta, self.neurons_per_core)
        self.populations, self.projections = {}, []
        # A current of the chip's own would begin in all layers at once: a source fires for each onset instead.
        ticks = [FIRST + onset + np.arange(steps) for onset in self.onsets]
        clock = _source(sim, "clock", ticks)
        for name, size in self.inputs.items():
            times = [FIRST + 1 + np.flatnonzero(trains[name][:, k]) for k in range(size)]
            self.populations[name] = _source(sim, name, times)
        self.witness = _cells(sim, "witness", size=1, threshold=1, initial=0, lowest=0, refractory=0)
        for name, layer in self.layers.items():
            fields = {key: self.arrays[f"{key} of {name}"] for key in ("threshold", "initial", "lowest")}
            cells = _cells(sim, name, size=layer["size"], refractory=layer["refractory"], **fields)
            self.populations[name] = cells
        self._connect(sim, clock, self.witness, [0], [0], [1], 1)
        for name, layer in self.layers.items():
            own = np.arange(layer["size"])
            onset = np.full(layer["size"], self.onsets.index(layer["onset"]))
            self._connect(sim, clock, self.populations[name], onset, own, drive[name], 1)
            lift = self.arrays[f"lift of {name}"]
            self._connect(sim, *2 * (self.populations[name],), own, own, lift, 1 + layer["refractory"])
        for number, synapse in enumerate(self.synapses):
            pre, post, weight = (self.arrays[f"{what} {number}"] for what in ("pre", "post", "weight"))
            source, target = self.populations[synapse["source"]], self.populations[synapse["target"]]
            self._connect(sim, source, target, pre, post, weight, synapse["delay"])
        sim.run(FIRST + steps + max(self.onsets) + 2)

    def outputs(self, spikes: dict[str, Any], trains: dict[str, Any], current: dict[str, Any], steps: int) -> Any:
        """What read-outs say of the spikes of a sample, and of constant currents to them: name -> values."""
        given = {**trains, **spikes}
        said = {}
        for name, readout in self.readouts.items():
            # The first steps are forgotten as soon as as many more have passed.
            begin = readout["start"] if steps >= 2 * readout["start"] else 0
            values = current[name] + self.arrays[f"bias to {name}"]
            for number, part in enumerate(readout["parts"]):
                own = given[part["source"]][max(begin - part["lag"], 0) : max(steps - part["lag"], 0)]
                values = values + self.arrays[f"weight {number} to {name}"] @ own.sum(axis=0) / (steps - begin)
            said[name] = readout["scale"] * values
        return said

    def differ(self) -> int:
        """In how many synapses the tables of the board differ from the network."""
        wrong = 0
        for projection, meant in self.projections:
            found = np.array([tuple(row) for row in projection.get(["weight", "delay"], "list")], float)
            found = found[np.lexsort((found[:, 1], found[:, 0]))]
            found[:, 2] = np.abs(found[:, 2])
            wrong += int((found != meant[np.lexsort((meant[:, 1], meant[:, 0]))]).any(axis=1).sum())
        return wrong

    def _connect(self, sim: Any, source: Any, target: Any, pre: Any, post: Any, weight: Any, delay: int) -> None:
        weight = np.asarray(weight, float)
        for receptor, own in (("excitatory", weight > 0), ("inhibitory", weight < 0)):
            if not own.any():
                continue
            size, late = UNIT * np.abs(weight[own]), np.full(int(own.sum()), float(delay))
            rows = np.column_stack([np.asarray(pre)[own], np.asarray(post)[own], size, late])
            made = sim.Projection(
                source, target, sim.FromListConnector(rows), sim.StaticSynapse(), receptor_type=receptor
            )
            self.projections.append((made, rows))


def _cells(sim: Any, name: str, *, size: int, threshold: Any, initial: Any, lowest: Any, refractory: int) -> Any:
    one = np.full(size, UNIT)
    cells = sim.extra_models.IFTruncDelta(
        tau_m=1.0, cm=1.0, v_thresh=threshold * one, v_reset=lowest * one, tau_refrac=float(refractory), i_offset=0.0
    )
    expected = {"max_expected_summed_weight": [BELOW_ONE, BELOW_ONE]}
    population = sim.Population(
        size, cells, label=name, initial_values={"v": initial * one}, additional_parameters=expected
    )
    population.record("spikes")
    return population


def _source(sim: Any, name: str, times: Any) -> Any:
    listed = [[float(time) for time in own] for own in times]
    return sim.Population(len(listed), sim.SpikeSourceArray(spike_times=listed), label=name)


def _trains(population: Any) -> Any:
    """The times of the spikes of each neuron."""
    return [np.asarray(train, float) for train in population.get_data("spikes").segments[0].spiketrains]


def placed(view: Any, machine: Any) -> dict[str, Any]:
    """Where the network is on the board: cores of each layer, chips, and entries of the fullest router."""
    cores: dict[str, int] = {}
    chips = set()
    for placement in view.iterate_placemements():
        if (of := placement.vertex.app_vertex) is not None:
            cores[of.label] = cores.get(of.label, 0) + 1
            chips.add((placement.x, placement.y))
    entries = view.get_uncompressed().get_max_number_of_entries()
    return {"cores": cores, "chips": len(chips), "chips of the board": machine.n_chips, "routing entries": entries}


def compared(network: Network, sim: Any, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int], list[str]]:
    """Run the samples of a file: spikes of each layer (steps, samples, neurons), how many differ, which outputs do."""
    steps, wrong = int(given["steps"]), dict[str, None]()
    spikes: dict[str, list[Any]] = {name: [] for name in network.layers}
    differ = dict.fromkeys(network.layers, 0)
    for sample in range(int(given["samples"])):
        own = of_sample(given, sample)
        found = network.run(sim, own["drive"], own["train"], steps)
        for name, meant in own["spikes"].items():
            spikes[name].append(found[name])
            differ[name] += int((found[name] != meant).sum())
        said = network.outputs(found, own["train"], own["current"], steps)
        wrong |= {name: None for name, output in own["output"].items() if not np.allclose(said[name], output)}
    return {name: np.stack(each, axis=1) for name, each in spikes.items()}, differ, [*wrong]


def of_sample(given: dict[str, Any], sample: int) -> dict[str, dict[str, Any]]:
    """What a file has of a sample: kind -> layer -> values."""
    kinds: dict[str, dict[str, Any]] = {kind: {} for kind in ("drive", "train", "spikes", "current", "output")}
    for key, values in given.items():
        kind, of, layer = key.partition(" of ")
        if of:
            kinds[kind][layer] = values[sample]
    return kinds


@cache
def on_a_board() -> Any:
    """sPyNNaker, for the board that ``~/.spynnaker.cfg`` names; RuntimeError if that one is virtual."""
    import pyNN.spiNNaker as sim  # noqa: N813
    from spinn_utilities.config_holder import get_config_bool

    sim.setup(timestep=1.0)
    virtual = get_config_bool("Machine", "virtual_board")
    sim.end()
    if virtual:
        raise RuntimeError("the board is virtual, on which nothing runs: --map places the network there")
    return sim


def place(network: Network, given: dict[str, Any]) -> dict[str, Any]:
    """Place and route the first sample of a file on the board, and say where it is; see `placed`."""
    import pyNN.spiNNaker as sim  # noqa: N813
    from spynnaker.pyNN.data import SpynnakerDataView

    first = of_sample(given, 0)
    network.build(sim, first["drive"], first["train"], int(given["steps"]))
    told = {**placed(SpynnakerDataView, sim.get_machine()), "synapses that differ": network.differ()}
    sim.end()
    return told


def main(path: Any, *, only_place: bool) -> int:
    """Run the samples of a file, and say in how many cells the spikes differ from those in it; or place the first."""
    with np.load(path) as file:
        given = dict(file)
    network = Network(Path(path).parent / "weights.npz")
    if only_place:
        sys.stdout.write("\n" + json.dumps(place(network, given)) + "\n")
        return 0
    try:
        sim = on_a_board()
    except RuntimeError as error:
        sys.stdout.write(f"{error}\n")
        return 2
    _, differ, wrong = compared(network, sim, given)
    ended = f", and the outputs {', '.join(wrong)}" if wrong else ""
    sys.stdout.write(f"{sum(differ.values())} cells differ{ended}\n")
    return int(any(differ.values()) or bool(wrong))


if __name__ == "__main__":
    files = [argument for argument in sys.argv[1:] if argument != "--map"]
    code = main(*files[:1] or [str(Path(__file__).with_name("samples.npz"))], only_place="--map" in sys.argv[1:])
    raise SystemExit(code)
