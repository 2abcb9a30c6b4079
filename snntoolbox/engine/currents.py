"""The constant currents of a network on an integer grid: the reference's, rounded alike, but computed in torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.executor import Executor
from snntoolbox.engine.fast import loops
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.engine.fast.layout import shaped
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.interpreter import constant_currents
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Conv, Dense


class GridCurrents:
    """What inputs coded as constant current add each step, whole numbers in float64: {target: (batch, *shape)}.

    `ir.interpreter.constant_currents` defines them. Sums in another order differ by less than
    2 n 2^-53 sum|w| max|x|; a sample of which some current lies so near the middle between two whole numbers is given
    to the reference. So is everything where a layer's current is not a single product.
    """

    def __init__(self, network: SpikingNetwork) -> None:
        self.network = network
        self.wiring = Executor.double(network.wiring)
        self.slack = {t: self._slack(c) for t, c in network.targets.items() if self._constant(c)}

    def _constant(self, current: str) -> bool:
        encodings = self.network.encodings
        return any(isinstance(encodings.get(s), ConstantCurrent) for s in self.network.sources[current])

    def _slack(self, current: str) -> float | None:
        """The largest difference for inputs of at most 1; None where the reference must compute it."""
        node = self.network.wiring.nodes[current]
        if not isinstance(node, (Conv, Dense)) or node.inputs[0] not in self.network.encodings:
            return None
        sums = np.abs(node.weight).reshape(len(node.weight), -1).sum(axis=1)
        return float(2.0**-52 * (node.weight[0].size + 1) * sums.max(initial=0))

    def __call__(self, *x: Array, fused: bool = False) -> dict[str, Tensor]:
        """The currents of one batch; with compiled loops if `fused`."""
        if any(slack is None for slack in self.slack.values()):
            return {n: torch.from_numpy(v) for n, v in constant_currents(self.network, *x).items()}
        inputs = dict(zip(self.network.encodings, x, strict=True))
        given = {n: self.wiring.target.tensor(a) for n, a in inputs.items() if self._read(n)}
        targets = {t: self.network.targets[t] for t in self.slack}
        values = self.wiring.tensors(given, targets.values()) if targets else {}
        rounded, doubtful = {}, np.zeros(len(x[0]), bool)
        for target, slack in self.slack.items():
            largest = max((float(v.abs().max()) for v in given.values() if v.numel()), default=0.0)
            near = min((slack or 0.0) * largest, 0.5)
            rounded[target], found = (_fused if fused else _rounded)(values[targets[target]], near)
            doubtful |= found
        return self._corrected(rounded, np.flatnonzero(doubtful), x)

    def _read(self, name: str) -> bool:
        return isinstance(self.network.encodings[name], ConstantCurrent)

    def _corrected(self, rounded: dict[str, Tensor], samples: Array, x: Sequence[Array]) -> dict[str, Tensor]:
        """With these samples as the reference has them."""
        if len(samples):
            for target, value in constant_currents(self.network, *(a[samples] for a in x)).items():
                rounded[target][torch.from_numpy(samples)] = torch.from_numpy(value)
        return rounded


def _rounded(values: Tensor, slack: float) -> tuple[Tensor, Array]:
    """Values (samples, ...) rounded half to even, and which samples have some so near the middle, or no number."""
    whole = values.round()
    near = values.sub(whole).abs_() < 0.5 - slack
    return whole, ~near.flatten(1).all(1).numpy()


def _fused(values: Tensor, slack: float) -> tuple[Tensor, Array]:
    """The same in one pass, which also puts the channels of a place side by side."""
    samples, shape = len(values), values.shape[1:]
    channels, places = (shape[0], math.prod(shape[1:])) if len(shape) > 1 else (1, math.prod(shape))
    out = torch.empty((samples, channels * places), dtype=torch.float64)
    near = np.empty(samples, np.int64)
    flat = values.contiguous().numpy().reshape(-1), slack, channels, places, out.numpy().reshape(-1), near
    in_parallel(compiled(loops.round_rows), samples, *flat)
    return shaped(out, tuple(shape)), near > 0
