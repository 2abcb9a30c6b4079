"""Times first layers on the integer grid in fixed point and in float64, and counts the sums that are summed again.

    python benchmarks/first_layers.py

Prints microseconds per sample, the least of many runs in turn, beside the same layer in torch with float32, which is
what a network with float weights takes; and the share of sums that may have to be summed again. CPU time of one thread.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from speed import LARGE, drawn, machine, timed

from snntoolbox.conversion.stages import convert
from snntoolbox.engine.currents import GridCurrents
from snntoolbox.engine.executor import Executor

NETS = ("mlp", "vgg")
BATCH = 100


def compared(net: str, seconds: float = 5) -> str:
    """A line of the table."""
    case = drawn(net, LARGE.get(net, BATCH), 1, 0.6)
    network = convert(case.graph, case.calibration, weight_bits=8)
    currents = GridCurrents(network)
    ((_, product),) = currents.alone.items()
    x = np.ascontiguousarray(case.x.numpy())
    ((_, largest),) = currents.largest(x).items()
    fixed, tiles = product.fixed, product.tiles
    settings = None if fixed is None else fixed.settings(largest)
    if fixed is None or settings is None:
        raise SystemExit(f"the first layer of {net} is not summed in fixed point")
    kernel = Executor(network.wiring).kernel(product.name)
    given = torch.from_numpy(x).reshape(len(x), *product.given)
    ways = {
        "fixed": lambda: fixed(x, largest),
        "float64": lambda: tiles(x, largest, torch.float32),
        "torch": lambda: kernel(given),
    }
    with torch.inference_mode():
        if not torch.equal(ways["fixed"]()[0], ways["float64"]()[0]):
            raise SystemExit("the sums differ")
        times = {name: 1e6 * t / len(x) for name, t in timed(ways, seconds).items()}
    share = np.mean(2 * (settings.error + settings.least) / np.exp2(settings.shift))
    cells = " | ".join(f"{times[name]:.2f}" for name in ways)
    return f"| {net} | {fixed.exact.size // len(product.node.weight)} | {cells} | {share:.1%} |"


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print(machine())
    print("| network | products | fixed point, us | float64, us | torch in float32, us | summed again, at most |")
    print("|---|--:|--:|--:|--:|--:|")
    for net in NETS:
        print(compared(net), flush=True)


if __name__ == "__main__":
    main()
