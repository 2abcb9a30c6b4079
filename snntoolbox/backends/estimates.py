"""What a network will take on a simulator without layers: neurons, synapses, memory and time, before it is built."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from snntoolbox.errors import TooLargeError
from snntoolbox.ir.encodings import Spiking
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.progress import spoken
from snntoolbox.ir.structure import source_supports

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a simulator needs per neuron and per synapse (measured, while building), and the most it should be given.

    `seconds` is the time in which a million synapses are built, roughly. `together`: samples run side by side, as
    copies of the network, while all of these have no more synapses (inf: all of a batch); 0 is one after the other.
    `speed` is what a run takes, None where nobody measured it.
    """

    neuron_bytes: int
    synapse_bytes: int
    seconds: float
    most_synapses: int
    together: float = 0
    speed: Speed | None = None

    def copies(self, synapses: int) -> float:
        """How many samples of a network with so many synapses run side by side at most."""
        return max(1, self.together // max(1, synapses)) if math.isfinite(self.together) else math.inf


    def build_seconds(self, size: Size) -> float:
        """How long a network of that size takes to build."""
        neurons = 0.0 if self.speed is None else self.speed.neuron * (size.neurons + size.sources)
        return (neurons + self.seconds * size.synapses) / 1e6


@dataclass(frozen=True, kw_only=True)
class Speed:
    """CPU seconds that a simulator takes, fitted to measured runs: ``python benchmarks/estimates.py --constants``.

    For a million of each: `neuron` for building a neuron, `sample` for readying a neuron for a sample, `update` for a
    step of a neuron, `event` for a spike at a synapse; and `step` for a step of one population, however large.
    """

    neuron: float
    step: float
    sample: float
    update: float
    event: float


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
        f"and {cost.build_seconds(size):.0f} s to build"
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


_RATE = 0.1
"""The share of neurons that fire in a step, as long as nothing has run: of converted networks mostly 0.05 to 0.2."""

_LONG = 60.0
"""From so many seconds on a user is told unasked."""


@dataclass(frozen=True)
class Expected:
    """The seconds that building a network and running its samples will take, within a factor of two or three."""

    build: float
    run: float


def expected_time(network: SpikingNetwork, cost: Cost, *, samples: int, steps: int, batch: int) -> Expected | None:
    """How long a simulator will take for so many samples in batches, on one core; None where nobody measured it."""
    if (speed := cost.speed) is None:
        return None
    size = network_size(network)
    neurons, synapses = (size.neurons + size.sources) / 1e6, size.synapses / 1e6
    rounds = math.ceil(samples / max(1, min(batch, cost.copies(size.synapses))))
    each = neurons * speed.sample + steps * (neurons * speed.update + _RATE * synapses * speed.event)
    run = rounds * steps * len(network.populations) * speed.step + samples * each
    return Expected(cost.build_seconds(size), run)


def tell_time(
    backend: str, network: SpikingNetwork, cost: Cost, *, samples: int, steps: int, batch: int, cores: int = 1
) -> None:
    """Say before a run how long it will take: as a warning where it is long, else in the log."""
    expected = expected_time(network, cost, samples=samples, steps=steps, batch=batch)
    if expected is None:
        return
    run = expected.run / max(1, cores)
    text = (
        f"simulator '{backend}' will take about {spoken(expected.build)} to build the network and "
        f"{spoken(run)} for {samples:,} samples of {steps:,} steps"
    )
    if expected.build + run < _LONG:
        log.info(text)
    else:
        log.warning("%s; fewer samples take less (num_to_test), and INI gives the same spikes sooner", text)


def readable(count: float) -> str:
    """A number of bytes as a person would say it."""
    units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while count >= 1024 and len(units) > 1:
        count, units = count / 1024, units[1:]
    return f"{count:.0f} {units[0]}" if units[0] == "bytes" else f"{count:.1f} {units[0]}"
