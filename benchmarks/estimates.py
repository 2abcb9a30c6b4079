"""How long other simulators are said to take for a network, and how long they take.

    python benchmarks/estimates.py
    python benchmarks/estimates.py --simulators brian2,nest --constants

Three networks with random weights (two small CNNs and an MLP), each for some numbers of samples and steps. *said* is
the estimate that a user is told before the run (`expected_time`), *took* the CPU seconds of building and running, in
all processes; the first run of each simulator, which starts it, is left out. With `--constants` the constants of
`Cost` and its `Speed` follow that fit these runs best: the least sum of squared relative errors, none below zero, with
the events that were counted.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import psutil
import torch
from scipy.optimize import nnls

import snntoolbox as stb
from snntoolbox.backends.checking import build_network
from snntoolbox.backends.estimates import expected_time, network_size
from snntoolbox.backends.registry import backend_named
from snntoolbox.ir.operations import synaptic_operations
from snntoolbox.ir.result import Record

NAMES = "brian2,nest,pynn.brian2,pynn.nest,pynn.neuron"
RUNS = ((1, 16), (2, 64), (8, 32))
"""Samples and steps."""


def networks() -> dict[str, tuple[torch.nn.Module, tuple[int, ...]]]:
    """Models and the shapes of a sample."""
    torch.manual_seed(0)
    layers: Any = torch.nn
    return {
        "CNN 8": (
            layers.Sequential(
                layers.Conv2d(1, 8, 3, padding=1), layers.ReLU(), layers.AvgPool2d(2), layers.Conv2d(8, 8, 3),
                layers.ReLU(), layers.Flatten(), layers.Linear(288, 32), layers.ReLU(), layers.Linear(32, 10),
            ),
            (1, 16, 16),
        ),
        "CNN 16": (
            layers.Sequential(
                layers.Conv2d(1, 16, 3, padding=1), layers.ReLU(), layers.Conv2d(16, 16, 3, stride=2), layers.ReLU(),
                layers.Flatten(), layers.Linear(2704, 10),
            ),
            (1, 28, 28),
        ),
        "MLP": (
            layers.Sequential(
                layers.Linear(784, 512), layers.ReLU(), layers.Linear(512, 256), layers.ReLU(), layers.Linear(256, 10),
            ),
            (784,),
        ),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; see the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulators", default=NAMES, help="(%(default)s)")
    parser.add_argument("--constants", action="store_true", help="fit the constants too")
    given = parser.parse_args(arguments)
    logging.getLogger("snntoolbox").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    made = {}
    for name, (model, shape) in networks().items():
        x = np.random.default_rng(0).random((20, *shape), dtype=np.float32)
        made[name] = (stb.convert(model, x, duration=32, layer_correction="none", weight_bits=8), x)
    print("| simulator | network | samples | steps | said, s | took, s | took / said |")
    print("|---|---|--:|--:|--:|--:|--:|", flush=True)
    for simulator in given.simulators.split(","):
        rows = measured(simulator, made)
        if given.constants:
            print(fitted(rows), flush=True)


def measured(simulator: str, made: dict[str, tuple[Any, np.ndarray]]) -> list[tuple[float, ...]]:
    """A line for each run is printed; gives what each consisted of, for `fitted`."""
    rows, backend, started = [], backend_named(simulator), False
    for name, (network, x) in made.items():
        size, layers = network_size(network), len(network.populations)
        for samples, steps in ((1, 1), *RUNS) if not started else RUNS:
            begun = cpu()
            with build_network(backend, network) as executable:
                built = cpu() - begun
                result = executable.run(x[:samples], steps=steps, record=Record())
            took = cpu() - begun
            if not started:
                started = True
                continue
            expected = expected_time(network, backend.cost, samples=samples, steps=steps, batch=samples)
            said = 0.0 if expected is None else expected.build + expected.run
            ratio = f"{took / said:.2f}" if said else "-"
            print(f"| {simulator} | {name} | {samples} | {steps} | {said:.2f} | {took:.2f} | {ratio} |", flush=True)
            events = synaptic_operations(network, result.counts) * samples
            rows.append((built, took - built, size.neurons, size.synapses, layers, samples, steps, events))
    return rows


def cpu() -> float:
    """The CPU seconds of this process and those that it has started so far."""
    own = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (own, *own.children(recursive=True)))


def fitted(rows: list[tuple[float, ...]]) -> str:
    """The constants, see the top of this file."""
    built, ran, neurons, synapses, layers, samples, steps, events = np.array(rows).T
    neurons, events, ones = neurons / 1e6, events / 1e6, np.ones_like(built)
    parts = {
        "build": (built, {"neuron": neurons, "synapse": synapses / 1e6}),
        "run": (
            ran,
            {"step": layers * steps, "sample": samples * neurons, "update": samples * steps * neurons, "event": events},
        ),
    }
    lines = []
    for name, (seconds, terms) in parts.items():
        factors, _ = nnls(np.stack(list(terms.values()), 1) / seconds[:, None], ones)
        constants = ", ".join(f"{term} {factor:.3g}" for term, factor in zip(terms, factors, strict=True))
        lines.append(f"{name}: {constants}")
    return "\n" + "; ".join(lines) + "\n"


if __name__ == "__main__":
    main()
