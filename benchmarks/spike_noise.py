"""What noise in spikes does to networks of different schedules: spikes that are lost, spikes that come a step late.

    python benchmarks/spike_noise.py --samples 300

Runs the package's demo step by step and lets every spike of every layer be lost, or come a step late, with a
probability. Prints what an answer takes with each schedule, and the accuracy in per cent for each probability; the
same seed draws for all.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np

import snntoolbox as stb
from snntoolbox.ir import interpreter
from snntoolbox.ir.node import Array
from snntoolbox.ir.operations import synaptic_operations
from snntoolbox.ir.result import Record
from snntoolbox.ir.timing import run_steps, timing
from snntoolbox.workflow import demo

SCHEDULES = {"rate": 16, "phased": 8, "radix": 4, "first-spike": 8}
"""The duration (a window, or a run) of each."""

OTHERS: Mapping[str, dict[str, Any]] = {
    "multi-threshold": {"duration": 8, "neuron": stb.IF(initial=0.125, levels=(1, 0.5, 0.25))},
    "differential": {"duration": 8, "schedule": "differential"},
}
"""Recipes whose costs are told beside theirs."""

SHARES = (0.0, 0.01, 0.05, 0.1)
NOISES = ("lost", "late")


class Noisy(interpreter._Run):
    """A run in which spikes are lost, or come in the next step beside those that are its own."""

    noise, share, seed = "lost", 0.0, 0

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.random = np.random.default_rng(self.seed)
        self.held_back: dict[str, Array] = {}

    def _population(self, name: str, values: Mapping[str, Array], constant: Mapping[str, Array], step: int) -> Array:
        fired = super()._population(name, values, constant, step)
        hit = (self.random.random(fired.shape) < self.share) & (fired != 0)
        kept = np.where(hit, 0, fired)
        if self.noise == "lost":
            return kept
        late, self.held_back[name] = self.held_back.get(name, 0.0), np.where(hit, fired, 0)
        return kept + late


def noisy_class(network: Any, x: Array, noise: str, share: float) -> Array:
    """The classes that a run with such noise gives."""
    steps = run_steps(network, network.duration)
    Noisy.noise, Noisy.share = noise, share
    run = Noisy(network, (x,), steps, Record(), 0)
    for step in range(steps):
        run.advance(step)
    (readout,) = network.readouts
    return np.asarray(run.outputs[readout.name][-1].reshape(len(x), -1).argmax(axis=1))


def costs(graph: Any, calibration: Array, x: Array, labels: Array) -> None:
    """Print what an answer of each takes; a sample follows in so many steps with one membrane, or with two."""
    columns = ("right, %", "answer after", "a sample every", "two membranes", "spikes", "operations")
    print(f"{'schedule':18}" + "".join(f"{column:>16}" for column in columns))
    usual = {name: {"duration": steps, "schedule": name} for name, steps in SCHEDULES.items()}
    for name, choices in {**usual, **OTHERS}.items():
        snn = stb.convert(graph, calibration, **choices)
        result, found = stb.simulate(snn, x), timing(snn, snn.duration)
        every = [round(1 / found["throughput"][kind]) for kind in ("one_membrane", "two_membranes")]
        spikes = sum(float(np.sum(events)) for events in result.events.values()) / len(x)
        operations = synaptic_operations(snn, result.events)
        values = [f"{100 * result.accuracy(labels):.1f}", str(found["latency_steps"]), *map(str, every)]
        values += [f"{spikes:,.0f}", f"{operations:,.0f}"]
        print(f"{name} {choices['duration']}".ljust(18) + "".join(f"{value:>16}" for value in values), flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=100, help="digits (%(default)s)")
    parser.add_argument("--schedules", default=",".join(SCHEDULES), help="those that get noise (%(default)s)")
    options = parser.parse_args()
    graph = stb.load(demo.folder() / demo.MODELS["onnx"])
    x, y, calibration = (np.load(demo.folder() / name)["arr_0"] for name in demo.DATA)
    x = x[: options.samples].astype(np.float64)
    labels = (y.argmax(axis=1) if y.ndim > 1 else y)[: len(x)]
    costs(graph, calibration, x, labels)
    if not options.schedules:
        return
    print(f"\n{'schedule':16}" + "".join(f"{f'{noise} {share:g}':>11}" for noise in NOISES for share in SHARES))
    for name in options.schedules.split(","):
        snn = stb.convert(graph, calibration, duration=SCHEDULES[name], schedule=name, readout_correction=0)
        right = [100 * np.mean(noisy_class(snn, x, noise, share) == labels) for noise in NOISES for share in SHARES]
        print(f"{f'{name} {SCHEDULES[name]}':16}" + "".join(f"{value:11.1f}" for value in right), flush=True)


if __name__ == "__main__":
    main()
