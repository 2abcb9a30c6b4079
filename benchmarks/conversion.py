"""How long converting a real ResNet-20 takes, as a multiple of the forward passes over its calibration samples.

    python benchmarks/conversion.py --zoo FOLDER
    python benchmarks/conversion.py --zoo FOLDER --steps 8,128 --samples 500
    python benchmarks/conversion.py --gated 14,56 --steps 6,7        LSTMs of so many steps, by radix of so many digits

The shared ResNet-20 (see zoo.py beside) is converted with 1000 calibration samples for each number of steps, and
without one. CPU time of one thread, the less of two conversions, since the first in a process loads compiled loops as
well; the forward pass is the best of those in `speed.py`, in batches of 100. With `--gated` LSTMs of 32 units with
random weights are converted instead, with 100 samples, once each.
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


def gated(lengths: list[int], digits: list[int]) -> None:
    """Print how long unrolled LSTMs take."""
    print("| steps of the LSTM | digits | populations | s |\n|--:|--:|--:|--:|", flush=True)
    for length in lengths:
        torch.manual_seed(0)
        graph = stb.load(Reader().eval(), input_shape=(length, 8))
        x = np.random.default_rng(0).normal(size=(BATCH, length, 8)).astype(np.float32)
        for each in digits:
            before = time.process_time()
            network = stb.convert(graph, x, schedule="radix", duration=each)
            taken = time.process_time() - before
            print(f"| {length} | {each} | {len(network.populations)} | {taken:.1f} |", flush=True)


class Reader(torch.nn.Module):
    """An LSTM over rows of 8 values, and 10 classes from what it says behind the last."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.classes = torch.nn.LSTM(8, 32, batch_first=True), torch.nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The scores."""
        return self.classes(self.rnn(x)[0][:, -1])  # type: ignore[no-any-return]


def main() -> None:
    """Print the table; see the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, default=os.environ.get("SNNTOOLBOX_ZOO"), help="folder with a zoo.py")
    parser.add_argument("--steps", default="4,8,16,32,64,128", help="numbers of steps (%(default)s)")
    parser.add_argument("--samples", type=int, default=1000, help="calibration samples (%(default)s)")
    parser.add_argument("--gated", default="", help="lengths of LSTMs that are converted instead")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.gated:
        gated([int(n) for n in given.gated.split(",")], [int(n) for n in given.steps.split(",")])
        return
    if given.zoo is None:
        parser.error("--zoo FOLDER says where the ResNet-20 is")
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
