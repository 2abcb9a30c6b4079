"""How many samples a second `workers` run, beside one process, in pairs of runs one after the other.

    python benchmarks/workers.py
    python benchmarks/workers.py --nets cnn --workers 2 --pairs 5 --batches 500

On INI in batches of 100: *small* is the CNN of `by_hand.py`, the others are those of `speed.py`, with random weights.
*start* is the time to the first result: processes that start, libraries, compiled loops that are loaded. Samples a
second are counted behind the first results of all workers and before the last ones, so nothing of that is in them. A
machine that others use too has no whole cores to give: so beside it what the processes took of them, which depends on
others less. *bound* is what so many free cores would give at that.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psutil
import torch
from by_hand import task
from speed import NETS, drawn

from snntoolbox.backends.simulate import simulate_batches
from snntoolbox.conversion.stages import convert
from snntoolbox.ir.network import SpikingNetwork

BATCH = 100
EDGE = 15
"""Batches for each worker until all of them have loaded what is compiled, and again before the last ones."""

SMALL = "small"
HEAD = (
    *("one process: start, s", "samples/s", "samples/CPU s", "workers: start, s", "samples/s", "samples/CPU s"),
    *("ratio", "bound"),
)


@dataclass(frozen=True)
class Pace:
    """Seconds to the first result, and samples a second, by the clock and by the processor's time of all processes."""

    start: float
    clock: float
    cpu: float


def used() -> float:
    """CPU seconds so far of this process and those that it has started and that run."""
    mine = psutil.Process()
    taken = 0.0
    for process in [mine, *mine.children(recursive=True)]:
        times = process.cpu_times()
        taken += times.user + times.system
    return taken


def pace(network: SpikingNetwork, x: np.ndarray, steps: int, workers: int) -> Pace:
    """How fast these samples are run, by so many workers; 0 is this process."""
    edge, last = EDGE * max(1, workers), len(x) // BATCH
    if last <= 2 * edge:
        raise SystemExit(f"{workers} workers need more than {2 * edge} batches")
    begun, seen = time.perf_counter(), {}
    for done, _ in enumerate(simulate_batches(network, x, float(steps), "INI", BATCH, workers=workers), start=1):
        if done in (1, edge, last - edge):
            seen[done] = time.perf_counter(), used()
    (first, _), (low, low_used), (high, high_used) = seen[1], seen[edge], seen[last - edge]
    samples = (last - 2 * edge) * BATCH
    if high_used == low_used:
        raise SystemExit("less than what processors count, hundredths of a second: more batches, or more steps")
    return Pace(first - begun, samples / (high - low), samples / (high_used - low_used))


def network_and_samples(net: str, batches: int, steps: int) -> tuple[SpikingNetwork, np.ndarray]:
    """What is to be run."""
    if net == SMALL:
        network = task(1, steps).network
    else:
        case = drawn(net, 1, 1.0, 0.6)
        network = convert(case.graph, case.calibration, duration=steps)
    (name,) = network.encodings
    shape = (BATCH * batches, *network.wiring.shapes[name])
    return network, np.random.default_rng(1).random(shape, dtype=np.float32)


def row(one: Pace, many: Pace, workers: int) -> tuple[list[str], float, float]:
    """Cells of the table, and of them the ratio and its bound as numbers."""
    ratio, bound = many.clock / one.clock, workers * many.cpu / one.cpu
    cells = [cell for p in (one, many) for cell in (f"{p.start:.1f}", f"{p.clock:.0f}", f"{p.cpu:.0f}")]
    return [*cells, f"{ratio:.2f}", f"{bound:.2f}"], ratio, bound


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; see the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default=f"{SMALL},cnn", help=f"of {SMALL}, {', '.join(NETS)} (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="(%(default)s)")
    parser.add_argument("--pairs", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--batches", type=int, default=300, help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=32, help="(%(default)s)")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"| network | {' | '.join(HEAD)} |\n|---|{'--:|' * len(HEAD)}", flush=True)
    medians = []
    for net in given.nets.split(","):
        network, x = network_and_samples(net, given.batches, given.steps)
        pairs = []
        for _ in range(given.pairs):
            one, many = (pace(network, x, given.steps, workers) for workers in (0, given.workers))
            cells, *numbers = row(one, many, given.workers)
            pairs.append(numbers)
            print(f"| {net} | {' | '.join(cells)} |", flush=True)
        ratio, bound = (statistics.median(column) for column in zip(*pairs, strict=True))
        medians.append(f"{net}: ratio {ratio:.2f}, bound {bound:.2f}")
    print(f"\nMedians: {'; '.join(medians)}")


if __name__ == "__main__":
    main()
