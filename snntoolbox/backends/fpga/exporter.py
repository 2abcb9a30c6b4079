"""FPGA projects as an exporter: what it is called, what it takes, and how it writes and reads them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snntoolbox.backends.fpga.build import NETWORK, Accuracy, Options
from snntoolbox.backends.options import chosen_options
from snntoolbox.backends.verilog.capabilities import CAPABILITIES as HARDWARE
from snntoolbox.ir.features import BATCHES, RECORDED_POTENTIALS, RECORDED_SPIKES
from snntoolbox.ir.io import load_network
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array

if TYPE_CHECKING:
    from snntoolbox.backends.fpga.write import Deployment

_WRITTEN = "it is written here and run elsewhere"

CAPABILITIES = replace(
    HARDWARE.without(RECORDED_SPIKES),
    programs=(),
    reasons=dict.fromkeys((BATCHES, RECORDED_SPIKES, RECORDED_POTENTIALS), _WRITTEN),
)
"""Those of the hardware; tools are for its checks, which tell that one is missing."""


@dataclass(frozen=True)
class FpgaExporter:
    """A network on the integer grid as a hardware project for a target, checked and with a report."""

    accuracy: Accuracy = lambda built, wide: {}

    name = "fpga"
    capabilities = CAPABILITIES
    options = Options

    def export(
        self, network: SpikingNetwork, folder: Path, samples: tuple[Array, ...] = (), **options: Any
    ) -> Deployment:
        """Write the project; all samples set the largest input current, the first few go into the test bench.

        `options` are the fields of `Options`. DataError where there are no samples, TooLargeError where the device is
        too small.
        """
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        from snntoolbox.backends.fpga.write import write_project

        return write_project(network, folder, samples, chosen, self.accuracy)

    def read(self, folder: Path) -> SpikingNetwork:
        """The network that a project was written from: its test bench checks the hardware against that one's run."""
        return load_network(folder / NETWORK)
