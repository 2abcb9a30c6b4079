"""What a network will take on a simulator without layers: neurons, synapses and memory, known before it is built."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from snntoolbox.errors import TooLargeError
from snntoolbox.ir.encodings import Spiking
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.structure import source_supports

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a simulator needs per neuron and per synapse (measured, while building), and the most it should be given.

    `seconds` is the time in which a million synapses are built, roughly. `together`: samples run side by side, as
    copies of the network, while all of these have no more synapses (inf: all of a batch); 0 is one after the other.
    """

    neuron_bytes: int
    synapse_bytes: int
    seconds: float
    most_synapses: int
    together: float = 0

    def copies(self, synapses: int) -> float:
        """How many samples of a network with so many synapses run side by side at most."""
        return max(1, self.together // max(1, synapses)) if math.isfinite(self.together) else math.inf


@dataclass(frozen=True)
class Size:
    """The neurons, the sources of spiking inputs and the synapses of a network for one sample."""

    neurons: int
    sources: int
    synapses: int


def network_size(network: SpikingNetwork) -> Size:
    """Counted without building a single synapse; a weight that is exactly zero counts."""
    spiking = {n for n, e in network.encodings.items() if isinstance(e, Spiking)}
    synapses = 0
    for target, supports in source_supports(network).items():
        if target in network.populations:
            for source, support in supports.items():
                if source in network.populations or source in spiking:
                    # An input has a source for each sign.
                    synapses += support.synapses() * (2 if source in spiking else 1)
    sources = sum(2 * network.wiring.size(n) for n in spiking)
    return Size(network.neurons, sources, synapses)


def check_size(backend: str, network: SpikingNetwork, cost: Cost, *, force: bool = False) -> Size:
    """Log the estimate and return the size; TooLargeError if it is too much for the simulator, unless forced."""
    size = network_size(network)
    needed = (size.neurons + size.sources) * cost.neuron_bytes + size.synapses * cost.synapse_bytes
    text = (
        f"{size.neurons:,} neurons and {size.synapses:,} synapses: about {readable(needed)} "
        f"and {size.synapses * cost.seconds / 1e6:.0f} s to build"
    )
    if (copies := cost.copies(size.synapses)) > 1:
        most = f", at most {copies:,.0f} at a time" if math.isfinite(copies) else ""
        text += f" for each sample of a batch{most}"
    log.info("backend '%s': %s", backend, text)
    if size.synapses > cost.most_synapses and not force:
        raise TooLargeError(
            f"the network is too large for backend '{backend}': {text} (limit: {cost.most_synapses:,} synapses)",
            hint="--force (in Python force=True) builds it all the same; INI takes larger networks",
        )
    return size


def readable(count: float) -> str:
    """A number of bytes as a person would say it."""
    units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while count >= 1024 and len(units) > 1:
        count, units = count / 1024, units[1:]
    return f"{count:.0f} {units[0]}" if units[0] == "bytes" else f"{count:.1f} {units[0]}"
