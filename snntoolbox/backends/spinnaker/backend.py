"""SpiNNaker as a simulator: what it can run, on which board, and how it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snntoolbox.backends.estimates import Cost, check_size
from snntoolbox.backends.options import chosen_options
from snntoolbox.backends.spinnaker.board import ARITHMETIC, BOARDS, REAL, SPYNNAKER, interpreter_for
from snntoolbox.backends.spinnaker.description import NEURONS_PER_CORE
from snntoolbox.errors import BackendError
from snntoolbox.ir import features as f
from snntoolbox.ir import parts
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.part import features_of

if TYPE_CHECKING:
    from snntoolbox.backends.spinnaker.simulation import Simulation

COST = Cost(neuron_bytes=500, synapse_bytes=120, seconds=0.4, most_synapses=20_000_000)
"""Of the model of its cells, which every sample runs through first."""

PARTS = (
    *(parts.Delta, parts.PerfectIntegrator, parts.ConstantThreshold, parts.BinarySpikes),
    *(parts.ToPotential, parts.RefractoryPeriod, parts.Saturation),
)


@dataclass(frozen=True, kw_only=True)
class SpinnakerCapabilities(Capabilities):
    """Those of what runs in an interpreter of its own."""

    def installed(self) -> bool:
        """Whether the usual interpreter has sPyNNaker; the option `python` may name another one."""
        return SPYNNAKER.there()

    def require(self, backend: str) -> None:
        """Nothing of ours; `build` looks at what its board needs."""


CAPABILITIES = SpinnakerCapabilities(
    features=features_of(PARTS)
    | f.INPUTS
    | {f.BIAS, f.INITIAL_POTENTIAL, f.DELAYS, f.RECURRENT, f.RECORDED_SPIKES},
    latency=1,
    exact_bits=31,
    installer="sPyNNaker, and a board",
    reasons={f.RESET_SUBTRACT: "none of its cells keeps what is left above the threshold"},
)


@dataclass(frozen=True, kw_only=True)
class Placing:
    """How cores are filled: with so many neurons at most."""

    number_of_neurons_per_core: int = NEURONS_PER_CORE

    def __post_init__(self) -> None:
        if self.number_of_neurons_per_core < 1:
            raise BackendError(f"number_of_neurons_per_core = {self.number_of_neurons_per_core} is below 1")


@dataclass(frozen=True, kw_only=True)
class Options(Placing):
    """`board`: see `BOARDS`. `python`: the interpreter that has sPyNNaker, by default ours.

    `force`: also networks that are larger than recommended.
    """

    board: str = REAL
    python: str = ""
    force: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.board not in BOARDS:
            raise BackendError(f"there is no board '{self.board}'", hint=f"use {', '.join(BOARDS)}")


class SpinnakerBackend:
    """The network by sPyNNaker on a board of the user's; or, said so, in a model of its cells."""

    name = "pynn.spiNNaker"
    cost = COST
    capabilities = CAPABILITIES

    def check_options(self, network: SpikingNetwork, **options: Any) -> None:
        """BackendError that says all that is missing for the board: an interpreter, sPyNNaker, the board itself."""
        chosen = chosen_options(self.name, Options, options)
        interpreter_for(chosen.board, chosen.python)

    def notes(self, **options: Any) -> tuple[str, ...]:
        """That the spikes are those of a model, where they are."""
        if (board := chosen_options(self.name, Options, options).board) == REAL:
            return ()
        placed = "" if board == ARITHMETIC else "; sPyNNaker places the network on a board that is not there"
        told = f"nothing ran on SpiNNaker: with board = {board} the spikes are those of a model of its cells{placed}"
        return (told,)

    def build(self, network: SpikingNetwork, **options: Any) -> Simulation:
        """The network ready to run; `options` as in `Options`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        check_size(self.name, network, COST, force=chosen.force)
        python = interpreter_for(chosen.board, chosen.python)
        from snntoolbox.backends.spinnaker.simulation import Simulation

        per_core = chosen.number_of_neurons_per_core
        return Simulation(network, board=chosen.board, python=python, neurons_per_core=per_core)
