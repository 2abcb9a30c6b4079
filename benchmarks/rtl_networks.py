"""Small networks of tables and products as hardware: spikes held against the built-in simulator, and what they take.

python benchmarks/rtl_networks.py                    all, 4 binary digits, 8-bit weights, artix7
python benchmarks/rtl_networks.py attention          one of them
"""

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import snntoolbox as stb

DIGITS, SAMPLES = 4, 3
RESOURCES = {"LUTs": "luts", "block RAMs": "blocks", "DSPs": "dsps"}
UNKNOWN = "unknown"


class Gate(nn.Module):
    """A convolution with a gate of squeeze and excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate, self.last = nn.Conv2d(1, 4, 3), nn.Linear(4, 4), nn.Linear(144, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Channels times what a sigmoid makes of their means."""
        y = torch.relu(self.conv(x))
        gate = torch.sigmoid(self.gate(y.mean((2, 3))))
        return self.last((y * gate[:, :, None, None]).flatten(1))


class Attention(nn.Module):
    """One head over four tokens of four values, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.last = (nn.Linear(4, n) for n in (4, 4, 4, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The mean of the tokens."""
        weights = torch.softmax(self.query(x) @ self.key(x).transpose(1, 2) / 2, -1)
        return self.last((weights @ self.value(x)).mean(1))


def dense() -> nn.Module:
    """Dense layers of sigmoid and GELU."""
    return nn.Sequential(nn.Linear(10, 12), nn.Sigmoid(), nn.Linear(12, 8), nn.GELU(), nn.Linear(8, 4))


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "sigmoid and GELU": (dense, (10,)),
    "gate": (Gate, (1, 8, 8)),
    "attention": (Attention, (4, 4)),
}


def measured(model: nn.Module, shape: tuple[int, ...]) -> dict[str, Any]:
    """The numbers of one network."""
    x = np.random.default_rng(0).normal(size=(64, *shape)).astype(np.float32)
    graph = stb.load(model.eval(), input_shape=shape)
    net = stb.convert(graph, x, schedule="radix", duration=DIGITS, weight_bits=8)
    _, hardware = stb.compare(net, x[:SAMPLES], simulators=["INI", "verilog"]).sides
    with tempfile.TemporaryDirectory() as folder:
        deployed = stb.deploy(net, x, Path(folder) / "build", target="artix7", samples=SAMPLES)
    return {
        "neurons": sum(p.size for p in net.populations.values()),
        "steps": deployed.report["steps"],
        "cells that differ": sum(hardware.differing.values()),
        **found(deployed.report, deployed.checks),
    }


def found(report: Mapping[str, Any], checks: Sequence[Any]) -> dict[str, Any]:
    """What synthesis and simulations say, `UNKNOWN` where they failed or did not run, and which checks passed."""
    taken, clocks = report["resources"], report["clocks"]
    missed = [f"{check.goal} {check.outcome}: {check.why}" for check in checks if not check.passed]
    return {
        **{name: UNKNOWN if taken is None else taken[key] for name, key in RESOURCES.items()},
        "clocks": UNKNOWN if clocks is None else round(sum(clocks) / len(clocks)),
        "checks passed": "; ".join([f"{len(checks) - len(missed)} of {len(checks)}", *missed]),
    }


def main() -> None:
    """Print one line for each network."""
    for name in sys.argv[1:] or MODELS:
        torch.manual_seed(0)
        make, shape = MODELS[name]
        print(f"{name}: {', '.join(f'{key} {value}' for key, value in measured(make(), shape).items())}", flush=True)


if __name__ == "__main__":
    main()
