"""PyNN on NEST, NEURON and Brian2: what each can run exactly, and how it is built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from snntoolbox.backends.estimates import Cost, Speed, check_size
from snntoolbox.backends.isolated import Isolated
from snntoolbox.backends.nest.backend import NestBackend
from snntoolbox.backends.options import chosen_options
from snntoolbox.backends.pynn import on_brian2, on_neuron
from snntoolbox.backends.pynn.engine import MOST_SYNAPSES
from snntoolbox.backends.pynn.mechanism import compiler
from snntoolbox.ir import features as f
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.part import Part, features_of


@dataclass(frozen=True, kw_only=True)
class Options:
    """`force`: build a network that is larger than recommended."""

    force: bool = False


def own_cells(parts: Iterable[type[Part]]) -> frozenset[f.Feature]:
    """What our cells run that have these parts."""
    ours = {f.TIMED_INPUT, f.DELAYS, f.RECURRENT, f.BIAS, f.INITIAL_POTENTIAL, f.FLOAT_WEIGHTS}
    return features_of(parts) | f.INPUTS | f.RECORDINGS | ours | {f.DRAWN_READOUT}


_NEST = NestBackend.capabilities.without(f.PULSES, f.TIMED_INPUT)
ON_NEST = replace(_NEST, features=_NEST.features | {f.BATCHES})
"""The neurons are NEST's own, so what they cannot do is the same; currents that change in time are not made here."""


class PynnBackend:
    """PyNN with the simulator `below` it, in a process of its own: custom cells, exact on steps of 1 ms."""

    name: str
    below: str
    capabilities: Capabilities
    cost: Cost

    def build(self, network: SpikingNetwork, **options: Any) -> Isolated:
        """The network ready to run; `options` are the fields of `Options`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        self.capabilities.require(self.name)
        self.check_tools()
        check_size(self.name, network, self.cost, force=chosen.force)
        factory = "snntoolbox.backends.pynn.simulation:Simulation"
        return Isolated(factory, network, {"below": self.below}, name=self.name, group=self.below)

    def check_tools(self) -> None:
        """Raise a BackendError if a program is missing that no Python package brings."""


class PynnNestBackend(PynnBackend):
    """NEST's neurons as native cells. PyNN cannot take NEST back to the start: each run is built anew."""

    name = "pynn.nest"
    below = "nest"
    capabilities = replace(ON_NEST, modules=("pyNN", "nest"), extra="pynn")
    cost = Cost(
        neuron_bytes=5000, synapse_bytes=160, seconds=1.0, most_synapses=20_000_000, together=MOST_SYNAPSES,
        speed=Speed(neuron=0.0, step=0.0005, sample=250.0, update=0.5, event=0.045),
    )  # fmt: skip


class PynnNeuronBackend(PynnBackend):
    """An artificial cell with a clock, compiled at first use; every synapse is an object of Python."""

    name = "pynn.neuron"
    below = "neuron"
    capabilities = Capabilities(
        features=own_cells(on_neuron.PARTS),
        latency=1,
        exact_bits=53,
        modules=("pyNN", "neuron"),
        extra="pynn",
        reasons=dict.fromkeys((f.SPIKE_VALUES, f.SIGNED_SPIKES), "an event of NEURON carries no value and no sign"),
    )
    cost = Cost(
        neuron_bytes=5000, synapse_bytes=550, seconds=3.0, most_synapses=10_000_000,
        speed=Speed(neuron=4.0, step=0.015, sample=250.0, update=5.0, event=0.2),
    )  # fmt: skip

    def check_tools(self) -> None:
        """The mechanism needs a C++ compiler."""
        compiler()


class PynnBrian2Backend(PynnBackend):
    """A neuron group without units, synapses connected as arrays."""

    name = "pynn.brian2"
    below = "brian2"
    capabilities = Capabilities(
        features=own_cells(on_brian2.PARTS) | {f.BATCHES},
        latency=1,
        exact_bits=53,
        modules=("pyNN", "brian2"),
        extra="pynn",
    )
    cost = Cost(
        neuron_bytes=5000, synapse_bytes=160, seconds=1.0, most_synapses=20_000_000, together=MOST_SYNAPSES,
        speed=Speed(neuron=1.2, step=0.004, sample=31.0, update=0.0, event=0.05),
    )  # fmt: skip
