"""Brian2: what it can run, and how it is built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from snntoolbox.backends.brian2.parts import PARTS
from snntoolbox.backends.estimates import Cost, Speed, check_size
from snntoolbox.backends.isolated import Isolated
from snntoolbox.backends.options import chosen_options
from snntoolbox.errors import BackendError
from snntoolbox.ir import features as f
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.part import features_of

CODE = ("numpy", "cython")
COST = Cost(
    neuron_bytes=1000, synapse_bytes=80, seconds=0.3, most_synapses=50_000_000, together=4_000_000,
    speed=Speed(neuron=0.7, step=0.004, sample=12.0, update=0.0, event=0.025),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Options:
    """How Brian2 computes; no option changes what a network on an integer grid does.

    `codegen`: 'numpy', or 'cython', which takes seconds per population to compile the first time (Brian2 keeps the
    code on disk) and then runs up to twice as fast; it needs a C++ compiler and Cython. `synapses`: how many synapses
    the samples that run side by side may have together.
    `force`: build a network that is larger than recommended.
    """

    codegen: str = "numpy"
    synapses: int = int(COST.together)
    force: bool = False

    def __post_init__(self) -> None:
        if self.codegen not in CODE:
            raise BackendError(f"backend 'brian2' has no codegen '{self.codegen}'", hint=f"use {' or '.join(CODE)}")
        if self.synapses < 1:
            raise BackendError("backend 'brian2' needs room for at least one synapse", hint="synapses = 4000000")


class Brian2Backend:
    """Every population a group of neurons, every projection a group of synapses, in float64."""

    name = "brian2"
    cost = COST
    capabilities = Capabilities(
        features=features_of(PARTS)
        | f.INPUTS
        | f.RECORDINGS
        | {f.DELAYS, f.RECURRENT, f.BIAS, f.INITIAL_POTENTIAL, f.PULSES, f.TIMED_INPUT, f.SEQUENCES}
        | {f.FLOAT_WEIGHTS, f.BATCHES, f.DRAWN_READOUT, f.MAX_POOLING},
        latency=1,
        exact_bits=53,
        modules=("brian2",),
        extra="brian2",
    )

    def build(self, network: SpikingNetwork, **options: Any) -> Isolated:
        """The network ready to run in a process of its own; `options` are the fields of `Options`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        self.capabilities.require(self.name)
        check_size(self.name, network, replace(COST, together=chosen.synapses), force=chosen.force)
        factory = "snntoolbox.backends.brian2.simulation:Simulation"
        return Isolated(factory, network, {"codegen": chosen.codegen, "synapses": chosen.synapses}, name=self.name)
