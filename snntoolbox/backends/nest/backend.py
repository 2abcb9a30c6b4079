"""NEST: what it can run exactly, and how it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snntoolbox.backends.estimates import Cost, check_size
from snntoolbox.backends.isolated import Isolated
from snntoolbox.backends.options import chosen_options
from snntoolbox.errors import BackendError, Unsupported
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.encodings import ConstantCurrent, Poisson, SpikeTimes
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset

COST = Cost(neuron_bytes=1500, synapse_bytes=160, seconds=0.6, most_synapses=100_000_000)


@dataclass(frozen=True, kw_only=True)
class Options:
    """`threads`: threads of NEST's kernel; `force`: build a network that is larger than recommended."""

    threads: int = 1
    force: bool = False

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise BackendError(f"backend 'nest' cannot run on {self.threads} threads", hint="threads = 1 or more")


@dataclass(frozen=True, kw_only=True)
class NestCapabilities(Capabilities):
    """What holds of combinations: NEST's neurons differ from the reference in a few of them."""

    def missing(self, network: SpikingNetwork) -> list[Unsupported]:
        """The general list, and what NEST refuses or does otherwise."""
        found = super().missing(network)
        for population in network.populations.values():
            if isinstance(population.neuron, IF):
                found += [Unsupported(population.label, reason) for reason in odd_combinations(population.neuron)]
        return found


def odd_combinations(neuron: IF) -> list[str]:
    """Why NEST cannot run neurons of which it has every single feature."""
    reasons = []
    if neuron.reset is Reset.ZERO:
        if np.any(np.greater_equal(neuron.reset_potential, neuron.threshold)):
            reasons.append("a reset potential that is not below the threshold")
        elif neuron.reset_potential and neuron.refractory and neuron.leak != 1:
            # NEST holds V at the reset potential while refractory; in the reference it leaks.
            reasons.append("a leak during the refractory period, from a reset potential that is not 0")
    return reasons


class NestBackend:
    """NEST through PyNEST, in a process of its own: exact integrate-and-fire neurons on steps of 1 ms.

    Reset by subtraction is `eprop_iaf` without plasticity, reset to zero `iaf_psc_delta`. The residue of `modulo` and
    input that is dropped while refractory under `subtract` are in none of NEST's neurons.
    """

    name = "nest"
    cost = COST
    capabilities = NestCapabilities(
        encodings=frozenset({ConstantCurrent, Poisson, SpikeTimes}),
        signed_input=True,
        resets=frozenset({Reset.SUBTRACT, Reset.ZERO}),
        leak=True,
        refractory=frozenset({Reset.ZERO}),
        bias=True,
        initial=True,
        thresholds=True,
        pulses=True,
        timed_input=True,
        latency=1,
        records=frozenset({"spikes", "potentials"}),
        exact_bits=53,
        modules=("nest",),
        extra="nest",
        reasons={
            "reset by modulo": "none of NEST's neurons keeps the residue of several thresholds",
            "refractory period": "NEST's neuron that resets by subtraction integrates while it is refractory",
        },
    )

    def build(self, network: SpikingNetwork, **options: Any) -> Isolated:
        """The network ready to run; `options` are the fields of `Options`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        self.capabilities.require(self.name)
        check_size(self.name, network, COST, force=chosen.force)
        factory = "snntoolbox.backends.nest.simulation:Simulation"
        return Isolated(factory, network, {"threads": chosen.threads}, name=self.name)
