"""How many samples a second `workers` run, beside one process, in pairs of runs one after the other.

    python benchmarks/workers.py
    python benchmarks/workers.py --workers 2 --pairs 5 --batches 40

The CNN of `by_hand.py` on INI in batches of 100. Time goes from where all is started, built and loaded to the last
result. A machine that others use too has no whole cores to give: so beside it what the processes took of them,
which does not depend on others. *bound* is what so many free cores would give at that.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np
import psutil
import torch
from by_hand import task

from snntoolbox.backends.simulate import simulate_batches
from snntoolbox.ir.network import SpikingNetwork

BATCH = 100
WARM = 15
"""Batches for each worker until all of them have loaded what is compiled."""


def used() -> float:
    """CPU seconds so far of this process and those that it has started and that run."""
    mine = psutil.Process()
    taken = 0.0
    for process in [mine, *mine.children(recursive=True)]:
        times = process.cpu_times()
        taken += times.user + times.system
    return taken


def rates(network: SpikingNetwork, x: np.ndarray, steps: int, workers: int) -> tuple[float, float]:
    """Samples a second behind the first results, by the clock and by the processor's time of all processes."""
    results = simulate_batches(network, x, float(steps), "INI", BATCH, workers=workers)
    first = max(1, WARM * workers)
    for _ in range(first):
        next(results)
    clock, cpu, done = time.perf_counter(), used(), 0
    batches = len(x) // BATCH - first
    for result in results:
        done += result.samples
        if done == batches * BATCH:  # workers are there until the end is asked for
            found = done / (time.perf_counter() - clock), done / (used() - cpu)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; see the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2, help="(%(default)s)")
    parser.add_argument("--pairs", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--batches", type=int, default=120, help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=64, help="(%(default)s)")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    work = task(1, given.steps)
    x = np.random.default_rng(1).random((BATCH * given.batches, 1, 16, 16), dtype=np.float32)
    print(f"| samples/s, one process | {given.workers} workers | ratio | samples/CPU s, one | workers | bound |")
    print("|--:|--:|--:|--:|--:|--:|", flush=True)
    ratios, bounds = [], []
    for _ in range(given.pairs):
        (one, alone), (many, each) = (rates(work.network, x, given.steps, n) for n in (0, given.workers))
        ratios.append(many / one)
        bounds.append(given.workers * each / alone)
        rows = (f"{one:.0f}", f"{many:.0f}", f"{ratios[-1]:.2f}", f"{alone:.0f}", f"{each:.0f}", f"{bounds[-1]:.2f}")
        print(f"| {' | '.join(rows)} |", flush=True)
    print(f"\nratio {statistics.median(ratios):.2f}, bound {statistics.median(bounds):.2f} (medians)")


if __name__ == "__main__":
    main()
