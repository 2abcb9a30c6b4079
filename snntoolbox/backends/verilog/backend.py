"""Verilog as a simulator: how it is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snntoolbox.backends.options import chosen_options
from snntoolbox.backends.verilog.capabilities import CAPABILITIES, Options
from snntoolbox.ir.network import SpikingNetwork

if TYPE_CHECKING:
    from snntoolbox.backends.verilog.simulation import Simulation


class VerilogBackend:
    """The network as synthesizable Verilog, simulated clock by clock in Verilator or Icarus."""

    name = "verilog"
    capabilities = CAPABILITIES

    def build(self, network: SpikingNetwork, **options: Any) -> Simulation:
        """The network ready to run; `options` are the fields of `Options`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        self.capabilities.require(self.name)
        from snntoolbox.backends.verilog.simulation import Simulation

        return Simulation(network, chosen)
