"""A spiking network with the calls that people type first: run, classify, summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snntoolbox.backends.simulate import simulate
from snntoolbox.ir import io
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Result
from snntoolbox.ir.summary import network_summary


class ConvertedNetwork(SpikingNetwork):
    """What `convert` and `load_network` give: the network, and short ways to run it."""

    @classmethod
    def of(cls, network: SpikingNetwork) -> ConvertedNetwork:
        """The same network with these calls."""
        rebuild, (_, *made_of) = network.__reduce__()
        converted: ConvertedNetwork = rebuild(cls, *made_of)
        return converted

    def run(self, x: Array | Sequence[Array], *, duration: float | None = None, **options: Any) -> Result:
        """Simulate samples for `duration` ms (64, or what a schedule takes); options as in `snntoolbox.simulate`."""
        return simulate(self, x, duration=duration, **options)

    def classify(self, x: Array | Sequence[Array], *, duration: float | None = None, **options: Any) -> Array:
        """The class of each sample after `duration` ms."""
        return self.run(x, duration=duration, **options).predictions

    def summary(self) -> str:
        """A table of the populations: shape, neurons, thresholds, synapses, and the user's layer."""
        return network_summary(self)


@checked
def load_network(path: str | Path) -> ConvertedNetwork:
    """The spiking network in a file that `save` wrote. DataError where it is none, or damaged."""
    return ConvertedNetwork.of(io.load_network(path))
