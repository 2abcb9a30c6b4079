"""NEST: what it can run exactly, and how it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snntoolbox.backends.estimates import Cost, Speed, check_size
from snntoolbox.backends.isolated import Isolated
from snntoolbox.backends.nest.kernel import PARTS
from snntoolbox.backends.options import chosen_options
from snntoolbox.errors import BackendError
from snntoolbox.ir import features as f
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.part import features_of

COST = Cost(
    neuron_bytes=1500, synapse_bytes=160, seconds=0.6, most_synapses=100_000_000,
    speed=Speed(neuron=36.0, step=0.001, sample=37.0, update=0.0, event=0.02),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Options:
    """`threads`: threads of NEST's kernel; `force`: build a network that is larger than recommended."""

    threads: int = 1
    force: bool = False

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise BackendError(f"backend 'nest' cannot run on {self.threads} threads", hint="threads = 1 or more")


def _reset_in_vain(neuron: IF) -> bool:
    return neuron.reset is Reset.ZERO and bool(np.any(np.greater_equal(neuron.reset_potential, neuron.threshold)))


def _leaks_while_refractory(neuron: IF) -> bool:
    """NEST holds V at the reset potential while refractory; in the reference it leaks."""
    held = neuron.reset is Reset.ZERO and neuron.reset_potential and not _reset_in_vain(neuron)
    return bool(held and neuron.refractory and neuron.leak != 1)


COMBINATIONS = (
    f.Feature("a reset potential that is not below the threshold", asked_by=f.of_neurons(_reset_in_vain)),
    f.Feature(
        "a leak during the refractory period, from a reset potential that is not 0",
        asked_by=f.of_neurons(_leaks_while_refractory),
    ),
)
"""What NEST's neurons refuse or do otherwise than the reference, although they have every single feature of it."""


class NestBackend:
    """NEST through PyNEST, in a process of its own: exact integrate-and-fire neurons on steps of 1 ms.

    Reset by subtraction is `eprop_iaf` without plasticity, reset to zero `iaf_psc_delta`. The residue of `modulo` and
    input that is dropped while refractory under `subtract` are in none of NEST's neurons.
    """

    name = "nest"
    cost = COST
    capabilities = Capabilities(
        features=(features_of(PARTS) - {f.REFRACTORY})
        | f.INPUTS
        | f.RECORDINGS
        | {f.REFRACTORY.beside(f.RESET_ZERO), f.DRAWN_READOUT}
        | {f.DELAYS, f.RECURRENT, f.BIAS, f.INITIAL_POTENTIAL, f.PULSES, f.TIMED_INPUT, f.FLOAT_WEIGHTS},
        refuses=COMBINATIONS,
        latency=1,
        exact_bits=53,
        modules=("nest",),
        extra="nest",
        reasons={
            f.DIGITS: "none of NEST's neurons has weights and thresholds that change with the step, or a leak above 1",
            f.UNEVEN_DIGITS: "none of NEST's neurons has weights and thresholds that change with the step",
            f.FIRST_SPIKES: "none of NEST's neurons has weights and thresholds that change with the step",
            f.SPIKE_VALUES: "spikes of NEST's neurons carry no value and no sign",
            f.SIGNED_SPIKES: "spikes of NEST's neurons carry no value and no sign",
            f.LASTING_CURRENTS: "NEST's neurons take such currents a step late",
            f.RESET_MODULO: "none of NEST's neurons keeps the residue of several thresholds",
            f.REFRACTORY: "NEST's neuron that resets by subtraction integrates while it is refractory",
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
