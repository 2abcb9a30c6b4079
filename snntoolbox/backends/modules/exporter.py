"""Modules of other libraries as exporters: what they are called, what they take, and what they write."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from snntoolbox.backends.check_options import CheckOptions
from snntoolbox.backends.modules.files import CODE, NETWORK, STATE
from snntoolbox.backends.modules.libraries import PARTS, SINABS, SNNTORCH, SPIKINGJELLY, Library
from snntoolbox.backends.options import chosen_options
from snntoolbox.backends.protocol import Exported
from snntoolbox.ir import features as f
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.io import load_network, save
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.part import features_of
from snntoolbox.ir.timing import run_steps
from snntoolbox.ir.writing import write_text

_WRITTEN = "it is written here and run elsewhere"


def _capabilities(library: Library) -> Capabilities:
    held = features_of(PARTS) | f.INPUTS | {f.BIAS, f.INITIAL_POTENTIAL, f.PULSES, f.TIMED_INPUT, f.FLOAT_WEIGHTS}
    return Capabilities(
        features=held | {f.DELAYS, f.RECURRENT, f.QUICK_LOOPS, f.BATCHES},
        refuses=library.refuses,
        exact_bits=53,
        reasons=dict.fromkeys((f.RECORDED_SPIKES, f.RECORDED_POTENTIALS), _WRITTEN),
    )


class ModuleExporter:
    """A network as a Python file and a state dict that need PyTorch and one library, checked there."""

    library: ClassVar[Library]
    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    options = CheckOptions

    def export(
        self, network: SpikingNetwork, folder: Path, samples: tuple[Array, ...] = (), **options: Any
    ) -> Exported:
        """Write the files and check them by the first samples; `options` are the fields of `CheckOptions`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, CheckOptions, options)
        from snntoolbox.backends.modules.checks import run_check
        from snntoolbox.backends.modules.state import MODULE_ATTRIBUTES, save_state
        from snntoolbox.backends.modules.writing import written

        result = written(network, self.library, MODULE_ATTRIBUTES, STATE)
        write_text(folder / CODE, result.text)
        save_state(result.state, folder / STATE)
        save(network, folder / NETWORK)
        steps, first = run_steps(network, chosen.duration), chosen.first(samples)
        check = run_check(self.library, network, folder, result.neurons, first, steps)
        return Exported(folder=folder, checks=(check,), report={"layers": dict(result.neurons)})

    def read(self, folder: Path) -> SpikingNetwork:
        """The network that a module was written from: the check compares the module's spikes with that one's."""
        return load_network(folder / NETWORK)


class SpikingJellyExporter(ModuleExporter):
    """A module of SpikingJelly."""

    library, name, capabilities = SPIKINGJELLY, SPIKINGJELLY.name, _capabilities(SPIKINGJELLY)


class SinabsExporter(ModuleExporter):
    """A module of sinabs."""

    library, name, capabilities = SINABS, SINABS.name, _capabilities(SINABS)


class SnnTorchExporter(ModuleExporter):
    """A module of snnTorch."""

    library, name, capabilities = SNNTORCH, SNNTORCH.name, _capabilities(SNNTORCH)
