"""Lava as a simulator: what it can run, and how it is built."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snntoolbox.backends.estimates import Cost, check_size
from snntoolbox.backends.lava.interpreter import LAVA
from snntoolbox.backends.options import chosen_options
from snntoolbox.ir import features as f
from snntoolbox.ir import parts
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.part import features_of

if TYPE_CHECKING:
    from snntoolbox.backends.lava.simulation import Simulation

COST = Cost(neuron_bytes=500, synapse_bytes=80, seconds=5.0, most_synapses=20_000_000, together=math.inf)

PARTS = (
    *(parts.Delta, parts.PerfectIntegrator, parts.ConstantThreshold, parts.BinarySpikes),
    *(parts.Subtract, parts.ToPotential),
)


@dataclass(frozen=True, kw_only=True)
class LavaCapabilities(Capabilities):
    """Those of what runs in an interpreter of its own."""

    def installed(self) -> bool:
        """Whether the usual interpreter has Lava; the option `python` may name another one."""
        return LAVA.there()

    def require(self, backend: str) -> None:
        """Nothing of ours; `build` looks at the interpreter that it is given."""


CAPABILITIES = LavaCapabilities(
    features=features_of(PARTS)
    | f.INPUTS
    | {f.BIAS, f.INITIAL_POTENTIAL, f.DELAYS, f.RECURRENT, f.BATCHES, f.RECORDED_SPIKES},
    latency=1,
    exact_bits=30,
    installer="lava-nc, in Python 3.10",
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """`python`: the interpreter that has lava-nc. `force`: also networks that are larger than recommended."""

    python: str = LAVA.usual
    force: bool = False


class LavaBackend:
    """The network as processes of Lava, in its simulation of Loihi 2 with whole numbers."""

    name = "lava"
    cost = COST
    capabilities = CAPABILITIES

    def check_options(self, network: SpikingNetwork, **options: Any) -> None:
        """BackendError where the interpreter is not there or has no Lava."""
        LAVA.found(chosen_options(self.name, Options, options).python)

    def build(self, network: SpikingNetwork, **options: Any) -> Simulation:
        """The network ready to run; `options` as in `Options`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        check_size(self.name, network, COST, force=chosen.force)
        python = LAVA.found(chosen.python)
        from snntoolbox.backends.lava.simulation import Simulation

        return Simulation(network, python)
