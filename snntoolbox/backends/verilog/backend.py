"""Verilog as a simulator: what the hardware can be, and how it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snntoolbox.backends.options import chosen_options
from snntoolbox.errors import BackendError, Unsupported
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset

if TYPE_CHECKING:
    from snntoolbox.backends.verilog.simulation import Simulation

SIMULATORS = ("auto", "icarus", "verilator")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the hardware is built and run; none of them changes a spike.

    verilog_simulator: 'icarus', 'verilator', or 'auto' for Verilator where a run is long enough for its compilation.
    lanes: neurons that a layer updates at once, a power of two. queue: log2 of the words of a queue between layers.
    stalls: make both streams wait in so many of 8 clocks, at random. membrane_bits: refuse what needs more; 0 for any.
    """

    verilog_simulator: str = "auto"
    lanes: int = 1
    queue: int = 2
    stalls: int = 0
    membrane_bits: int = 0

    def __post_init__(self) -> None:
        if self.verilog_simulator not in SIMULATORS:
            told = f"backend 'verilog' cannot run in '{self.verilog_simulator}'"
            raise BackendError(told, hint=f"use one of {', '.join(SIMULATORS)}")
        if self.lanes < 1 or self.lanes & (self.lanes - 1):
            raise BackendError(f"backend 'verilog' cannot have {self.lanes} lanes", hint="use a power of two")
        for what, most in {"queue": 10, "stalls": 7, "membrane_bits": 64}.items():
            if not 0 <= getattr(self, what) <= most:
                raise BackendError(f"backend 'verilog': {what} = {getattr(self, what)} is not from 0 to {most}")


@dataclass(frozen=True, kw_only=True)
class VerilogCapabilities(Capabilities):
    """What holds beyond single features: registers start at 0 and hold whole numbers."""

    def missing(self, network: SpikingNetwork) -> list[Unsupported]:
        """The general list, a potential to reset to that is not 0, and limits of potentials between the numbers."""
        found = super().missing(network)
        for population in network.populations.values():
            neuron = population.neuron
            if isinstance(neuron, IF) and neuron.reset is Reset.ZERO and neuron.reset_potential:
                found.append(Unsupported(population.label, "a reset potential other than 0"))
            if isinstance(neuron, IF) and any(limit != int(limit) for limit in neuron.saturation or ()):
                found.append(Unsupported(population.label, "potentials that saturate at fractions"))
        return found


class VerilogBackend:
    """The network as synthesizable Verilog, simulated clock by clock in Verilator or Icarus."""

    name = "verilog"
    capabilities = VerilogCapabilities(
        encodings=frozenset({ConstantCurrent, Poisson}),
        signed_input=True,
        resets=frozenset({Reset.SUBTRACT, Reset.ZERO}),
        bias=True,
        initial=True,
        thresholds=True,
        saturation=True,
        grid_only=True,
        records=frozenset({"spikes"}),
        exact_bits=53,
        programs=("iverilog", "verilator"),
    )

    def build(self, network: SpikingNetwork, **options: Any) -> Simulation:
        """The network ready to run; `options` are the fields of `Options`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        self.capabilities.require(self.name)
        from snntoolbox.backends.verilog.simulation import Simulation

        return Simulation(network, chosen)
