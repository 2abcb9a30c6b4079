"""How long converting a real ResNet-20 takes, as a multiple of the forward passes over its calibration samples.

    python benchmarks/conversion.py --zoo FOLDER
    python benchmarks/conversion.py --zoo FOLDER --steps 8,128 --samples 500

The shared ResNet-20 (see zoo.py beside) is converted with 1000 calibration samples for each number of steps, and
without one. CPU time of one thread, the less of two conversions, since the first in a process loads compiled loops as
well; the forward pass is the best of those in `speed.py`, in batches of 100.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from speed import RESNET, forward_passes
from zoo import load_zoo

import snntoolbox as stb

BATCH = 100


def seconds(run: Callable[[], object], times: int = 1) -> float:
    """The least CPU time of some runs."""
    found = []
    for _ in range(times):
        before = time.process_time()
        run()
        found.append(time.process_time() - before)
    return min(found)


def main() -> None:
    """Print the table; see the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, default=os.environ.get("SNNTOOLBOX_ZOO"), help="folder with a zoo.py")
    parser.add_argument("--steps", default="4,8,16,32,64,128", help="numbers of steps (%(default)s)")
    parser.add_argument("--samples", type=int, default=1000, help="calibration samples (%(default)s)")
    given = parser.parse_args()
    if given.zoo is None:
        parser.error("--zoo FOLDER says where the ResNet-20 is")
    torch.set_num_threads(1)
    sample = load_zoo(given.zoo).sample(RESNET, BATCH)
    x = np.ascontiguousarray(sample.x_cal[: given.samples], np.float32)
    graph, model = stb.load(sample.file), torch.export.load(sample.file).module()
    passes = forward_passes(model, torch.from_numpy(x[:BATCH]))
    once = min(seconds(run, 3) for run in passes.values()) * len(x) / BATCH
    print(f"| steps | s | forward passes over {len(x)} samples ({once:.2f} s each) |\n|---|--:|--:|", flush=True)
    for steps in (None, *map(int, given.steps.split(","))):
        taken = seconds(lambda steps=steps: stb.convert(graph, x, duration=steps), 2)
        print(f"| {steps or 'not said'} | {taken:.1f} | {taken / once:.1f} |", flush=True)


if __name__ == "__main__":
    main()
