"""SANA-FE: what it can run, and how it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snntoolbox.backends.estimates import Cost, check_size
from snntoolbox.backends.isolated import Isolated
from snntoolbox.backends.options import chosen_options
from snntoolbox.backends.sanafe.chips import BUNDLED
from snntoolbox.errors import BackendError
from snntoolbox.ir import features as f
from snntoolbox.ir import parts
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.part import features_of

COST = Cost(neuron_bytes=4000, synapse_bytes=700, seconds=6.0, most_synapses=10_000_000)
TIMING = ("simple", "detailed", "cycle")

PARTS = (
    *(parts.Delta, parts.PerfectIntegrator, parts.ConstantThreshold, parts.BinarySpikes),
    *(parts.Subtract, parts.ToPotential),
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """The chip: `architecture` is loihi, truenorth, or an architecture file of SANA-FE.

    `synapses_per_core` and `axons_per_core` (in each direction) limit what is placed on a core, 0 does not; by default
    those of the chip. `timing` is how SANA-FE computes latency: simple, detailed or cycle. `force`: also networks that
    are larger than recommended.
    """

    architecture: str = "loihi"
    synapses_per_core: int | None = None
    axons_per_core: int | None = None
    timing: str = "detailed"
    force: bool = False

    def __post_init__(self) -> None:
        if self.timing not in TIMING:
            raise BackendError(f"backend 'sanafe' has no timing '{self.timing}'", hint=f"use {', '.join(TIMING)}")
        for name in ("synapses_per_core", "axons_per_core"):
            if (value := getattr(self, name)) is not None and value < 0:
                raise BackendError(f"{name} = {value} is below 0", hint="0 is no limit")


class SanafeBackend:
    """The network on the cores of a chip's model, which says what it costs there."""

    name = "sanafe"
    cost = COST
    capabilities = Capabilities(
        features=features_of(PARTS)
        | f.INPUTS
        | {f.DRAWN_READOUT}
        | {f.BIAS, f.INITIAL_POTENTIAL, f.DELAYS, f.RECURRENT, f.RECORDED_SPIKES},
        latency=1,
        exact_bits=25,
        modules=("sanafe", "yaml"),
        extra="sanafe",
    )

    def build(self, network: SpikingNetwork, **options: Any) -> Isolated:
        """The network placed on the chip, ready to run in a process of its own; `options` as in `Options`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        self.capabilities.require(self.name)
        check_size(self.name, network, COST, force=chosen.force)
        from snntoolbox.backends.sanafe.architecture import read_architecture
        from snntoolbox.backends.sanafe.placement import Limits, placed
        from snntoolbox.ir.flat import flattened
        from snntoolbox.ir.relays import with_relays

        architecture = read_architecture(chosen.architecture)
        synapses, axons = BUNDLED.get(chosen.architecture, (None, None))
        limits = Limits(
            synapses=synapses if chosen.synapses_per_core is None else chosen.synapses_per_core or None,
            axons=axons if chosen.axons_per_core is None else chosen.axons_per_core or None,
        )
        placement = placed(with_relays(flattened(network)), architecture, limits)
        given = {"architecture": architecture, "placement": placement, "timing": chosen.timing}
        return Isolated("snntoolbox.backends.sanafe.simulation:Simulation", network, given, name=self.name)
