"""Times sums over events against dense products, each with its neurons, to find from which density on which is faster.

    python benchmarks/events.py

Dense 8-bit products are in tiles where the simulator has them. Prints nanoseconds per output position (or per sample
and step of a dense layer), 8-bit and floating, and the limit that the simulator uses (`EventProduct.fired`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from snntoolbox.engine.fast.bytes_maps import Form
from snntoolbox.engine.fast.events_products import EventProduct
from snntoolbox.engine.fast.neurons_firing import Firing
from snntoolbox.engine.fast.products_int8 import product
from snntoolbox.engine.fast.products_tiled import Tiles
from snntoolbox.engine.kernels import prepare
from snntoolbox.engine.tensors import Target
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Conv, Dense

LAYERS = [(16, 16, 3, 16), (16, 32, 3, 14), (32, 32, 3, 8), (64, 64, 3, 8), (64, 64, 1, 8), (128, 128, 3, 8),
          (256, 128, 0, 1), (512, 512, 0, 1), (1568, 128, 0, 1)]  # fmt: skip
"""Channels, filters, side of the kernel (0: a dense layer), side of the plane."""
SPIKES = [(0.03, 1), (0.08, 1), (0.2, 1), (0.2, 4)]
"""The share of bytes other than 0, and the largest byte (4: pooled spikes)."""
BATCH, STEPS = 10, 16
RANDOM = np.random.default_rng(0)


def least(run: Callable[[], object], times: int = 15) -> float:
    """The least CPU time of several runs."""
    run()
    found = float("inf")
    for _ in range(times):
        start = time.process_time()
        run()
        found = min(found, time.process_time() - start)
    return found


def compared(channels: int, filters: int, kernel: int, side: int, density: float, peak: int, *, whole: bool) -> str:
    """A line of the table."""
    weight = RANDOM.integers(-60, 61, (filters, channels, *(kernel,) * 2) if kernel else (filters, channels)) * 1.0
    both = ((kernel // 2, kernel // 2),) * 2
    geometry = {"stride": (1, 1), "padding": both, "dilation": (1, 1), "groups": 1}
    node = Conv(name="n", inputs=("x",), weight=weight, **geometry) if kernel else Dense(name="n", weight=weight)
    shape = (channels, side, side) if kernel else (channels,)
    fired = RANDOM.random((BATCH * STEPS, side, side, channels)) < density
    x = torch.from_numpy(fired * RANDOM.integers(1, peak + 1, fired.shape).astype(np.uint8))
    x = x.movedim(-1, 1) if kernel else x.view(len(x), -1)
    floating = prepare(node, (shape,), Target(torch.device("cpu")))
    found = product(node, weight, peak)
    dense = found[0] if whole and found else lambda v: floating(v.to(torch.float32))
    events = EventProduct(node, weight, shape, Form(peak), dense, always=True, whole=whole)
    size = events.out_shape
    cells = Population(name="p", shape=size, neuron=IF(threshold=500.0), current="c", scale=np.ones(1), activation="a")
    firing = Firing(cells, BATCH, torch.float32, fused=True).restart(None)
    tiles = Tiles.of(node, weight, shape, peak) if whole else None
    other = (lambda: tiles.fire(x, firing, STEPS)) if tiles else lambda: firing.advance(dense(x), STEPS, None)
    times = [least(other), least(lambda: events.fire(x, firing, STEPS))]
    a, b = (1e9 * t / BATCH / STEPS / side**2 for t in times)
    layer = f"{channels} -> {filters}" + (f", {kernel} x {kernel}" if kernel else ", dense")
    kind = "8-bit, tiles" if tiles else "8-bit" if whole else "float"
    events.beside(tiles)
    bound = events.fired
    return f"| {layer} | {kind} | {density} | {peak} | {a:.0f} | {b:.0f} | {b / a:.2f} | {bound} |"


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print("| layer | weights | density | largest byte | dense, ns | events, ns | ratio | limit |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    with torch.inference_mode():
        for whole in (True, False):
            for layer in LAYERS:
                for density, peak in SPIKES:
                    print(compared(*layer, density, peak, whole=whole), flush=True)


if __name__ == "__main__":
    main()
