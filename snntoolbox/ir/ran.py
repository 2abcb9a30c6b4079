"""What a result came from: the network, its samples, and the analogue values that its rates stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array

Analogue = Callable[[Sequence[Array], Sequence[str]], Mapping[str, Array]]
"""The values of nodes, by name, for samples."""


@dataclass(frozen=True, eq=False)
class Ran:
    """The network and the samples of a run; `analogue` gives values of its original, None where that is not known."""

    network: SpikingNetwork
    x: tuple[Array, ...]
    analogue: Analogue | None = None

    @property
    def same_samples(self) -> bool:
        """Whether the original takes the same samples: it does not take spikes and events."""
        shapes = [self.network.wiring.shapes[name] for name in self.network.encodings]
        return [array.shape[1:] for array in self.x] == shapes
