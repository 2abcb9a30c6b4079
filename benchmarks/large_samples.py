"""What one large calibration sample does to networks with windows, with samples weighted and as they are.

Trains an MLP on scikit-learn's digits for some seconds. One of 400 calibration samples is so many times as bright
(`--times 12`); the table says the accuracy on 797 digits, in per cent, for each length of a window.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import snntoolbox as stb
from snntoolbox.conversion.schedules.windowed import Windowed
from snntoolbox.engine.quantized import QuantizedRun

WINDOWS = {"radix": (2, 3, 4, 5), "phased": (2, 3, 4, 6, 8)}


def trained(x: torch.Tensor, y: torch.Tensor, epochs: int = 20) -> nn.Sequential:
    """Three hidden layers of 48 rectifiers."""
    torch.manual_seed(0)
    sizes = (64, 48, 48, 48)
    layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(48, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model.eval()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=float, default=12, help="how many times as bright it is (%(default)g)")
    times = parser.parse_args().times
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype(np.float32), y[order]
    model = trained(torch.tensor(x[:1000]), torch.tensor(y[:1000]))
    graph = stb.load(model, input_shape=(64,))
    calibration = x[:400].copy()
    calibration[200] *= times
    print(f"the original: {100 * np.mean(graph.run(x[1000:]).argmax(axis=1) == y[1000:]):.1f}")
    for told, alike in (("as they are", False), ("weighted", True)):
        cells = []
        with patch.object(Windowed, "in_turn", alike):
            for schedule, steps in ((s, t) for s, windows in WINDOWS.items() for t in windows):
                snn = stb.convert(graph, calibration, duration=steps, schedule=schedule, layer_correction="potential")
                right = QuantizedRun(snn).outputs([x[1000:]])[0].argmax(axis=1) == y[1000:]
                cells.append(f"{schedule} {steps}: {100 * np.mean(right):.1f}")
        print(f"{told}: {', '.join(cells)}")


if __name__ == "__main__":
    main()
